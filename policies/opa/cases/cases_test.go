package cases_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa/cases"
)

// decider answers every question alike and keeps the last one.
type decider struct {
	decision policies.Decision
	err      error
	asked    *policies.Input
}

func (d *decider) Decide(_ context.Context, in *policies.Input) (*policies.Decision, error) {
	d.asked = in
	return &d.decision, d.err
}
func (*decider) HeaderNames() []string { return nil }
func (*decider) Revision() string      { return "" }

// run judges one file of cases.
func run(t *testing.T, d *decider, text string) ([]cases.Result, error) {
	t.Helper()
	return cases.Run(t.Context(), d, fstest.MapFS{"people.yaml": {Data: []byte(people)}, "a.yaml": {Data: []byte(text)}})
}

const people = `
bayo: {id: e2, role: staff, tenant: acme, branch: lagos, amr: [pwd, otp], auth_age: 10m, claims: {level: 3}}
`

// decision has one of everything.
func decision() policies.Decision {
	return policies.Decision{
		Allow: true,
		Mask: []policies.Mask{
			{Path: "$..salary", Action: "null"},
			{Path: "$.items[*].pay", Action: "partial"},
			{Path: "$..health", Action: "drop"},
			{Path: "$.items.health.fit", Action: "show"},
			{Path: "$['odd name'].*", Action: "hash"},
			{Path: "$.k.long", Action: "redact"},
			{Path: "$.k", Action: "generalize"},
		},
		Rows: []policies.Row{{Path: "$.items[*]", Where: []policies.Condition{
			{Field: "tenant", Op: "eq", Input: "subject.tenant"},
			{Field: "stage", Op: "in", Value: []any{"open", "<new>"}},
		}}},
		Protect: []policies.Protect{{Path: "$..pay", Action: "reject"}, {Path: "$.id", Action: "drop"}},
		Require: []policies.Require{{AMR: []string{"otp", "pwd"}, MaxAge: 3600}},
		Headers: map[string]policies.Value{"X-User-Id": {Input: "subject.id"}, "X-Source": {Text: "gate"}},
		Region:  "eu", Audit: "detail",
	}
}

func TestWant(t *testing.T) {
	const head = "- note: n\n  as: bayo\n  does: GET /x\n  on: r\n  want:\n    "
	denied := decision()
	denied.Allow, denied.Deny = true, []policies.Denial{{Code: "a"}, {Code: "b"}}
	ungranted := policies.Decision{}
	exposing := policies.Decision{Allow: true, Expose: []string{"$.items[*].name", "$.total"}}
	everyRow := policies.Decision{Allow: true, AllRows: true}
	combined := policies.Decision{Allow: true, Rows: []policies.Row{{Path: "$", Where: []policies.Condition{
		{Any: []policies.Condition{
			{Field: "a", Op: "eq", Input: "subject.id"},
			{All: []policies.Condition{{Field: "b", Op: "startswith", Value: "x"}, {Field: "c", Op: "exists", Value: true}}},
		}},
		{Not: &policies.Condition{Field: "d", Op: "eq", Value: true}},
	}}}}

	tests := []struct {
		name, want string
		decision   policies.Decision
		problem    string // "" for none
	}{
		{"granted", "allow: true", decision(), ""},
		{"granted, to be refused", "allow: false", decision(), "allow: want false, got true []"},
		{"a denial overrules the grant", "allow: true", denied, "allow: want true, got false [a b]"},
		{"any of the codes", "{allow: false, code: b}", denied, ""},
		{"none of the codes", "{allow: false, code: c}", denied, "code: want c, got a, b"},
		{"no grant is forbidden", "{allow: false, code: forbidden}", ungranted, ""},

		{"masked, in a list", "{allow: true, masked: [items.pay, salary]}", decision(), ""},
		{"masked, by action", "{allow: true, masked: {salary: \"null\", items.health: drop}}", decision(), ""},
		{"masked, null without quotes", "{allow: true, masked: {salary: null}}", decision(), ""},
		{"masked below a container", "{allow: true, masked: {items.pay.bank.account: partial}}", decision(), ""},
		{"the strictest wins", "{allow: true, masked: {items.pay.salary: \"null\", k.long: redact}}", decision(), ""},
		{"weaker above", "{allow: true, masked: {k.short: generalize}}", decision(), ""},
		{"spelled loosely", "{allow: true, masked: [items.PAY, a.sal-a_ry, \"a.\u017fALARY\", \"\u212a.long\"]}", decision(), ""},
		{"arrays written out", "{allow: true, masked: [\"$.items[*].pay\"]}", decision(), ""},
		{"quoted names and stars", "{allow: true, masked: {odd name.x: hash}}", decision(), ""},
		{"a star is one name", "{allow: true, not_masked: [odd name]}", decision(), ""},
		{"shown", "{allow: true, not_masked: [items.health.fit]}", decision(), ""},
		{"shown, but not what is below", "{allow: true, masked: [items.health.fit.more]}", decision(), ""},
		{"not masked elsewhere", "{allow: true, not_masked: [pay, items.name]}", decision(), ""},
		{"plain", "{allow: true, masked: [name]}", decision(), "masked: name is not masked"},
		{"other action", "{allow: true, masked: {salary: drop}}", decision(), "masked: salary: want drop, got null"},
		{"masked against the wish", "{allow: true, not_masked: [a.salary]}", decision(), "not_masked: a.salary is masked by null"},
		{"nothing masked above", "{allow: true, not_masked: [items]}", decision(), ""},

		{"exposed", "{allow: true, not_masked: [items.name, items.name.first, total]}", exposing, ""},
		{"not exposed", "{allow: true, masked: {items.email: drop, count: drop}}", exposing, ""},
		{"exposed names are exact", "{allow: true, masked: {items.Name: drop}}", exposing, ""},

		{"rows", "{allow: true, rows: ['$.items[*] where tenant eq subject.tenant and stage in [\"open\",\"<new>\"]']}", decision(), ""},
		{"no rows", "{allow: true, rows: []}", decision(), "rows: want [], got [\"$.items[*] where"},
		{"combined rows", "{allow: true, rows: ['$ where (a eq subject.id or (b startswith \"x\" and c exists true)) and not (d eq true)']}", combined, ""},
		{"all rows", "{allow: true, rows: [all]}", everyRow, ""},
		{"not all rows", "{allow: true, rows: [all]}", decision(), "rows: want [\"all\"]"},

		{"protected", "{allow: true, protected: [pay.salary, a.Pay, id], writable: [a.id, name]}", decision(), ""},
		{"not protected", "{allow: true, protected: [name]}", decision(), "protected: name may be written"},
		{"not writable", "{allow: true, writable: [pay]}", decision(), "writable: pay may not be written"},

		{"required", "{allow: true, require: [{max_age: 3600, amr: [pwd, otp]}]}", decision(), ""},
		{"required otherwise", "{allow: true, require: []}", decision(), "require: want []"},
		{"no step up", "{allow: true, step_up: false}", decision(), ""},
		{"step up", "{allow: true, step_up: true}", decision(), "step_up: want true, got false"},

		{"headers", "{allow: true, headers: {x-user-id: subject.id, X-Source: '\"gate\"'}}", decision(), ""},
		{"fewer headers", "{allow: true, headers: {}}", decision(), "headers: want {}"},
		{"region and audit", "{allow: true, region: eu, audit: detail}", decision(), ""},
		{"another region", "{allow: true, region: us}", decision(), "region: want \"us\", got \"eu\""},
		{"no audit level", "{allow: true, audit: \"\"}", decision(), "audit: want \"\", got \"detail\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			results, err := run(t, &decider{decision: tt.decision}, head+strings.TrimPrefix(tt.want, "    "))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(results[0].Problems, "\n")
			if tt.problem == "" && got != "" || !strings.HasPrefix(got, tt.problem) {
				t.Errorf("problems %q, want %q", got, tt.problem)
			}
			if results[0].Passed() != (tt.problem == "") {
				t.Errorf("passed %v with problems %q", results[0].Passed(), got)
			}
		})
	}
}

func TestStepUp(t *testing.T) {
	tests := []struct {
		name    string
		as      string
		require policies.Require
		want    bool
	}{
		{"nothing asked", "{id: a}", policies.Require{}, false},
		{"method there", "{id: a, amr: [pwd, otp]}", policies.Require{AMR: []string{"otp"}}, false},
		{"one method of two", "{id: a, amr: [otp]}", policies.Require{AMR: []string{"otp", "hwk"}}, true},
		{"class there", "{id: a, acr: gold}", policies.Require{ACR: "gold"}, false},
		{"another class", "{id: a, acr: silver}", policies.Require{ACR: "gold"}, true},
		{"just fresh", "{id: a, auth_age: 60s}", policies.Require{MaxAge: 60}, false},
		{"just stale", "{id: a, auth_age: 61s}", policies.Require{MaxAge: 60}, true},
		{"age unknown", "{id: a}", policies.Require{MaxAge: 60}, true},
		{"nobody", "nobody", policies.Require{MaxAge: 60}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &decider{decision: policies.Decision{Allow: true, Require: []policies.Require{tt.require}}}
			results, err := run(t, d, "[{note: n, as: "+tt.as+", does: GET /x, on: r, want: {allow: true, step_up: true}}]")
			if err != nil {
				t.Fatal(err)
			}
			if got := results[0].Passed(); got != tt.want {
				t.Errorf("step-up %v, want %v", got, tt.want)
			}
		})
	}
}

func TestQuestion(t *testing.T) {
	d := &decider{decision: policies.Decision{Allow: true}}
	_, err := run(t, d, `
- note: everything said
  as: {like: bayo, branches: [lagos, abuja], acr: gold}
  does: PATCH https://erp.example.com/api/employees/e%202?page=2&page=3
  on: employees
  params: {id: e 2}
  at: 2026-11-22T23:30:00Z
  headers: {X-Purpose: audit}
  body: {salary: 12345678901234567890}
  want: {allow: true}
`)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := d.asked.Body.(map[string]any); got["salary"] == nil || strings.Contains(text(got["salary"]), "e+") {
		t.Errorf("body %v: the number lost digits", d.asked.Body)
	}
	d.asked.Body = nil
	want := &policies.Input{
		Subject: &policies.Subject{
			ID: "e2", Issuer: "auth-service", Role: "staff", Roles: []string{"staff"}, Tenant: "acme",
			Branch: "lagos", Branches: []string{"lagos", "abuja"}, ACR: "gold", AMR: []string{"pwd", "otp"},
			AuthTime: 1795389600, AuthAge: new(int64(600)), Claims: map[string]any{"level": d.asked.Subject.Claims["level"]},
		},
		Action: policies.Action{Method: "PATCH", Name: "update"},
		Resource: policies.Resource{
			Route: "employees", Host: "erp.example.com", Path: "/api/employees/e 2",
			Segments: []string{"api", "employees", "e 2"}, Params: map[string]string{"id": "e 2"},
			Query: map[string][]string{"page": {"2", "3"}},
		},
		Context: policies.Context{
			Time:          policies.Time{Hour: 23, Weekday: "sunday", Date: "2026-11-22"},
			ClientAddress: "192.0.2.1", Listener: "public", TLS: "1.3",
			Headers: map[string][]string{"x-purpose": {"audit"}}, RequestID: "case",
		},
	}
	if diff := cmp.Diff(want, d.asked); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
}

func text(v any) string {
	s, _ := v.(interface{ String() string })
	if s == nil {
		return ""
	}
	return s.String()
}

func TestNobody(t *testing.T) {
	d := &decider{decision: policies.Decision{}}
	if _, err := run(t, d, "[{note: n, as: nobody, does: GET /x, on: r, want: {allow: false}}]"); err != nil {
		t.Fatal(err)
	}
	if d.asked.Subject != nil {
		t.Errorf("nobody asked as %+v", d.asked.Subject)
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no note", "[{as: bayo, does: GET /x, on: r, want: {allow: true}}]", "a.yaml#1: note is missing"},
		{"no person", "[{note: n, does: GET /x, on: r, want: {allow: true}}]", "a.yaml#1: as is missing"},
		{"unknown person", "[{note: n, as: bajo, does: GET /x, on: r, want: {allow: true}}]", `as "bajo": people.yaml has no such person`},
		{"no route", "[{note: n, as: bayo, does: GET /x, want: {allow: true}}]", "on is missing"},
		{"no question", "[{note: n, as: bayo, on: r, want: {allow: true}}]", "is not a method and a path"},
		{"no path", "[{note: n, as: bayo, does: GET x, on: r, want: {allow: true}}]", "is not a method and a path"},
		{"small method", "[{note: n, as: bayo, does: get /x, on: r, want: {allow: true}}]", "is not a method and a path"},
		{"no expectation", "[{note: n, as: bayo, does: GET /x, on: r}]", "want.allow is missing"},
		{"unknown key", "[{note: n, as: bayo, does: GET /x, on: r, want: {allow: true, maskd: []}}]", `unknown field "maskd"`},
		{"unknown key of a person", "[{note: n, as: {rolle: hr}, does: GET /x, on: r, want: {allow: true}}]", `unknown field "rolle"`},
		{"unknown action", "[{note: n, as: bayo, does: GET /x, on: r, want: {allow: true, masked: {a: remove}}}]", `want.masked.a: "remove" is not a way to mask`},
		{"show is no mask", "[{note: n, as: bayo, does: GET /x, on: r, want: {allow: true, masked: {a: show}}}]", `"show" is not a way to mask`},
		{"a code for a grant", "[{note: n, as: bayo, does: GET /x, on: r, want: {allow: true, code: c}}]", "a request that passes has no code"},
		{"no moment", "[{note: n, as: bayo, does: GET /x, on: r, at: noon, want: {allow: true}}]", `at "noon" is not a moment`},
		{"no age", "[{note: n, as: {auth_age: old}, does: GET /x, on: r, want: {allow: true}}]", `auth_age "old" is not a time`},
		{"negative age", "[{note: n, as: {auth_age: -1m}, does: GET /x, on: r, want: {allow: true}}]", `auth_age "-1m" is not a time`},
		{"empty case", "[null]", "a.yaml#1: the case is empty"},
		{"empty file", "", "there is no case in this folder"},
		{"not YAML", "[", "a.yaml: is not YAML"},
		{"not cases", "note: n", "a.yaml: "},
		{"two documents", "[]\n---\n[]", "a second YAML document would be ignored"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &decider{}
			_, err := run(t, d, tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if d.asked != nil {
				t.Error("a question was asked though the cases are wrong")
			}
		})
	}
}

func TestPeople(t *testing.T) {
	tests := []struct{ name, people, want string }{
		{"a copy of a copy", "a: {like: b}\nb: {id: x}", `"a" is like "b"`},
		{"empty", "a:", `"a" is empty`},
		{"unknown key", "a: {rolle: hr}", `unknown field "rolle"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := cases.Run(t.Context(), &decider{}, fstest.MapFS{"people.yaml": {Data: []byte(tt.people)}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNoDecision(t *testing.T) {
	d := &decider{err: errors.New("conflict")}
	results, err := run(t, d, "[{note: n, as: bayo, does: GET /x, on: r, want: {allow: false}}]")
	if err != nil {
		t.Fatal(err)
	}
	if got := results[0].String(); got != "FAIL  a.yaml#1  n\n      the policies gave no decision: conflict" {
		t.Errorf("result %q", got)
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := cases.Run(ctx, &decider{}, fstest.MapFS{
		"people.yaml": {Data: []byte(people)},
		"a.yml":       {Data: []byte("[{note: n, as: bayo, does: GET /x, on: r, want: {allow: false}}]")},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
}

func FuzzRun(f *testing.F) {
	f.Add("[{note: n, as: bayo, does: GET /x, on: r, want: {allow: true, masked: {a: drop}}}]")
	f.Add("[{note: n, as: {like: bayo, roles: []}, does: GET //h/x?%zz, on: r, want: {allow: true, rows: [all]}}]")
	f.Add("- {}\n- null\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := &decider{decision: decision()}
		results, err := run(t, d, text)
		if err == nil && len(results) == 0 {
			t.Error("no error and no result")
		}
	})
}
