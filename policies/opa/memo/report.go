package memo

import (
	"cmp"
	"slices"
)

// Report tells what decisions depend on, for people.
type Report struct {
	// Enabled is false where nothing is remembered: it is switched off,
	// refused, or an audit found a wrong answer.
	Enabled bool `json:"enabled"`
	// Refused says why decisions cannot be remembered.
	Refused []Refusal `json:"refused,omitempty"`
	// Reads are what a decision depends on, whatever the route.
	Reads []Read `json:"reads"`
	// Routes say it for each route that was named, in order.
	Routes []RouteReport `json:"routes,omitempty"`
	// Advice says what would let more questions share a decision.
	Advice []Advice `json:"advice,omitempty"`
}

// RouteReport is what decisions on one route depend on.
type RouteReport struct {
	Route string `json:"route"`
	Reads []Read `json:"reads"`
	// Body and Headers are what must be fetched of a request; see
	// [Memo.Reads].
	Body    bool     `json:"body"`
	Headers []string `json:"headers,omitempty"`
}

// Read is one thing that a decision depends on.
type Read struct {
	// What is written as in Rego: "input.subject.role", or an outcome such as
	// "input.resource.params.id == input.subject.id".
	What string `json:"what"`
	// Value says that the key holds a value and not an outcome: as many values
	// as there are, so many decisions are told apart.
	Value bool `json:"value,omitempty"`
	// At lists the places where it is read.
	At []Place `json:"at"`
}

// Advice names a place that makes remembering less useful.
type Advice struct {
	Place
	Message string `json:"message"`
}

// Report tells what decisions depend on.
func (m *Memo) Report() Report {
	r := Report{
		Enabled: m.cache.Load() != nil, Refused: slices.Clone(m.plan.Refused), Reads: m.plan.report(), Advice: m.plan.advice(),
	}
	for _, name := range m.names {
		p := m.routes[name].plan
		body, headers := p.reads()
		r.Routes = append(r.Routes, RouteReport{Route: name, Reads: p.report(), Body: body, Headers: headers})
	}
	return r
}

func (p *Plan) report() []Read {
	reads := make([]Read, len(p.Slots))
	for i := range p.Slots {
		s := &p.Slots[i]
		reads[i] = Read{What: s.String(), Value: s.Kind == Value, At: slices.Clone(s.At)}
	}
	slices.SortStableFunc(reads, func(a, b Read) int { return cmp.Compare(a.What, b.What) })
	return reads
}

// advice names the reads that tell nearly every request from every other.
func (p *Plan) advice() []Advice {
	var out []Advice
	for _, s := range p.Slots {
		if s.Kind != Value {
			continue
		}
		message := costly(s.Path)
		if message == "" {
			continue
		}
		for _, at := range s.At {
			out = append(out, Advice{at, message})
		}
	}
	slices.SortFunc(out, func(a, b Advice) int {
		return cmp.Or(comparePlaces(a.Place, b.Place), cmp.Compare(a.Message, b.Message))
	})
	return out
}

// costly says what is wrong with holding the value of a path in the key, or
// nothing.
func costly(p Path) string {
	name := p.String()
	if len(p) == 0 || len(p) == 1 && p[0].Name != "body" {
		return "passes " + name + " whole: read its members one by one"
	}
	switch p[0].Name {
	case "body":
		return "reads " + name + ": requests with different ones share no decision"
	case "subject":
		switch p[1].Name {
		case "claims":
			if len(p) == 2 {
				return "passes " + name + " whole: read the claims one by one"
			}
		case "id":
			return "copies " + name + ": compare it, look it up in data, or name it as {\"input\": \"subject.id\"}"
		case "auth_time":
			return "reads " + name + ": ask for max_age with require, or compare auth_age with a constant"
		case "auth_age":
			return "reads " + name + ", which is another each second: compare it with a constant"
		}
	case "resource":
		switch p[1].Name {
		case "params", "query":
			if len(p) == 2 {
				return "passes " + name + " whole: read its members one by one"
			}
			return "copies " + name + ": compare it, or look it up in data"
		case "segments", "path":
			return "copies " + name + ": compare it with a constant or with another part of input"
		}
	case "context":
		switch p[1].Name {
		case "request_id":
			return "reads " + name + ": no two requests share a decision"
		case "client_address":
			return "copies " + name + ": compare it, or look it up in data"
		case "headers", "time":
			if len(p) == 2 {
				return "passes " + name + " whole: read its members one by one"
			}
		}
	}
	return ""
}
