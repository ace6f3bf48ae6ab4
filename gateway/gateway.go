// Package gateway is the core: it compiles a configuration into an immutable
// [Plan], finds the route of each request, sends it down the route's list of
// stages and the answer back up, and swaps plans without dropping a request.
//
// Start-up reads like this: config.Load, [Compile], [Serve]. pipeline.go holds
// the list of stages, whose order is the security model.
package gateway

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/alert"
)

// Deps is what a gateway needs of the world and what outlives its plans.
type Deps struct {
	// Metrics of the process.
	Metrics *telemetry.Metrics
	// Shared holds what plans hand on to each other.
	Shared Shared
	// Rehearsal says that plans are made to be looked at and never serve: then
	// no log file is created, which whoever serves might not be able to open.
	Rehearsal bool
}

// Gateway answers requests by the current plan. A request keeps the plan it
// began with.
type Gateway struct {
	deps     *Deps
	plan     atomic.Pointer[Plan]
	draining atomic.Bool
	buffers  buffers
	ids      ids
	mark     mark
	splices  splices

	mu      sync.Mutex     // held where closing grows
	closed  bool           // it grows no more
	closing sync.WaitGroup // of what replaced plans held
}

// New makes a gateway that serves by a plan, which it owns from now on.
func New(d *Deps, p *Plan) *Gateway {
	g := &Gateway{deps: d, mark: newMark()}
	g.plan.Store(p)
	d.Metrics.WatchTracing(func() int64 {
		spans, _ := g.Plan().tracing.Lost()
		return spans
	})
	d.Metrics.WatchMemo(func() telemetry.Memo { return g.Plan().memoStats() })
	d.Metrics.WatchEndpoints(func(yield func(telemetry.Endpoint)) { g.Plan().endpoints(yield) })
	d.Metrics.WatchUpstreams(func(yield func(telemetry.Upstream)) { g.Plan().tries(yield) })
	d.Metrics.WatchIssuers(func(yield func(issuer string, keys int, confirmed time.Time)) {
		for name, i := range g.Plan().issuers {
			if n, confirmed, ok := i.Keys(); ok {
				yield(name, n, confirmed)
			}
		}
	})
	d.Metrics.WatchOrders(func() (revocations, lockdowns, blocks int) { return g.Plan().orders.Count() })
	d.Metrics.WatchLimits(func(yield func(limit, decision string, n uint64)) { g.Plan().decisions(yield) })
	d.Metrics.WatchOverload(func(yield func(telemetry.Gate)) { g.Plan().caps.watch(yield) })
	d.Metrics.WatchAlerts(func(yield func(sink string, events int, bytes int64)) {
		a := g.Plan().alerts
		yield("none", a.Queued(), 0)
		a.Waiting(func(w alert.Waiting) { yield(w.Sink, w.Events, w.Bytes) })
	})
	d.Metrics.WatchCertificates(func(yield func(listener, name string, expires time.Time)) { g.Plan().expiries(yield) })
	return g
}

// Plan is the plan that new requests are served by.
func (g *Gateway) Plan() *Plan { return g.plan.Load() }

// Swap makes p the plan of all requests that begin from now on. The one before
// is closed when its last request is over.
func (g *Gateway) Swap(p *Plan) {
	old := g.plan.Swap(p)
	p.begin()
	hand(old, p)
	g.splices.retire(old)
	old.leave()
}

// Close gives up the current plan, and waits until what replaced ones held is
// closed; the gateway must not be used afterwards.
func (g *Gateway) Close() {
	g.plan.Load().leave()
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.closing.Wait()
}

// Unclassified lists where answers held values that look like personal data
// and that the policies do not know.
func (g *Gateway) Unclassified() []telemetry.Unclassified { return g.deps.Metrics.Unclassified() }

// Draining reports whether the gateway is about to stop.
func (g *Gateway) Draining() bool { return g.draining.Load() }

// Handler answers the requests of one listener.
func (g *Gateway) Handler(listener string) http.Handler { return g.handler(listener, nil) }

// handler answers requests, or refuses them all.
func (g *Gateway) handler(listener string, unread *middleware.Refusal) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		makeRoom(none)
		s, p := &passage{unread: unread}, g.enter()
		defer func() {
			g.leave(p)
			if sp := s.splice.Load(); sp != nil {
				g.splices.remove(sp) // whoever waits for that goes on to close the gateway
			}
		}()
		p.serve(s, g, w, r, listener)
	})
}

// leave counts a request out. Its answer is not whole before this returns, so
// the last request of a replaced plan does not wait for what that held to be
// closed: a collector of traces that does not answer takes seconds.
func (g *Gateway) leave(p *Plan) {
	if !p.last() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		p.lease.release()
		return
	}
	g.closing.Go(p.lease.release)
}

// enter takes part in the current plan. A plan that was swapped out between
// the two steps is not entered any more.
func (g *Gateway) enter() *Plan {
	for {
		if p := g.plan.Load(); p.enter() {
			return p
		}
	}
}
