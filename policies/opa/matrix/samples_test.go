package matrix_test

import (
	"slices"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/util"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/matrix"
)

// The matrix of the sample policies says what the sample company has decided: of a
// colleague each role sees the classes that roles.yaml lists, and no other; of
// another tenant only who sees everything.
func TestSamples(t *testing.T) {
	text, err := policies.Samples.ReadFile("rego/company/roles.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var company struct {
		Roles map[string]struct {
			Rows string
			Sees []string
		}
	}
	if err := util.Unmarshal(text, &company); err != nil {
		t.Fatal(err)
	}
	e, err := opa.Load(t.Context(), opa.Options{Path: "rego", FS: policies.Samples, Budget: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	route := opa.Probe{Route: "employees", Path: "/api/employees/", Masks: true, Rows: true}
	survey, err := matrix.Ask(t.Context(), e, matrix.Options{Routes: []opa.Probe{route}}.Vocabularies(e.Vocabulary()))
	if err != nil {
		t.Fatal(err)
	}
	judged := map[string]bool{}
	for _, c := range survey.Matrix() {
		role, known := company.Roles[c.Role]
		shown := c.State == matrix.Visible
		switch {
		case !known && c.State != matrix.Denied:
			t.Errorf("%+v: a role that the company does not know", c)
		case c.Action != "read" || c.State == matrix.Denied:
		case c.Whose == "other tenant":
			if want := role.Rows == "everything"; shown && !want || want == (c.State == matrix.Filtered) {
				t.Errorf("%+v: the role sees the rows of %s", c, role.Rows)
			}
		case c.Whose == "colleague":
			judged[c.Role] = true
			if want := slices.Contains(role.Sees, c.Class); shown != want {
				t.Errorf("%+v: the role sees %v", c, role.Sees)
			}
		}
	}
	if len(judged) != 5 {
		t.Errorf("colleagues are read by %v, want the five roles that may", judged)
	}
}
