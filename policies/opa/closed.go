package opa

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// Silent reports a decision that lacks the word that the route requires; the
// gateway refuses the request then.
func (r Probe) Silent(d *policies.Decision) bool {
	return r.Masks && !d.AllFields && len(d.Mask) == 0 && len(d.Expose) == 0 ||
		r.Rows && !d.AllRows && len(d.Rows) == 0
}

// open says what a decision lets through, or "".
func (r Probe) open(d *policies.Decision, stranger bool) string {
	if everythingMasked(d) {
		return ""
	}
	switch {
	case stranger && r.Masks:
		return "sees fields: refuse, or mask $..* with drop"
	case !r.Rows || d.AllRows && !stranger:
		return ""
	case len(d.Rows) == 0:
		return "sees every row: refuse, or filter rows by what the caller is"
	}
	for _, row := range d.Rows {
		if passes(row.Where) {
			return fmt.Sprintf("sees rows of others at %s: no condition there compares with what the caller is "+
				"(subject.tenant, subject.id, …); filter by it, or say all_rows as well", row.Path)
		}
	}
	return ""
}

// everythingMasked reports a decision under which no value of an answer passes.
func everythingMasked(d *policies.Decision) bool {
	shown := slices.ContainsFunc(d.Mask, func(m policies.Mask) bool { return m.Action == policies.ActionShow })
	return !shown && slices.ContainsFunc(d.Mask, func(m policies.Mask) bool {
		return (m.Path == "$" || m.Path == "$..*") &&
			slices.Contains([]string{policies.ActionDrop, policies.ActionNull, policies.ActionRedact}, m.Action)
	})
}

// passes reports whether a foreign row may meet all conditions.
func passes(all []policies.Condition) bool {
	return !slices.ContainsFunc(all, func(c policies.Condition) bool { return !mayHold(c) })
}

// mayHold reports whether a condition may hold for a foreign row. Of a negation
// nothing is known, for what is not met is only one way to be without the
// field.
func mayHold(c policies.Condition) bool {
	switch {
	case len(c.Any) > 0:
		return slices.ContainsFunc(c.Any, mayHold)
	case len(c.All) > 0:
		return passes(c.All)
	case c.Not != nil:
		return true
	}
	switch c.Op {
	case "eq", "in", "startswith", "endswith", "contains":
		return !isCaller(c)
	}
	return true
}

// isCaller reports a comparison with what only the caller is, named or copied,
// or with nothing.
func isCaller(c policies.Condition) bool {
	if c.Input != "" {
		name, ok := strings.CutPrefix(c.Input, "subject.")
		name, _, _ = strings.Cut(name, ".")
		return ok && slices.Contains([]string{"id", "tenant", "branch", "branches", "claims"}, name)
	}
	own := func(v any) bool { return v == probeID || v == probeTenant }
	if list, ok := c.Value.([]any); ok {
		return !slices.ContainsFunc(list, func(v any) bool { return !own(v) })
	}
	return own(c.Value)
}
