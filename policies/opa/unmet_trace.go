package opa

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

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

// failure is where a rule came to its end. One that held and gave false failed at
// its value.
func (t *failTracer) failure(rule *ast.Rule) (failure, bool) {
	if v, ok := t.held[rule]; ok && v.Equal(ast.BooleanTerm(false)) {
		x := ast.NewExpr(rule.Head.Value)
		x.Location = rule.Head.Value.Location
		return failure{expr: x}, x.Location != nil
	}
	f, ok := t.failed[rule]
	return f, ok
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
