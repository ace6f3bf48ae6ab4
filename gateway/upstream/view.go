package upstream

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// view is who may be picked, as of a moment. Picking reads one without a lock;
// what changes makes another one.
type view struct {
	groups map[string]*group // by region; "" is all targets
}

// A slow start begins with a tenth of the share and grows in so many steps.
const steps = 10

// mostSlots bounds the turns of a group: weights are kept in proportion up to it.
const mostSlots = 4096

// arrange makes the view anew, and says when it has to be made again because
// time passes: the end of an ejection, or a step of a slow start. The mutex is
// held.
func (u *Upstream) arrange(now time.Time) {
	var next time.Time
	soon := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	u.leaving = slices.DeleteFunc(u.leaving, func(l leaving) bool {
		if now.Before(l.until) {
			soon(l.until)
			return false
		}
		l.links.close()
		return true
	})
	switch {
	case u.left.IsZero():
	case now.Before(u.left):
		soon(u.left)
	default:
		u.drained()
	}
	members := map[string][]choice{}
	for _, t := range u.targets {
		if !t.ejected.IsZero() && !now.Before(t.ejected) {
			u.restore(t)
		}
		if !t.ejected.IsZero() {
			soon(t.ejected)
		}
		share := u.share(t, now)
		if share < steps {
			soon(t.since.Add(time.Duration(share+1) * u.slowStart / steps))
		}
		c := choice{t, int64(t.endpoint.weight) * share}
		members[""] = append(members[""], c)
		if t.region != "" {
			members[t.region] = append(members[t.region], c)
		}
	}
	v := &view{groups: make(map[string]*group, len(members))}
	for region, all := range members {
		v.groups[region] = u.groupOf(region, all)
	}
	u.view.Store(v)
	u.wakeAt(next)
}

// share is how many tenths of its weight a target has.
func (u *Upstream) share(t *target, now time.Time) int64 {
	if t.since.IsZero() {
		return steps
	}
	done := int64(now.Sub(t.since) * steps / u.slowStart)
	if done >= steps {
		t.since = time.Time{}
		return steps
	}
	return max(done, 1)
}

// groupOf makes the group of a region: who of it is well, or everybody where so
// few are that the checks are likelier wrong than they.
func (u *Upstream) groupOf(region string, all []choice) *group {
	g := &group{turn: u.turns[region]}
	for _, c := range all {
		if c.well && c.ejected.IsZero() {
			g.usable = append(g.usable, c)
		}
	}
	if len(g.usable)*100 < u.panic*len(all) {
		g.usable = all
	}
	g.slots = slots(g.usable)
	g.even = !slices.ContainsFunc(g.usable, func(c choice) bool { return c.weight != g.usable[0].weight })
	return g
}

// slots gives each choice as many turns as it weighs, as evenly apart as can be:
// the k-th of w stands at (k+1/2)/w of the way.
func slots(of []choice) []uint32 {
	if len(of) == 0 {
		return nil
	}
	var sum, common int64
	for _, c := range of {
		sum, common = sum+c.weight, gcd(c.weight, common)
	}
	type place struct {
		at    float64
		index int
	}
	var places []place
	for i, c := range of {
		n := c.weight / common
		if sum/common > mostSlots {
			n = max(1, c.weight*mostSlots/sum)
		}
		for k := range n {
			places = append(places, place{(float64(k) + 0.5) / float64(n), i})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	out := make([]uint32, len(places))
	for i, p := range places {
		out[i] = uint32(p.index)
	}
	return out
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// wakeAt has the view made anew at a time; zero is never. The mutex is held.
func (u *Upstream) wakeAt(at time.Time) {
	if at.IsZero() || u.closed {
		return
	}
	u.due = at
	if u.wake == nil {
		u.wake = make(chan struct{}, 1)
		u.running.Go(u.keep)
		return
	}
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// keep makes the view anew when it is due, until the upstream is closed.
func (u *Upstream) keep() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-u.ctx.Done():
			return
		case <-u.wake:
		case <-timer.C:
			u.mu.Lock()
			if !u.due.IsZero() && !time.Now().Before(u.due) {
				u.due = time.Time{}
				u.arrange(time.Now())
			}
			u.mu.Unlock()
		}
		u.mu.Lock()
		due := u.due
		u.mu.Unlock()
		if !due.IsZero() {
			timer.Reset(time.Until(due))
		}
	}
}

// turnsOf makes the counters by which groups take turns. They outlive views, so
// that a change does not begin again with the first one.
func turnsOf(endpoints []*endpoint) map[string]*atomic.Uint64 {
	turns := map[string]*atomic.Uint64{"": {}}
	for _, e := range endpoints {
		if turns[e.region] == nil {
			turns[e.region] = &atomic.Uint64{}
		}
	}
	return turns
}
