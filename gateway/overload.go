package gateway

import (
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/overload"
)

// caps are the bounds of what may be under way at once. All plans share the gates
// behind them, by name: a reload forgets nothing that is under way. Their numbers
// are those of the plan that began to serve last.
type caps struct {
	all       *overload.Cap // nil where there is none
	routes    map[string]*overload.Cap
	upstreams map[string]*overload.Cap
	roles     []string // who has priority
}

func (c *caps) each(f func(*overload.Cap)) {
	if c.all != nil {
		f(c.all)
	}
	for _, m := range []map[string]*overload.Cap{c.routes, c.upstreams} {
		for _, one := range m {
			f(one)
		}
	}
}

// watch tells the state of every gate.
func (c *caps) watch(yield func(telemetry.Gate)) {
	c.each(func(one *overload.Cap) { yield(telemetry.Gate(one.State())) })
}

// openCaps opens the gates of the gateway, of routes and of upstreams.
func (b *builder) openCaps() {
	c := &b.plan.caps
	c.routes, c.upstreams = map[string]*overload.Cap{}, map[string]*overload.Cap{}
	c.roles = b.config.Overload.Roles
	o, high, privileged := b.config.Overload, map[string]bool{}, map[string]bool{}
	anyHigh := false
	for _, r := range b.config.Routes {
		anyHigh = anyHigh || r.Priority == "high"
		high[r.Upstream] = high[r.Upstream] || r.Priority == "high"
		privileged[r.Upstream] = privileged[r.Upstream] || r.Authn != nil && len(o.Roles) > 0
		if n := r.Limits.InFlight; n > 0 {
			roles := r.Priority != "high" && r.Authn != nil && len(o.Roles) > 0
			c.routes[r.Name] = b.openCap("route", r.Name, overload.Settings{Max: n, Reserve: roles})
		}
	}
	if o.InFlight > 0 {
		c.all = b.openCap("gateway", "", overload.Settings{Max: o.InFlight, Reserve: anyHigh})
	}
	for name, u := range b.config.Upstreams {
		if s := u.Concurrency; s != nil {
			c.upstreams[name] = b.openCap("upstream", name, overload.Settings{
				Max: s.Max, Queue: s.Queue, Wait: s.Wait.D(), Adaptive: s.Adaptive, Min: s.Min, Reserve: high[name] || privileged[name],
			})
		}
	}
}

func (b *builder) openCap(kind, name string, s overload.Settings) *overload.Cap {
	g, err := hold(b.plan.lease, "gate/"+kind, name, func() (*overload.Gate, error) { return overload.NewGate(kind, name), nil })
	if err != nil {
		b.mistake("overload", err)
		return nil
	}
	return &overload.Cap{Gate: g, Settings: s}
}

// caps gives those of a route that are fair between callers who are known.
func (b *builder) caps(r *config.Route) []*overload.Cap {
	return []*overload.Cap{b.plan.caps.routes[r.Name], b.plan.caps.upstreams[r.Upstream]}
}

// watched measures the calls to an upstream whose bound is to be found.
func (c *caps) watched(upstream string, h middleware.Handler) middleware.Handler {
	one := c.upstreams[upstream]
	if one == nil || !one.Adaptive {
		return h
	}
	return one.Watch(h)
}
