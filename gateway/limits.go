package gateway

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/middleware/ratelimit"
)

// LimitState is a rate limit as it stands, with the routes that name it.
type LimitState struct {
	ratelimit.State
	Routes []LimitedRoute `json:"routes"`
}

// LimitedRoute is a route that has a rate limit, and what a request counts in it.
type LimitedRoute struct {
	Name string `json:"name"`
	Cost int    `json:"cost"`
}

// Limits tells of every rate limit of the configuration, by name: its settings,
// how it decided, and who was refused lately or would have been. It is what this
// replica knows.
func (p *Plan) Limits() []LimitState {
	out := []LimitState{}
	for _, r := range p.limits {
		s := LimitState{State: r.State(), Routes: []LimitedRoute{}}
		for _, route := range p.config.Routes {
			if slices.Contains(route.RateLimits, s.Name) {
				s.Routes = append(s.Routes, LimitedRoute{route.Name, max(route.RateCost, 1)})
			}
		}
		out = append(out, s)
	}
	return out
}

// decisions tells how often each rate limit decided how.
func (p *Plan) decisions(yield func(limit, decision string, n uint64)) {
	words := ratelimit.Decisions()
	for _, r := range p.limits {
		for i, n := range r.Decided() {
			yield(r.Name(), words[i], n)
		}
	}
}
