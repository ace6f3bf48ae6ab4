package opa

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// testTimeout is what one test may take where Options say nothing.
const testTimeout = 5 * time.Second

// TestReport sums up a run of the policies' own tests.
type TestReport struct {
	Passed, Failed, Skipped int
	// Coverage is the share of the policies' lines that some test evaluated,
	// in percent; tests do not count.
	Coverage float64
}

// Test runs the rules named test_… of all *_test.rego files and writes a line
// for each to w, with the expression that failed. A rule named todo_test_… is
// skipped. What [Load] would refuse is refused here too; the error is
// [Mistakes] then.
func Test(ctx context.Context, o Options, w io.Writer) (TestReport, error) {
	src := read(o)
	g, err := src.gate(ctx)
	if err != nil {
		return TestReport{}, err
	}
	coverage := cover.New()
	results, err := src.runTests(ctx, func(r *tester.Runner) { r.SetCoverageQueryTracer(coverage) })
	if err != nil {
		return TestReport{}, err
	}
	traces, err := src.traceFailures(ctx, results, testTimeout)
	if err != nil {
		return TestReport{}, err
	}
	var rep TestReport
	for _, res := range results {
		rep.count(res)
		printResult(w, res, traces[testName(res)])
	}
	rep.Coverage = percent(coverage.Report(g.modules))
	return rep, nil
}

// runTests runs tests over freshly compiled modules, one after the other.
func (s *sources) runTests(ctx context.Context, set func(*tester.Runner)) ([]*tester.Result, error) {
	modules := s.parse(true)
	if err := s.err(); err != nil {
		return nil, err
	}
	// A runner adds stages to its compiler, so every run has its own.
	c, r := newCompiler().WithEnablePrintStatements(true), tester.NewRunner()
	r.SetCompiler(c).SetTimeout(testTimeout).RaiseBuiltinErrors(true).SetParallel(1)
	set(r)
	store, txn, err := s.store(ctx)
	if err != nil {
		return nil, err
	}
	ch, err := r.SetStore(store).SetModules(modules).RunTests(ctx, txn)
	if err != nil {
		if errs := ast.Errors(nil); errors.As(err, &errs) {
			s.mistakes.addErrors(errs)
			return nil, s.err()
		}
		return nil, fmt.Errorf("run the policy tests: %w", err)
	}
	var out []*tester.Result
	for res := range ch {
		out = append(out, res)
	}
	checkReferences(c, s.tree, &s.mistakes)
	if err := s.err(); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b *tester.Result) int {
		return cmp.Or(cmp.Compare(a.Location.File, b.Location.File), cmp.Compare(a.Location.Row, b.Location.Row))
	})
	return out, ctx.Err()
}

// traceFailures runs what failed once more, with a trace: traces are large,
// and those of tests that pass are of no use.
func (s *sources) traceFailures(ctx context.Context, results []*tester.Result, timeout time.Duration) (map[string][]*topdown.Event, error) {
	var failed []string
	for _, res := range results {
		if res.Fail {
			failed = append(failed, regexp.QuoteMeta(testName(res)))
		}
	}
	traces := map[string][]*topdown.Event{}
	if len(failed) == 0 {
		return traces, nil
	}
	again, err := s.runTests(ctx, func(r *tester.Runner) {
		r.EnableTracing(true).SetTimeout(timeout).Filter("^(" + strings.Join(failed, "|") + ")$")
	})
	for _, res := range again {
		traces[testName(res)] = res.Trace
	}
	return traces, err
}

func testName(r *tester.Result) string { return r.Package + "." + r.Name }

func (rep *TestReport) count(r *tester.Result) {
	switch {
	case r.Skip:
		rep.Skipped++
	case r.Pass():
		rep.Passed++
	default:
		rep.Failed++
	}
}

func printResult(w io.Writer, r *tester.Result, trace []*topdown.Event) {
	name := strings.TrimPrefix(testName(r), "data.")
	verdict := "FAIL"
	switch {
	case r.Skip:
		verdict = "SKIP"
	case r.Pass():
		verdict = "PASS"
	}
	fmt.Fprintf(w, "%s  %s  %s:%d\n", verdict, name, r.Location.File, r.Location.Row)
	if r.Error != nil {
		fmt.Fprintf(w, "      %v\n", r.Error)
	}
	for names, sub := range r.SubResults.Iter {
		if sub.Fail {
			fmt.Fprintf(w, "      case %q\n", strings.Join(names, "/"))
		}
	}
	if at := failedAt(r, trace); at != nil {
		text, _, _ := strings.Cut(string(at.Text), "\n")
		fmt.Fprintf(w, "      %s:%d: not true: %s\n", at.File, at.Row, text)
	}
	if verdict == "FAIL" && len(r.Output) > 0 {
		fmt.Fprintf(w, "      %s\n", strings.ReplaceAll(strings.TrimSpace(string(r.Output)), "\n", "\n      "))
	}
}

// failedAt is the expression of the test that did not hold. What failed inside
// the rules that the test calls is not the point: rules may fail.
func failedAt(r *tester.Result, trace []*topdown.Event) *ast.Location {
	if !r.Fail {
		return nil
	}
	body := map[uint64]bool{}
	var at *ast.Location
	for _, e := range trace {
		rule, enters := e.Node.(*ast.Rule)
		switch {
		case enters && e.Op == topdown.EnterOp && rule.Location.Compare(r.Location) == 0:
			body[e.QueryID] = true
		case e.Op == topdown.FailOp && body[e.QueryID]:
			at = e.Location
		}
	}
	return at
}

// percent is the share of covered lines in the files that serve. Lines of
// tests are in the report as covered, but not in a file it was asked about.
func percent(rep cover.Report) float64 {
	covered, all := 0, 0
	for name, f := range rep.Files {
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		covered += f.CoveredLines
		all += f.CoveredLines + f.NotCoveredLines
	}
	if all == 0 {
		return 0
	}
	return 100 * float64(covered) / float64(all)
}
