package opa

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// proofTimeout bounds everything that the gate evaluates: tests, comparisons
// and probes.
const proofTimeout = 2 * time.Minute

// maxQuestions bounds the questions of tests that are asked once more.
const maxQuestions = 5000

// prove puts policies that compile to the test: their own tests must pass, what
// those ask must be answered alike with and without optimizations, and the
// probes must find every door closed.
func (s *sources) prove(ctx context.Context, e *Engine, g *gated, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	asked := &questions{cover: cover.New(), seen: map[int][]ast.Value{}}
	if o.Tests {
		if err := s.testsPass(ctx, e, g, o, asked); err != nil {
			return err
		}
	}
	if err := s.agree(ctx, g, asked.list, e.both); err != nil {
		return err
	}
	if err := s.probe(ctx, e, g, o, asked.list); err != nil {
		return err
	}
	// What was cut short has found nothing, and proves nothing.
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.mistakes.add(s.place(), "there was no time to finish the tests and probes of the policies")
		return s.err()
	}
	return ctx.Err()
}

func (o Options) testTimeout() time.Duration {
	if o.TestTimeout > 0 {
		return o.TestTimeout
	}
	return testTimeout
}

// place is the file that a mistake names which stands in none.
func (s *sources) place() string {
	for _, f := range s.rego {
		if !f.test() {
			return f.name
		}
	}
	return "policies"
}

// testsPass runs the policies' tests. One that does not pass is a mistake
// where it does not hold.
func (s *sources) testsPass(ctx context.Context, e *Engine, g *gated, o Options, asked *questions) error {
	timeout := o.testTimeout()
	results, err := s.runTests(ctx, func(r *tester.Runner) { r.SetTimeout(timeout).SetCoverageQueryTracer(asked) })
	if err != nil {
		return interrupted(ctx, err)
	}
	traces, err := s.traceFailures(ctx, results, timeout)
	if err != nil {
		return interrupted(ctx, err)
	}
	for _, res := range results {
		e.tests.count(res)
		s.mistakes.test(res, traces[testName(res)], timeout)
	}
	report := asked.cover.Report(g.modules)
	e.tests.Coverage = percent(report)
	if len(s.mistakes) == 0 && e.tests.Coverage < o.MinCoverage {
		s.uncovered(report, e.tests.Coverage, o.MinCoverage)
	}
	return s.err()
}

// interrupted leaves it to prove to tell that there was no time left.
func interrupted(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && !errors.As(err, &Mistakes{}) {
		return nil
	}
	return err
}

// test tells of a test that does not pass.
func (m *Mistakes) test(r *tester.Result, trace []*topdown.Event, timeout time.Duration) {
	name := strings.TrimPrefix(testName(r), "data.")
	switch {
	case r.Skip || r.Pass():
	case r.Error != nil && topdown.IsCancel(r.Error):
		m.at(r.Location, "test %s takes longer than %v", name, timeout)
	case r.Error != nil:
		m.at(r.Location, "test %s: %v", name, r.Error)
	default:
		for names, sub := range r.SubResults.Iter {
			if sub.Fail {
				name += fmt.Sprintf(", case %q,", strings.Join(names, "/"))
			}
		}
		if at := failedAt(r, trace); at != nil {
			text, _, _ := strings.Cut(string(at.Text), "\n")
			m.at(at, "test %s fails: not true: %s", name, text)
		} else {
			m.at(r.Location, "test %s fails", name)
		}
	}
}

// uncovered names the first lines that no test has evaluated.
func (s *sources) uncovered(report cover.Report, got, want float64) {
	const few = 5
	var lines []Mistake
	for name, f := range report.Files {
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		for _, r := range f.NotCovered {
			lines = append(lines, Mistake{File: name, Line: r.Start.Row, Column: 1})
		}
	}
	slices.SortFunc(lines, byPlace)
	lines = slices.Compact(lines) // a line may hold several expressions
	if len(lines) == 0 {          // nothing was evaluated at all
		s.mistakes.add(s.place(), "no test covers anything; %g%% of the lines are asked for", want)
		return
	}
	first, more := lines[0], ""
	for _, l := range lines[1:min(few, len(lines))] {
		more += fmt.Sprintf(", %s:%d", l.File, l.Line)
	}
	if len(lines) > few {
		more += fmt.Sprintf(" and %d more", len(lines)-few)
	}
	first.Message = fmt.Sprintf("no test evaluates this line%s; the tests cover %.1f%% of the lines, and %g%% are asked for", more, got, want)
	s.mistakes = append(s.mistakes, first)
}

// questions are the inputs that tests ask with, collected beside the coverage.
type questions struct {
	cover *cover.Cover
	last  *ast.Term // of the last event: most events of a question follow one another
	seen  map[int][]ast.Value
	list  []ast.Value
}

// Enabled is always true.
func (*questions) Enabled() bool { return true }

// Config asks for nothing that costs.
func (*questions) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent counts a line as covered and notes the question.
func (q *questions) TraceEvent(e topdown.Event) {
	q.cover.TraceEvent(e)
	in := e.Input()
	if e.Op != topdown.EnterOp || in == nil || in == q.last || len(q.list) == maxQuestions {
		return
	}
	q.last = in
	h := in.Value.Hash()
	if !slices.ContainsFunc(q.seen[h], func(v ast.Value) bool { return v.Compare(in.Value) == 0 }) {
		q.seen[h] = append(q.seen[h], in.Value)
		q.list = append(q.list, in.Value)
	}
}
