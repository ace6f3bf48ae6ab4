package opa_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

const rates = `rate_limits["per-user"] := "50/1m" if input.subject.role == "staff"

rate_limits["per-plan"] := data.plans[input.subject.tenant]
`

// With a configuration, the limits that policies speak of are those that let
// them.
func TestRateLimitNames(t *testing.T) {
	for want, known := range map[string][]string{
		"": nil,
		`p.rego:5:1: the configuration has no rate limit with ` + "`policy: true`" + ` that is called "per-user": did you mean "per-users"?`: {"per-plan", "per-users"},
		`p.rego:5:1: no rate limit of the configuration says ` + "`policy: true`":                                                            {},
	} {
		o := tree(map[string]string{"": rates})
		o.RateLimits = known
		_, err := opa.Load(t.Context(), o)
		var m opa.Mistakes
		if want == "" && err != nil || want != "" && (!errors.As(err, &m) || !strings.Contains(m.Error(), want)) {
			t.Errorf("%q: %v, want %s", known, err, want)
		}
	}
}

// A rate from the data is judged when it is used, and denies where it is none. It
// may have been computed from what somebody sent, so it is not shown.
func TestRateOfTheData(t *testing.T) {
	for data, want := range map[string]string{
		"plans: {acme: 50/1m}\n":    "",
		"plans: {acme: fifty/1m}\n": "what rate_limits gives is not a rate such as 50/1m",
		"plans: {acme: 50}\n":       "a rate is a string, not a number",
	} {
		e := load(t, map[string]string{"": rates, "plans.yaml": data})
		d, err := e.Decide(t.Context(), question())
		switch {
		case want == "" && (err != nil || d.RateLimits["per-plan"].String() != "50/1m" || len(d.RateLimits) != 1):
			t.Errorf("%s: %+v, %v", data, d, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "fifty")):
			t.Errorf("%s: %v, want %s", data, err, want)
		}
	}
}

// A remembered decision has the rate, and callers with another rate another
// decision.
func TestRatesAreRemembered(t *testing.T) {
	e := load(t, map[string]string{"": rates, "plans.yaml": "plans: {acme: 50/1m, beta: 60/1m}\n"})
	first, err := e.Decide(t.Context(), question())
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.Decide(t.Context(), question())
	if err != nil || again != first {
		t.Errorf("decided again: %v", err)
	}
	other := question()
	other.Subject.Tenant = "beta"
	d, err := e.Decide(t.Context(), other)
	if err != nil || d.RateLimits["per-plan"].String() != "60/1m" {
		t.Errorf("%+v, %v", d, err)
	}
}
