package guard

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// maxKeys is how many callers are counted, and how many blocked, at most.
const maxKeys = 100_000

// maxEvents bounds what is kept for all of them, whatever the threshold.
const maxEvents = 1 << 20

// digest stands for a username. Zero stands for none that could be read.
type digest [16]byte

// caller is who failures are counted for.
type caller struct {
	net  netip.Prefix
	user digest // zero: the whole address
}

// event is one failed login.
type event struct {
	at   time.Time
	user digest // whose success forgives it
}

// failures remembers failed logins and the blocks that came of them.
type failures struct {
	threshold     int
	window, block time.Duration

	any    atomic.Bool // some block may be in force; spares everybody the lock
	mu     sync.Mutex
	counts recent[caller, []event] // oldest event first, fewer than threshold
	blocks recent[caller, time.Time]
	active map[caller]int // attempts under way
}

// newFailures makes an empty memory. All blocks last equally long, so the
// oldest is also the next to end.
func newFailures(c config.AuthFailures) *failures {
	return &failures{
		threshold: c.Threshold, window: c.Window.D(), block: c.Block.D(),
		counts: newRecent[caller, []event](min(maxKeys, max(1, maxEvents/c.Threshold))),
		blocks: newRecent[caller, time.Time](maxKeys),
		active: map[caller]int{},
	}
}

// blocked says how long a block on any of the callers lasts, zero where there
// is none.
func (f *failures) blocked(now time.Time, who ...caller) (left time.Duration) {
	if !f.any.Load() {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire(now)
	for _, c := range who {
		if until, ok := f.blocks.get(c); ok {
			left = max(left, until.Sub(now))
		}
	}
	return left
}

// expire drops blocks and counts that are over.
func (f *failures) expire(now time.Time) {
	for {
		c, until, ok := f.blocks.oldest()
		if !ok || until.After(now) {
			f.any.Store(ok)
			break
		}
		f.blocks.remove(c)
	}
	for {
		c, events, ok := f.counts.oldest()
		if !ok || len(events) > 0 && now.Sub(events[len(events)-1].at) < f.window {
			return
		}
		f.counts.remove(c)
	}
}

// fail counts a failed login for each of the callers and reports whether a
// block started.
func (f *failures) fail(now time.Time, user digest, who ...caller) (started bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire(now)
	for _, c := range who {
		if _, ok := f.blocks.get(c); ok {
			continue // an attempt that was under way when the block started
		}
		events, _ := f.counts.get(c)
		events = append(f.recent(events, now), event{now, user})
		if len(events) < f.threshold {
			f.counts.put(c, events)
			continue
		}
		f.counts.remove(c)
		f.blocks.put(c, now.Add(f.block))
		f.any.Store(true)
		started = true
	}
	return started
}

// recent keeps the events within the window, in place.
func (f *failures) recent(events []event, now time.Time) []event {
	return slices.DeleteFunc(events, func(e event) bool { return now.Sub(e.at) >= f.window })
}

// enter lets an attempt in, unless it and those under way could exceed the
// threshold by failing all at once: guesses sent in parallel gain nothing.
// Whoever entered must leave. It holds for names only. Nobody logs in to one
// account several times at once, but an office does to many.
func (f *failures) enter(now time.Time, who ...caller) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range who {
		events, ok := f.counts.get(c)
		if ok {
			events = f.recent(events, now)
			f.counts.update(c, events)
		}
		if c.user != (digest{}) && len(events)+f.active[c] >= f.threshold {
			return false
		}
	}
	for _, c := range who {
		f.active[c]++
	}
	return true
}

// leave ends an attempt that entered.
func (f *failures) leave(who ...caller) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range who {
		if f.active[c]--; f.active[c] <= 0 {
			delete(f.active, c)
		}
	}
}

// forgive forgets the failures of one user with a caller.
func (f *failures) forgive(c caller, user digest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	events, ok := f.counts.get(c)
	if !ok {
		return
	}
	events = slices.DeleteFunc(events, func(e event) bool { return e.user == user })
	if len(events) == 0 {
		f.counts.remove(c)
		return
	}
	f.counts.update(c, events)
}
