package gateway

import (
	"errors"
	"slices"

	"go.uber.org/zap"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/bundle"
	"github.com/gatehouse-dev/gatehouse/policies/opa/memo"
)

// PolicyOptions are the settings by which the policies of a configuration are
// loaded, but for the content of a bundle.
func PolicyOptions(c *config.Config) opa.Options {
	p := c.Policies
	return opa.Options{
		Path: p.Path, Data: p.Data, Budget: p.Budget.D(),
		RateLimits: policyLimits(c), Regions: regions(c),
		Tests: p.Tests != "off", MinCoverage: float64(p.Coverage), Probes: probes(c),
		Memo: memo.Options{Entries: p.Memo.Entries, AuditEvery: p.Memo.AuditEvery, Routes: routeConstants(c)},
	}
}

// policyLimits are the rate limits whose rate the policies may say; not nil.
func policyLimits(c *config.Config) []string {
	names := []string{}
	for name, l := range c.RateLimits {
		if l.Policy {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// regions are those that endpoints are in; not nil.
func regions(c *config.Config) []string {
	names := []string{}
	for _, u := range c.Upstreams {
		for _, e := range u.Endpoints {
			if e.Region != "" && !slices.Contains(names, e.Region) {
				names = append(names, e.Region)
			}
		}
	}
	slices.Sort(names)
	return names
}

// routeConstants are what the policies may take for granted on each route: its
// name, and that there is no body where the route shows none.
func routeConstants(c *config.Config) []memo.Constants {
	var all []memo.Constants
	for _, r := range c.Routes {
		if r.Policy.Off {
			continue
		}
		fixed := memo.Constants{"resource.route": r.Name}
		if !r.Policy.Body {
			fixed["body"] = nil
		}
		all = append(all, fixed)
	}
	return all
}

// probes are the routes on which strangers must find nothing. On a public route
// everybody is a stranger, and meant to find something.
func probes(c *config.Config) []opa.Probe {
	var out []opa.Probe
	for _, r := range c.Routes {
		p := probeOf(r)
		if c.Policies.Probes != "off" && !r.Public && !r.Policy.Off && (p.Masks || p.Rows) {
			out = append(out, p)
		}
	}
	return out
}

func probeOf(r *config.Route) opa.Probe {
	p := opa.Probe{
		Route: r.Name, Path: r.Match.Path, Methods: r.Match.Methods,
		Masks: r.Policy.Masks == "required", Rows: r.Policy.Rows == "required",
	}
	if len(r.Match.Hosts) > 0 {
		p.Host = r.Match.Hosts[0]
	}
	return p
}

// BundleOptions are the settings of a configuration's bundle, which it must
// have.
func BundleOptions(c *config.Config) bundle.Options {
	p := c.Policies.Bundle
	return bundle.Options{Source: p.Source, Keys: p.Keys, Poll: p.Poll.D(), Cache: p.Cache, Size: int64(p.Size)}
}

func (b *builder) openPolicies() {
	o := PolicyOptions(b.config)
	switch {
	case b.config.Policies.Bundle != nil:
		b.openBundle(o)
	case o.Path != "":
		b.loadPolicies(o, "policies.path")
	}
}

// loadPolicies reports whether policies are fine; where they are, they decide.
func (b *builder) loadPolicies(o opa.Options, path string) bool {
	engine, err := b.loadEngine(o)
	if err != nil {
		b.policyMistakes(path, err)
		return false
	}
	b.decider = engine
	return true
}

// loadEngine loads policies. What was read makes the key, and not what stands
// there a moment later. Policies that have not changed keep their engine, and
// need no new proof.
func (b *builder) loadEngine(o opa.Options) (*opa.Engine, error) {
	sources := opa.Read(o)
	o.Files = nil
	settings := struct {
		Options opa.Options
		Content string
	}{o, sources.Digest()}
	return holdSlow(b.plan.lease, "policies", settings, func() (*opa.Engine, error) { return sources.Load(b.ctx) })
}

// policyMistakes reports what is wrong with policies: where it stands, or where
// they are configured.
func (b *builder) policyMistakes(path string, err error) {
	var list opa.Mistakes
	if !errors.As(err, &list) {
		b.mistake(path, err)
		return
	}
	for _, m := range list {
		b.mistakes = append(b.mistakes, config.Mistake{File: m.File, Line: m.Line, Column: m.Column, Message: m.Message})
	}
}

// openBundle loads what the bundle's source has. A gateway that has decided by
// nothing yet goes back to the last good bundle where that is missing or wrong;
// one that serves refuses the reload instead, and goes on by the plan it has.
func (b *builder) openBundle(o opa.Options) {
	const at = "policies.bundle.source"
	settings := struct {
		Bundle config.PolicyBundle
		Keys   map[string]string
	}{*b.config.Policies.Bundle, map[string]string{}}
	for id, file := range b.config.Policies.Bundle.Keys {
		settings.Keys[id] = fileDigest(file)
	}
	source, err := hold(b.plan.lease, "bundle", settings, func() (*bundle.Source, error) {
		o := BundleOptions(b.config)
		o.Rehearsal = b.deps.Rehearsal
		return bundle.Open(o)
	})
	if err != nil {
		b.mistake("policies.bundle", err)
		return
	}
	b.plan.bundle = source
	before := len(b.mistakes)
	if b.bundle, err = source.Fetch(b.ctx); err != nil {
		b.mistake(at, err)
	} else if b.loadBundle(o) {
		return
	}
	last, err := source.LastGood()
	if err != nil {
		return
	}
	told := slices.Clone(b.mistakes[before:])
	b.mistakes, b.bundle = b.mistakes[:before], last
	if !b.loadBundle(o) {
		b.mistakes = append(b.mistakes, told...)
		return
	}
	b.plan.stale = told
	if b.plan.log != nil {
		b.plan.log.Error("the last good bundle of policies decides", zap.Int64("serial", last.Serial), zap.Error(told))
	}
}

func (b *builder) loadBundle(o opa.Options) bool {
	o.Files, o.Size = b.bundle.Files, int64(b.config.Policies.Bundle.Size)
	return b.loadPolicies(o, "policies.bundle.source")
}

// acceptBundle notes that the bundle is in force, which it is once everything
// else is fine as well.
func (b *builder) acceptBundle() {
	if b.bundle == nil {
		return
	}
	if err := b.plan.bundle.Accept(b.bundle); err != nil {
		b.mistake("policies.bundle.cache", err)
	}
}

// memoStats tells how decisions came about since the policies were loaded.
func (p *Plan) memoStats() telemetry.Memo {
	if e, ok := p.decider.(*opa.Engine); ok {
		return telemetry.Memo(e.MemoStats())
	}
	return telemetry.Memo{}
}
