package opa

import (
	"context"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"
)

// agree answers every question that the tests ask twice: as requests are
// answered, and with rule indexing and early exit off. Both are to change
// nothing but the time it takes. An index that leaves a rule out which holds
// (it has happened) would silence an objection; a rule that fails only where
// the index does not skip it makes an answer depend on chance.
func (s *sources) agree(ctx context.Context, g *gated, asked []ast.Value, both answerBoth) error {
	for _, q := range asked {
		fast, plain := both(ctx, q)
		if ctx.Err() != nil {
			return nil // prove says so
		}
		switch {
		case (fast.err == nil) != (plain.err == nil):
			s.failsSometimes(errors.Join(fast.err, plain.err), q)
			return s.err()
		case fast.err == nil && fast.doc.Compare(plain.doc) != 0:
			s.differs(g, fast.doc, plain.doc, q)
			return s.err()
		}
	}
	return nil
}

// given is an answer, or why there is none.
type given struct {
	doc ast.Value
	err error
}

// answerBoth answers with optimizations and without.
type answerBoth func(ctx context.Context, question ast.Value) (fast, plain given)

func (e *Engine) both(ctx context.Context, question ast.Value) (fast, plain given) {
	fast.doc, fast.err = e.document(ctx, question)
	plain.doc, plain.err = e.document(ctx, question, rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false))
	return fast, plain
}

// document evaluates package gatehouse for an input, without a budget.
func (e *Engine) document(ctx context.Context, input ast.Value, more ...rego.EvalOption) (ast.Value, error) {
	stop := topdown.NewCancel()
	defer context.AfterFunc(ctx, stop.Cancel)()
	results, err := e.query.Eval(ctx, append(more,
		rego.EvalParsedInput(input),
		rego.EvalTransaction(e.txn),
		rego.EvalMetrics(metrics.NoOp()),
		rego.EvalExternalCancel(stop),
		rego.EvalGenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t, nil }),
	)...)
	if err != nil {
		return nil, err
	}
	if len(results) == 1 {
		if doc, ok := results[0].Bindings[answer].(*ast.Term); ok {
			return doc.Value, nil
		}
	}
	return nil, errors.New("no answer")
}

// failsSometimes tells of an error that only one of two evaluations meets.
func (s *sources) failsSometimes(err error, question ast.Value) {
	var at *ast.Location
	var te *topdown.Error
	if errors.As(err, &te) {
		at = te.Location
		err = errors.New(te.Message)
	}
	if at == nil {
		at = &ast.Location{File: s.place(), Row: 1, Col: 1}
	}
	s.mistakes.at(at, "fails (%v), but only where OPA does not skip it by its rule index: "+
		"put the conditions that make it safe into a rule of their own and ask that first; the question is %s", err, brief(question))
}

// differs tells of an answer that depends on how it is evaluated.
func (s *sources) differs(g *gated, fast, plain, question ast.Value) {
	a, aok := fast.(ast.Object)
	b, bok := plain.(ast.Object)
	if !aok || !bok {
		s.mistakes.add(s.place(), "evaluated without rule indexing and early exit, the answer is another: %s", brief(question))
		return
	}
	for _, name := range ruleNames() {
		key := ast.StringTerm(name)
		x, y := a.Get(key), b.Get(key)
		if (x == nil) == (y == nil) && (x == nil || x.Equal(y)) {
			continue
		}
		s.mistakes.at(g.ruleAt(name), "%s is %s, and %s where rules are evaluated without index and early exit; the question is %s",
			name, brief(valueOf(x)), brief(valueOf(y)), brief(question))
	}
}

func valueOf(t *ast.Term) ast.Value {
	if t == nil {
		return nil
	}
	return t.Value
}

// ruleAt is where the first rule of that name stands.
func (g *gated) ruleAt(name string) *ast.Location {
	for _, file := range util.KeysSorted(g.modules) {
		mod := g.modules[file]
		if !decides(mod) {
			continue
		}
		for _, r := range mod.Rules {
			if r.Head.Ref()[0].Value.String() == name {
				return r.Location
			}
		}
	}
	return nil
}

// decides reports whether a module is part of package gatehouse.
func decides(mod *ast.Module) bool {
	path := mod.Package.Path
	return len(path) == 2 && path[1].Equal(ast.StringTerm(packageName))
}

// brief is a value in a message.
func brief(v ast.Value) string {
	if v == nil {
		return "undefined"
	}
	const most = 300
	s := v.String()
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
