package upstream

import (
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// outcome is what an attempt says about its target.
type outcome uint8

const (
	nothing outcome = iota // it was ended by the client or by us
	served                 // it answers
	failed                 // it does not, or says itself that it cannot
)

// try sends the exchange to a target once, and takes note of how it went. The
// exchange is in flight there until the body of its answer is closed, or there
// is none; also where something panics.
func (u *Upstream) try(x *middleware.Exchange, t *target, answer, idle time.Duration) (res *http.Response, f *failure) {
	t.begin()
	defer func() {
		if res == nil {
			t.end()
		}
	}()
	res, f = u.attempt(x, t, answer, idle)
	t.report(u, u.judge(res, f))
	if f != nil {
		return nil, f
	}
	land(res, t)
	x.Call = res.Body
	return res, nil
}

// judge says what an attempt tells about its target. A client that goes away, a
// body that does not come and an answer that was cut by the gateway tell nothing.
func (u *Upstream) judge(res *http.Response, f *failure) outcome {
	switch {
	case u.ejection == nil:
		return nothing
	case f == nil && slices.Contains(u.ejection.Statuses, res.StatusCode):
		return failed
	case f == nil:
		return served
	case f.kind == ours || f.kind == busy:
		return nothing
	}
	return failed
}

// report counts failures in a row. The one that is too many takes the target out.
func (t *target) report(u *Upstream, o outcome) {
	switch {
	case o == served && t.failures.Load() != 0:
		t.failures.Store(0)
	case o == failed && t.failures.Add(1) >= int64(u.ejection.Failures):
		u.eject(t, time.Now())
	}
}

// eject takes a target out for a while, unless too many are. Each time in a row
// is twice as long.
func (u *Upstream) eject(t *target, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := 1
	for _, other := range u.targets {
		if !other.ejected.IsZero() {
			out++
		}
	}
	if u.cut || !t.ejected.IsZero() || t.gone.Load() || out*100 > u.ejection.Share*len(u.targets) {
		return
	}
	if now.Sub(t.back) >= u.ejection.Longest.D() {
		t.times = 0
	}
	within := u.ejection.Longest.D()
	if first := u.ejection.For.D(); t.times < 62 && first <= within>>t.times {
		within = first << t.times
	}
	t.times++
	t.ejected = now.Add(within)
	t.ejections.Add(1)
	u.arrange(now)
}

// restore ends the ejection of a target, with nothing held against it but how
// often it has happened. The mutex is held.
func (u *Upstream) restore(t *target) {
	t.back, t.ejected = t.ejected, time.Time{}
	t.failures.Store(0)
	u.ramp(t, t.back)
}

// ramp begins the slow start of a target. The mutex is held.
func (u *Upstream) ramp(t *target, now time.Time) {
	if u.slowStart > 0 {
		t.since = now
	}
}
