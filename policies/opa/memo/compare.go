package memo

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// comparison notes the outcome of a builtin that compares input with a
// constant, or compares two paths for equality. The outcome is all that it
// tells; its result, if something receives it, follows.
func (s *scope) comparison(b *ast.Builtin, args []*ast.Term) bool {
	if !s.tests || len(args) < 2 || len(b.Decl.FuncArgs().Args) != 2 {
		return false
	}
	x, xok := s.operand(args[0])
	y, yok := s.operand(args[1])
	loc := s.at(args[0])
	done := false
	switch b.Name {
	case ast.Equal.Name, ast.NotEqual.Name:
		done = xok && yok && s.equal(x, y, loc)
	case ast.Member.Name:
		if !xok {
			x, xok = s.limit(args[0])
		}
		done = s.member(args, x, y, xok, yok)
	case ast.LessThan.Name, ast.LessThanEq.Name, ast.GreaterThan.Name, ast.GreaterThanEq.Name:
		if !xok {
			x, xok = s.limit(args[0])
		}
		if !yok {
			y, yok = s.limit(args[1])
		}
		done = xok && yok && s.order(b, x, y, loc)
	case ast.StartsWith.Name, ast.EndsWith.Name, ast.Contains.Name:
		if part, ok := y.constant.(ast.String); ok && len(y.paths) == 0 && xok && len(x.paths) > 0 {
			ops := map[string]string{
				ast.StartsWith.Name: opStarts, ast.EndsWith.Name: opEnds, ast.Contains.Name: opHolds,
			}
			s.test(ops[b.Name], x, loc, part)
			done = true
		}
	}
	if done {
		for _, result := range args[2:] {
			s.term(result)
		}
	}
	return done
}

// member is x in y, one of which is constant.
func (s *scope) member(args []*ast.Term, x, y operand, xok, yok bool) bool {
	switch {
	case xok && len(x.paths) == 0 && yok && len(y.paths) > 0:
		s.test(opHas, y, s.at(args[1]), x.constant)
		return true
	case xok && len(x.paths) > 0:
		if consts, ok := scalars(args[1]); ok {
			s.test(opIn, x, s.at(args[0]), consts...)
			return true
		}
	}
	return false
}

// scalars are the elements of a constant collection of scalars.
func scalars(t *ast.Term) (list []ast.Value, ok bool) {
	ok = true
	each := func(e *ast.Term) {
		ok = ok && ast.IsScalar(e.Value)
		list = append(list, e.Value)
	}
	switch v := t.Value.(type) {
	case *ast.Array:
		v.Foreach(each)
	case ast.Set:
		v.Foreach(each)
	default:
		return nil, false
	}
	return list, ok
}

// order is x < y and its kin, one of which is a constant.
func (s *scope) order(b *ast.Builtin, x, y operand, loc *ast.Location) bool {
	ops := map[string][2]string{ // as written, and with the sides changed
		ast.LessThan.Name: {opLess, opMore}, ast.LessThanEq.Name: {opAtMost, opLeast},
		ast.GreaterThan.Name: {opMore, opLess}, ast.GreaterThanEq.Name: {opLeast, opAtMost},
	}[b.Name]
	switch {
	case len(x.paths) > 0 && len(y.paths) == 0:
		s.test(ops[0], x, loc, y.constant)
	case len(x.paths) == 0 && len(y.paths) > 0:
		s.test(ops[1], y, loc, x.constant)
	default:
		return false
	}
	return true
}

// condition is a term that must hold: neither undefined nor false.
func (s *scope) condition(t *ast.Term) {
	if o, ok := s.operand(t); ok && s.tests && len(o.paths) > 0 {
		s.test(opTrue, o, s.at(t))
		return
	}
	s.term(t)
}

// data is a reference into data. Where rules stand it leads to them. Where only
// base data stand, and the values of input choose among them, it observes what
// they hold there.
func (s *scope) data(ref ast.Ref) {
	s.reach(ref)
	rest := ref[1:]
	if s.tests && !s.virtual(ref) {
		rest = s.lookup(rest)
	}
	for _, t := range rest {
		s.term(t)
	}
}

// lookup notes what base data hold at a reference, as far as its steps are
// understood, and gives the others.
func (s *scope) lookup(ref []*ast.Term) (rest []*ast.Term) {
	ways := [][]DataStep{nil}
	dynamic := false
	extend := func(all []DataStep) {
		var longer [][]DataStep
		for _, w := range ways {
			for _, d := range all {
				longer = append(longer, append(w[:len(w):len(w)], d))
			}
		}
		ways = longer
	}
	i := 0
	for ; i < len(ref); i++ {
		if step, ok := stepOf(ref[i]); ok {
			extend([]DataStep{{Step: step}})
			continue
		}
		o, ok := s.operand(ref[i])
		if !ok || o.mixed || len(o.paths) == 0 || s.enumerated(ref[i]) {
			break
		}
		s.take(o)
		var all []DataStep
		for _, p := range o.paths {
			if s.never(p) {
				continue // that way leads nowhere
			}
			if c, ok := s.fixed[p.String()].(ast.String); ok {
				all = append(all, DataStep{Step: Step{Name: string(c)}})
				continue
			}
			all = append(all, DataStep{Input: p, Dynamic: true})
			dynamic = true
		}
		extend(all)
	}
	for _, w := range ways {
		if dynamic {
			s.reads.add(Slot{Kind: Lookup, Steps: w}, placeOf(s.loc))
		}
	}
	return ref[i:]
}
