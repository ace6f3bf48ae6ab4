package opa

import (
	"errors"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa/memo"
)

// TestErrorsHoldNoValues: an error of evaluation goes to the log, and tells where
// it happened and what failed, but nothing of whom it happened to.
func TestErrorsHoldNoValues(t *testing.T) {
	for text, want := range map[string]string{
		"allow if to_number(input.resource.host) > 5\n":                                                                  "eval_builtin_error: to_number",
		"allow if net.cidr_contains(\"10.0.0.0/8\", input.resource.host)\n":                                              "eval_builtin_error: net.cidr_contains",
		"region := input.resource.host if input.resource.host\n\nregion := input.resource.path if input.resource.path\n": "eval_conflict_error",
	} {
		e := loadText(t, "allow if input.resource.route == \"r\"\n\n"+text, nil, memo.Options{})
		_, err := e.Decide(t.Context(), &policies.Input{Resource: policies.Resource{Host: "078-05-1120", Path: "/Ann"}})
		var own *topdown.Error
		switch {
		case err == nil || !strings.HasSuffix(err.Error(), want) || !strings.Contains(err.Error(), ".rego:"):
			t.Errorf("%s%v, want %s", text, err, want)
		case strings.Contains(err.Error(), "078") || strings.Contains(err.Error(), "Ann"):
			t.Errorf("%s%v", text, err)
		case !errors.As(err, &own) || Details(err).Error() != own.Error():
			t.Errorf("%sthe engine's own words are lost", text)
		}
	}
}
