package memo

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// equation is x = y.
func (s *scope) equation(b *ast.Builtin, args []*ast.Term) bool {
	if b.Name != ast.Equality.Name || len(args) != 2 {
		return false
	}
	for i := range 2 {
		v, isVar := args[i].Value.(ast.Var)
		ref, isRef := args[1-i].Value.(ast.Ref)
		if !isVar || !isRef || root(v) {
			continue
		}
		if o, ok := s.operand(args[1-i]); ok && s.defines(v, ref) {
			s.definition(v, o, args[1-i])
			return true
		}
		if s.keys(v, ref) {
			return true
		}
	}
	x, xok := s.operand(args[0])
	y, yok := s.operand(args[1])
	return xok && yok && s.tests && s.equal(x, y, s.at(args[0]))
}

// definition is x = input.a where x is a variable. Alone it tells whether
// there is an input.a, and what x then is used for is read where it is used.
// Where x has another meaning as well, the two are compared.
func (s *scope) definition(v ast.Var, o operand, t *ast.Term) {
	s.take(o)
	for _, p := range o.paths {
		s.read(Exists, p, s.at(t))
	}
	if s.params[v] == nil && len(s.defs[v]) == 1 && !s.tainted[variable{s.rule, v}] {
		return
	}
	m := s.meaning(v)
	x := operand{flow: flow{paths: slices.DeleteFunc(slices.Clone(m.paths), o.has), mixed: m.mixed}}
	if s.tests && !m.mixed && !o.mixed && (len(x.paths) == 0 || s.equal(x, o, s.at(t))) {
		return
	}
	for _, p := range m.paths {
		s.read(Value, p, s.at(t))
	}
}

// equal notes the outcome of comparing any meaning of x with any of y.
func (s *scope) equal(x, y operand, loc *ast.Location) bool {
	switch {
	case len(x.paths) == 0 && len(y.paths) == 0:
		return true
	case len(x.paths) == 0:
		s.test(opEqual, y, loc, x.constant)
		return true
	case len(y.paths) == 0:
		s.test(opEqual, x, loc, y.constant)
		return true
	case x.mixed || y.mixed:
		return false
	}
	s.take(x)
	s.take(y)
	for _, p := range x.paths {
		for _, q := range y.paths {
			s.pair(p, q, loc)
		}
	}
	return true
}

// pair notes whether the values at two paths are equal.
func (s *scope) pair(p, q Path, loc *ast.Location) {
	switch fp, fq := s.fixed[p.String()], s.fixed[q.String()]; {
	case fp != nil && fq != nil, s.never(p), s.never(q):
	case fp != nil:
		s.reads.add(Slot{Kind: Test, Op: opEqual, Path: q, Consts: []ast.Value{fp}}, placeOf(loc))
	case fq != nil:
		s.reads.add(Slot{Kind: Test, Op: opEqual, Path: p, Consts: []ast.Value{fq}}, placeOf(loc))
	case slices.Equal(p, q):
		s.read(Exists, p, loc)
	default:
		if p.String() > q.String() {
			p, q = q, p
		}
		s.reads.add(Slot{Kind: Test, Op: opEqual, Path: p, Other: q, two: true}, placeOf(loc))
	}
}

// keys is _ = input.a[k], where the value is used nowhere: it enumerates names,
// or asks whether one is there.
func (s *scope) keys(v ast.Var, ref ast.Ref) bool {
	head, ok := ref[0].Value.(ast.Var)
	last := len(ref) - 1
	if !s.tests || !ok || last < 1 || head == ast.DefaultRootDocument.Value || s.uses(v) != 1 {
		return false
	}
	k, isVar := ref[last].Value.(ast.Var)
	rest, whole := steps(ref[1:last])
	if !isVar || !whole || k == v {
		return false
	}
	bases := []Path{nil}
	if head != ast.InputRootDocument.Value {
		bases = s.meaning(head).paths
	}
	s.mention(ref)
	for _, p := range bases {
		s.read(Keys, p.join(rest), s.at(ref[0]))
	}
	s.term(ref[last])
	return true
}

// uses counts how often a variable stands in the branch.
func (s *scope) uses(v ast.Var) int {
	n := 0
	count := func(x ast.Var) bool {
		if x == v {
			n++
		}
		return false
	}
	// The walk over a head leaves out its key and value in some forms; to
	// count one twice only makes more be read.
	for _, t := range []*ast.Term{s.rule.Head.Key, s.rule.Head.Value} {
		if t != nil {
			ast.WalkVars(t, count)
		}
	}
	ast.WalkVars(s.rule.Head.Reference, count)
	ast.WalkVars(s.rule.Head.Args, count)
	ast.WalkVars(s.rule.Body, count)
	return n
}
