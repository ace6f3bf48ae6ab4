package memo

import (
	"maps"

	"github.com/open-policy-agent/opa/v1/ast"
)

// scope is one rule, or one else branch of it, while it is walked. The compiler
// gives every declared variable a name of its own; where two variables of one
// rule do share a name they are taken for one, which only makes more be read.
type scope struct {
	*analyzer
	rule *ast.Rule // the branch
	// defs are the references of input, or of other variables, that a
	// variable is equated with: x := input.subject, y := x.claims.
	defs   map[ast.Var][]ast.Ref
	params map[ast.Var]*flow
	bound  map[ast.Var]bool // by an equation of defs that has been passed
	loc    *ast.Location    // of the expression
}

func newScope(a *analyzer, outer, r *ast.Rule) *scope {
	s := &scope{analyzer: a, rule: r, defs: map[ast.Var][]ast.Ref{}, params: map[ast.Var]*flow{}, bound: map[ast.Var]bool{}, loc: r.Location}
	called := a.params[outer.Ref().String()]
	for _, head := range []*ast.Head{outer.Head, r.Head} {
		for i, arg := range head.Args {
			v, ok := arg.Value.(ast.Var)
			if !ok || i >= len(called) {
				continue
			}
			if s.params[v] == nil {
				s.params[v] = &flow{}
			}
			for _, p := range called[i].paths {
				s.params[v].add(p)
			}
			s.params[v].mixed = s.params[v].mixed || called[i].mixed
		}
	}
	ast.WalkExprs(r.Body, s.define)
	ast.WalkExprs(r.Head.Reference, s.define)
	for _, t := range []*ast.Term{r.Head.Key, r.Head.Value} {
		if t != nil {
			ast.WalkExprs(t, s.define)
		}
	}
	return s
}

// define notes an equation of a variable with a reference.
func (s *scope) define(e *ast.Expr) bool {
	if terms, ok := e.Terms.([]*ast.Term); ok && e.IsEquality() && len(terms) == 3 {
		for i := range 2 {
			v, isVar := terms[1+i].Value.(ast.Var)
			ref, isRef := terms[2-i].Value.(ast.Ref)
			if isVar && isRef && !root(v) && s.alias(ref) {
				s.defs[v] = append(s.defs[v], ref)
			}
		}
	}
	return false
}

// root reports input and data, which are no variables.
func root(v ast.Var) bool {
	return v == ast.InputRootDocument.Value || v == ast.DefaultRootDocument.Value
}

// alias reports a reference of constant steps into input or a variable.
func (s *scope) alias(ref ast.Ref) bool {
	head, ok := ref[0].Value.(ast.Var)
	_, whole := steps(ref[1:])
	return ok && whole && head != ast.DefaultRootDocument.Value
}

// meaning is what a variable may stand for. It is mixed where the variable is
// also bound to what is not a part of input.
func (s *scope) meaning(v ast.Var) flow { return s.follow(v, nil) }

func (s *scope) follow(v ast.Var, from []ast.Var) (f flow) {
	for _, seen := range from {
		if seen == v { // x := y.a; y := x.b
			s.refuse(s.loc, "variables that are defined by each other")
			return f
		}
	}
	if p := s.params[v]; p != nil {
		f.paths, f.mixed = append(f.paths, p.paths...), p.mixed
	}
	for _, ref := range s.defs[v] {
		rest, _ := steps(ref[1:])
		head := ref[0].Value.(ast.Var)
		if head == ast.InputRootDocument.Value {
			f.add(rest)
			continue
		}
		base := s.follow(head, append(from, v))
		f.mixed = f.mixed || base.mixed || len(base.paths) == 0
		for _, p := range base.paths {
			f.add(p.join(rest))
		}
	}
	f.mixed = f.mixed || s.tainted[variable{s.rule, v}]
	return f
}

// conditions walks the body of a rule. It reports false where a condition is
// known to fail and nothing before it can raise an error.
func (s *scope) conditions(b ast.Body) bool {
	quiet := true
	for _, e := range b {
		s.expr(e)
		if quiet = quiet && s.quiet(e); quiet && s.fails(e) {
			return false
		}
		s.binds(e)
	}
	return true
}

// binds notes the variable that an equation of the body has given its value.
func (s *scope) binds(e *ast.Expr) {
	terms, ok := e.Terms.([]*ast.Term)
	if !ok || e.Negated || len(terms) != 3 || !e.IsEquality() {
		return
	}
	for i := range 2 {
		v, isVar := terms[1+i].Value.(ast.Var)
		ref, isRef := terms[2-i].Value.(ast.Ref)
		if isVar && isRef && s.defines(v, ref) {
			s.bound[v] = true
		}
	}
}

// defines reports a reference that defs has for the variable.
func (s *scope) defines(v ast.Var, ref ast.Ref) bool {
	for _, d := range s.defs[v] {
		if &d[0] == &ref[0] {
			return true
		}
	}
	return false
}

func (s *scope) body(b ast.Body) {
	outer := maps.Clone(s.bound)
	for _, e := range b {
		s.expr(e)
		s.binds(e)
	}
	s.bound = outer
}

// enumerated reports a variable that may get its value from the reference that
// it stands in, because no equation has given it one before.
func (s *scope) enumerated(t *ast.Term) bool {
	v, ok := t.Value.(ast.Var)
	return ok && s.params[v] == nil && !s.bound[v]
}

func (s *scope) head(h *ast.Head) {
	s.loc = s.rule.Location
	for i, t := range h.Reference {
		if i > 0 {
			s.term(t)
		}
	}
	known := map[ast.Var]bool{}
	for _, t := range h.Args {
		if v, ok := t.Value.(ast.Var); ok && !known[v] {
			known[v] = true // a parameter; a second one of its name is compared
			continue
		}
		s.term(t)
	}
	for _, t := range []*ast.Term{h.Key, h.Value} {
		if t != nil {
			s.term(t)
		}
	}
}

func (s *scope) expr(e *ast.Expr) {
	outer := s.loc
	defer func() { s.loc = outer }()
	if e.Location != nil {
		s.loc = e.Location
	}
	for _, w := range e.With {
		s.with(w)
	}
	switch t := e.Terms.(type) {
	case *ast.Term:
		s.condition(t)
	case []*ast.Term:
		s.call(t)
	case *ast.Every:
		for _, x := range []*ast.Term{t.Key, t.Value, t.Domain} {
			if x != nil {
				s.term(x)
			}
		}
		s.body(t.Body)
	case *ast.SomeDecl:
		for _, x := range t.Symbols {
			s.term(x)
		}
	case *ast.Not:
		s.body(t.Body)
	case *ast.LogicalAnd:
		s.body(t.Lhs)
		s.body(t.Rhs)
	case *ast.LogicalOr:
		s.body(t.Lhs)
		s.body(t.Rhs)
	default:
		s.refuse(s.loc, "an expression of a kind that is not known (%T)", t)
	}
}

// with: what is evaluated under it sees other data. Where input is replaced, or
// a function or builtin, the walk cannot tell who sees what.
func (s *scope) with(w *ast.With) {
	s.withs = true
	ref, ok := w.Target.Value.(ast.Ref)
	switch {
	case !ok || len(ref) == 0 || !ref[0].Equal(ast.DefaultRootDocument):
		s.refuse(w.Location, "with %v", w.Target)
	default:
		for _, r := range s.related(ref) {
			if len(r.Head.Args) > 0 {
				s.refuse(w.Location, "with %v, a function", w.Target)
			}
		}
	}
	s.term(w.Target)
	s.term(w.Value)
}
