package opa_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

func TestMaskedPaths(t *testing.T) {
	e := load(t, map[string]string{"a.rego": `package gatehouse

allow if input.subject.role == "hr"

mask contains {"path": "$..ssn", "action": "redact"} if input.subject.claims.never == "asked"

mask contains {"path": "$.name", "action": "show"} if input.subject.role == "hr"

mask contains {"path": concat("", ["$..", name]), "action": "drop"} if {
	some name in data.company[input.subject.role]
}

mask contains {"path": concat(".", ["$", "health"]), "action": "drop"} if {
	input.resource.route == "employees"
	not "otp" in input.subject.amr
}
`, "company.json": `{"company": {"hr": ["salary"], "staff": ["bank", "salary"]}}`})
	for route, want := range map[string][]string{
		"employees": {"$..bank", "$..salary", "$..ssn", "$.health"},
		"orders":    {"$..bank", "$..salary", "$..ssn"},
	} {
		if d := cmp.Diff(want, e.MaskedPaths(t.Context(), opa.Probe{Route: route, Path: "/api/" + route + "/"})); d != "" {
			t.Errorf("%s: %s", route, d)
		}
	}
}
