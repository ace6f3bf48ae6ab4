package matrix

import (
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// truth is whether a condition holds for a record of which only the owner is
// known.
type truth int

const (
	no truth = iota
	maybe
	yes
)

// passes reports whether a record may pass the row filters. Filters of what stands
// inside of a record say nothing about the record.
func passes(rows []policies.Row, s *policies.Subject, whose string) bool {
	for _, row := range rows {
		inside := slices.ContainsFunc(rows, func(r policies.Row) bool {
			return r.Path != row.Path && r.Path != "$" && strings.HasPrefix(row.Path, r.Path)
		})
		if !inside && all(row.Where, s, whose) == no {
			return false
		}
	}
	return true
}

func all(list []policies.Condition, s *policies.Subject, whose string) truth {
	out := yes
	for _, c := range list {
		out = min(out, holds(c, s, whose))
	}
	return out
}

func holds(c policies.Condition, s *policies.Subject, whose string) truth {
	switch {
	case len(c.Any) > 0:
		out := no
		for _, part := range c.Any {
			out = max(out, holds(part, s, whose))
		}
		return out
	case len(c.All) > 0:
		return all(c.All, s, whose)
	case c.Not != nil:
		return yes - holds(*c.Not, s, whose)
	}
	name := compared(c, s)
	list, isList := c.Value.([]any)
	switch c.Op {
	case "in":
		if c.Input == "" && isList && len(list) == 0 {
			return no
		}
		fallthrough
	case "eq":
		return shares(whose, name)
	case "ne", "not_in":
		return yes - shares(whose, name)
	case "startswith", "endswith", "contains":
		return min(shares(whose, name), maybe)
	}
	return maybe
}

// compared is the value of the caller that a condition compares with, named or
// copied; "" for another.
func compared(c policies.Condition, s *policies.Subject) string {
	if name, ok := strings.CutPrefix(c.Input, "subject."); ok {
		return name
	}
	for _, own := range [][2]string{{"id", s.ID}, {"tenant", s.Tenant}, {"branch", s.Branch}} {
		list, ok := c.Value.([]any)
		if own[1] != "" && (!ok && c.Value == own[1] || ok && len(list) == 1 && list[0] == own[1]) {
			return own[0]
		}
	}
	return ""
}

// shares reports whether a record has the same value as the caller.
func shares(whose, name string) truth {
	at := slices.Index([]string{"id", "branch", "tenant"}, strings.Replace(name, "branches", "branch", 1))
	switch {
	case at < 0:
		return maybe
	case at >= slices.Index(records(), whose): // each kind of record shares one value less
		return yes
	}
	return no
}
