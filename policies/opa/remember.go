package opa

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa/memo"
)

// Decide answers the question, from memory where it can. Whatever is not a
// clean answer is an error: an evaluation error, a conflict between rules, an
// answer of the wrong shape, a canceled context, more time than the budget.
//
// Questions that the policies cannot tell apart get the same *Decision while
// it is remembered: its address may serve as the key of what is made from it.
func (e *Engine) Decide(ctx context.Context, in *policies.Input) (*policies.Decision, error) {
	d, _, err := e.Recall(ctx, in)
	return d, err
}

// Recall is [Engine.Decide] that also tells whether the answer was remembered.
// One that was evaluated to audit the memory counts as evaluated.
func (e *Engine) Recall(ctx context.Context, in *policies.Input) (d *policies.Decision, remembered bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, interruption{fmt.Errorf("policy not asked: %w", err)}
	}
	// A question that is refused as such must be refused however often it is
	// asked, also where what is wrong with it is nothing that a rule reads.
	if !acceptable(in) {
		d, err = e.decide(ctx, in)
		return d, false, err
	}
	remembered = true
	d, err = e.memo.Decide(in, func() (*policies.Decision, bool, error) {
		remembered = false
		d, err := e.decide(ctx, in)
		var stopped interruption
		return d, errors.As(err, &stopped), err
	})
	return d, remembered, err
}

// Memo tells what a decision depends on, for all questions and for each route.
func (e *Engine) Memo() memo.Report { return e.memo.Report() }

// MemoStats counts how often decisions were remembered.
func (e *Engine) MemoStats() memo.Stats { return e.memo.Stats() }

// Reads tells what of a request the rules can read on a route: whether its body,
// and which headers by their lower-case names; "*" stands for any. A body that
// is not read need not be fetched. A header must be there nevertheless: a
// decision can name it ({"input": "context.headers.x-purpose"}) for others to
// resolve.
func (e *Engine) Reads(route string) (body bool, headers []string) { return e.memo.Reads(route) }

// Ages reports whether decisions on a route may depend on how long ago the user
// signed in.
func (e *Engine) Ages(route string) bool { return e.memo.Ages(route) }

// entry is what is asked for: the whole package.
func entry() ast.Ref {
	return ast.Ref{ast.DefaultRootDocument, ast.StringTerm(packageName)}
}

// interruption is an error that says nothing about the policies: the caller
// went away, or time was up.
type interruption struct{ error }

func (i interruption) Unwrap() error { return i.error }

// acceptable reports whether [inputTerms.input] takes the question. It builds
// nothing.
func acceptable(in *policies.Input) bool {
	if in == nil {
		return false
	}
	if in.Subject != nil && !acceptableObject(in.Subject.Claims, 1) {
		return false
	}
	return in.Body == nil || acceptableValue(in.Body, 1)
}

func acceptableObject(m map[string]any, depth int) bool {
	for _, v := range m {
		if !acceptableValue(v, depth+1) {
			return false
		}
	}
	return true
}

func acceptableValue(v any, depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch v := v.(type) {
	case nil, string, bool, int, int64, []string:
		return true
	case json.Number:
		return smallWhole(string(v)) || checkNumber(string(v)) == nil
	case float64:
		// These are no numbers of JSON.
		return !math.IsNaN(v) && !math.IsInf(v, 0)
	case []any:
		for _, e := range v {
			if !acceptableValue(e, depth+1) {
				return false
			}
		}
		return true
	case map[string]any:
		return acceptableObject(v, depth)
	}
	return false
}

// smallWhole is a quick yes to most numbers there are.
func smallWhole(s string) bool {
	if s == "" || len(s) > 18 || s[0] == '0' && len(s) > 1 {
		return false
	}
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}
