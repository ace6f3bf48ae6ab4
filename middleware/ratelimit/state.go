package ratelimit

import "net/netip"

// State is a rule with its settings, what it decided since the gateway started,
// and whom it refused lately: all of it by this replica.
type State struct {
	Name         string         `json:"name"`
	Key          []string       `json:"key"`
	Rate         string         `json:"rate"`
	Burst        int64          `json:"burst,omitempty"`
	Algorithm    string         `json:"algorithm"`
	Mode         string         `json:"mode"`
	OnStoreError string         `json:"on_store_error"`
	Rates        *Rates         `json:"rates,omitempty"`
	Policy       bool           `json:"policy,omitempty"`
	Exempt       []netip.Prefix `json:"exempt,omitempty"`

	// Decisions are how many requests were decided how; see [Decisions].
	Decisions map[string]uint64 `json:"decisions"`
	// Limited is who was refused within a day, or would have been where the rule
	// is in the shadow, most often first.
	Limited []Limited `json:"limited"`
	// More is how many requests of others it was, who had to give way in the list.
	More uint64 `json:"more,omitempty"`
}

// Rates is the table of a rule.
type Rates struct {
	By    string  `json:"by"`
	Table []Entry `json:"table"`
}

// Entry is a rate of a table, the most generous first.
type Entry struct {
	Value string `json:"value"`
	Rate  string `json:"rate"`
	Burst int64  `json:"burst,omitempty"`
}

// Decisions are the ways a rule decides: admitted, refused, shadow (it would have
// refused), exempt (it was not asked), failed (refused because nobody could
// count, or the policy's rate cannot be used).
func Decisions() []string { return []string{"admitted", "refused", "shadow", "exempt", "failed"} }

// Decided gives how many requests the rule decided in each of those ways.
func (r *Rule) Decided() []uint64 {
	l := r.ledger
	return []uint64{l.admitted.Load(), l.refused.Load(), l.shadow.Load(), l.exempt.Load(), l.failed.Load()}
}

// Name of the rule in the configuration.
func (r *Rule) Name() string { return r.name }

// State tells all about the rule.
func (r *Rule) State() State {
	d := r.quota.spec
	s := State{
		Name: r.name, Key: d.key, Rate: d.rate.Formatted, Burst: d.burst, Algorithm: d.algorithm, Mode: enforce,
		OnStoreError: r.onError, Policy: r.policy, Exempt: r.exempt, Decisions: map[string]uint64{},
	}
	if r.shadow {
		s.Mode = shadow
	}
	if r.rates != nil {
		s.Rates = &Rates{By: r.rates.by}
		for _, e := range r.rates.sorted() {
			s.Rates.Table = append(s.Rates.Table, Entry{e.value, e.quota.spec.rate.Formatted, e.quota.spec.burst})
		}
	}
	for i, n := range r.Decided() {
		s.Decisions[Decisions()[i]] = n
	}
	s.Limited, s.More = r.ledger.list(r.shadow)
	if s.Limited == nil {
		s.Limited = []Limited{}
	}
	return s
}
