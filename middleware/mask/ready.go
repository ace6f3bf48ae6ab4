package mask

import (
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// readyKey names a demand. A decider gives the same *Decision for questions that
// it cannot tell apart, and never changes one; the cache holds on to it, so that its
// address means nothing else meanwhile. What else a demand hangs on is whose keys
// are used and the values of the caller that row filters name.
type readyKey struct {
	decision *policies.Decision
	tenant   string
	values   string
}

// ready gives the demand of a decision for this caller: one that was made before
// for the same, or a new one. It is shared, and never changes. Where a query decides
// about the paths, each request has its own, and this is not for those.
func (s *Stage) ready(x *middleware.Exchange) (*demand, error) {
	key := readyKey{decision: x.Decision}
	if x.Subject != nil {
		key.tenant = x.Subject.Tenant
	}
	var room [256]byte
	b := room[:0]
	for i := range x.Decision.Rows {
		b = appendNamed(b, x.Input, x.Decision.Rows[i].Where)
	}
	key.values = string(b)
	if d, ok := s.demands.Get(key); ok {
		return d, nil
	}
	d, err := s.demanded(x)
	if err == nil && len(b) <= maxQueryKey { // some values are of the caller's choice
		s.demands.Add(key, d)
	}
	return d, err
}

// appendNamed writes the caller's values that conditions name, each with its type
// and behind its length. Which names they are says the decision.
func appendNamed(b []byte, in *policies.Input, list []policies.Condition) []byte {
	for i := range list {
		c := &list[i]
		if c.Input != "" {
			if v, ok := in.Lookup(c.Input); ok {
				b = appendValue(append(b, '+'), v)
			} else {
				b = append(b, '-')
			}
		}
		b = appendNamed(appendNamed(b, in, c.Any), in, c.All)
		if c.Not != nil {
			b = appendNamed(b, in, []policies.Condition{*c.Not})
		}
	}
	return b
}
