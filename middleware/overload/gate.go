package overload

import (
	"context"
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

const name = "overload"

// Settings are those of a gate. They may change while it is in use.
type Settings struct {
	Max      int           // places; 0: the gate is open to everybody
	Queue    int           // requests that may wait for a place
	Wait     time.Duration // for how long
	Adaptive bool          // the bound is found, between Min and Max
	Min      int
	Reserve  bool // a tenth of the places is for those with priority
}

// Gate bounds how many exchanges are under way. It is shared by the plans of one
// configuration after the other, and safe for use by many goroutines.
type Gate struct {
	kind, name string // such as "upstream" and "hr", for metrics and records
	seed       maphash.Seed
	made       time.Time // instants are counted from here: cheaper than time.Now

	common  pool
	reserve pool
	streams streams
	held    atomic.Int64 // places that are taken, of both pools
	bound   atomic.Int64
	waiting atomic.Int64
	stay    atomic.Int64 // how long a place is kept, in nanoseconds: a moving average

	refused [reasons]atomic.Uint64
	waited  atomic.Uint64

	mu       sync.Mutex // of what follows; never held while others wait
	settings atomic.Pointer[Settings]
	limit    atomic.Pointer[limit] // nil where the bound is fixed
}

// label is what the gate is called in records.
func (g *Gate) label() string {
	if g.name == "" {
		return g.kind
	}
	return g.kind + " " + g.name
}

// reason is why an exchange was refused.
type reason int

const (
	full  reason = iota // no place, and no room to wait for one
	share               // the tenant has its share
	late                // waited for a place in vain
	reasons
)

func (r reason) String() string { return [...]string{"full", "share", "wait"}[r] }

// NewGate makes a gate that is open to everybody until [Gate.Set] says otherwise.
func NewGate(kind, name string) *Gate {
	g := &Gate{kind: kind, name: name, seed: maphash.MakeSeed(), made: time.Now()}
	g.settings.Store(&Settings{})
	return g
}

// Set makes settings hold from now on. What is under way or waits is not
// touched: where there are fewer places now, nobody gets one until enough have
// been given back.
func (g *Gate) Set(s Settings) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if *g.settings.Load() == s {
		return
	}
	g.settings.Store(&s)
	bound := s.Max
	switch l := g.limit.Load(); {
	case !s.Adaptive:
		g.limit.Store(nil)
	case l == nil:
		l = newLimit(s.Min, s.Max)
		g.limit.Store(l)
		bound = l.between(s.Min, s.Max)
	default:
		bound = l.between(s.Min, s.Max)
	}
	g.resize(bound, s)
}

// resize divides the places. The lock is held.
func (g *Gate) resize(bound int, s Settings) {
	g.bound.Store(int64(bound))
	kept := 0
	if s.Reserve && bound > 1 {
		kept = max(1, bound/10)
	}
	room := s.Queue
	if s.Wait <= 0 {
		room = 0
	}
	g.common.resize(bound-kept, room, s.Adaptive)
	g.reserve.resize(kept, room, false)
	g.streams.max.Store(int64(s.Max))
}

// follow sets the bound that the limit has found.
func (g *Gate) follow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.limit.Load(); l != nil {
		s := *g.settings.Load()
		g.resize(min(l.current(), s.Max), s)
	}
}

// place is where an exchange is. The zero value is none.
type place struct {
	gate   *Gate // nil: none
	pool   *pool
	holder *holder
	stream bool // it has a seat among the streams instead
	since  time.Duration
}

// take finds a place for the exchange and waits for it if it must, no longer
// than its client does. Who has priority may sit, and waits, in both pools.
func (g *Gate) take(x *middleware.Exchange, high bool) (place, error) {
	s := g.settings.Load()
	if s.Max == 0 {
		return place{}, nil
	}
	k, pools := g.keyOf(x), [2]*pool{&g.common, &g.reserve}
	n := 1
	if high && s.Reserve {
		n = 2
	}
	for _, p := range pools[:n] {
		if h, v := p.take(k); v == placed {
			return g.placed(p, h), nil
		} else if s.Wait <= 0 && p == pools[n-1] {
			return place{}, g.refuse(x, reasonOf(v))
		}
	}
	p, h, err := g.wait(x, k, pools[:n], s.Wait)
	if err != nil {
		return place{}, err
	}
	return g.placed(p, h), nil
}

func (g *Gate) placed(p *pool, h *holder) place {
	g.held.Add(1)
	return place{gate: g, pool: p, holder: h, since: time.Since(g.made)}
}

// wait waits for a place in any of the pools.
func (g *Gate) wait(x *middleware.Exchange, k key, pools []*pool, most time.Duration) (*pool, *holder, error) {
	var waiters [2]*waiter
	why, waits := full, false
	for i, p := range pools {
		w, v := p.line(k)
		if v != queued {
			why = reasonOf(v)
			continue
		}
		waiters[i], waits = w, true
	}
	if !waits {
		return nil, nil, g.refuse(x, why)
	}
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	timedOut := await(x.Request.Context(), waiters, most)
	p, h := g.settle(pools, waiters[:len(pools)])
	switch {
	case p != nil:
		g.waited.Add(1)
		return p, h, nil
	case timedOut:
		return nil, nil, g.refuse(x, late)
	}
	return nil, nil, x.Request.Context().Err() // the client has left
}

// await waits until one of the waiters may have a place, or there is no point in
// waiting any more.
func await(ctx context.Context, waiters [2]*waiter, most time.Duration) (timedOut bool) {
	var served [2]chan struct{} // nil blocks
	for i, w := range waiters {
		if w != nil {
			served[i] = w.served
		}
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-served[0]:
	case <-served[1]:
	case <-timer.C:
		return true
	case <-ctx.Done():
	}
	return false
}

// settle ends all waiting. Of the places that were got it keeps the first, and
// gives the others back.
func (g *Gate) settle(pools []*pool, waiters []*waiter) (p *pool, h *holder) {
	for i, w := range waiters {
		if w == nil || !pools[i].abandon(w) {
			continue
		}
		if p == nil {
			p, h = pools[i], w.holder
			continue
		}
		pools[i].give(w.holder)
	}
	return p, h
}

func reasonOf(v verdict) reason {
	if v == refusedShare {
		return share
	}
	return full
}

// give gives the place back. It is called once for each that was taken.
func (p *place) give() {
	g := p.gate
	if g == nil {
		return
	}
	if p.stream {
		g.streams.leave()
		return
	}
	p.vacate()
}

func (p *place) vacate() {
	g := p.gate
	g.held.Add(-1)
	p.pool.give(p.holder)
	// Of two at once one may be lost; it is an average.
	before, now := g.stay.Load(), int64(time.Since(g.made)-p.since)
	if before == 0 {
		before = now
	}
	g.stay.Store(before + (now-before)/16)
}

// toStream moves an exchange whose answer is a stream to the streams, if there
// is a seat.
func (p *place) toStream() {
	if p.gate == nil || p.stream || !p.gate.streams.enter() {
		return
	}
	p.stream = true
	p.gate.held.Add(-1)
	p.pool.give(p.holder) // how long it was there says nothing about others
}

func (g *Gate) refuse(x *middleware.Exchange, why reason) error {
	g.refused[why].Add(1)
	x.Note(name, g.label()+": "+why.String())
	return &middleware.Refusal{
		Stage: name, Status: http.StatusServiceUnavailable, Code: string(middleware.Overloaded),
		Detail: "too much is under way; try again later",
		Header: http.Header{"Retry-After": {strconv.FormatInt(g.retryAfter(), 10)}},
	}
}

// latestRetry is the longest that a client is asked to stay away, in seconds.
const latestRetry = 60

// retryAfter is when trying again makes sense, in seconds: as long as those that
// wait already need, if places come free as fast as lately, and one at least. Up
// to as much again is added by chance, and up to two seconds, so that those who
// are refused together do not come back together.
func (g *Gate) retryAfter() int64 {
	ahead := float64(g.stay.Load()) * float64(g.waiting.Load()+1) / float64(max(1, g.bound.Load()))
	n := min(latestRetry/2, max(1, int64((time.Duration(ahead)+time.Second-1)/time.Second)))
	return n + rand.Int64N(max(n, 2)+1)
}

// Watch measures the calls to the upstream that a gate is for, if its bound is to
// be found: from handing over the request to the head of the answer. A call whose
// request body comes from the client meanwhile is counted and not measured, for it
// takes as long as the client does.
func (g *Gate) Watch(next middleware.Handler) middleware.Handler {
	return func(x *middleware.Exchange) (*http.Response, error) {
		l := g.limit.Load()
		if l == nil {
			return next(x)
		}
		r := x.Request
		measured := r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
		round, begin := l.now(), time.Since(g.made)
		res, err := next(x)
		held := int(g.held.Load())
		changed := false
		switch {
		case r.Context().Err() != nil: // the client has left, or has sent too slowly
			return res, err
		case troubled(res, err):
			changed = l.failed(held)
		case err == nil && measured:
			changed = l.answered(round, time.Since(g.made)-begin, held)
		case err == nil:
			changed = l.coped(held)
		}
		if changed {
			g.follow()
		}
		return res, err
	}
}

// troubled reports whether an answer, or that there is none, tells of a backend
// that cannot cope.
func troubled(res *http.Response, err error) bool {
	if err != nil {
		var r *middleware.Refusal
		return errors.As(err, &r) &&
			(r.Code == string(middleware.UpstreamTimeout) || r.Code == string(middleware.UpstreamUnavailable))
	}
	switch res.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// streams counts those that have left their places.
type streams struct{ open, max atomic.Int64 }

func (s *streams) enter() bool {
	if s.open.Add(1) <= s.max.Load() {
		return true
	}
	s.open.Add(-1)
	return false
}

func (s *streams) leave() { s.open.Add(-1) }

// State is what is known of a gate at one time, for metrics.
type State struct {
	Kind, Name               string
	InFlight, Bound, Waiting int
	Streams                  int
	Refused                  map[string]uint64 // by reason
	Waited                   uint64
}

// State tells how the gate is.
func (g *Gate) State() State {
	s := State{
		Kind: g.kind, Name: g.name, InFlight: int(g.held.Load()), Bound: int(g.bound.Load()), Waiting: int(g.waiting.Load()),
		Streams: int(g.streams.open.Load()), Refused: map[string]uint64{}, Waited: g.waited.Load(),
	}
	for r := range reasons {
		s.Refused[r.String()] = g.refused[r].Load()
	}
	return s
}
