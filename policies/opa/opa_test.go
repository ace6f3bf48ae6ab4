package opa_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// tree makes Options for files by name; a lone "" stands for one policy file
// to which the package clause and a grant are added.
func tree(files map[string]string) opa.Options {
	fsys := fstest.MapFS{}
	for name, text := range files {
		if name == "" {
			name, text = "p.rego", "package gatehouse\n\nallow := true\n\n"+text
		}
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	// Generous, so that a loaded machine is no timeout.
	return opa.Options{Path: ".", FS: fsys, Budget: 10 * time.Second}
}

func load(t testing.TB, files map[string]string) *opa.Engine {
	t.Helper()
	e, err := opa.Load(context.Background(), tree(files))
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return e
}

func question() *policies.Input {
	return &policies.Input{
		Subject: &policies.Subject{
			ID: "e5", Issuer: "auth-service", Role: "manager", Roles: []string{"manager"}, Tenant: "acme",
			Branch: "abuja", Branches: []string{"abuja", "lagos"}, ACR: "2", AMR: []string{"pwd", "otp"}, AuthTime: 1700000000, AuthAge: new(int64(60)),
			Claims: map[string]any{
				"sub": "e5", "level": json.Number("3"), "flags": []any{true, nil, "x"},
				"department": map[string]any{"code": "HR-1"},
			},
		},
		Action: policies.Action{Method: "GET", Name: "read"},
		Resource: policies.Resource{
			Route: "employees", Host: "api.example.com", Path: "/api/employees/e2", Segments: []string{"api", "employees", "e2"},
			Params: map[string]string{"id": "e2"}, Query: map[string][]string{"page": {"1"}},
		},
		Context: policies.Context{
			Time:          policies.Time{Hour: 14, Weekday: "monday", Date: "2026-11-23"},
			ClientAddress: "192.0.2.1", Listener: "public", TLS: "1.3",
			Headers: map[string][]string{"x-purpose": {"audit"}}, RequestID: "r-1",
		},
		Body: map[string]any{"name": "Ada", "pay": map[string]any{"salary": json.Number("12.50")}},
	}
}

const everything = `package gatehouse

import data.lib

default allow := false

allow if lib.may_read

deny contains {"code": "closed", "message": "Closed at night."} if input.context.time.hour > 12

deny contains {"code": "abroad", "message": "Not from here."} if input.context.client_address == "192.0.2.1"

mask contains {"path": path, "action": action} if some path, action in data.masks

mask contains {"path": "$.pay.salary", "action": "generalize", "bucket": 1000, "class": "pay"}

classified contains path if some path in ["$.items[*].title", "$.id"]

rows contains {"path": "$.items[*]", "where": [
	{"field": "tenant", "op": "eq", "input": "subject.tenant"},
	{"field": "pay['net sum']", "op": "lt", "value": 10.5},
	{"field": "state", "op": "not_in", "value": ["gone", 7, true, null]},
	{"field": "id", "op": "exists"},
	{"field": "left", "op": "exists", "value": false},
	{"any": [
		{"field": "owner", "op": "eq", "input": "subject.id"},
		{"all": [{"field": "code", "op": "startswith", "value": "HR-"}, {"not": {"field": "sealed", "op": "eq", "value": true}}]},
	]},
]}

expose contains "$.items"

protect contains {"path": "$.tenant", "action": "reject"}

require contains {"amr": ["otp", "hwk"], "max_age": 3600}

require contains {"acr": "2"}

headers["x-user-id"] := {"input": "subject.id"}

headers["X-Kind"] := "staff member"

rate_limits["per-user"] := "50/60s"

rate_limits["reports"] := data.rates[input.subject.role]

region := "eu"

audit := "detail"

all_rows if input.subject.role == "root"
`

const lib = `package lib

may_read if input.action.name in data.permissions[input.subject.role][input.resource.route]
`

func everythingFiles() map[string]string {
	return map[string]string{
		"gatehouse.rego":         everything,
		"lib/lib.rego":           lib,
		"permissions/roles.yaml": "manager:\n  employees: [read]\n",
		"permissions/more.json":  `{"hr": {"employees": ["read", "update"]}}`,
		"rates.yaml":             "rates: {manager: 5/s}\n",
		"masks.yml":              "masks:\n  $..ssn: drop\n  \"$..*\": partial\n",
		"gatehouse_test.rego":    "package gatehouse_test\n\ntest_nothing := true\n",
		".hidden/x.rego":         "not Rego",
		"README.md":              "not read",
	}
}

func TestDecision(t *testing.T) {
	e := load(t, everythingFiles())
	got, err := e.Decide(t.Context(), question())
	if err != nil {
		t.Fatal(err)
	}
	want := &policies.Decision{
		Allow: true,
		Deny:  []policies.Denial{{Code: "abroad", Message: "Not from here."}, {Code: "closed", Message: "Closed at night."}},
		Mask: []policies.Mask{
			{Path: "$..*", Action: "partial"},
			{Path: "$..ssn", Action: "drop"},
			{Path: "$.pay.salary", Action: "generalize", Bucket: 1000, Class: "pay"},
		},
		Rows: []policies.Row{{Path: "$.items[*]", Where: []policies.Condition{
			{Field: "tenant", Op: "eq", Input: "subject.tenant"},
			{Field: "pay['net sum']", Op: "lt", Value: json.Number("10.5")},
			{Field: "state", Op: "not_in", Value: []any{"gone", json.Number("7"), true, nil}},
			{Field: "id", Op: "exists", Value: true},
			{Field: "left", Op: "exists", Value: false},
			{Any: []policies.Condition{
				{Field: "owner", Op: "eq", Input: "subject.id"},
				{All: []policies.Condition{
					{Field: "code", Op: "startswith", Value: "HR-"},
					{Not: &policies.Condition{Field: "sealed", Op: "eq", Value: true}},
				}},
			}},
		}}},
		Expose:     []string{"$.items"},
		Classified: []string{"$.id", "$.items[*].title"},
		Protect:    []policies.Protect{{Path: "$.tenant", Action: "reject"}},
		Require:    []policies.Require{{ACR: "2"}, {AMR: []string{"hwk", "otp"}, MaxAge: 3600}},
		Headers:    map[string]policies.Value{"X-User-Id": {Input: "subject.id"}, "X-Kind": {Text: "staff member"}},
		RateLimits: map[string]policies.Rate{"per-user": {Count: 50, Per: time.Minute}, "reports": {Count: 5, Per: time.Second}},
		Region:     "eu", Audit: "detail", Revision: e.Revision(),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("decision (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"X-Kind", "X-User-Id"}, e.HeaderNames()); d != "" {
		t.Errorf("header names (-want +got):\n%s", d)
	}
	if rules, files := e.Size(); rules != 19 || files != 2 {
		t.Errorf("size = %d rules in %d files, want 19 in 2", rules, files)
	}
}

// Every member of the question reaches the policy under its JSON name with its
// value: the terms are built by hand, so they are held against the JSON form.
func TestInputIsItsJSONForm(t *testing.T) {
	e := load(t, map[string]string{"": `deny contains {"code": "seen", "message": json.marshal(input)}`})
	noSubject := question()
	noSubject.Subject, noSubject.Body = nil, nil
	for name, in := range map[string]*policies.Input{"whole": question(), "anonymous": noSubject} {
		d, err := e.Decide(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		text, err := json.Marshal(in)
		if err == nil {
			err = errors.Join(json.Unmarshal([]byte(d.Deny[0].Message), &got), json.Unmarshal(text, &want))
		}
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: input (-want +got):\n%s", name, d)
		}
	}
}

func TestWithoutGrantNothingIsAllowed(t *testing.T) {
	for name, rules := range map[string]string{
		"undefined": "allow if input.subject.role == \"root\"\n",
		"default":   "default allow := false\n\nallow if input.subject.role == \"root\"\n",
		"false":     "allow := false\n",
	} {
		e := load(t, map[string]string{"p.rego": "package gatehouse\n\n" + rules})
		d, err := e.Decide(t.Context(), question())
		if err != nil || d.Allow || d.Allowed() {
			t.Errorf("%s: decision %+v, %v; want one that does not allow", name, d, err)
		}
	}
}

func TestRevision(t *testing.T) {
	base := load(t, everythingFiles()).Revision()
	if len(base) != 16 {
		t.Errorf("revision %q has not 16 characters", base)
	}
	changed := func(name, text string) string {
		files := everythingFiles()
		files[name] = text
		return load(t, files).Revision()
	}
	if got := changed("gatehouse_test.rego", "package t\n"); got != base {
		t.Error("a changed test changes the revision")
	}
	if changed("lib/lib.rego", lib+"\n# more\n") == base {
		t.Error("a changed policy leaves the revision")
	}
	if changed("masks.yml", "masks: {}\n") == base {
		t.Error("changed data leave the revision")
	}
}

func TestBudget(t *testing.T) {
	o := tree(map[string]string{"p.rego": `package gatehouse

allow if {
	some a in data.n
	some b in data.n
	some c in data.n
	some d in data.n
	a + b + c + d < 0
}
`, "n.json": `{"n": [` + strings.Repeat("1,", 999) + `1]}`})
	o.Budget = 20 * time.Millisecond
	e, err := opa.Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := e.Decide(t.Context(), question()); d != nil || !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), "budget of 20ms") {
		t.Errorf("decision %v, error %v; want none and the budget named", d, err)
	}
	o.Budget = time.Hour
	if e, err = opa.Load(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	interrupted := func(after time.Duration) (first, then error) {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		defer cancel()
		_, first = e.Decide(ctx, question())
		_, then = e.Decide(ctx, question())
		return first, then
	}
	first, then := interrupted(20 * time.Millisecond)
	if first != nil && strings.Contains(first.Error(), "not asked") { // the machine took the time
		first, then = interrupted(5 * time.Second)
	}
	if first == nil || !strings.Contains(first.Error(), "interrupted") {
		t.Errorf("error %v, want an interruption", first)
	}
	if then == nil || !strings.Contains(then.Error(), "not asked") {
		t.Errorf("error %v, want that the policy was not asked", then)
	}
}

// Numbers from clients may be so large that one arithmetic operation would
// take minutes and cannot be interrupted.
func TestHostileInput(t *testing.T) {
	e := load(t, map[string]string{"": `deny contains {"code": "x", "message": "x"} if floor(input.body) > 3`})
	deep := any("x")
	for range 100_000 {
		deep = []any{deep}
	}
	for name, body := range map[string]any{
		"exponent": json.Number("1e999999999"), "negative exponent": json.Number("1E-99999999999999999999"),
		"long": json.Number(strings.Repeat("9", 1000)), "no number": json.Number("abc"), "empty": json.Number(""),
		"sign": json.Number("-"), "blank": json.Number("1 "), "word": json.Number("true"), "deep": deep,
		"type": struct{}{}, "inside": map[string]any{"a": []any{json.Number("1e401")}},
	} {
		in := question()
		in.Body = body
		if _, err := e.Decide(t.Context(), in); err == nil || !strings.HasPrefix(err.Error(), "body: ") {
			t.Errorf("%s: error %v, want one about the body", name, err)
		}
	}
	in := question()
	in.Subject.Claims["n"] = json.Number("1e500")
	if _, err := e.Decide(t.Context(), in); err == nil || !strings.HasPrefix(err.Error(), "claims: ") {
		t.Errorf("error %v, want one about the claims", err)
	}
	if _, err := e.Decide(t.Context(), nil); err == nil {
		t.Error("no question was decided")
	}
}

func TestConcurrentUse(t *testing.T) {
	e := load(t, everythingFiles())
	want, err := e.Decide(t.Context(), question())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				got, err := e.Decide(t.Context(), question())
				if d := cmp.Diff(want, got); err != nil || d != "" {
					t.Errorf("error %v, decision (-want +got):\n%s", err, d)
				}
			}
		})
	}
	wg.Wait()
}

func TestExplain(t *testing.T) {
	e := load(t, map[string]string{"": `# METADATA
# title: Salaries are nobody's business
# labels:
#   id: HR-12
mask contains {"path": path, "action": "drop"} if {
	input.subject.role == "manager"
	some path in ["$..salary"]
}

deny contains {"code": "never", "message": "Never."} if input.subject.role == "nobody"
`})
	got, err := e.Explain(t.Context(), question())
	if err != nil {
		t.Fatal(err)
	}
	want := []opa.FiredRule{
		{
			RulePlace: opa.RulePlace{Name: "allow", File: "p.rego", Line: 3}, Entry: "true",
			Part: &policies.Decision{Allow: true},
		},
		{
			RulePlace: opa.RulePlace{
				Name: "mask", File: "p.rego", Line: 9,
				Title: "Salaries are nobody's business", Labels: map[string]string{"id": "HR-12"},
			},
			Entry: `{"action": "drop", "path": "$..salary"}`,
			Part:  &policies.Decision{Mask: []policies.Mask{{Path: "$..salary", Action: "drop"}}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("fired (-want +got):\n%s", d)
	}
}
