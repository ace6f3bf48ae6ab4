package opa

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// reader turns terms into the parts of a decision and collects what is wrong
// with them. One reader serves twice. At load it reads the heads of the rules,
// where some terms are only known once the rule runs (variables, calls,
// comprehensions): those it lets pass. When deciding it reads the answer, where
// every term is known: nothing passes unread. So a constant is judged when the
// policies load, a computed value when it is used, both by the same words.
type reader struct {
	load   bool
	faults []fault
}

// fault is one thing that is wrong with a term.
type fault struct {
	loc     *ast.Location
	message string
}

func (r *reader) fault(t *ast.Term, format string, args ...any) {
	r.faults = append(r.faults, fault{t.Location, fmt.Sprintf(format, args...)})
}

// err joins what is wrong with an answer.
func (r *reader) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	texts := make([]string, len(r.faults))
	for i, f := range r.faults {
		texts[i] = f.message
	}
	return errors.New("policy answer: " + strings.Join(texts, "; "))
}

// open reports a term that is not known yet.
func (r *reader) open(t *ast.Term) bool {
	if !r.load {
		return false
	}
	switch t.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String, ast.Object, ast.Set, *ast.Array:
		return false
	}
	return true
}

// object reads an object whose members are among keys, the first `required` of
// which must be there. Each member is handed to fn with the index of its key.
func (r *reader) object(t *ast.Term, what string, required int, keys []string, fn func(i int, v *ast.Term)) {
	if r.open(t) {
		return
	}
	o, ok := t.Value.(ast.Object)
	if !ok {
		r.fault(t, "%s is an object with %s, not %s", what, strings.Join(keys, ", "), kind(t))
		return
	}
	var seen uint
	o.Foreach(func(k, v *ast.Term) {
		if r.open(k) {
			seen = ^uint(0) // it may be any of them
			return
		}
		name, _ := k.Value.(ast.String)
		i := slices.Index(keys, string(name))
		if i < 0 {
			r.fault(k, "%s has no member %s", what, instead(string(name), keys))
			return
		}
		seen |= 1 << i
		fn(i, v)
	})
	for i, k := range keys[:required] {
		if seen&(1<<i) == 0 {
			r.fault(t, "%s lacks the member %q", what, k)
		}
	}
}

// text reads a string; ok is false where there is none to judge.
func (r *reader) text(t *ast.Term, what string) (s string, ok bool) {
	if r.open(t) {
		return "", false
	}
	v, ok := t.Value.(ast.String)
	if !ok {
		r.fault(t, "%s is a string, not %s", what, kind(t))
	}
	return string(v), ok
}

// word reads a string that must be one of some.
func (r *reader) word(t *ast.Term, what string, valid []string) string {
	s, ok := r.text(t, what)
	if ok && !slices.Contains(valid, s) {
		r.fault(t, "there is no %s %s", what, instead(s, valid))
	}
	return s
}

// region reads a region. An empty one is a fault: it would be no region at all,
// and any endpoint could serve.
func (r *reader) region(t *ast.Term) string {
	s, ok := r.text(t, "region")
	if ok && s == "" {
		r.fault(t, "region is empty: leave the rule undefined where any region will do")
	}
	return s
}

func (r *reader) boolean(t *ast.Term, what string) bool {
	if r.open(t) {
		return false
	}
	b, ok := t.Value.(ast.Boolean)
	if !ok {
		r.fault(t, "%s is true or false, not %s", what, kind(t))
	}
	return bool(b)
}

// path reads a path of the response or of the request body.
func (r *reader) path(t *ast.Term) string {
	s, ok := r.text(t, "path")
	if ok {
		if err := checkPath(s); err != nil {
			r.fault(t, "path %q: %v", s, err)
		}
	}
	return s
}

// named reads the name of a value of the caller.
func (r *reader) named(t *ast.Term) string {
	s, ok := r.text(t, "input")
	if !ok {
		return s
	}
	if err := policies.CheckName(s); err != nil {
		r.fault(t, "input names no value of the caller: %v%s", err, nearName(s))
	}
	return s
}

// nearName suggests a named value; the whole list is too long to be shown.
func nearName(s string) string {
	if n := nearest(s, policies.Names()); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}

// elements gives the members of a list; a set is one, as it is in JSON.
func (r *reader) elements(t *ast.Term, what string) (list []*ast.Term, ok bool) {
	switch v := t.Value.(type) {
	case *ast.Array:
		list = make([]*ast.Term, 0, v.Len())
		v.Foreach(func(e *ast.Term) { list = append(list, e) })
		return list, true
	case ast.Set:
		return v.Slice(), true
	}
	if !r.open(t) {
		r.fault(t, "%s is a list, not %s", what, kind(t))
	}
	return nil, false
}

// kind names what a term is instead. It never shows the value, which may be
// one person's.
func kind(t *ast.Term) string {
	switch v := t.Value.(type) {
	case ast.Null:
		return "null"
	case ast.Boolean:
		return "a boolean"
	case ast.Number:
		return "a number"
	case ast.String:
		return "a string"
	case ast.Object:
		return "an object"
	case *ast.Array:
		return "a list"
	case ast.Set:
		return "a set"
	default:
		return ast.ValueName(v)
	}
}
