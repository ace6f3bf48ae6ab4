package opa

import (
	"context"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/gatehouse-dev/gatehouse/policies/record"
)

// RecordMask is what the policies keep out of records of decisions: the
// document data.system.log.mask, by the convention of OPA. It is nil where
// there is none.
//
// It is worked out once, while loading: a mask that depends on the question
// would have to be asked for each record, and one that is undefined for some
// question writes what it was to keep out. Such a mask does not load.
func (e *Engine) RecordMask() *record.Mask { return e.mask }

// logMask is where the mask stands.
func logMask() ast.Ref {
	return ast.Ref{ast.DefaultRootDocument, ast.StringTerm("system"), ast.StringTerm("log"), ast.StringTerm("mask")}
}

// recordMask reads the mask. Whatever is wrong with it is a mistake of the
// policies: the alternative is to write down what should not be.
func (s *sources) recordMask(ctx context.Context, g *gated) (*record.Mask, error) {
	at := s.checkLogPackage(g)
	s.checkLogInput(g)
	if err := s.err(); err != nil {
		return nil, err
	}
	results, err := rego.New(
		rego.Compiler(g.compiler), rego.Store(g.store), rego.Transaction(g.txn), rego.Capabilities(capabilities()),
		rego.StrictBuiltinErrors(true), rego.Metrics(metrics.NoOp()), rego.Query("mask = "+logMask().String()),
	).Eval(ctx)
	switch {
	case err != nil:
		s.mistakes.at(at, "the mask of records: %v", err)
		return nil, s.err()
	case len(results) == 0:
		if at != nil {
			s.mistakes.at(at, "the mask of records is undefined")
		}
		return nil, s.err()
	}
	entries, ok := results[0].Bindings["mask"].([]any)
	if !ok {
		s.mistakes.at(s.logPlace(at), "%v is a set of JSON pointers, or of objects with op and path", logMask())
		return nil, s.err()
	}
	mask, err := record.NewMask(entries)
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			s.mistakes.at(s.logPlace(at), "the mask of records: %s", line)
		}
	}
	return mask, s.err()
}

// logPlace is where a mask stands that is data.
func (s *sources) logPlace(at *ast.Location) *ast.Location {
	if at != nil {
		return at
	}
	for _, f := range s.data {
		if strings.HasPrefix(f.rel, "system/") {
			return &ast.Location{File: f.name, Row: 1, Col: 1}
		}
	}
	return &ast.Location{File: s.place(), Row: 1, Col: 1}
}

// checkLogPackage finds rules that mask nothing, such as a misspelt mask, and
// gives the place of the first that does.
func (s *sources) checkLogPackage(g *gated) (at *ast.Location) {
	want := logMask()
	for _, file := range util.KeysSorted(g.modules) {
		mod := g.modules[file]
		if !ast.Ref(mod.Package.Path).Equal(want[:len(want)-1]) {
			continue
		}
		for _, rule := range mod.Rules {
			name := rule.Head.Ref()[0].Value.String()
			if name == "mask" {
				if at == nil {
					at = rule.Location
				}
				continue
			}
			s.mistakes.at(rule.Location, "%v has a rule %s", mod.Package, instead(name, []string{"mask"}))
		}
	}
	return at
}

// checkLogInput finds whatever of the question the mask could depend on, in
// every rule that it could reach.
func (s *sources) checkLogInput(g *gated) {
	find := func(ref ast.Ref) []*ast.Rule {
		return g.compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{IncludeHiddenModules: true})
	}
	todo := find(logMask())
	var seen []*ast.Rule
	for len(todo) > 0 {
		rule := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if slices.Contains(seen, rule) {
			continue
		}
		seen = append(seen, rule)
		ast.WalkTerms(rule, func(t *ast.Term) bool {
			switch v := t.Value.(type) {
			case ast.Var:
				if v.Equal(ast.InputRootDocument.Value) {
					s.mistakes.at(placed(t, rule), "the mask of records is worked out once, when the policies load, and cannot depend on input")
				}
			case ast.Ref:
				if v[0].Equal(ast.DefaultRootDocument) {
					todo = append(todo, find(v)...)
				}
			}
			return false
		})
	}
}

// placed is where a term stands, or its rule where the compiler has made it.
func placed(t *ast.Term, rule *ast.Rule) *ast.Location {
	if t.Location != nil && t.Location.Row > 0 {
		return t.Location
	}
	return rule.Location
}
