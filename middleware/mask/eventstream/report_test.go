package eventstream

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// finder makes a plan that masks $..ssn and $..pin and finds what starts with
// "pii".
func finder(t testing.TB) *redact.Plan {
	t.Helper()
	p, err := redact.Compile(redact.Spec{Rules: []redact.Rule{
		{Path: "$..ssn", Action: redact.Redact}, {Path: "$..pin", Action: redact.Drop},
	}}, redact.Options{Detect: func(text []byte, _ bool) string {
		if strings.HasPrefix(string(text), "pii") {
			return "pii"
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestReportOfAllEvents: what was masked by which rule, and what was found, is
// told of all events together.
func TestReportOfAllEvents(t *testing.T) {
	in := strings.Repeat("data: {\"ssn\":1,\"a\":\"pii1\",\"l\":[{\"pin\":2},{\"pin\":3}]}\n\n", 3) + "data: {\"b\":\"pii2\"}\n\n"
	r := NewReader(finder(t), strings.NewReader(in), redact.Limits{Pointers: -1})
	defer r.Close()
	if _, err := io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	want := redact.Report{Masked: 9, Documents: 4, Rules: []int{3, 6}, Found: []redact.Finding{
		{Path: "$.a", Class: "pii", Count: 3}, {Path: "$.b", Class: "pii", Count: 1},
	}}
	if diff := cmp.Diff(want, r.Report()); diff != "" {
		t.Error(diff)
	}
}

// TestReportIsBounded: a stream that finds a new place for every event is told
// of in as many words as another.
func TestReportIsBounded(t *testing.T) {
	var in strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&in, "data: {\"a%d\":\"pii\"}\n\n", i)
	}
	r := NewReader(finder(t), strings.NewReader(in.String()), redact.Limits{})
	defer r.Close()
	if _, err := io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	found, n := r.Report().Found, 0
	for _, f := range found {
		n += f.Count
	}
	if n != 1000 || len(found) > 100 {
		t.Errorf("%d in %d lines", n, len(found))
	}
}
