package audit

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// obligations tells what a decision demanded, one short text for each demand.
// It names fields, operators and named values, never a value: a condition or a
// header may hold one that was copied from the caller.
func obligations(d *policies.Decision) []string {
	var out []string
	add := func(words ...string) { out = append(out, strings.Join(words, " ")) }
	for _, n := range d.Deny {
		add("deny", n.Code)
	}
	for _, m := range d.Mask {
		add("mask", m.Action, m.Path)
	}
	for _, p := range d.Expose {
		add("expose", p)
	}
	for _, r := range d.Rows {
		for _, c := range r.Where {
			add("rows", r.Path, c.Text(func(c policies.Condition) string { return named(c.Input) }))
		}
	}
	for _, p := range d.Protect {
		add("protect", p.Action, p.Path)
	}
	for _, q := range d.Require {
		add("require", q.String())
	}
	for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
		add("header", name, named(d.Headers[name].Input))
	}
	for _, name := range slices.Sorted(maps.Keys(d.RateLimits)) {
		add("rate_limit", name, d.RateLimits[name].String())
	}
	if d.Region != "" {
		add("region", d.Region)
	}
	if d.AllFields {
		add("all_fields")
	}
	if d.AllRows {
		add("all_rows")
	}
	return out
}

func named(input string) string {
	if input == "" {
		return "<value>"
	}
	return "<" + input + ">"
}
