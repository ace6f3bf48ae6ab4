package memo

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// operand is a term whose part in a comparison is understood: a constant, or
// the values at paths of input.
type operand struct {
	constant ast.Value
	flow
	ref ast.Ref // where it mentions input itself
}

// operand reports false for a term that is neither.
func (s *scope) operand(t *ast.Term) (o operand, ok bool) {
	switch v := t.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
		return operand{constant: v}, true
	case ast.Var:
		if root(v) {
			return o, false
		}
		o.flow = s.meaning(v)
	case ast.Ref:
		if !s.alias(v) {
			return o, false
		}
		rest, _ := steps(v[1:])
		if v[0].Equal(ast.InputRootDocument) {
			o.paths, o.ref = []Path{rest}, v
			break
		}
		base := s.meaning(v[0].Value.(ast.Var))
		o.mixed = base.mixed
		for _, p := range base.paths {
			o.add(p.join(rest))
		}
	}
	if len(o.paths) == 1 && !o.mixed {
		o.constant = s.fixed[o.paths[0].String()]
	}
	return o, len(o.paths) > 0
}

// take accounts for the mention of input in an operand.
func (s *scope) take(o operand) {
	if o.ref != nil {
		s.mention(o.ref)
	}
}

// open are the paths of an operand that are not constants.
func (s *scope) open(o operand) []Path {
	return slices.DeleteFunc(slices.Clone(o.paths), s.constant)
}

// test notes the outcome of comparing the paths of an operand with constants.
func (s *scope) test(op string, o operand, loc *ast.Location, consts ...ast.Value) {
	s.take(o)
	for _, p := range s.open(o) {
		s.reads.add(Slot{Kind: Test, Op: op, Path: p, Consts: consts}, placeOf(loc))
	}
}

// call is a call, as an expression or inside a term. An argument behind the
// last parameter receives the result.
func (s *scope) call(terms []*ast.Term) {
	ref, ok := terms[0].Value.(ast.Ref)
	args := terms[1:]
	switch {
	case !ok:
		s.refuse(s.loc, "a call of what is no function")
	case ref[0].Equal(ast.DefaultRootDocument):
		s.function(ref, args)
		return
	case ref[0].Equal(ast.InputRootDocument):
		s.refuse(s.loc, "a call of a part of input")
	default:
		b := ast.BuiltinMap[ref.String()]
		if b == nil {
			s.refuse(s.loc, "%v is not a builtin that is known", ref)
		} else if impure(b) {
			s.refuse(s.loc, "%s depends on more than its arguments", b.Name)
		} else if s.equation(b, args) || s.comparison(b, args) {
			return
		}
	}
	for _, t := range args {
		s.term(t)
	}
}

// impure reports builtins that depend on more than their arguments: those that
// say so, and those that look at the clock or the network nevertheless.
func impure(b *ast.Builtin) bool {
	if b.Nondeterministic {
		return true
	}
	switch b.Name {
	case "io.jwt.decode_verify", "json.match_schema", "json.verify_schema", "providers.aws.sign_req",
		"crypto.x509.parse_and_verify_certificates", "crypto.x509.parse_and_verify_certificates_with_options":
		return true
	}
	return false
}

// function is a call of a function of the policies. What a parameter stands
// for is used inside, so nothing is read by the call itself.
func (s *scope) function(ref ast.Ref, args []*ast.Term) {
	s.reach(ref)
	n := 0
	for _, r := range s.related(ref) {
		n = max(n, len(r.Head.Args))
	}
	n = min(n, len(args))
	for i, t := range args {
		o, ok := s.operand(t)
		if i >= n || !ok || len(o.paths) == 0 || !s.named(ref, i) {
			if i < n {
				s.flows(ref.String(), n, i, flow{mixed: true})
			}
			s.term(t)
			continue
		}
		s.take(o)
		for _, p := range o.paths {
			s.read(Exists, p, s.at(t))
		}
		s.flows(ref.String(), n, i, o.flow)
	}
}

// named reports a parameter that is a variable wherever the function is
// defined. A pattern, such as "a" or [x, y], compares and takes apart at once.
func (a *analyzer) named(function ast.Ref, i int) bool {
	for _, r := range a.related(function) {
		for ; r != nil; r = r.Else {
			if i >= len(r.Head.Args) {
				return false
			}
			if _, ok := r.Head.Args[i].Value.(ast.Var); !ok {
				return false
			}
		}
	}
	return true
}
