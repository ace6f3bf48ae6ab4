package gateway

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/record"
)

// recorded is a configuration whose decisions go on record.
const recorded = one + "decisions: {output: decisions.jsonl, labels: true}\n"

const labelled = `
# METADATA
# labels: {id: HR-12}
allow if input.subject.role in {"hr", "staff"}

# METADATA
# labels: {id: HR-7}
mask contains {"path": "$..salary", "action": "redact"} if input.subject.role == "staff"

all_fields if input.subject.role == "hr"

all_rows if true
`

// records gives the decisions on record. They are complete when the gateway is
// closed.
func (w *world) records(name string) []*record.Record {
	w.t.Helper()
	f, err := os.Open(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	var out []*record.Record
	for r := record.NewReader(f); ; {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, rec)
	}
}

// TestDecisionsAreRecorded: one line for each decision, under the id of its
// request; what policies keep out of records is not there.
func TestDecisionsAreRecorded(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.write("rego/log.rego", "package system.log\n\nmask contains \"/input/subject/id\"\n")
	w.start(recorded, labelled)
	c := w.client(false)
	var ids []string
	for _, as := range []string{w.as("u-4711", "staff"), w.as("u-4712", "hr"), w.as("u-4713", "intern")} {
		ids = append(ids, do(t, c, w.request("GET", "/api/employees/7?access_token=s3cr3t", nil, as)).Header.Get("X-Request-Id"))
	}
	if _, err := w.g.Plan().Explain("GET", "https://localhost/api/employees/7", map[string]any{"sub": "e2", "role": "hr"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	revision := w.g.Plan().Revision()
	w.close()
	got := w.records("decisions.jsonl")
	if len(got) != 3 {
		t.Fatalf("%d records, want 3", len(got))
	}
	for i, want := range []struct{ outcome, role, labels, masks string }{
		{record.Allow, "staff", "HR-12 HR-7", "$..salary"}, {record.Allow, "hr", "HR-12", ""}, {record.Deny, "intern", "", ""},
	} {
		r, masks := got[i], ""
		for _, m := range r.Result.Mask {
			masks += m.Path
		}
		if r.ID != ids[i] || r.Outcome != want.outcome || r.Input.Subject.Role != want.role || r.Revision != revision ||
			strings.Join(r.Labels["id"], " ") != want.labels || masks != want.masks || r.Micros <= 0 || r.MemoHit {
			t.Errorf("record %d: %+v, want %+v", i, r, want)
		}
	}
	text, err := os.ReadFile(filepath.Join(w.dir, "decisions.jsonl"))
	if err != nil || strings.Contains(string(text), "u-471") || strings.Contains(string(text), "s3cr3t") {
		t.Errorf("%v; on record:\n%s", err, text)
	}
}

// TestDecisionsSurviveReloads: the log stays open over a reload, and a file that
// was moved away is made anew.
func TestDecisionsSurviveReloads(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(recorded, labelled)
	c := w.client(false)
	ask := func() { do(t, c, w.request("GET", "/api/employees/7", nil, w.as("e2", "hr"))) }
	ask()
	eventually(t, "a record", func() bool { return len(w.records("decisions.jsonl")) == 1 })
	if err := os.Rename(filepath.Join(w.dir, "decisions.jsonl"), filepath.Join(w.dir, "old.jsonl")); err != nil {
		t.Fatal(err)
	}
	writer := w.deps.Shared.held("decisions")
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if writer == nil || w.deps.Shared.held("decisions") != writer {
		t.Error("the reload opened another log")
	}
	ask()
	w.close()
	if n := len(w.records("decisions.jsonl")); n != 1 {
		t.Errorf("%d records in the new file, want 1", n)
	}
}

// held gives what is kept under a kind.
func (s *Shared) held(kind string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, e := range s.m {
		if strings.HasPrefix(k, kind+"\x00") {
			return e.value
		}
	}
	return nil
}

// TestDecisionsCannotBeOpened: a gateway that cannot keep its records does not
// begin to serve.
func TestDecisionsCannotBeOpened(t *testing.T) {
	w := open(t)
	w.vars["HR"] = "http://127.0.0.1:1"
	w.write("rego/gatehouse.rego", "package gatehouse\n"+labelled)
	w.write("gatehouse.yaml", preamble+one+"policies: {path: rego, budget: 2s}\ndecisions: {output: certs}\n")
	_, err := Compile(t.Context(), w.load(), &Deps{Metrics: telemetry.New()})
	var m config.Mistakes
	if !errors.As(err, &m) || len(m) != 1 || !strings.Contains(err.Error(), "is a directory") || m[0].Line == 0 {
		t.Errorf("got %v", err)
	}
}

// TestRehearsalRecordsNothing: `check` leaves no file behind.
func TestRehearsalRecordsNothing(t *testing.T) {
	w := open(t)
	w.vars["HR"] = "http://127.0.0.1:1"
	w.write("rego/gatehouse.rego", "package gatehouse\n"+labelled)
	w.write("gatehouse.yaml", preamble+recorded+"policies: {path: rego, budget: 2s}\n")
	p, err := Compile(t.Context(), w.load(), &Deps{Metrics: telemetry.New(), Rehearsal: true})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := os.Stat(filepath.Join(w.dir, "decisions.jsonl")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
}

// fixedDecider answers everything alike.
type fixedDecider struct {
	policies.Decider
	d          *policies.Decision
	remembered bool
	err        error
}

func (f fixedDecider) Decide(context.Context, *policies.Input) (*policies.Decision, error) {
	return f.d, f.err
}

// recalling answers from memory.
type recalling struct{ fixedDecider }

func (r recalling) Recall(context.Context, *policies.Input) (*policies.Decision, bool, error) {
	return r.d, r.remembered, r.err
}

// TestWitnesses: whatever a request is served by is seen, with whether it was
// remembered; a question that nobody waits for any more has no decision.
func TestWitnesses(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	d := &policies.Decision{Allow: true}
	for name, tt := range map[string]struct {
		by         policies.Decider
		ctx        context.Context
		seen       int
		remembered bool
		decided    bool
	}{
		"decided":          {fixedDecider{d: d}, t.Context(), 1, false, true},
		"remembered":       {recalling{fixedDecider{d: d, remembered: true}}, t.Context(), 1, true, true},
		"not remembered":   {recalling{fixedDecider{d: d}}, t.Context(), 1, false, true},
		"failed":           {fixedDecider{d: d, err: io.ErrUnexpectedEOF}, t.Context(), 1, false, false},
		"gone":             {fixedDecider{err: context.Canceled}, gone, 0, false, false},
		"gone too late":    {fixedDecider{d: d}, gone, 1, false, true},
		"memory that errs": {recalling{fixedDecider{err: io.ErrUnexpectedEOF}}, t.Context(), 1, false, false},
	} {
		var seen []judgement
		w := &witnessed{Decider: tt.by, witnesses: []func(*judgement){func(j *judgement) { seen = append(seen, *j) }}}
		got, err := w.Decide(tt.ctx, &policies.Input{})
		if (got != nil) != tt.decided || (err == nil) != tt.decided || len(seen) != tt.seen {
			t.Errorf("%s: %v, %v; seen %d times", name, got, err, len(seen))
			continue
		}
		if len(seen) == 1 && (seen[0].remembered != tt.remembered || (seen[0].decision != nil) != tt.decided) {
			t.Errorf("%s: seen %+v", name, seen[0])
		}
	}
}

// TestSampled draws nothing of 0 and everything of 1.
func TestSampled(t *testing.T) {
	n := 0
	for range 1000 {
		if sampled(0) || !sampled(1) {
			t.Fatal("a share of all or nothing is drawn")
		}
		if sampled(0.5) {
			n++
		}
	}
	if n < 300 || n > 700 {
		t.Errorf("%d of 1000 by a share of one half", n)
	}
}
