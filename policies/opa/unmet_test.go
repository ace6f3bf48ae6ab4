package opa_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		{
			"a grant that is a comparison", `allow := input.subject.role == "hr"`,
			`allow p.rego:3: input.subject.role == "hr"
	input.subject.role is "manager", and would have to be "hr"`,
		},
		{
			"a rule that is false", "allow if data.a.off",
			`a.off a.rego:11: input.action.name != "read"
	input.action.name is "read", and would have to differ from "read"`,
		},
		{
			"a negation of what other rules leave out", "allow if not count([g | g := data.a.grant]) == 0",
			`allow p.rego:3: not count([g | g := data.a.grant]) == 0
	this must not hold, and does`,
		},
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

off := input.action.name != "read"
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
