package opa

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

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
	_, err = e.evaluate(ctx, in, rego.EvalQueryTracer(t), rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false))
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

// failure is the expression of a rule that failed, the furthest one: with several
// ways through a body, that is as far as any of them came.
type failure struct {
	expr *ast.Expr
	vars []string // what its variables were
}

// failTracer notes which rules held with which value, and where others failed.
type failTracer struct {
	names  map[ast.Var]ast.Var
	frames map[uint64]*ast.Rule // by the id of the query that is a rule's body
	held   map[*ast.Rule]*ast.Term
	failed map[*ast.Rule]failure
}

func (*failTracer) Enabled() bool { return true }

func (*failTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (t *failTracer) TraceEvent(e topdown.Event) {
	switch node := e.Node.(type) {
	case *ast.Rule:
		switch {
		case e.Op == topdown.EnterOp && !node.Default:
			t.frames[e.QueryID] = node
		case e.Op == topdown.ExitOp && !node.Default && node.Head.Value != nil:
			t.held[node] = e.Plug(node.Head.Value)
		case e.Op == topdown.ExitOp && !node.Default:
			t.held[node] = e.Plug(node.Head.Key)
		}
	case *ast.Expr:
		rule := t.frames[e.QueryID]
		if e.Op != topdown.FailOp || rule == nil || node.Location == nil {
			return
		}
		if before := t.failed[rule].expr; before == nil || node.Index >= before.Index {
			t.failed[rule] = failure{node, t.variables(&e, node)}
		}
	}
}

// variables says what the author's variables in an expression were.
func (t *failTracer) variables(e *topdown.Event, x *ast.Expr) []string {
	var out []string
	ast.WalkVars(x, func(v ast.Var) bool {
		name, ok := t.names[v]
		if value := e.Plug(ast.NewTerm(v)); ok && value.IsGround() && !name.IsGenerated() && !name.IsWildcard() {
			out = append(out, fmt.Sprintf("%s is %s", name, short(value)))
		}
		return false
	})
	return out
}

// value is what the first of some rules that held gave; a default false is no
// value here, for it says that none held.
func (t *failTracer) value(rules []*ast.Rule) (*ast.Term, bool) {
	for _, rule := range rules {
		for _, r := range chain(rule) {
			if v, ok := t.held[r]; ok && !v.Equal(ast.BooleanTerm(false)) {
				return v, true
			}
		}
	}
	for _, rule := range rules {
		if v := rule.Head.Value; rule.Default && !v.Equal(ast.BooleanTerm(false)) {
			return v, true
		}
	}
	return nil, false
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
			f, ok := u.trace.failed[r]
			switch {
			case !ok || len(r.Head.Args) > 0:
			case u.seen[r]:
				told = true
			case len(u.out) < maxUnmet:
				u.seen[r], told = true, true
				if f.expr.Negated || !u.deeper(f.expr) {
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

// inputs says what the question has where an expression looks.
func (u *unmet) inputs(source ast.Node) []string {
	var out []string
	ast.WalkRefs(source, func(r ast.Ref) bool {
		if !r.HasPrefix(ast.InputRootRef) {
			return false
		}
		var v *ast.Term
		if prefix := r.GroundPrefix(); len(prefix) > 1 {
			if value, err := u.input.Find(prefix[1:]); err == nil {
				r, v = prefix, ast.NewTerm(value)
			}
		}
		told := fact(source, r, v)
		if !slices.Contains(out, told) {
			out = append(out, told)
		}
		return false
	})
	return out
}

// fact says what a reference was, nil for nothing, and what it would have to be.
func fact(source ast.Node, r ast.Ref, v *ast.Term) string {
	out := strings.TrimPrefix(r.String(), "data.") + " has no value"
	if v != nil {
		out = fmt.Sprintf("%s is %s", strings.TrimPrefix(r.String(), "data."), short(v))
	}
	if want := wanted(source, r); want != "" {
		out += ", and would have to " + want
	}
	return out
}

// wanted says what a value would have to be like for a simple comparison with a
// constant to hold.
func wanted(source ast.Node, r ast.Ref) string {
	x, ok := source.(*ast.Expr)
	if !ok || x.Negated || !x.IsCall() || len(x.Operands()) != 2 {
		return ""
	}
	words := map[string]string{
		"eq": "be", "equal": "be", "assign": "be", "neq": "differ from", "lt": "be less than", "lte": "be at most",
		"gt": "be more than", "gte": "be at least", "internal.member_2": "be one of",
	}
	word, left, right := words[x.Operator().String()], x.Operand(0), x.Operand(1)
	if right.Value.Compare(r) == 0 && (word == "be" || word == "differ from") {
		left, right = right, left
	}
	if word == "" || left.Value.Compare(r) != 0 || !ast.IsConstant(right.Value) {
		return ""
	}
	return word + " " + short(right)
}

// written finds the expression of a rule's source that a place stands in, and its
// text. Where that is the rule's head, its value is what was looked for.
func written(rule *ast.Rule, at *ast.Location) (source ast.Node, text string) {
	const clause = "package p\n"
	parsed, err := ast.ParseModuleWithOpts("", clause+string(rule.Location.Text), ast.ParserOptions{RegoVersion: ast.RegoV1})
	line := oneLine(string(at.Text))
	if err != nil || len(parsed.Rules) != 1 {
		return ast.Body{}, line
	}
	offset := at.Offset - rule.Location.Offset + len(clause)
	holds := func(l *ast.Location) bool {
		return l != nil && l.Offset <= offset && offset < l.Offset+len(l.Text)
	}
	var found ast.Node
	ast.WalkExprs(parsed, func(x *ast.Expr) bool {
		// The body of a rule that has none is true, and stands where the head does.
		if found == nil && holds(x.Location) && !x.Equal(ast.NewExpr(ast.BooleanTerm(true))) {
			found, line = x, oneLine(string(x.Location.Text))
			if after, ok := strings.CutPrefix(line, "else if "); ok {
				line = after
			}
		}
		return found != nil
	})
	if found != nil {
		return found, line
	}
	for _, r := range chain(parsed.Rules[0]) {
		if v := r.Head.Value; v != nil && holds(v.Location) {
			return v, oneLine(string(v.Location.Text))
		}
	}
	return ast.Body{}, line
}

// oneLine is a text without its line breaks and comments, and not too long.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return clip(strings.Join(lines, " "))
}

func short(t *ast.Term) string { return clip(t.String()) }

func clip(s string) string {
	const most = 120
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
