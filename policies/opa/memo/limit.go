package memo

import (
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
)

// limit is a number or a text that base data hold at a place that is named in
// full: as constant as one in a rule, for as long as the policies and data are in
// force.
// The compiler puts such a reference into a variable of its own before it is
// compared with.
func (s *scope) limit(t *ast.Term) (operand, bool) {
	ref, ok := t.Value.(ast.Ref)
	if v, isVar := t.Value.(ast.Var); isVar {
		ref, ok = s.only(v)
	}
	if !ok || !ref[0].Equal(ast.DefaultRootDocument) || s.virtual(ref) {
		return operand{}, false
	}
	var at any = s.src.Data
	for _, e := range ref[1:] {
		name, isText := e.Value.(ast.String)
		members, isObject := at.(map[string]any)
		if !isText || !isObject {
			return operand{}, false
		}
		at = members[string(name)]
	}
	switch v := at.(type) {
	case json.Number:
		return operand{constant: ast.Number(v)}, true
	case string:
		return operand{constant: ast.String(v)}, true
	}
	return operand{}, false
}

// only is the reference that a variable is equated with, where the rule mentions
// the variable there and in one place more, the comparison that asks. Nothing
// else can then have given it a value: a comparison gives none.
func (s *scope) only(v ast.Var) (ref ast.Ref, ok bool) {
	if s.params[v] != nil || len(s.defs[v]) > 0 {
		return nil, false
	}
	mentions := 0
	ast.WalkVars(s.rule, func(w ast.Var) bool {
		if w == v {
			mentions++
		}
		return false
	})
	ast.WalkExprs(s.rule, func(e *ast.Expr) bool {
		terms, isCall := e.Terms.([]*ast.Term)
		if !isCall || !e.IsEquality() || e.Negated || len(e.With) > 0 || len(terms) != 3 {
			return false
		}
		for i := range 2 {
			if r, isRef := terms[2-i].Value.(ast.Ref); isRef && terms[1+i].Value.Compare(v) == 0 {
				ref = r
			}
		}
		return false
	})
	return ref, ref != nil && mentions == 2
}
