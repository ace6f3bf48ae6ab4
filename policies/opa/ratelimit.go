package opa

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// limitUse is a rule that says the rate of a rate limit.
type limitUse struct {
	name     string
	location *ast.Location
}

// checkRateRule checks rate_limits["name"] := "50/1m". The name must be a
// constant, so that one which no limit has is found when the policies load.
func checkRateRule(r *reader, rule *ast.Rule, f *facts, m *Mistakes) {
	const form = "write `rate_limits[\"NAME\"] := \"50/1m\"`, the name of the limit in quotes"
	ref := rule.Head.Ref()
	if len(ref) != 2 || rule.Head.Value == nil {
		m.at(rule.Location, "rate_limits is set limit by limit: %s", form)
		return
	}
	name, ok := ref[1].Value.(ast.String)
	if !ok {
		m.at(rule.Location, "the name of a rate limit cannot be computed: %s", form)
		return
	}
	f.limits = append(f.limits, limitUse{string(name), rule.Location})
	for b := rule; b != nil; b = b.Else {
		r.rate(b.Head.Value)
	}
}

// checkLimits holds the limits that rules name against those whose rate is
// theirs to say. Without a configuration there is nothing to hold them against.
func (f *facts) checkLimits(known []string, m *Mistakes) {
	if known == nil {
		return
	}
	for _, use := range f.limits {
		switch {
		case slices.Contains(known, use.name):
		case len(known) == 0:
			m.at(use.location, "no rate limit of the configuration says `policy: true`: the rate of %q is not the policies' to say", use.name)
		default:
			m.at(use.location, "the configuration has no rate limit with `policy: true` that is called %s", instead(use.name, known))
		}
	}
}

// rate reads a rate. It is told as a fault without its text, which may be
// computed from what one person sent.
func (r *reader) rate(t *ast.Term) policies.Rate {
	text, ok := r.text(t, "a rate")
	if !ok {
		return policies.Rate{}
	}
	rate, err := policies.ParseRate(text)
	switch {
	case err == nil:
	case r.load:
		r.fault(t, "%v", err)
	default:
		r.fault(t, "what rate_limits gives is not a rate such as 50/1m, of a millisecond to a year")
	}
	return rate
}

// rateLimits reads the object of rates.
func (r *reader) rateLimits(t *ast.Term) map[string]policies.Rate {
	o, ok := t.Value.(ast.Object)
	if !ok {
		r.fault(t, "rate_limits is an object, not %s", kind(t))
		return nil
	}
	if o.Len() == 0 {
		return nil
	}
	out := make(map[string]policies.Rate, o.Len())
	o.Foreach(func(k, v *ast.Term) {
		name, _ := k.Value.(ast.String)
		out[string(name)] = r.rate(v)
	})
	return out
}
