package opa

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// RulePlace is a rule and where it stands.
type RulePlace struct {
	Name string `json:"name"` // allow, mask, …; with its package where that is another: masking.mask
	// File and Line are where the rule stands.
	File string `json:"file"`
	Line int    `json:"line"`
	// Title and Labels are those of its METADATA.
	Title  string            `json:"title,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

// FiredRule is a rule of package gatehouse that held for a question.
type FiredRule struct {
	RulePlace
	// Entry is what it contributed, as Rego writes it. It may hold values of
	// the caller.
	Entry string `json:"entry,omitempty"`
	// From are the rules of other packages that the entry comes from, where the
	// rule only passes on what they say.
	From []RulePlace `json:"from,omitempty"`
	// Part is the decision that this entry alone would have been; nil where it
	// cannot be enforced.
	Part *policies.Decision `json:"-"`
}

// Origins are where the entry comes from: From, or the rule itself.
func (f *FiredRule) Origins() []RulePlace {
	if len(f.From) > 0 {
		return f.From
	}
	return []RulePlace{f.RulePlace}
}

// Explain lists the rules that held for the question, in the order they were
// evaluated. It costs several times what Decide does and is for people, not
// for the request path. Where the question cannot be decided it lists what
// held until then, along with the error.
func (e *Engine) Explain(ctx context.Context, in *policies.Input) ([]FiredRule, error) {
	t := &exitTracer{}
	_, err := e.patient().evaluate(ctx, in, rego.EvalQueryTracer(t))
	o := origins{e.compiler, t.exits}
	var fired []FiredRule
	for _, x := range t.exits {
		if !decides(x.rule.Module) {
			continue
		}
		f := FiredRule{RulePlace: e.place(x.rule), From: e.places(o.of(x))}
		if x.value != nil {
			f.Entry = x.value.String()
			f.Part = alone(x)
		}
		fired = append(fired, f)
	}
	return fired, err
}

// patience is the time that an explanation may take: a trace costs many times what
// a decision does, and the answer is to be the same.
const patience = 5 * time.Second

// patient is the engine with that time.
func (e *Engine) patient() *Engine {
	p := *e
	p.budget = max(p.budget, patience)
	return &p
}

// Relative tells the files of rules relative to the folder of policies, where
// they stand in it.
func Relative(root string, fired []FiredRule, unmet []UnmetRule) {
	if root == "" {
		return
	}
	shorten := func(file *string) {
		if rel, err := filepath.Rel(root, *file); err == nil && filepath.IsLocal(rel) {
			*file = filepath.ToSlash(rel)
		}
	}
	for i := range fired {
		shorten(&fired[i].File)
		for j := range fired[i].From {
			shorten(&fired[i].From[j].File)
		}
	}
	for i := range unmet {
		shorten(&unmet[i].File)
	}
}

// place says where a rule stands, with its METADATA.
func (e *Engine) place(rule *ast.Rule) RulePlace {
	p := RulePlace{Name: ruleName(rule), File: rule.Location.File, Line: rule.Location.Row}
	set := e.compiler.GetAnnotationSet()
	for _, a := range set.GetRuleScope(rule) {
		if a.Title != "" {
			p.Title = a.Title
		}
	}
	labels, _ := set.MergedLabels(rule)
	for k, v := range labels {
		if p.Labels == nil {
			p.Labels = make(map[string]string, len(labels))
		}
		p.Labels[k] = fmt.Sprint(v)
	}
	return p
}

func (e *Engine) places(rules []*ast.Rule) []RulePlace {
	var out []RulePlace
	for _, r := range rules {
		out = append(out, e.place(r))
	}
	return out
}

// ruleName is the rule's name, with the package in front where that is not the
// one that decides.
func ruleName(rule *ast.Rule) string {
	name := rule.Head.Ref().String()
	if decides(rule.Module) {
		return name
	}
	return rule.Module.Package.Path[1:].String() + "." + name
}

// exit is one time that a rule held, and the value that it gave.
type exit struct {
	rule  *ast.Rule
	value *ast.Term // the member of a set, else the value
}

// exitTracer notes every rule that the evaluation leaves with success. A default
// is not a rule that held, and a function is no rule.
type exitTracer struct{ exits []exit }

func (*exitTracer) Enabled() bool { return true }

func (*exitTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (t *exitTracer) TraceEvent(e topdown.Event) {
	rule, ok := e.Node.(*ast.Rule)
	if !ok || e.Op != topdown.ExitOp || rule.Default || rule.Module == nil || rule.Location == nil || len(rule.Head.Args) > 0 {
		return
	}
	x := exit{rule: rule}
	switch {
	case rule.Head.Value != nil:
		x.value = e.Plug(rule.Head.Value)
	case rule.Head.Key != nil: // of a set
		x.value = e.Plug(rule.Head.Key)
	}
	t.exits = append(t.exits, x)
}

// alone reads what a rule of package gatehouse contributed as the decision reads
// it.
func alone(x exit) *policies.Decision {
	ref, v := x.rule.Head.Ref(), x.value
	name, _ := ref[0].Value.(ast.Var)
	switch {
	case x.rule.Head.Value == nil:
		v = ast.SetTerm(v)
	case len(ref) == 2: // headers["X-Name"]
		v = ast.ObjectTerm([2]*ast.Term{ref[1], v})
	}
	r, d := reader{}, &policies.Decision{}
	if r.rule(d, string(name), v); r.err() != nil {
		return nil
	}
	return d
}

// origins finds out which rule said first what others pass on.
type origins struct {
	compiler *ast.Compiler
	exits    []exit
}

// of gives the rules that x has its value from, deepest first to say it: rules of
// other packages to which its body refers, that held with the very same value and
// have it from nobody else.
func (o origins) of(x exit) []*ast.Rule {
	seen := map[*ast.Rule]bool{x.rule: true}
	var out []*ast.Rule
	var follow func(rule *ast.Rule) bool
	follow = func(rule *ast.Rule) bool {
		found := false
		for _, y := range o.exits {
			if y.value == nil || x.value == nil || !y.value.Equal(x.value) || !o.refers(rule, y.rule) {
				continue
			}
			if _, ok := x.value.Value.(ast.Boolean); ok && len(rule.Body) > 1 {
				continue // true is the answer to several questions here
			}
			found = true
			if seen[y.rule] {
				continue
			}
			seen[y.rule] = true
			if !follow(y.rule) && !decides(y.rule.Module) {
				out = append(out, y.rule)
			}
		}
		return found
	}
	follow(x.rule)
	return out
}

// refers reports whether the body of a rule, or its value, names another rule.
func (o origins) refers(rule, other *ast.Rule) bool {
	names := false
	for _, target := range named(o.compiler, rule) {
		names = names || slices.ContainsFunc(chain(target), func(r *ast.Rule) bool { return r == other })
	}
	return names
}

// named are the rules that the body or the value of a rule names.
func named(c *ast.Compiler, rule *ast.Rule) []*ast.Rule {
	var out []*ast.Rule
	look := func(r ast.Ref) bool {
		if r.HasPrefix(ast.DefaultRootRef) {
			out = append(out, c.GetRules(r.GroundPrefix())...)
		}
		return false
	}
	ast.WalkRefs(rule.Body, look)
	ast.WalkRefs(rule.Head, look)
	return out
}

// chain is a rule with its else branches.
func chain(rule *ast.Rule) []*ast.Rule {
	var out []*ast.Rule
	for r := rule; r != nil; r = r.Else {
		out = append(out, r)
	}
	return out
}
