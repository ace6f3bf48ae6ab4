package opa

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// FiredRule is a rule of package gatehouse that held for a question.
type FiredRule struct {
	Name string `json:"name"` // allow, mask, …
	// Entry is what it contributed, as Rego writes it. It may hold values of
	// the caller.
	Entry string `json:"entry,omitempty"`
	// File and Line are where the rule stands.
	File string `json:"file"`
	Line int    `json:"line"`
	// Title and Labels are those of its METADATA.
	Title  string            `json:"title,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Explain lists the rules that held for the question, in the order they were
// evaluated. It costs several times what Decide does and is for people, not
// for the request path. Where the question cannot be decided it lists what
// held until then, along with the error.
func (e *Engine) Explain(ctx context.Context, in *policies.Input) ([]FiredRule, error) {
	t := &firedTracer{annotations: e.compiler.GetAnnotationSet()}
	_, err := e.evaluate(ctx, in, rego.EvalQueryTracer(t))
	return t.fired, err
}

// firedTracer notes every rule of the package that the evaluation leaves with
// success.
type firedTracer struct {
	annotations *ast.AnnotationSet
	fired       []FiredRule
}

func (*firedTracer) Enabled() bool { return true }

func (*firedTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (t *firedTracer) TraceEvent(e topdown.Event) {
	rule, ok := e.Node.(*ast.Rule)
	if !ok || e.Op != topdown.ExitOp || rule.Default || rule.Module == nil || rule.Location == nil {
		return
	}
	path := rule.Module.Package.Path
	if len(path) != 2 || !path[1].Equal(ast.StringTerm(packageName)) {
		return
	}
	f := FiredRule{Name: rule.Head.Ref().String(), File: rule.Location.File, Line: rule.Location.Row}
	switch {
	case rule.Head.Value != nil:
		f.Entry = e.Plug(rule.Head.Value).String()
	case rule.Head.Key != nil: // of a set
		f.Entry = e.Plug(rule.Head.Key).String()
	}
	for _, a := range t.annotations.GetRuleScope(rule) {
		if a.Title != "" {
			f.Title = a.Title
		}
	}
	labels, _ := t.annotations.MergedLabels(rule)
	for k, v := range labels {
		if f.Labels == nil {
			f.Labels = make(map[string]string, len(labels))
		}
		f.Labels[k] = fmt.Sprint(v)
	}
	t.fired = append(t.fired, f)
}
