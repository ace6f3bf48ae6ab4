package opa

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxRoles bounds the roles that are tried.
const maxRoles = 64

// knownRoles lists the roles that the tests ask with, that rules compare the
// caller's role with, and by whose name rules look something up in the data.
// One that it misses is not probed.
func knownRoles(g *gated, tree map[string]any, asked []ast.Value) []string {
	list := knownNames(g, tree, asked, subjectRef("role"), subjectRef("roles"))
	return list[:min(len(list), maxRoles)]
}

// Vocabulary are names that the policies know people by: what they compare the
// caller with, and by what they look something up in the data, sorted. What their
// tests ask with does not count.
type Vocabulary struct {
	Roles, Branches []string
}

// Vocabulary tells which names the policies know.
func (e *Engine) Vocabulary() Vocabulary { return e.vocabulary }

func vocabulary(g *gated, tree map[string]any) Vocabulary {
	return Vocabulary{
		Roles:    knownNames(g, tree, nil, subjectRef("role"), subjectRef("roles")),
		Branches: knownNames(g, tree, nil, subjectRef("branch"), subjectRef("branches")),
	}
}

// knownNames lists what any of these values of the caller is asked with, compared
// with and looked up by.
func knownNames(g *gated, tree map[string]any, asked []ast.Value, values ...ast.Ref) []string {
	names := map[string]bool{}
	for _, q := range asked {
		for _, path := range values {
			if v, err := q.Find(path[1:]); err == nil {
				textsIn(ast.NewTerm(v), names)
			}
		}
	}
	for _, mod := range g.compiler.Modules {
		for _, rule := range mod.Rules {
			ruleNamesOf(rule, tree, values, names)
		}
	}
	delete(names, "")
	return slices.Sorted(maps.Keys(names))
}

func subjectRef(name string) ast.Ref {
	return ast.Ref{ast.InputRootDocument, ast.StringTerm("subject"), ast.StringTerm(name)}
}

// ruleNamesOf collects the texts of every expression of a compiled rule that has
// one of these values of the caller in it.
func ruleNamesOf(rule *ast.Rule, tree map[string]any, values []ast.Ref, names map[string]bool) {
	aliases := map[string]bool{} // local variables that are such a value
	isValue := func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Var:
			return aliases[string(v)]
		case ast.Ref:
			return slices.ContainsFunc(values, func(r ast.Ref) bool { return v.HasPrefix(r) })
		}
		return false
	}
	ast.WalkExprs(rule, func(x *ast.Expr) bool {
		terms, ok := x.Terms.([]*ast.Term)
		if !ok || !slices.ContainsFunc(terms, isValue) {
			return false
		}
		for _, t := range terms[1:] {
			if v, ok := t.Value.(ast.Var); ok {
				aliases[string(v)] = true
			}
			if isConstant(t) {
				textsIn(t, names)
			}
		}
		return false
	})
	ast.WalkRefs(rule, func(r ast.Ref) bool {
		for i, step := range r {
			if i > 1 && isValue(step) && r[0].Equal(ast.DefaultRootDocument) {
				keysAt(tree, r[1:i], names)
			}
		}
		return false
	})
}

func isConstant(t *ast.Term) bool {
	switch t.Value.(type) {
	case ast.String, ast.Set, *ast.Array:
		return t.IsGround()
	}
	return false
}

// textsIn collects a text, or those of a collection.
func textsIn(t *ast.Term, into map[string]bool) {
	ast.WalkTerms(t, func(t *ast.Term) bool {
		if s, ok := t.Value.(ast.String); ok && !strings.Contains(string(s), "\n") {
			into[string(s)] = true
		}
		return false
	})
}

// keysAt collects the names of the members of an object of the data.
func keysAt(tree map[string]any, path ast.Ref, into map[string]bool) {
	var v any = tree
	for _, step := range path {
		object, _ := v.(map[string]any)
		name, ok := step.Value.(ast.String)
		if !ok {
			return
		}
		v = object[string(name)]
	}
	object, _ := v.(map[string]any)
	for name := range object {
		into[name] = true
	}
}
