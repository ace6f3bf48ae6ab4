package opa

import (
	"cmp"
	"context"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// UnmetRule is a rule that would have granted, and the expression at which it
// came to its end.
type UnmetRule struct {
	// RulePlace is the rule; its Line is that of the expression.
	RulePlace
	// Expression is what did not hold, as it is written.
	Expression string `json:"expression"`
	// Facts tell what the expression compared, and what would have to differ
	// where that can be told. They may hold values of the caller.
	Facts []string `json:"facts,omitempty"`
}

// maxUnmet bounds how many rules Unmet tells of, and how deep it looks.
const maxUnmet = 20

// Unmet tells why nothing granted the question: for every rule allow, and for the
// rules it depends on, the expression that failed. Where one rule waits for
// another only the last one is told of. It is empty where the question is
// granted. It evaluates the question anew, with a trace and without optimizations,
// and is for people.
func (e *Engine) Unmet(ctx context.Context, in *policies.Input) ([]UnmetRule, error) {
	input, err := e.terms.input(in)
	if err != nil {
		return nil, err
	}
	t := &failTracer{
		names: e.compiler.RewrittenVars, frames: map[uint64]*ast.Rule{},
		held: map[*ast.Rule]*ast.Term{}, failed: map[*ast.Rule]failure{},
	}
	// Rules that the index leaves out would never be entered.
	_, err = e.patient().evaluate(ctx, in, rego.EvalQueryTracer(t), rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false))
	if err != nil {
		return nil, err
	}
	u := unmet{e: e, input: input, trace: t, seen: map[*ast.Rule]bool{}}
	allow := e.compiler.GetRulesExact(ast.DefaultRootRef.Append(ast.StringTerm(packageName)).Append(ast.StringTerm("allow")))
	if _, ok := t.value(allow); !ok {
		u.follow(allow)
	}
	return u.out, nil
}

// unmet collects.
type unmet struct {
	e     *Engine
	input ast.Value
	trace *failTracer
	seen  map[*ast.Rule]bool
	depth int
	out   []UnmetRule
}

// follow tells of rules none of which held, and reports whether it could.
func (u *unmet) follow(rules []*ast.Rule) bool {
	if u.depth++; u.depth > maxUnmet {
		return false
	}
	defer func() { u.depth-- }()
	rules = slices.SortedFunc(slices.Values(rules), func(a, b *ast.Rule) int {
		return cmp.Or(cmp.Compare(a.Location.File, b.Location.File), cmp.Compare(a.Location.Row, b.Location.Row), cmp.Compare(a.Location.Col, b.Location.Col))
	})
	told := false
	for _, rule := range rules {
		for _, r := range chain(rule) {
			f, ok := u.trace.failure(r)
			switch {
			case !ok || len(r.Head.Args) > 0:
			case u.seen[r]:
				told = true
			case len(u.out) < maxUnmet:
				u.seen[r], told = true, true
				if !u.deeper(f.expr) {
					u.tell(rule, r, f)
				}
			}
		}
	}
	return told
}

// deeper tells of the rules that an expression waited for in vain.
func (u *unmet) deeper(x *ast.Expr) bool {
	told := false
	ast.WalkRefs(x, func(r ast.Ref) bool {
		if rules := u.rules(r); len(rules) > 0 {
			if _, ok := u.trace.value(rules); !ok && u.follow(rules) {
				told = true
			}
		}
		return false
	})
	return told
}

// rules are those that a reference names, or reads a value of.
func (u *unmet) rules(r ast.Ref) []*ast.Rule {
	if !r.HasPrefix(ast.DefaultRootRef) {
		return nil
	}
	return u.e.compiler.GetRulesForVirtualDocument(r.GroundPrefix())
}

// tell adds what there is to say of one failure. top is the rule that r is an
// else branch of, or r itself.
func (u *unmet) tell(top, r *ast.Rule, f failure) {
	out := UnmetRule{RulePlace: u.e.place(top)}
	out.Line = f.expr.Location.Row
	source, text := written(top, f.expr.Location)
	out.Expression = text
	if f.expr.Negated {
		out.Facts = append(out.Facts, "this must not hold, and does")
	}
	out.Facts = append(out.Facts, u.inputs(source)...)
	ast.WalkRefs(f.expr, func(ref ast.Ref) bool {
		if v, ok := u.trace.value(u.rules(ref)); ok && short(v) != "true" {
			out.Facts = append(out.Facts, fact(f.expr, ref, v))
		}
		return false
	})
	out.Facts = append(out.Facts, f.vars...)
	u.out = append(u.out, out)
}
