package upstream

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// outcome is what an attempt says about its target.
type outcome uint8

const (
	silent outcome = iota // nothing: it was ended by the client or by us
	served                // it answers
	failed                // it does not, or says itself that it cannot
)

// try sends the exchange to a target once, and takes note of how it went. The
// exchange is in flight there until the body of its answer is closed, or there
// is none; also where something panics.
func (u *Upstream) try(x *middleware.Exchange, t *target) (res *http.Response, err error) {
	t.begin()
	defer func() {
		if res == nil {
			t.end()
		}
	}()
	res, err = u.attempt(x, t)
	t.report(u, u.judge(x, res, err))
	if err != nil {
		return nil, err
	}
	land(res, t)
	return res, nil
}

// judge says what an attempt tells about its target. A client that goes away, a
// body that does not come and an answer that was cut by the gateway tell nothing.
func (u *Upstream) judge(x *middleware.Exchange, res *http.Response, err error) outcome {
	if u.ejection == nil {
		return silent
	}
	if err == nil {
		if slices.Contains(u.ejection.Statuses, res.StatusCode) {
			return failed
		}
		return served
	}
	var r *middleware.Refusal
	if !errors.As(err, &r) {
		return silent
	}
	ours := x.Request.Context().Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, middleware.ErrEnded)
	switch code := middleware.Code(r.Code); {
	case code == middleware.UpstreamTimeout: // however it was ended
		return failed
	case code == middleware.UpstreamUnavailable && !ours:
		return failed
	}
	return silent
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
