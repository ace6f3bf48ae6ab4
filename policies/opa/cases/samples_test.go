package cases_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/cases"
)

// samples are the policies of the demo, as the binary carries them.
// The budget is generous, so that a loaded machine is no timeout.
func samples() opa.Options {
	return opa.Options{Path: "rego", FS: policies.Samples, Budget: 10 * time.Second}
}

func TestSampleCases(t *testing.T) {
	engine, err := opa.Load(t.Context(), samples())
	if err != nil {
		t.Fatal(err)
	}
	results, err := cases.Run(t.Context(), engine, os.DirFS("../../cases"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Passed() {
			t.Error(r)
		}
	}
	if len(results) < 60 {
		t.Errorf("%d cases were judged, want at least 60", len(results))
	}
}

// The policies' own tests pass and leave nothing untested.
func TestSamplePolicies(t *testing.T) {
	var out bytes.Buffer
	report, err := opa.Test(t.Context(), samples(), &out)
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed > 0 || report.Skipped > 0 {
		t.Errorf("%d failed, %d skipped:", report.Failed, report.Skipped)
		for line := range strings.Lines(out.String()) {
			if !strings.HasPrefix(line, "PASS") {
				t.Log(line)
			}
		}
	}
	if report.Passed < 60 || report.Coverage < 95 {
		t.Errorf("%d passed with coverage %.1f %%, want at least 60 and 95 %%", report.Passed, report.Coverage)
	}
}

// The headers that carry identity are known at load, so that the gateway can
// remove them from what clients send.
func TestSampleHeaders(t *testing.T) {
	engine, err := opa.Load(t.Context(), samples())
	if err != nil {
		t.Fatal(err)
	}
	got := engine.HeaderNames()
	if len(got) != 2 || got[0] != "X-Tenant-Id" || got[1] != "X-User-Id" {
		t.Errorf("headers %q, want X-Tenant-Id and X-User-Id", got)
	}
}
