// Package opa is the [policies.Decider] on the Open Policy Agent: it turns
// Rego written in package gatehouse into decisions.
//
// # Loading is a gate
//
// [Load] reads every policy and data file of a folder and refuses the lot when
// anything in it is wrong, naming all mistakes with file, line and column. What
// passes
//
//   - is Rego v1, compiled strictly and type-checked against a schema derived
//     from [policies.Input], so that input.subject.rolle does not load;
//   - calls only builtins that depend on nothing but their arguments and can be
//     interrupted: no clock, no network, no randomness, no huge numbers;
//   - defines in package gatehouse only rules that the gateway knows, in the
//     form it expects, and every constant in their heads (a path, an action, an
//     operator, a header name) is one that can be enforced;
//   - passes its own tests, and answers what they ask alike with OPA's
//     optimizations on and off, where [Options] ask for that;
//   - shows nothing to strangers on the routes that [Options] name ([Probe]).
//
// # Deciding is strict
//
// [Engine.Decide] asks one query for the whole package and reads the answer
// term by term. Values that were not constants at load are judged here by the
// same code; anything that cannot be enforced exactly as written is
// an error, and an error denies.
//
// # Deciding is remembered
//
// Package memo works out at load what of a question the policies can observe.
// Questions that do not differ in it get one and the same decision, and only
// the first is evaluated.
//
// The rules and data of an Engine never change after Load; it may be used by
// any number of goroutines. New policies mean a new Engine.
package opa

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa/memo"
	"github.com/gatehouse-dev/gatehouse/policies/record"
)

// DefaultBudget is the time one decision may take where Options name none.
const DefaultBudget = 50 * time.Millisecond

// answer is the variable of the one query that is asked.
const answer = "decision"

// Engine decides by one immutable set of policies and data.
type Engine struct {
	query    rego.PreparedEvalQuery
	txn      storage.Transaction // held for good: nothing ever writes to the store
	store    storage.Store
	compiler *ast.Compiler // read-only, for Explain
	terms    inputTerms
	budget   time.Duration
	memo     *memo.Memo

	headers      []string
	revision     string
	rules, files int
	warnings     Mistakes // of the probes, and of regions nobody is in
	tests        TestReport
	vocabulary   Vocabulary
	mask         *record.Mask
}

var _ policies.Decider = (*Engine)(nil)

// Load reads, checks and compiles policies. The error is [Mistakes], all of
// them at once, where the policies are wrong. Compiling cannot be interrupted:
// call it off the request path.
func Load(ctx context.Context, o Options) (*Engine, error) { return Read(o).Load(ctx) }

// Load checks and compiles what was read, as the function Load does. It may be
// called once.
func (s *Sources) Load(ctx context.Context) (*Engine, error) {
	src, o := s.sources, s.options
	g, err := src.gate(ctx)
	if err != nil {
		return nil, err
	}
	q, err := rego.New(
		rego.Compiler(g.compiler),
		rego.Store(g.store),
		rego.Transaction(g.txn),
		rego.Capabilities(capabilities()),
		rego.StrictBuiltinErrors(true),
		rego.Query(answer+" = data."+packageName),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare the policy query: %w", err)
	}
	e := &Engine{
		query: q, txn: g.txn, store: g.store, compiler: g.compiler, terms: newInputTerms(), budget: o.Budget,
		headers: g.headers, rules: g.rules, files: len(g.modules), revision: src.revision(),
		vocabulary: vocabulary(g, src.tree),
		memo:       memo.New(memo.Source{Compiler: g.compiler, Data: src.tree, Entry: entry()}, o.Memo),
	}
	if e.budget <= 0 {
		e.budget = DefaultBudget
	}
	if e.mask, err = src.recordMask(ctx, g); err != nil {
		return nil, err
	}
	g.unknownRegions(o.Regions, &e.warnings)
	if err := src.prove(ctx, e, g, o); err != nil {
		return nil, err
	}
	return e, nil
}

// Tests tells how the policies' own tests went while loading; it is zero where
// none were run.
func (e *Engine) Tests() TestReport { return e.tests }

// HeaderNames lists the upstream headers that some rule sets, in canonical
// form, sorted.
func (e *Engine) HeaderNames() []string { return slices.Clone(e.headers) }

// Revision is a hash of the policies and data: equal sources have an equal
// revision on every machine.
func (e *Engine) Revision() string { return e.revision }

// Warnings are findings of the probes that may be meant: foreign rows that known
// roles get.
func (e *Engine) Warnings() Mistakes { return e.warnings.sorted() }

// Size tells how many rules of package gatehouse are in force, and how many
// files of Rego were read.
func (e *Engine) Size() (rules, files int) { return e.rules, e.files }

// decide evaluates the policies.
func (e *Engine) decide(ctx context.Context, in *policies.Input) (*policies.Decision, error) {
	doc, err := e.evaluate(ctx, in)
	if err != nil {
		return nil, err
	}
	r := reader{}
	d := r.decision(doc)
	if err := r.err(); err != nil {
		return nil, err
	}
	d.Revision = e.revision
	return d, nil
}

// evaluate gives the document of package gatehouse as a term.
func (e *Engine) evaluate(ctx context.Context, in *policies.Input, more ...rego.EvalOption) (*ast.Term, error) {
	if err := ctx.Err(); err != nil {
		return nil, interruption{fmt.Errorf("policy not asked: %w", err)}
	}
	input, err := e.terms.input(in)
	if err != nil {
		return nil, err
	}
	// One Cancel per evaluation: it cannot be reset. Without an external one
	// rego starts a goroutine per call to watch the context.
	stop := topdown.NewCancel()
	timer := time.AfterFunc(e.budget, stop.Cancel)
	defer timer.Stop()
	defer context.AfterFunc(ctx, stop.Cancel)()

	results, err := e.query.Eval(ctx, append(more,
		rego.EvalParsedInput(input),
		rego.EvalTransaction(e.txn),
		rego.EvalMetrics(metrics.NoOp()),
		rego.EvalExternalCancel(stop),
		rego.EvalGenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t, nil }),
	)...)
	if err != nil {
		return nil, e.failure(ctx, err)
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("policy gave %d answers, not one", len(results))
	}
	doc, ok := results[0].Bindings[answer].(*ast.Term)
	if !ok {
		return nil, errors.New("policy gave no answer")
	}
	return doc, nil
}

// failure says why an evaluation ended early.
func (e *Engine) failure(ctx context.Context, err error) error {
	switch {
	case !topdown.IsCancel(err):
		return mishap{err}
	case ctx.Err() != nil:
		return interruption{fmt.Errorf("policy interrupted: %w", context.Cause(ctx))}
	}
	return interruption{fmt.Errorf("policy took longer than its budget of %v: %w", e.budget, context.DeadlineExceeded)}
}
