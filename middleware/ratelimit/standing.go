package ratelimit

import (
	"sync"
	"weak"
)

// standing is what outlives the rules of one configuration beside their
// counters: a reload finds what the standing rules have, and what no rule has
// any more is given back.
type standing struct {
	mu      sync.Mutex
	ledgers map[string]weak.Pointer[ledger] // by rule
	lent    map[string]weak.Pointer[given]  // by definition, whatever the rule's own rate is
}

// ledger gives the ledger of a rule.
func (s *standing) ledger(rule string) *ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return keep(&s.ledgers, rule, newLedger)
}

// given gives the quotas of the rates that policies said for a rule.
func (s *standing) given(d spec) *given {
	s.mu.Lock()
	defer s.mu.Unlock()
	general := d
	general.rate.Limit, general.rate.Period = 0, 0
	switch { // what matters of the rule's own rate, see given.lend
	case d.burst == d.rate.Limit:
		general.burst = 0
	case d.burst > d.rate.Limit:
		general.rate.Limit = 1
	}
	return keep(&s.lent, general.definition(), func() *given { return newGiven(d) })
}

// keep gives what stands under a name, or makes it.
func keep[T any](m *map[string]weak.Pointer[T], name string, fresh func() *T) *T {
	if *m == nil {
		*m = map[string]weak.Pointer[T]{}
	}
	for k, p := range *m {
		if p.Value() == nil {
			delete(*m, k)
		}
	}
	if v := (*m)[name].Value(); v != nil {
		return v
	}
	v := fresh()
	(*m)[name] = weak.Make(v)
	return v
}
