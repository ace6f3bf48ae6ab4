package opa

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// MaskedPaths lists, sorted, the paths that the policies mask for somebody on a
// route: those that stand in rules of mask, and those of the decisions that people
// of every role get that the policies know (see [Vocabulary]), with and without a
// second factor, who ask to read it; what policies write with the help of their data
// is found so. What depends on anything else about the caller or the question may be
// missed. Of the route, Masks and Rows do not matter.
func (e *Engine) MaskedPaths(ctx context.Context, route Probe) []string {
	paths := map[string]bool{}
	e.maskedByRules(paths)
	patient := *e
	patient.budget = max(e.budget, time.Second) // nobody waits for these answers
	route.Methods = []string{"GET"}
	roles := append([]string{""}, e.vocabulary.Roles...)
	for _, role := range roles[:min(len(roles), maxRoles)] {
		strong, weak := probeSubject(role), probeSubject(role)
		weak.ACR, weak.AMR, weak.AuthTime = "", []string{}, 0
		for _, s := range []*policies.Subject{strong, weak} {
			for _, in := range route.questions(s) {
				d, err := patient.decide(ctx, in)
				if err != nil {
					continue // nobody is shown anything then
				}
				for _, m := range d.Mask {
					if m.Action != policies.ActionShow {
						paths[m.Path] = true
					}
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(paths))
}

// maskedByRules adds the paths that stand in the heads of rules.
func (e *Engine) maskedByRules(paths map[string]bool) {
	for _, mod := range e.compiler.Modules {
		if p := mod.Package.Path; len(p) != 2 || !p[1].Equal(ast.StringTerm(packageName)) {
			continue
		}
		for _, rule := range mod.Rules {
			if rule.Head.Key == nil || rule.Head.Ref()[0].Value.String() != "mask" {
				continue
			}
			entry, ok := rule.Head.Key.Value.(ast.Object)
			if !ok {
				continue
			}
			if action := entry.Get(ast.StringTerm("action")); action != nil && action.Equal(ast.StringTerm(policies.ActionShow)) {
				continue
			}
			if path := entry.Get(ast.StringTerm("path")); path != nil {
				if s, ok := path.Value.(ast.String); ok {
					paths[string(s)] = true
				}
			}
		}
	}
}
