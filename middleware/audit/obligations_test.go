package audit

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func TestObligationsAreOnRecordInDetail(t *testing.T) {
	d := &policies.Decision{
		Deny:    []policies.Denial{{Code: "late", Message: "come back tomorrow"}},
		Mask:    []policies.Mask{{Path: "$..ssn", Action: "redact"}},
		Expose:  []string{"$.name"},
		Rows:    []policies.Row{{Path: "$", Where: []policies.Condition{{Field: "tenant", Op: "eq", Input: "subject.tenant"}, {Field: "owner", Op: "eq", Value: "ann@example.com"}}}, {Path: "$", Where: []policies.Condition{{Any: []policies.Condition{{Field: "owner", Op: "eq", Value: "ann@example.com"}, {Not: &policies.Condition{Field: "b", Op: "in", Input: "subject.branches"}}}}}}},
		Protect: []policies.Protect{{Path: "$.pay", Action: "drop"}},
		Headers: map[string]policies.Value{"X-User-Id": {Input: "subject.id"}, "X-Mail": {Text: "ann@example.com"}},
		Require: []policies.Require{{ACR: "gold", AMR: []string{"otp", "pwd"}, MaxAge: 3600}},
		Region:  "eu", AllRows: true, AllFields: true,
	}
	want := []string{
		"deny late", "mask redact $..ssn", "expose $.name", "rows $ tenant eq <subject.tenant>", "rows $ owner eq <value>", "rows $ (owner eq <value> or not (b in <subject.branches>))",
		"protect drop $.pay", "require acr gold, amr otp pwd, max_age 3600", "header X-Mail <value>", "header X-User-Id <subject.id>", "region eu", "all_fields", "all_rows",
	}
	for _, tt := range []struct {
		level, policy string
		want          []string
	}{
		{"detail", "", want},
		{"none", "detail", want},
		{"metadata", "", nil},
		{"none", "", nil},
	} {
		var got *Record
		s := New(tt.level, func(_ *middleware.Exchange, r *Record) { got = r })
		_, _, _ = mt.Run(t, s, mt.Exchange(t, "GET", "https://h/", nil), func(x *middleware.Exchange) (*http.Response, error) {
			raised := *d
			raised.Audit = tt.policy
			x.Decision = &raised
			return mt.NewUpstream(t, 204, "", "").Handle(x)
		})
		if diff := cmp.Diff(tt.want, got.Obligations); diff != "" {
			t.Errorf("level %s, raised to %q: %s", tt.level, tt.policy, diff)
		}
	}
}
