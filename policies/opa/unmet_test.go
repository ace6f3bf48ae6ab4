package opa_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// The question is a manager's, who reads /api/employees/e2 of the tenant acme.
func TestUnmet(t *testing.T) {
	tests := []struct{ name, policy, want string }{
		{
			"a comparison says what would have to differ",
			`allow if input.subject.role == "hr"`,
			`allow p.rego:3: input.subject.role == "hr"
	input.subject.role is "manager", and would have to be "hr"`,
		},
		{
			"either way round", `allow if "hr" == input.subject.role`,
			`allow p.rego:3: "hr" == input.subject.role
	input.subject.role is "manager", and would have to be "hr"`,
		},
		{
			"of several expressions the one that failed",
			"allow if {\n\tinput.subject.tenant == \"acme\"\n\tinput.subject.role in {\"hr\"}\n\tinput.action.name == \"create\"\n}",
			`allow p.rego:5: input.subject.role in {"hr"}
	input.subject.role is "manager", and would have to be one of {"hr"}`,
		},
		{
			"of several ways the furthest",
			"allow if {\n\tsome role in [\"hr\", \"manager\"]\n\trole == input.subject.role\n\trole == \"hr\"\n}",
			`allow p.rego:6: role == "hr"
	role is "manager"`,
		},
		{
			"every rule, in its order",
			"allow if input.subject.id == \"e1\"\n\nallow if input.subject.branch != \"abuja\"",
			`allow p.rego:3: input.subject.id == "e1"
	input.subject.id is "e5", and would have to be "e1"
allow p.rego:5: input.subject.branch != "abuja"
	input.subject.branch is "abuja", and would have to differ from "abuja"`,
		},
		{
			"what is not there", `allow if input.resource.params.tenant == "acme"`,
			`allow p.rego:3: input.resource.params.tenant == "acme"
	input.resource.params.tenant has no value, and would have to be "acme"`,
		},
		{
			"a negation", `allow if not input.subject.role in {"hr", "manager"}`,
			`allow p.rego:3: not input.subject.role in {"hr", "manager"}
	this must not hold, and does
	input.subject.role is "manager"`,
		},
		{
			"a table of the data", `allow if data.grants[input.subject.role][input.action.name]`,
			`allow p.rego:3: data.grants[input.subject.role][input.action.name]
	input.subject.role is "manager"
	input.action.name is "read"`,
		},
		{
			"the last of a chain of rules, and its branches", "allow if data.a.b",
			`a.b a.rego:5: input.subject.role == "hr"
	input.subject.role is "manager", and would have to be "hr"
a.b a.rego:5: input.action.name == "create"
	input.action.name is "read", and would have to be "create"`,
		},
		{
			"a rule with another value", `allow if data.a.level == 3`,
			`allow p.rego:3: data.a.level == 3
	a.level is 1, and would have to be 3`,
		},
		{
			"a value that was not found", "allow if data.a.grant == \"any\"",
			`a.grant a.rego:9: data.grants[input.subject.role]
	input.subject.role is "manager"`,
		},
		{"two rules that wait for one", "allow if data.a.grant == \"any\"\n\nallow if data.a.grant", `a.grant a.rego:9: data.grants[input.subject.role]
	input.subject.role is "manager"`},
		{"what is granted", `allow if input.subject.role == "manager"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := load(t, map[string]string{
				"p.rego": "package gatehouse\n\n" + tt.policy + "\n",
				"a.rego": `package a

default b := false

b if input.subject.role == "hr" else if input.action.name == "create"

level := 1

grant := data.grants[input.subject.role]
`,
				"data.json": `{"grants": {"hr": {"read": true}}}`,
			})
			got, err := e.Unmet(t.Context(), question())
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, u := range got {
				lines = append(lines, fmt.Sprintf("%s %s:%d: %s", u.Name, u.File, u.Line, u.Expression))
				for _, f := range u.Facts {
					lines = append(lines, "\t"+f)
				}
			}
			if d := cmp.Diff(tt.want, strings.Join(lines, "\n")); d != "" {
				t.Errorf("unmet (-want +got):\n%s", d)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	e := load(t, map[string]string{
		"p.rego": `package gatehouse

import data.m
import data.words

allow if m.grants

mask contains entry if some entry in m.first

mask contains {"path": "$..own", "action": "drop"}

deny contains {"code": code, "message": "No."} if some code in words.codes

audit := words.level

headers["X-Role"] := words.level

all_rows if {
	m.grants
	words.yes
}
`,
		"m/m.rego": `package m

first contains entry if some entry in second

second contains {"path": path, "action": "null"} if some path in ["$..a", "$..b"]

second contains {"path": "$..a", "action": "null"} if input.action.name == "read"

grants if input.subject.role == "manager"
`,
		"words/words.rego": `package words

codes contains "stop" if input.action.name == "delete"

level := "none" if input.action.name == "delete" else := "detail"

yes := true
`,
	})
	fired, err := e.Explain(t.Context(), question())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range fired {
		var from []string
		for _, o := range f.Origins() {
			from = append(from, fmt.Sprintf("%s %s:%d", o.Name, o.File, o.Line))
		}
		got[f.Name+" "+f.Entry] = strings.Join(from, ", ")
		if f.Part == nil {
			t.Errorf("%s %s has no part in the decision", f.Name, f.Entry)
		}
	}
	want := map[string]string{
		"allow true": "m.grants m/m.rego:9",
		`mask {"action": "null", "path": "$..a"}`:   "m.second m/m.rego:5, m.second m/m.rego:7",
		`mask {"action": "null", "path": "$..b"}`:   "m.second m/m.rego:5",
		`mask {"action": "drop", "path": "$..own"}`: "mask p.rego:10",
		`audit "detail"`:             "words.level words/words.rego:5",
		`headers["X-Role"] "detail"`: "words.level words/words.rego:5",
		// Two things had to be true: neither alone is where it comes from.
		"all_rows true": "all_rows p.rego:18",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("origins (-want +got):\n%s", d)
	}
}

func TestParseInput(t *testing.T) {
	in, err := opa.ParseInput("q.json", []byte(`{
  "subject": {"id": "e2", "roles": ["staff", "hr"], "claims": {"level": 12345678901234567890, "any": {"thing": null}}},
  "action": {"method": "PATCH"}, "resource": {"path": "/api/employees/e2"}, "body": {"free": [1.5]}
}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintln(in.Subject.Role, in.Subject.Roles, in.Action.Name, in.Resource.Segments, in.Subject.Claims["level"]); got != "staff [staff hr] update [api employees e2] 12345678901234567890\n" {
		t.Errorf("read as %s", got)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"another name", "{\n  \"sobject\": {}}", `q.json:2:3: input has no member "sobject": did you mean "subject"?`},
		{"in another case", `{"subject": {"ID": "x"}}`, `q.json:1:14: input.subject has no member "ID": did you mean "id"?`},
		{"another type", `{"subject": {"roles": "hr"}}`, `q.json:1:23: input.subject.roles is a text, not a list`},
		{"a member of another type", `{"subject": {"roles": ["hr", 1]}}`, `q.json:1:30: a member of input.subject.roles is a whole number, not a text`},
		{"null", `{"subject": null}`, "q.json:1:16: input.subject is null, not an object"},
		{"a fraction", `{"context": {"time": {"hour": 1.5}}}`, "q.json:1:33: input.context.time.hour is a fraction, not a whole number"},
		{"twice", `{"subject": {"id": "a", "id": "b"}}`, `q.json:1:25: input.subject has the member "id" twice`},
		{"twice in a claim", `{"subject": {"claims": {"id": "a", "id": "b"}}}`, `has the member "id" twice`},
		{"two questions", "{}\n{}", "something behind the question"},
		{"a list", "[]", "input is a list, not an object"},
		{"no end", `{"subject": {`, "is not JSON: unexpected EOF"},
		{"nothing", "", "is not JSON"},
		{"too deep", `{"body": ` + strings.Repeat("[", 300), "nested too deeply"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := opa.ParseInput("q.json", []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	const tidy = "package p\n\n# Kept.\nx := 1\n"
	for range 2 { // and laid out once more, nothing changes
		got, err := opa.Format("p.rego", []byte("package p\n# Kept.\nx:=1"))
		if err != nil || string(got) != tidy {
			t.Fatalf("%q, %v", got, err)
		}
		if got, err = opa.Format("p.rego", got); err != nil || string(got) != tidy {
			t.Fatalf("again: %q, %v", got, err)
		}
	}
	for text, want := range map[string]string{
		"package p\n\nx { true }\n": "p.rego:3:1: this is Rego v0; today one writes: x := true",
		"package p\n\nx if\n":       "p.rego:4:1: unexpected eof",
		"":                          "p.rego",
	} {
		if got, err := opa.Format("p.rego", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v; want %s", text, got, err, want)
		}
	}
}
