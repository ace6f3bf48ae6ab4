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
	roles := map[string]bool{}
	for _, q := range asked {
		for _, path := range []ast.Ref{roleRef("role"), roleRef("roles")} {
			if v, err := q.Find(path[1:]); err == nil {
				textsIn(ast.NewTerm(v), roles)
			}
		}
	}
	for _, mod := range g.compiler.Modules {
		for _, rule := range mod.Rules {
			ruleRoles(rule, tree, roles)
		}
	}
	delete(roles, "")
	list := slices.Sorted(maps.Keys(roles))
	return list[:min(len(list), maxRoles)]
}

func roleRef(name string) ast.Ref {
	return ast.Ref{ast.InputRootDocument, ast.StringTerm("subject"), ast.StringTerm(name)}
}

// ruleRoles collects the texts of every expression of a compiled rule that has
// the role of the caller in it.
func ruleRoles(rule *ast.Rule, tree map[string]any, roles map[string]bool) {
	aliases := map[string]bool{} // local variables that are the role
	isRole := func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.Var:
			return aliases[string(v)]
		case ast.Ref:
			return v.HasPrefix(roleRef("role")) || v.HasPrefix(roleRef("roles"))
		}
		return false
	}
	ast.WalkExprs(rule, func(x *ast.Expr) bool {
		terms, ok := x.Terms.([]*ast.Term)
		if !ok || !slices.ContainsFunc(terms, isRole) {
			return false
		}
		for _, t := range terms[1:] {
			if v, ok := t.Value.(ast.Var); ok {
				aliases[string(v)] = true
			}
			if isConstant(t) {
				textsIn(t, roles)
			}
		}
		return false
	})
	ast.WalkRefs(rule, func(r ast.Ref) bool {
		for i, step := range r {
			if i > 1 && isRole(step) && r[0].Equal(ast.DefaultRootDocument) {
				keysAt(tree, r[1:i], roles)
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
