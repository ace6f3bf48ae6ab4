package memo

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// This file leaves out what the constants of a route make unreachable.
//
// A condition that is known to fail ends the evaluation of its body. What
// stands behind it is not read, unless an expression before it may raise an
// error: the engine passes over a rule without looking at the first conditions
// when its index knows that a later one fails, so whether the error comes
// depends on those behind as well. Only bodies that are quiet up to the failing
// condition are cut.

// fails reports a condition that cannot hold, because of constants. Only what
// is sure counts. Without constants nothing is left out: the guard then sees
// every rule whole.
func (s *scope) fails(e *ast.Expr) bool {
	if len(e.With) > 0 || s.withs || len(s.analyzer.fixed)+len(s.gone) == 0 {
		return false
	}
	switch t := e.Terms.(type) {
	case *ast.Term:
		return !e.Negated && s.undefined(t)
	case []*ast.Term:
		ref, ok := t[0].Value.(ast.Ref)
		if !ok || len(t) != 3 {
			return false
		}
		if !e.Negated && e.IsEquality() && (s.undefined(t[1]) || s.undefined(t[2])) {
			return true
		}
		holds, sure := s.holds(ref.String(), t[1], t[2])
		return sure && holds == e.Negated
	}
	return false
}

// known gives the value of a term where it is certain at this point of the
// body. A variable that gets its value only further on is not: what stands
// between is evaluated.
func (s *scope) known(t *ast.Term) ast.Value {
	if s.enumerated(t) {
		return nil
	}
	o, _ := s.operand(t)
	return o.constant
}

// holds compares two constants.
func (s *scope) holds(builtin string, a, b *ast.Term) (holds, sure bool) {
	x := s.known(a)
	if x == nil {
		return false, false
	}
	if builtin == ast.Member.Name {
		consts, ok := scalars(b)
		for _, c := range consts {
			holds = holds || ast.Compare(c, x) == 0
		}
		return holds, ok
	}
	y := s.known(b)
	if y == nil {
		return false, false
	}
	equal := ast.Compare(x, y) == 0
	switch builtin {
	case ast.Equality.Name, ast.Equal.Name:
		return equal, true
	case ast.NotEqual.Name:
		return !equal, true
	}
	return false, false
}

// undefined reports a reference that leads nowhere: to what is never in input,
// into base data where there are none, or to rules of one value that cannot
// hold.
func (s *scope) undefined(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	switch {
	case !ok:
		return false
	case ref[0].Equal(ast.InputRootDocument):
		p, _ := steps(ref[1:])
		return s.never(p)
	case !ref[0].Equal(ast.DefaultRootDocument):
		return false
	}
	rules := s.related(ref)
	for _, r := range rules {
		if !s.wasEmpty[r] || len(r.Head.Args) > 0 || r.Head.RuleKind() != ast.SingleValue || !r.Ref().IsGround() || len(r.Ref()) > len(ref) {
			return false
		}
	}
	if len(rules) > 0 || s.virtual(ref) {
		return len(rules) > 0
	}
	var at any = s.src.Data
	for _, e := range ref[1:] {
		name, isText := s.known(e).(ast.String)
		members, isObject := at.(map[string]any)
		if !isText || !isObject {
			return false
		}
		var ok bool
		if at, ok = members[string(name)]; !ok {
			return true
		}
	}
	return false
}

// quiet reports an expression that cannot raise an error: comparisons of
// constants, variables, input, base data and rules that are quiet themselves.
func (a *analyzer) quiet(e *ast.Expr) bool {
	if len(e.With) > 0 {
		return false
	}
	switch t := e.Terms.(type) {
	case *ast.Term:
		return a.quietTerm(t)
	case []*ast.Term:
		ref, ok := t[0].Value.(ast.Ref)
		if !ok {
			return false
		}
		switch ref.String() {
		case ast.Equality.Name, ast.Equal.Name, ast.NotEqual.Name, ast.Member.Name,
			ast.LessThan.Name, ast.LessThanEq.Name, ast.GreaterThan.Name, ast.GreaterThanEq.Name:
		default:
			return false
		}
		for _, x := range t[1:] {
			if !a.quietTerm(x) {
				return false
			}
		}
		return true
	}
	return false
}

func (a *analyzer) quietTerm(t *ast.Term) bool {
	switch v := t.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String, ast.Var:
		return t.Value.Compare(ast.DefaultRootDocument.Value) != 0
	case ast.Set, *ast.Array:
		_, ok := scalars(t)
		return ok
	case ast.Ref:
		for _, x := range v[1:] {
			if !a.quietTerm(x) {
				return false
			}
		}
		if _, ok := v[0].Value.(ast.Var); !ok || !v[0].Equal(ast.DefaultRootDocument) {
			return ok
		}
		for _, r := range a.related(v) {
			if !a.wasEmpty[r] && !a.quietRule(r, v) {
				return false
			}
		}
		return true
	}
	return false
}

// quietRule reports a rule of one value that has no error to raise: its
// conditions are quiet, and it cannot give two values, because it is the only
// one of its name, its body enumerates nothing, and it has no other branch; or
// because all of its name give one and the same constant.
func (a *analyzer) quietRule(r *ast.Rule, ref ast.Ref) bool {
	own := r.Ref()
	if len(own) > len(ref) {
		return false
	}
	quiet, known := a.calm[r]
	if !known {
		quiet = a.quietAlone(r, own)
		a.calm[r] = quiet
	}
	return quiet
}

func (a *analyzer) quietAlone(r *ast.Rule, own ast.Ref) bool {
	if len(r.Head.Args) > 0 || r.Head.RuleKind() != ast.SingleValue || r.Else != nil || r.Head.Value == nil {
		return false
	}
	alone := true
	for _, other := range a.related(own) {
		if other == r {
			continue
		}
		alone = false
		if other.Head.Value == nil || !other.Ref().Equal(own) || !ast.IsScalar(r.Head.Value.Value) || !other.Head.Value.Equal(r.Head.Value) {
			return false
		}
	}
	bound := map[ast.Var]bool{}
	for _, e := range r.Body {
		if !a.quiet(e) || alone && !single(e, bound) {
			return false
		}
	}
	return true
}

// single reports an expression that holds in one way at most: every variable in
// a reference has its value already. It notes the variable that it defines.
func single(e *ast.Expr, bound map[ast.Var]bool) bool {
	one := true
	ast.WalkRefs(e, func(r ast.Ref) bool {
		for _, t := range r[1:] {
			v, isVar := t.Value.(ast.Var)
			one = one && (!isVar || bound[v])
		}
		return false
	})
	if terms, ok := e.Terms.([]*ast.Term); ok && !e.Negated && e.IsEquality() && len(terms) == 3 {
		for _, t := range terms[1:] {
			if v, isVar := t.Value.(ast.Var); isVar {
				bound[v] = true
			}
		}
	}
	return one
}
