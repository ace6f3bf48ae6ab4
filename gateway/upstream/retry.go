package upstream

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

const (
	failovers = 2             // how many other endpoints are tried where there was no connection
	maxPause  = time.Second   // before one try
	mostTries = 5 + failovers // with all that can be configured
	drained   = 4 << 10       // bytes of an answer that is given up
	drainTime = 50 * time.Millisecond
)

// kind is what became of a try.
type kind uint8

const (
	answered kind = iota // by the backend, and well
	unsent               // no connection was made: nothing of the request has left the gateway
	broken               // the connection ended before the answer began
	late                 // no answer in time
	unwell               // an answer with a status that tells of failure
	garbled              // an answer that is none, or from somebody else
	busy                 // all connections were in use
	ours                 // the client, or the gateway, ended it
	kinds
)

func (k kind) String() string {
	return [kinds]string{"", "connect", "reset", "timeout", "status", "malformed", "busy", ""}[k]
}

// A failure is a try without an answer.
type failure struct {
	kind    kind
	refusal *middleware.Refusal // what the client is told if it was the last one
}

// retries is when an upstream is tried again; nil: never.
type retries struct {
	settings *config.Retries
	reasons  [kinds]bool // but for unwell
	budget   *budget
}

func newRetries(c *config.Retries) *retries {
	if c == nil {
		return nil
	}
	r := &retries{settings: c, budget: newBudget(c.Budget)}
	for _, k := range []kind{unsent, broken, late} {
		r.reasons[k] = slices.Contains(c.On, k.String())
	}
	return r
}

// repeats reports whether the request may be sent twice: it has the same effect
// then as once (RFC 9110, section 9.2.2), and its body is there twice.
func (r *retries) repeats(in *http.Request) bool {
	if r == nil || len(in.Header["Upgrade"]) > 0 {
		return false
	}
	switch in.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
	default:
		if key := in.Header["Idempotency-Key"]; !r.settings.IdempotencyKey || len(key) != 1 || key[0] == "" {
			return false
		}
	}
	return in.Body == nil || in.Body == http.NoBody || in.GetBody != nil
}

// errGivenUp ends an answer that nobody waits for.
var errGivenUp = errors.New("another try is made")

// course is the way of one exchange through its tries.
type course struct {
	u       *Upstream
	ask     ask
	answer  time.Duration // for all of it
	begin   time.Time
	repeats bool

	tried [mostTries]*target
	n     int      // of tried
	free  int      // of them, those that sent nothing and count for nothing
	why   []string // all but the last have failed, for the record
}

// left is what there is left of the time.
func (c *course) left() time.Duration { return c.answer - time.Since(c.begin) }

// within is how long the next try may take: as long as all of it, or less where
// there could be another one.
func (c *course) within() time.Duration {
	answer := c.answer
	if c.n > 0 {
		answer = max(c.left(), 1) // 0 would be no bound, and the pause may have used up what there was
	}
	if c.repeats && c.n-c.free+1 < c.u.retries.settings.Attempts {
		if most := c.u.retries.settings.PerTry.D(); most > 0 {
			answer = min(answer, most)
		}
	}
	return answer
}

// try sends the exchange to a target, if the breaker lets it. The error is a
// refusal that ends the exchange.
func (c *course) try(t *target, idle time.Duration) (*http.Response, *failure, error) {
	if err := c.renew(); err != nil {
		return nil, nil, err
	}
	pass, err := c.u.breaker.enter()
	if err != nil {
		return nil, nil, err
	}
	c.ask.x.Upstream, c.ask.x.Answered = t.name, 0
	res, f := c.u.try(c.ask.x, t, c.within(), idle)
	pass.leave(became(res, f))
	c.tried[c.n] = t
	c.n++
	return res, f, nil
}

// next gives the target of the next try, once that may begin; nil where there is
// none. Nothing of the last try is held any more then, and neither is it where
// there is an error.
func (c *course) next(k kind, res *http.Response) (*target, error) {
	ctx := c.ask.x.Request.Context()
	if ctx.Err() != nil || c.n == mostTries || k == ours {
		return nil, nil
	}
	c.ask.tried = c.tried[:c.n]
	t := c.u.pick(c.ask)
	if t == nil {
		return nil, nil
	}
	// What was sent nowhere is sent once, wherever it is sent now: no more
	// requests come to the backend of it than clients have made.
	if k == unsent && c.free < failovers && c.left() > 0 && !slices.Contains(c.tried[:c.n], t) {
		c.free++
		c.note(k, res)
		return t, nil
	}
	pause, ok := c.u.retries.wants(c, k, res)
	if !ok || !c.u.breaker.closed() || pause >= c.left() {
		return nil, nil
	}
	if !c.u.retries.budget.take() {
		c.u.counts.withheld.Add(1)
		return nil, nil
	}
	if res != nil {
		giveUp(c.ask.x, res, c.u.patience)
	}
	c.note(k, res)
	if !sleep(ctx, pause) {
		return nil, unavailable("the request was given up", ctx.Err())
	}
	return t, nil
}

// renew makes the body of the request ready for another try. One that is not
// held whole is not: nobody has read of it then.
func (c *course) renew() error {
	r := c.ask.x.Request
	if c.n == 0 || r.GetBody == nil {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return middleware.Refuse(stage, middleware.InternalError, "the request body is not there any more").With(err)
	}
	r.Body = body
	return nil
}

// wants reports whether a try is to be followed by another one, after a pause.
func (r *retries) wants(c *course, k kind, res *http.Response) (time.Duration, bool) {
	if r == nil || c.n-c.free >= r.settings.Attempts || !c.repeats && k != unsent {
		return 0, false
	}
	if k == unwell {
		if !slices.Contains(r.settings.Statuses, res.StatusCode) || later(res.Header) {
			return 0, false
		}
	} else if !r.reasons[k] {
		return 0, false
	}
	most := min(r.settings.Pause.D()<<(c.n-1), maxPause)
	return rand.N(max(most, 1)), true
}

// note puts a try that is followed by another one on record.
func (c *course) note(k kind, res *http.Response) {
	c.u.counts.again[k].Add(1)
	if k == unwell {
		c.why = append(c.why, strconv.Itoa(res.StatusCode))
		return
	}
	c.why = append(c.why, k.String())
}

// end puts on record that there was more than one try.
func (c *course) end() {
	if c.n > 1 {
		c.ask.x.Note("tries", c.n)
		c.ask.x.Note("tried_again", c.why)
	}
}

// later reports whether an answer says that it is of no use to ask again at
// once. What cannot be read says so too.
func later(h http.Header) bool {
	v := h["Retry-After"]
	return len(v) > 1 || len(v) == 1 && v[0] != "0"
}

// sleep waits, unless the client goes away.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// giveUp ends an answer that nobody gets. A short one is read to its end, so that
// its connection can be used again: a backend that fails because there is too
// much to do need not greet everybody anew as well.
func giveUp(x *middleware.Exchange, res *http.Response, patience time.Duration) {
	cancel := x.Cancel
	late := time.AfterFunc(patience, func() { cancel(errGivenUp) })
	_, _ = io.CopyN(io.Discard, res.Body, drained)
	late.Stop()
	_ = res.Body.Close()
}
