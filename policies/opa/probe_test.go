package opa_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// What counts as closed. Each policy lets in everybody, or one role, on a route
// that requires masks, rows or both.
func TestProbes(t *testing.T) {
	const (
		all    = "package gatehouse\n\nallow := true\n\n"
		staff  = "package gatehouse\n\nallow if input.subject.role == \"staff\"\n\n"
		masked = `mask contains {"path": "$..*", "action": "drop"}` + "\n\n"
	)
	rows := func(conditions string) string {
		return `rows contains {"path": "$.items[*]", "where": [` + conditions + "]}\n\n"
	}
	const tenant = `{"field": "tenant", "op": "eq", "input": "subject.tenant"}`
	const state = `{"field": "state", "op": "eq", "value": "open"}`
	for name, tt := range map[string]struct {
		policy      string
		masks, rows bool
		want        string // of a mistake; "" loads
	}{
		"let in and nothing said":     {policy: all, masks: true, rows: true}, // the gateway refuses
		"all fields":                  {policy: all + "all_fields := true\n", masks: true, want: "nobody at all may GET /x/ and sees fields"},
		"no role":                     {policy: all + "all_fields if input.subject.role == \"\"\n", masks: true, want: "a subject without a role may GET"},
		"unknown role":                {policy: all + "all_fields if input.subject.role != \"\"\n", masks: true, want: "an unknown role may GET"},
		"one field masked":            {policy: all + `mask contains {"path": "$.a", "action": "drop"}`, masks: true, want: "sees fields"},
		"exposed":                     {policy: all + `expose contains "$.a"`, masks: true, want: "sees fields"},
		"everything masked":           {policy: all + masked, masks: true},
		"everything nulled":           {policy: all + `mask contains {"path": "$", "action": "null"}`, masks: true},
		"everything in part":          {policy: all + `mask contains {"path": "$..*", "action": "partial"}`, masks: true, want: "sees fields"},
		"masked but for one":          {policy: all + masked + `mask contains {"path": "$.a", "action": "show"}`, masks: true, want: "sees fields"},
		"only deletes":                {policy: "package gatehouse\n\nallow if input.action.name == \"delete\"\n\nall_fields := true\n", masks: true, want: "may DELETE /x/ and"},
		"only records":                {policy: "package gatehouse\n\nallow if input.resource.segments[1]\n\nall_fields := true\n", masks: true, want: "may GET /x/gatehouse-probe-record and"},
		"only the own":                {policy: "package gatehouse\n\nallow if input.resource.segments[1] == input.subject.id\n\nall_fields := true\n", masks: true, want: "may GET /x/gatehouse-probe and"},
		"denied":                      {policy: all + "all_fields := true\n\ndeny contains {\"code\": \"x\", \"message\": \"x\"}\n", masks: true},
		"fails":                       {policy: all + "all_fields if 1 / count(object.get(input, \"nothing\", [])) > 0\n", masks: true},
		"second factor":               {policy: all + "all_fields := true\n\nrequire contains {\"amr\": [\"otp\"]}\n", masks: true, want: "sees fields"},
		"a role may see fields":       {policy: staff + "all_fields := true\n", masks: true},
		"a role may see all rows":     {policy: staff + "all_rows := true\n", rows: true},
		"strangers see all rows":      {policy: all + "all_rows := true\n", rows: true, want: "nobody at all may GET /x/ and sees every row"},
		"all rows, masked":            {policy: all + masked + "all_rows := true\n", rows: true},
		"rows of the tenant":          {policy: all + rows(tenant), rows: true},
		"rows by nothing of one's":    {policy: staff + rows(state), rows: true, want: `another tenant with role "staff" may GET /x/ and sees rows of others at $.items[*]`},
		"said aloud":                  {policy: staff + rows(state) + "all_rows := true\n", rows: true},
		"and":                         {policy: staff + rows(state+", "+tenant), rows: true},
		"any":                         {policy: staff + rows(`{"any": [`+state+", "+tenant+"]}"), rows: true, want: "sees rows"},
		"any of one's":                {policy: staff + rows(`{"any": [{"field": "owner", "op": "eq", "input": "subject.id"}, `+tenant+"]}"), rows: true},
		"all":                         {policy: staff + rows(`{"all": [`+state+", "+tenant+"]}"), rows: true},
		"not":                         {policy: staff + rows(`{"not": `+tenant+"}"), rows: true, want: "sees rows"},
		"ne":                          {policy: staff + rows(`{"field": "tenant", "op": "ne", "input": "subject.tenant"}`), rows: true, want: "sees rows"},
		"role":                        {policy: staff + rows(`{"field": "role", "op": "eq", "input": "subject.role"}`), rows: true, want: "sees rows"},
		"path":                        {policy: staff + rows(`{"field": "path", "op": "eq", "input": "resource.path"}`), rows: true, want: "sees rows"},
		"claim":                       {policy: staff + rows(`{"field": "org", "op": "in", "input": "subject.claims.orgs"}`), rows: true},
		"nothing":                     {policy: staff + rows(`{"field": "tenant", "op": "in", "value": []}`), rows: true},
		"copied":                      {policy: staff + rows(`{"field": "tenant", "op": "eq", "value": input.subject.tenant}`), rows: true},
		"copied in a list":            {policy: staff + rows(`{"field": "tenant", "op": "in", "value": [input.subject.tenant, input.subject.id]}`), rows: true},
		"copied in a list of more":    {policy: staff + rows(`{"field": "tenant", "op": "in", "value": [input.subject.tenant, "public"]}`), rows: true, want: "sees rows"},
		"one of two filters":          {policy: staff + rows(state) + rows(tenant), rows: true, want: "sees rows"},
		"only masks, foreign rows":    {policy: staff + rows(state) + "all_fields := true\n", masks: true},
		"role looked up in the data":  {policy: "package gatehouse\n\nallow if data.roles[input.subject.role].ok\n\n" + rows(state), rows: true, want: `role "clerk"`},
		"role of a list":              {policy: "package gatehouse\n\nallow if \"boss\" in input.subject.roles\n\n" + rows(state), rows: true, want: `role "boss"`},
		"role compared in a function": {policy: "package gatehouse\n\nimport data.lib\n\nallow if lib.is(\"clerk\")\n\n" + rows(state), rows: true, want: `role "clerk"`},
	} {
		t.Run(name, func(t *testing.T) {
			o := tree(map[string]string{
				"p.rego": tt.policy, "roles.json": `{"roles": {"clerk": {"ok": true}}}`,
				"lib.rego": "package lib\n\nis(role) if data.roles[role].ok == (input.subject.role == role)\n\nclerk if input.subject.role == \"clerk\"\n",
			})
			o.Probes = []opa.Probe{{Route: "r", Path: "/x/", Masks: tt.masks, Rows: tt.rows}}
			// What roles find that the policies know may be meant.
			err := loaded(t, o, strings.Contains(tt.policy, "role") || strings.Contains(tt.policy, "lib.is"))
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), `p.rego:`) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// loaded gives what loading found: warnings, which do not keep policies from
// being loaded, where they are wanted.
func loaded(t *testing.T, o opa.Options, warnings bool) error {
	e, err := opa.Load(t.Context(), o)
	switch {
	case err != nil:
		return err
	case warnings && len(e.Warnings()) > 0:
		return e.Warnings()
	case len(e.Warnings()) > 0:
		t.Errorf("warnings where none belong: %v", e.Warnings())
	}
	return nil
}

// Roles are learned from the tests as well, where rules only look at a claim.
func TestProbesAskWithRolesOfTheTests(t *testing.T) {
	o := tree(map[string]string{
		"p.rego": "package gatehouse\n\nallow if regex.match(\"^team-[0-9]$\", input.subject.role)\n\nrows contains {\"path\": \"$\", \"where\": [{\"field\": \"a\", \"op\": \"exists\"}]}\n",
		"p_test.rego": "package gatehouse_test\n\nimport data.gatehouse\n\n" +
			"test_team if gatehouse.allow with input as {\"subject\": {\"role\": \"team-7\"}}\n",
	})
	o.Probes = []opa.Probe{{Route: "r", Path: "/x", Methods: []string{"POST"}, Rows: true}}
	if err := loaded(t, o, true); err != nil {
		t.Fatal(err)
	}
	o.Tests = true
	if err := loaded(t, o, true); err == nil || !strings.Contains(err.Error(), `with role "team-7" may POST /x and sees rows`) {
		t.Errorf("error %v, want one about team-7", err)
	}
}

// To take long is not to be closed.
func TestProbeThatTakesLong(t *testing.T) {
	o := tree(map[string]string{"p.rego": `package gatehouse

all_fields := true

allow if {
	some a in data.n
	some b in data.n
	some c in data.n
	some d in data.n
	a + b + c + d < 0
}
`, "n.json": `{"n": [` + strings.Repeat("1,", 999) + `1]}`})
	o.TestTimeout = 20 * time.Millisecond
	o.Probes = []opa.Probe{{Route: "r", Path: "/x", Masks: true}}
	if _, err := opa.Load(t.Context(), o); err == nil || !strings.Contains(err.Error(), "p.rego:5:1: route \"r\": to tell whether nobody at all may GET /x takes longer than 20ms") {
		t.Errorf("error %v, want that it takes long", err)
	}
}

// The sample policies pass everything, on the routes that the demo has.
func TestSamplesPassTheGate(t *testing.T) {
	o := opa.Options{Path: "rego", FS: policies.Samples, Budget: 10 * time.Second, Tests: true, TestTimeout: time.Minute, MinCoverage: 100}
	for _, name := range []string{"employees", "payroll", "candidates", "documents"} {
		o.Probes = append(o.Probes, opa.Probe{Route: name, Path: "/api/" + name + "/", Masks: true, Rows: true})
	}
	e, err := opa.Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r := e.Tests(); r.Passed < 100 || r.Failed > 0 || r.Skipped > 0 {
		t.Errorf("tests %+v", r)
	}
	// Anybody is a super-admin.
	files, err := opa.Pack(o)
	if err != nil {
		t.Fatal(err)
	}
	files["question/question.rego"] = bytes.Replace(files["question/question.rego"],
		[]byte("role := input.subject.role if data.company.roles[input.subject.role]"), []byte("role := \"super-admin\""), 1)
	files["question/question.rego"] = bytes.Replace(files["question/question.rego"],
		[]byte("data.company.roles[input.subject.role]"), []byte("data.company.roles[\"super-admin\"]"), 1)
	files["authz/authz.rego"] = bytes.Replace(files["authz/authz.rego"],
		[]byte("permissions[input.subject.role]"), []byte("permissions[role]"), 1)
	files["authz/authz.rego"] = bytes.Replace(files["authz/authz.rego"], []byte("if question.role\n"), []byte("if role := question.role\n"), 1)
	_, err = opa.Load(t.Context(), opa.Options{Files: files, Probes: o.Probes[:1]})
	if err == nil || !strings.Contains(err.Error(), `route "employees": a subject with an unknown role may GET`) {
		t.Errorf("error %v, want one about strangers", err)
	}
}
