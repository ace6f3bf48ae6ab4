package ratelimit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// rateTable gives callers a quota by who they are.
type rateTable struct {
	by      string // as configured
	claim   string // what claim:NAME names, else ""
	entries map[string]*rateEntry
}

type rateEntry struct {
	value string
	quota *quota
	rank  int // 0 is the most generous
}

// openRates makes the table of a rule. Each entry has counters of its own, so a
// reload that changes one keeps what was counted for the others.
func openRates(c *config.RateTable, d spec, store *Store) (*rateTable, error) {
	t := &rateTable{by: c.By, entries: map[string]*rateEntry{}}
	kind, arg, _ := strings.Cut(c.By, ":")
	switch {
	case c.By == "subject.role" || c.By == "subject.tenant":
	case kind == "claim" && arg != "":
		t.claim = arg
	default:
		return nil, fmt.Errorf("rates cannot be looked up by %q; there are subject.role, subject.tenant and claim:NAME", c.By)
	}
	for value, e := range c.Table {
		d, err := d.with(e.Rate, e.Burst)
		if err != nil {
			return nil, fmt.Errorf("rates for %s: %w", value, err)
		}
		d.entry = c.By + "=" + value
		t.entries[value] = &rateEntry{value: value, quota: store.quota(d)}
	}
	for i, e := range t.sorted() {
		e.rank = i
	}
	return t, nil
}

// sorted lists the entries, the most generous first.
func (t *rateTable) sorted() []*rateEntry {
	per := func(e *rateEntry) float64 {
		return float64(e.quota.spec.rate.Limit) / float64(e.quota.spec.rate.Period)
	}
	return slices.SortedFunc(maps.Values(t.entries), func(a, b *rateEntry) int {
		return cmp.Or(cmp.Compare(per(b), per(a)), cmp.Compare(b.quota.spec.burst, a.quota.spec.burst), cmp.Compare(a.value, b.value))
	})
}

// quota gives the quota of a caller, nil where the table has none.
func (t *rateTable) quota(s *policies.Subject) *quota {
	if s == nil {
		return nil
	}
	var best *rateEntry
	switch t.by {
	case "subject.tenant":
		best = t.entries[s.Tenant]
	case "subject.role":
		best = t.entries[s.Role]
		for _, role := range s.Roles {
			if e := t.entries[role]; e != nil && (best == nil || e.rank < best.rank) {
				best = e
			}
		}
	default:
		value, _ := claimText(s.Claims[t.claim])
		best = t.entries[value]
	}
	if best == nil {
		return nil
	}
	return best.quota
}

// claimText gives the text of a claim that is one value; a list or an object is
// none.
func claimText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, v != ""
	case json.Number:
		return string(v), v != ""
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

// String lists the entries, the most generous first: "by subject.role: admin
// 6000/1m burst 100, hr 600/1m".
func (t *rateTable) String() string {
	var texts []string
	for _, e := range t.sorted() {
		texts = append(texts, e.value+" "+e.quota.spec.text())
	}
	return "by " + t.by + ": " + strings.Join(texts, ", ")
}
