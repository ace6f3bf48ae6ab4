package gateway

import (
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/gateway/upstream"
)

// UpstreamState is what is known of the endpoints of an upstream.
type UpstreamState struct {
	Name      string              `json:"name"`
	Balance   string              `json:"balance"`
	Endpoints []upstream.Endpoint `json:"endpoints"` // each address on its own
}

// Upstreams tells what is known of every upstream, by name.
func (p *Plan) Upstreams() []UpstreamState {
	out := []UpstreamState{}
	for _, name := range slices.Sorted(maps.Keys(p.upstreams)) {
		out = append(out, UpstreamState{name, p.config.Upstreams[name].Balance, p.upstreams[name].Endpoints()})
	}
	return out
}

// endpoints tells the metrics of every endpoint: of all of its addresses
// together, since these are a name server's to choose.
func (p *Plan) endpoints(yield func(telemetry.Endpoint)) {
	for name, u := range p.upstreams {
		all := map[string]*telemetry.Endpoint{}
		for _, e := range u.Endpoints() {
			sum := all[e.URL]
			if sum == nil {
				sum = &telemetry.Endpoint{Upstream: name, URL: e.URL, Ejections: e.Ejections}
				all[e.URL] = sum
			}
			sum.InFlight += e.InFlight
			switch {
			case e.Draining:
				sum.Draining++
			case e.EjectedUntil != nil:
				sum.Ejected++
			case e.Well:
				sum.Well++
			default:
				sum.Unwell++
			}
		}
		for _, sum := range all {
			yield(*sum)
		}
	}
}

// hand tells upstreams which plan is in force: those that only the old one has
// get no new exchanges any more.
func hand(from, to *Plan) {
	in := slices.Collect(maps.Values(to.upstreams))
	for _, u := range in {
		u.Stay()
	}
	for _, u := range from.upstreams {
		if !slices.Contains(in, u) {
			u.Leave()
		}
	}
}
