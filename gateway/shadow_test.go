package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/compare"
)

const (
	shadowing = one + "policies: {path: rego, budget: 1m, shadow: next, shadow_sample: 1}\n"
	// candidate lets interns in, and forgets the mask of staff.
	candidate = "package gatehouse\n\nallow if input.subject.role in {\"hr\", \"staff\", \"intern\"}\n\nall_fields if input.subject.role\n\nall_rows if true\n"
)

func (w *world) metricOf(result string) string {
	return w.metric(`gatehouse_shadow_decisions_total{result="` + result + `",route="employees"}`)
}

// TestShadow: other policies see what is asked; answers stay those of the
// active ones.
func TestShadow(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.write("next/gatehouse.rego", strings.Replace(candidate, "all_fields if input.subject.role\n", "all_fields if input.subject.role != \"\"\n", 1))
	w.start(shadowing, labelled)
	c := w.client(false)
	ask := func(role string, status int) string {
		a := do(t, c, w.request("GET", "/api/employees/7", nil, w.as("u-4711", role)))
		if a.StatusCode != status {
			t.Errorf("%s: %s", role, a.Status)
		}
		return a.Header.Get("X-Request-Id")
	}
	first := ask("intern", 403)
	last := ask("intern", 403)
	staff := ask("staff", 200)
	ask("hr", 200)
	eventually(t, "four judgements", func() bool { r, _ := w.g.Shadow(); return r.Judged == 4 })
	r, ok := w.g.Shadow()
	if !ok || r.Error != "" || r.Active != w.g.Plan().Revision() || r.Revision == r.Active || len(r.Differences) != 2 {
		t.Fatalf("%v %+v", ok, r)
	}
	allowed, visible := r.Differences[0], r.Differences[1]
	if allowed.Kind != compare.NewlyAllowed || allowed.Role != "intern" || allowed.Route != "employees" || allowed.Count != 2 || allowed.First != first || allowed.Last != last {
		t.Errorf("%+v", allowed)
	}
	if visible.Kind != compare.NewlyVisible || visible.What != "$..salary" || visible.Role != "staff" || visible.First != staff {
		t.Errorf("%+v", visible)
	}
	if d, s := w.metricOf("differs"), w.metricOf("same"); d != "3" || s != "1" {
		t.Errorf("%s differ, %s are the same", d, s)
	}

	// A reload that changes neither side goes on with the list.
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, _ := w.g.Shadow(); r.Judged != 4 {
		t.Errorf("after a reload %d are judged", r.Judged)
	}
	// Other policies in the shadow begin anew.
	w.write("next/gatehouse.rego", "package gatehouse\n"+labelled)
	if !w.reloader.changed() {
		t.Error("a change in the shadow is not noticed")
	}
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, _ := w.g.Shadow(); r.Judged != 0 || len(r.Differences) != 0 {
		t.Errorf("another comparison has the list of the one before: %+v", r)
	}
}

// TestBrokenShadow: policies that are only tried must not take down what
// works. The check is told, and whoever looks.
func TestBrokenShadow(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.write("next/gatehouse.rego", "package gatehouse\n\nallo if true\n")
	w.start(shadowing, labelled)
	if a := do(t, w.client(false), w.request("GET", "/api/employees/7", nil, w.as("e2", "hr"))); a.StatusCode != 200 {
		t.Error(a.Status)
	}
	r, ok := w.g.Shadow()
	if !ok || !strings.Contains(r.Error, "gatehouse.rego:3:1") || r.Judged != 0 {
		t.Errorf("%v %+v", ok, r)
	}
	if lines := w.log("the policies in the shadow are not asked"); len(lines) != 1 {
		t.Errorf("logged %v", lines)
	}
	_, err := Compile(t.Context(), w.load(), &Deps{Metrics: telemetry.New(), Rehearsal: true})
	var m config.Mistakes
	if !errors.As(err, &m) || len(m) != 1 || m[0].Line != 3 || !strings.HasSuffix(m[0].File, "next/gatehouse.rego") {
		t.Errorf("the check says %v", err)
	}
}

// TestNoShadow: where nothing is configured there is nothing to tell.
func TestNoShadow(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(one, labelled)
	if r, ok := w.g.Shadow(); ok {
		t.Errorf("%+v", r)
	}
}

// gate is a decider that waits to be let go, and then does its worst.
type gate struct {
	policies.Decider
	entered, free chan struct{}
}

func (g gate) Decide(ctx context.Context, _ *policies.Input) (*policies.Decision, error) {
	g.entered <- struct{}{}
	select {
	case <-g.free:
	case <-ctx.Done():
	}
	panic("in the shadow")
}

// TestFullShadow: a candidate that hangs loses what does not fit, stops when it
// is told to, and may panic.
func TestFullShadow(t *testing.T) {
	counts := make(chan string, 2*shadowQueue)
	g := gate{entered: make(chan struct{}, 2*shadowQueue), free: make(chan struct{})}
	s := startShadow(g, 1, func(_, result string) { counts <- result })
	see := s.witness()
	judge := func(in *policies.Input) { see(&judgement{in: in, decision: &policies.Decision{Allow: true}}) }
	judge(&policies.Input{})
	<-g.entered
	for range shadowQueue + 2 {
		judge(&policies.Input{})
	}
	for range 2 {
		if got := <-counts; got != "dropped" {
			t.Errorf("counted as %s", got)
		}
	}
	g.free <- struct{}{}
	if got := <-counts; got != "error" {
		t.Errorf("a panic is counted as %s", got)
	}
	<-g.entered // there is room for one, if it is not too large
	judge(&policies.Input{Body: strings.Repeat("x", shadowBytes)})
	if got := <-counts; got != "dropped" {
		t.Errorf("a large body is counted as %s", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(counts) > 0 {
		t.Errorf("after the end: %s", <-counts)
	}
	if s.judged != 1 || len(s.found.Groups()) != 1 || s.found.Groups()[0].Kind != compare.NewlyFailing {
		t.Errorf("judged %d: %+v", s.judged, s.found.Groups())
	}
}
