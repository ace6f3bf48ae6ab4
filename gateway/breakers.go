package gateway

import (
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// tries tells what every upstream has done beyond sending each request once.
func (p *Plan) tries(yield func(telemetry.Upstream)) {
	for name, u := range p.upstreams {
		s := u.Stats()
		t := telemetry.Upstream{Name: name, Connections: s.Connections, Retries: s.Retries, Withheld: s.Withheld}
		if b := s.Breaker; b != nil {
			t.Breaker, t.Opened, t.Refused = b.State, b.Opened, b.Refused
		}
		yield(t)
	}
}

// breaking tells of every upstream with a breaker. One that is open makes nothing
// unready: another replica could not reach that backend any better.
func (p *Plan) breaking() []Condition {
	var out []Condition
	for name, u := range p.upstreams {
		b := u.Stats().Breaker
		if b == nil {
			continue
		}
		c := Condition{Name: "upstream/" + name, OK: true}
		if b.State != "closed" {
			c.Detail = "its circuit breaker is " + b.State + ", so requests for it get 503: it has failed too often"
		}
		out = append(out, c)
	}
	return out
}
