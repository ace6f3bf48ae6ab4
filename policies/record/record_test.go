package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
)

const jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1NyJ9.c2lnbmF0dXJl"

func question() *policies.Input {
	return &policies.Input{
		Subject: &policies.Subject{
			ID: "u7", Issuer: "auth", Role: "hr", Roles: []string{"hr"}, Tenant: "acme", Branches: []string{}, AMR: []string{"pwd"}, AuthTime: 17, AuthAge: new(int64(60)),
			Claims: map[string]any{"email": "ann@acme.example", "cost": json.Number("1.50")},
		},
		Action: policies.Action{Method: "GET", Name: "read"},
		Resource: policies.Resource{
			Route: "employees", Host: "h", Path: "/api/employees/7", Segments: []string{"api", "employees", "7"},
			Params: map[string]string{"id": "7"}, Query: map[string][]string{"page": {"1"}},
		},
		Context: policies.Context{
			Time: policies.Time{Hour: 9, Weekday: "monday", Date: "2026-11-23"}, ClientAddress: "192.0.2.1", Listener: "public", TLS: "1.3",
			Headers: map[string][]string{"x-purpose": {"audit"}}, RequestID: "q1",
		},
	}
}

func entry(in *policies.Input, d *policies.Decision) Entry {
	return Entry{
		Time: time.Date(2026, 11, 23, 9, 0, 0, 5, time.UTC), Revision: "r1", Input: in, Decision: d, Took: 1500 * time.Microsecond, MemoHit: true,
	}
}

func allowed() *policies.Decision {
	return &policies.Decision{
		Allow: true, Mask: []policies.Mask{{Path: "$..salary", Action: "redact"}}, Revision: "r1",
		Rows: []policies.Row{{Path: "$", Where: []policies.Condition{{Field: "n", Op: "eq", Value: json.Number("1.50")}}}},
	}
}

// written gives the one line that a writer makes of an entry.
func written(t *testing.T, o Options, e Entry) string {
	t.Helper()
	var out bytes.Buffer
	o.Output, o.Queue, o.Lost = &out, 8, func(why string) { t.Errorf("lost: %s", why) }
	w := Open(o)
	w.Write(e)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	line, ok := strings.CutSuffix(out.String(), "\n")
	if !ok || strings.Contains(line, "\n") {
		t.Fatalf("not one line: %q", out.String())
	}
	return line
}

func readBack(t *testing.T, line string) *Record {
	t.Helper()
	r := NewReader(strings.NewReader(line + "\n"))
	rec, err := r.Next()
	if err != nil {
		t.Fatalf("%v\n%s", err, line)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the last record: %v", err)
	}
	return rec
}

// TestRoundTrip: what is read is what was asked and decided, numbers to the
// last digit.
func TestRoundTrip(t *testing.T) {
	e := entry(question(), allowed())
	e.Labels = func(*policies.Input) map[string][]string {
		return Collect([]map[string]string{{"id": "HR-7"}, {"id": "HR-12"}, {"id": "HR-7", "law": "gdpr"}, nil})
	}
	got := readBack(t, written(t, Options{}, e))
	want := &Record{
		ID: "q1", Time: e.Time, Outcome: Allow, Revision: "r1", Input: *question(), Result: allowed(), Micros: 1500, MemoHit: true,
		Labels: map[string][]string{"id": {"HR-12", "HR-7"}, "law": {"gdpr"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || got.Reduced() {
		t.Errorf("reduced: %v\n%s", got.Reduced(), diff)
	}
}

// TestRecordsWithoutAnAge: those that are older than auth_age are asked again with
// the age that the sign-in had when they were written. It is never today's.
func TestRecordsWithoutAnAge(t *testing.T) {
	in := question()
	in.Subject.AuthAge = nil
	e := entry(in, nil)
	in.Subject.AuthTime = e.Time.Unix() - 42
	if got := readBack(t, written(t, Options{}, e)).Input.Subject.AuthAge; got == nil || *got != 42 {
		t.Errorf("age %v, want 42", got)
	}
	in.Subject.AuthTime = 0
	if got := readBack(t, written(t, Options{}, e)).Input.Subject.AuthAge; got != nil {
		t.Errorf("age %d of a sign-in that nobody knows", *got)
	}
}

func TestOutcome(t *testing.T) {
	for name, tt := range map[string]struct {
		d             *policies.Decision
		outcome, code string
	}{
		"allowed":  {allowed(), Allow, ""},
		"no grant": {&policies.Decision{}, Deny, ""},
		"denied":   {&policies.Decision{Allow: true, Deny: []policies.Denial{{Code: "too_late"}, {Code: "z"}}}, Deny, "too_late"},
		"error":    {nil, Error, ""},
	} {
		got := readBack(t, written(t, Options{}, entry(question(), tt.d)))
		if got.Outcome != tt.outcome || got.Code != tt.code || (got.Result == nil) != (tt.d == nil) {
			t.Errorf("%s: %s %q, result %v", name, got.Outcome, got.Code, got.Result)
		}
	}
}

// TestSecrets looks for secrets in every corner of a question: by name, and by
// what they look like.
func TestSecrets(t *testing.T) {
	in := question()
	in.Subject.Claims = map[string]any{
		"email": "ann@acme.example", "access_token": "s3cr3t", "nested": []any{map[string]any{"clientSecret": "s3cr3t", "kept": "bearer of news"}},
		"note": "sent with Bearer s3cr3t-s3cr3t, thanks", "cnf": "-----BEGIN EC PRIVATE KEY-----\ns3cr3t\n-----END EC PRIVATE KEY-----",
		"token_use": "id", "pin": json.Number("1234"), "pinned": true,
	}
	in.Resource.Query = map[string][]string{"X-Api-Key": {"s3cr3t"}, "q": {"a", "x " + jwt}, "page": {"2"}}
	in.Resource.Path = "/reset/" + jwt + "/now"
	in.Resource.Segments = []string{"reset", jwt, "now"}
	in.Resource.Params = map[string]string{"resetToken": "s3cr3t"}
	in.Context.Headers = map[string][]string{"authorization": {"Basic s3cr3ts3cr3t"}, "cookie": {"sid=s3cr3t"}, "x-note": {"basic s3cr3t/s3cr3t="}}
	in.Body = map[string]any{"user": "ann", "Pass-Word": "s3cr3t", "a/b~c": map[string]any{"otp": "s3cr3t"}}
	d := allowed()
	d.Headers = map[string]policies.Value{"X-Session-Token": {Text: "s3cr3t"}}

	line := written(t, Options{Bodies: true}, entry(in, d))
	if strings.Contains(line, "s3cr3t") || strings.Contains(line, "eyJ") {
		t.Errorf("a secret is on record: %s", line)
	}
	got := readBack(t, line)
	wantErased := []string{
		"/input/body/Pass-Word", "/input/body/a~1b~0c/otp", "/input/context/headers/authorization", "/input/context/headers/cookie",
		"/input/resource/params/resetToken", "/input/resource/query/X-Api-Key", "/input/subject/claims/access_token",
		"/input/subject/claims/nested/0/clientSecret", "/input/subject/claims/pin", "/result/headers/X-Session-Token",
	}
	wantMasked := []string{
		"/input/context/headers/x-note/0", "/input/resource/path", "/input/resource/query/q/1", "/input/resource/segments/1",
		"/input/subject/claims/cnf", "/input/subject/claims/note",
	}
	if diff := cmp.Diff([][]string{wantErased, wantMasked}, [][]string{got.Erased, got.Masked}); diff != "" || !got.Reduced() {
		t.Errorf("reduced: %v (-want +got)\n%s", got.Reduced(), diff)
	}
	if got.Input.Resource.Path != "/reset/***/now" || got.Input.Subject.Claims["note"] != "sent with ***, thanks" {
		t.Errorf("%q %q", got.Input.Resource.Path, got.Input.Subject.Claims["note"])
	}
	if in.Subject.Claims["access_token"] != "s3cr3t" || in.Resource.Segments[1] != jwt {
		t.Error("the question itself was changed")
	}
}

// TestBodies: a body is on record only where that was asked for.
func TestBodies(t *testing.T) {
	in := question()
	in.Body = map[string]any{"amount": json.Number("5")}
	got := readBack(t, written(t, Options{}, entry(in, allowed())))
	if got.Input.Body != nil || !slices.Equal(got.Erased, []string{"/input/body"}) {
		t.Errorf("body %v, erased %v", got.Input.Body, got.Erased)
	}
	got = readBack(t, written(t, Options{Bodies: true}, entry(in, allowed())))
	if diff := cmp.Diff(in.Body, got.Input.Body); diff != "" || got.Reduced() {
		t.Errorf("reduced: %v\n%s", got.Reduced(), diff)
	}
}
