package gateway

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/compare"
)

// TestForesight: before new policies decide, a reload tells what they change
// for those who asked lately, and where they are known.
func TestForesight(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(one, labelled)
	if err := w.reloader.Reload(t.Context()); err != nil || w.reloader.Last().Changes != nil {
		t.Errorf("the policies stay: %v, %+v", err, w.reloader.Last().Changes)
	}
	c := w.client(false)
	for role, times := range map[string]int{"hr": 1, "staff": 3, "intern": 2} {
		for range times {
			do(t, c, w.request("GET", "/api/employees/7", nil, w.as("u-4711", role)))
		}
	}
	w.write("rego/gatehouse.rego", strings.Replace("package gatehouse\n"+labelled, `{"hr", "staff"}`, `{"staff", "intern"}`, 1))
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := w.reloader.Last().Changes
	if f == nil || f.Classes != 3 || f.Requests != 6 || f.Different != 3 || f.Opened != 2 || f.Partial {
		t.Fatalf("%+v", f)
	}
	lines := w.log("what the new policies change")
	if len(lines) != 1 || lines[0]["level"] != "warn" {
		t.Fatalf("logged %v", lines)
	}
	told, _ := lines[0]["differences"].([]any)
	if len(told) != 2 || told[0] != "newly allowed: forbidden -> allowed (employees, intern, 2 times)" ||
		told[1] != "newly refused: allowed -> forbidden (employees, hr, once)" {
		t.Errorf("told %v", told)
	}
}

// asked is a decision about somebody.
func asked(role string, at time.Time, d *policies.Decision) *judgement {
	return &judgement{at: at, in: &policies.Input{Subject: &policies.Subject{Role: role}}, decision: d}
}

// TestRecentClasses: a class is what fares alike; the newest stand for it now
// and then, and what is too large never does.
func TestRecentClasses(t *testing.T) {
	now := time.Now()
	r := newRecent()
	pass, refuse := &policies.Decision{Allow: true}, &policies.Decision{Deny: []policies.Denial{{Code: "late"}}}
	for _, j := range []*judgement{
		asked("hr", now, pass), asked("hr", now, &policies.Decision{Allow: true}), asked("hr", now, refuse), asked("hr", now, nil), asked("staff", now, pass),
	} {
		r.add(j)
	}
	large := asked("large", now, pass)
	large.in.Body = strings.Repeat("x", recentBytes)
	r.add(large)
	r.add(asked("old", now.Add(-recentTime), pass))
	if got := r.examples(now); len(got) != 4 {
		t.Errorf("%d classes, want 4: %+v", len(got), got)
	}
	var last *judgement
	for range recentFresh {
		last = asked("hr", now, refuse)
		r.add(last)
	}
	found := false
	for _, e := range r.examples(now) {
		found = found || e.in == last.in && e.times == recentFresh+1
	}
	if !found {
		t.Error("the first question stands for its class for ever")
	}
}

// TestRecentIsBounded: for one class more, the one not met for longest goes.
func TestRecentIsBounded(t *testing.T) {
	now := time.Now()
	r := newRecent()
	for i := range recentClasses + 1 {
		r.add(asked(strconv.Itoa(i), now.Add(time.Duration(i)), nil))
		r.add(asked("0", now.Add(time.Duration(i)), nil))
	}
	roles := map[string]bool{}
	for _, e := range r.examples(now) {
		roles[e.in.Subject.Role] = true
	}
	if len(roles) != recentClasses || !roles["0"] || roles["1"] {
		t.Errorf("%d classes; 0 is there: %v, 1 is there: %v", len(roles), roles["0"], roles["1"])
	}
}

// revised is a decider of a revision.
type revised struct {
	fixedDecider
	revision string
}

func (r revised) Revision() string { return r.revision }

// TestForesee: what one of the two cannot decide is a refusal; who has no time
// is told that it is not all.
func TestForesee(t *testing.T) {
	now := time.Now()
	r := newRecent()
	pass := &policies.Decision{Allow: true}
	r.add(asked("hr", now, pass))
	by := func(revision string, d *policies.Decision) policies.Decider {
		f := revised{fixedDecider{d: d}, revision}
		if d == nil {
			f.err = context.DeadlineExceeded
		}
		return f
	}
	f := foresee(t.Context(), r, by("a", nil), by("b", pass))
	if f == nil || f.Opened != 1 || len(f.Differences) != 1 || f.Differences[0].Kind != compare.NewlyAllowed {
		t.Errorf("%+v", f)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if f := foresee(gone, r, by("a", pass), by("b", pass)); f == nil || !f.Partial || f.Classes != 0 {
		t.Errorf("without time: %+v", f)
	}
	if foresee(t.Context(), r, by("a", pass), by("a", nil)) != nil || foresee(t.Context(), r, nil, by("a", pass)) != nil ||
		foresee(t.Context(), newRecent(), by("a", pass), by("b", pass)) != nil {
		t.Error("there is something to tell where nothing changes, or nothing was asked")
	}
}

// TestForesightOfABody: what a body would do to a decision cannot be foreseen
// where the policies before did not see it, and is told to be unknown.
func TestForesightOfABody(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(strings.Replace(one, "{masks: required, rows: required}", "{body: true}", 1), `allow if input.subject.role == "hr"`)
	c := w.client(false)
	for _, method := range []string{"GET", "POST"} {
		r := w.request(method, "/api/employees/7", strings.NewReader(`{"a": 1}`), w.as("u-4711", "staff"), "Content-Type: application/json")
		if method == "GET" {
			r = w.request(method, "/api/employees/7", nil, w.as("u-4711", "staff"))
		}
		do(t, c, r)
	}
	w.write("rego/gatehouse.rego", "package gatehouse\n"+`allow if input.body.a == 1`)
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f := w.reloader.Last().Changes; f == nil || f.Classes != 1 || f.Different != 0 || !f.Partial {
		t.Errorf("%+v", f)
	}
	do(t, c, w.request("POST", "/api/employees/7", strings.NewReader(`{"a": 1}`), w.as("u-4711", "hr"), "Content-Type: application/json"))
	w.write("rego/gatehouse.rego", "package gatehouse\n"+`allow if input.body.a == 2`)
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f := w.reloader.Last().Changes; f == nil || f.Classes != 2 || f.Different != 1 || !f.Partial {
		t.Errorf("%+v", f)
	}
}
