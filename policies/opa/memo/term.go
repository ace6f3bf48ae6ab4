package memo

import (
	"reflect"

	"github.com/open-policy-agent/opa/v1/ast"
)

// term walks what is used as a value: all that it mentions of input is read
// whole.
func (s *scope) term(t *ast.Term) {
	switch v := t.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
	case ast.Var:
		s.bare(t, v)
	case ast.Ref:
		s.ref(v)
	case ast.Call:
		s.call(v)
	case *ast.Array:
		v.Foreach(s.term)
	case ast.Set:
		v.Foreach(s.term)
	case ast.Object:
		v.Foreach(func(k, e *ast.Term) { s.term(k); s.term(e) })
	case *ast.ArrayComprehension:
		s.term(v.Term)
		s.body(v.Body)
	case *ast.SetComprehension:
		s.term(v.Term)
		s.body(v.Body)
	case *ast.ObjectComprehension:
		s.term(v.Key)
		s.term(v.Value)
		s.body(v.Body)
	default:
		s.refuse(s.loc, "a term of a kind that is not known (%T)", v)
	}
}

// bare is a variable by itself. Whatever becomes of it, all that it may stand
// for is read; and it may be bound here to something else.
func (s *scope) bare(t *ast.Term, v ast.Var) {
	switch v {
	case ast.InputRootDocument.Value:
		s.seen[reflect.ValueOf(t).Pointer()] = true
		s.read(Value, nil, s.at(t))
		return
	case ast.DefaultRootDocument.Value:
		s.reach(ast.DefaultRootRef)
		return
	}
	m := s.meaning(v)
	if key := (variable{s.rule, v}); len(m.paths) > 0 && !s.tainted[key] {
		s.tainted[key], s.learned = true, true
	}
	for _, p := range m.paths {
		s.read(Value, p, s.at(t))
	}
}

// at is where a term stands.
func (s *scope) at(t *ast.Term) *ast.Location {
	if t.Location != nil && t.Location.File != "" {
		return t.Location
	}
	return s.loc
}

// ref is a reference that is used as a value.
func (s *scope) ref(r ast.Ref) {
	head, ok := r[0].Value.(ast.Var)
	switch {
	case !ok:
		s.term(r[0])
	case head == ast.DefaultRootDocument.Value:
		s.data(r)
		return
	case head == ast.InputRootDocument.Value:
		s.mention(r)
		p, _ := steps(r[1:])
		s.read(Value, p, s.at(r[0]))
	default:
		p, _ := steps(r[1:])
		for _, base := range s.meaning(head).paths {
			s.read(Value, base.join(p), s.at(r[0]))
		}
	}
	for _, t := range r[1:] {
		s.term(t)
	}
}

// mention accounts for a reference to input.
func (s *scope) mention(r ast.Ref) {
	if r[0].Equal(ast.InputRootDocument) {
		s.seen[reflect.ValueOf(&r[0]).Pointer()] = true
	}
}
