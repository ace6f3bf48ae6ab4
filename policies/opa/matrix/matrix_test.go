package matrix_test

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/matrix"
)

func engine(t *testing.T, policy string) *opa.Engine {
	t.Helper()
	fsys := fstest.MapFS{
		"p.rego":    {Data: []byte("package gatehouse\n\n" + policy + "\n")},
		"data.json": {Data: []byte(`{"branches": {"lagos": {"pay": true}, "abuja": {}}}`)},
	}
	e, err := opa.Load(t.Context(), opa.Options{Path: ".", FS: fsys, Budget: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func survey(t *testing.T, policy string, routes ...opa.Probe) *matrix.Survey {
	t.Helper()
	if len(routes) == 0 {
		routes = []opa.Probe{{Route: "staff", Path: "/staff/", Masks: true, Rows: true}}
	}
	e := engine(t, policy)
	s, err := matrix.Ask(t.Context(), e, matrix.Options{Routes: routes}.Vocabularies(e.Vocabulary()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// states are the cells as "action whose role field: state", those of strangers
// left out.
func states(cells []matrix.Cell) map[string]string {
	out := map[string]string{}
	for _, c := range cells {
		who := c.Role
		if c.Branch != "" {
			who += "@" + c.Branch
		}
		out[strings.Join([]string{c.Action, c.Whose, who, c.Field}, " ")] = c.State
	}
	return out
}

func TestStates(t *testing.T) {
	const hr = `allow if input.subject.role == "hr"
`
	const everyRow = "all_rows := true\n"
	for _, tt := range []struct {
		name, policy string
		want         map[string]string
	}{
		{
			"a mask, and what is only classified", hr + everyRow + `
mask contains {"path": "$..pay", "action": "null"}
classified contains "$..name"`,
			map[string]string{"read own hr pay": "null", "read own hr name": "visible", "list other tenant hr pay": "null"},
		},
		{
			"the strictest mask, at the field or above it", hr + everyRow + `
mask contains {"path": "$..pay.salary", "action": "partial"}
mask contains {"path": "$..pay", "action": "hash"}`,
			map[string]string{"read own hr pay.salary": "hash", "read own hr pay": "hash"},
		},
		{
			"names are one, however written", hr + everyRow + `
mask contains {"path": "$..tax_id", "action": "drop"}
classified contains "$..taxId"`,
			map[string]string{"read own hr tax_id": "drop", "read own hr taxId": ""},
		},
		{
			"an allow list", hr + everyRow + `
mask contains {"path": "$..pay", "action": "null"}
expose contains "$.name"`,
			map[string]string{"read own hr pay": "hidden", "read own hr name": "visible"},
		},
		{
			"exposed and masked", hr + everyRow + `
mask contains {"path": "$..pay", "action": "null"}
expose contains "$.pay"`,
			map[string]string{"read own hr pay": "null"},
		},
		{
			"shown again", hr + everyRow + `
mask contains {"path": "$..pay", "action": "null"}
mask contains {"path": "$.pay", "action": "show"}`,
			map[string]string{"read own hr pay": "visible"},
		},
		{
			"refused, with and without a word", hr + everyRow + `
mask contains {"path": "$..pay", "action": "null"}
deny contains {"code": "no_deletes", "message": "No."} if input.action.name == "delete"`,
			map[string]string{"delete own hr pay": "denied", "update own hr pay": "null", "read own (other) pay": "denied"},
		},
		{
			"silence about fields or rows is a refusal", hr + `
classified contains "$..pay"
all_rows if input.action.name == "read"
all_fields if input.action.name != "read"`,
			map[string]string{"read own hr pay": "denied", "update own hr pay": "denied"},
		},
		{
			"an error is a refusal", hr + everyRow + `
mask contains {"path": "$..pay", "action": "null"}
audit := "none" if input.action.name == "read"
audit := "detail" if input.action.method == "GET"`,
			map[string]string{"read own hr pay": "denied", "update own hr pay": "null"},
		},
		{
			"records that stand in a list", hr + `
rows contains {"path": "$.items[*]", "where": [{"field": "tenant", "op": "eq", "input": "subject.tenant"}]}
mask contains {"path": "$.items[*].pay", "action": "null"}
mask contains {"path": "$.count", "action": "drop"}
mask contains {"path": "$.items[*]", "action": "partial"}`,
			map[string]string{"list own hr pay": "null", "list other tenant hr pay": "no row", "list other tenant hr $.count": "drop"},
		},
		{
			"records that stand elsewhere for others", `allow if input.subject.role in {"hr", "staff"}
rows contains {"path": "$", "where": [{"field": "a", "op": "eq", "value": 1}]} if input.subject.role == "staff"
rows contains {"path": "$.items[*]", "where": [{"field": "a", "op": "eq", "value": 1}]} if input.subject.role == "hr"
mask contains {"path": "$.items[*].pay", "action": "null"} if input.subject.role == "hr"
mask contains {"path": "$.pay", "action": "redact"} if input.subject.role == "staff"`,
			map[string]string{"list own hr pay": "null", "list own staff pay": "redact"},
		},
		{
			"the method that shows most", hr + everyRow + `
mask contains {"path": "$..pay", "action": "null"} if input.action.method != "PATCH"
mask contains {"path": "$..pay", "action": "partial"} if input.action.method == "PATCH"`,
			map[string]string{"update own hr pay": "partial"},
		},
		{
			"the own record by its path", hr + everyRow + `
mask contains {"path": "$..pay", "action": "null"} if input.resource.segments[1] != input.subject.id
mask contains {"path": "$..ssn", "action": "null"}`,
			map[string]string{"read own hr pay": "visible", "read colleague hr pay": "null", "list own hr pay": "visible"},
		},
		{
			"branches that the policies know", hr + everyRow + `
mask contains {"path": "$..pay", "action": "null"} if not data.branches[input.subject.branch].pay
all_fields if data.branches[input.subject.branch].pay`,
			map[string]string{"read own hr@lagos pay": "visible", "read own hr@abuja pay": "null", "read own hr pay": ""},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := states(survey(t, tt.policy).Matrix())
			for cell, want := range tt.want {
				if got[cell] != want {
					t.Errorf("%s: %q, want %q", cell, got[cell], want)
				}
			}
		})
	}
}

// Each kind of record shares one value less with the caller, and what is not known
// passes.
func TestRows(t *testing.T) {
	condition := func(text string) string {
		return `allow if input.subject.role == "hr"
mask contains {"path": "$..pay", "action": "null"}
rows contains {"path": "$", "where": [` + text + `]}`
	}
	for _, tt := range []struct{ where, want string }{
		{`{"field": "tenant", "op": "eq", "input": "subject.tenant"}`, "own, colleague, other branch"},
		{`{"field": "branch", "op": "in", "input": "subject.branches"}`, "own, colleague"},
		{`{"field": "id", "op": "eq", "input": "subject.id"}`, "own"},
		{`{"field": "id", "op": "ne", "input": "subject.id"}`, "colleague, other branch, other tenant"},
		{`{"field": "tenant", "op": "eq", "value": input.subject.tenant}`, "own, colleague, other branch"},
		{`{"field": "tenant", "op": "in", "value": [input.subject.tenant]}`, "own, colleague, other branch"},
		{`{"field": "tenant", "op": "in", "value": []}`, ""},
		{`{"field": "stage", "op": "eq", "value": "open"}`, "own, colleague, other branch, other tenant"},
		{`{"field": "tenant", "op": "eq", "input": "subject.claims.tenant"}`, "own, colleague, other branch, other tenant"},
		{`{"not": {"field": "tenant", "op": "eq", "input": "subject.tenant"}}`, "other tenant"},
		{`{"not": {"field": "stage", "op": "eq", "value": "open"}}`, "own, colleague, other branch, other tenant"},
		{`{"any": [{"field": "id", "op": "eq", "input": "subject.id"}, {"field": "branch", "op": "eq", "input": "subject.branch"}]}`, "own, colleague"},
		{`{"all": [{"field": "tenant", "op": "eq", "input": "subject.tenant"}, {"field": "branch", "op": "ne", "input": "subject.branch"}]}`, "other branch"},
		{`{"field": "tenant", "op": "startswith", "input": "subject.tenant"}`, "own, colleague, other branch"},
	} {
		t.Run(tt.where, func(t *testing.T) {
			got := states(survey(t, condition(tt.where)).Matrix())
			var whose []string
			for _, w := range []string{"own", "colleague", "other branch", "other tenant"} {
				if got["list "+w+" hr pay"] != "no row" {
					whose = append(whose, w)
				}
			}
			if s := strings.Join(whose, ", "); s != tt.want {
				t.Errorf("records of %q pass, want %q", s, tt.want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	const grants = `all_rows := true
classified contains "$..pay"
allow if input.subject.role == "hr"
`
	mask := func(action string) string {
		return grants + `mask contains {"path": "$..pay", "action": "` + action + `", "class": "pay"}`
	}
	const open = grants + "all_fields := true"
	const shut = `allow if {
	input.subject.role == "hr"
	input.action.name == "delete"
}
mask contains {"path": "$..pay", "action": "drop", "class": "pay"}
all_rows := true`
	for _, tt := range []struct{ name, was, now, want string }{
		{"nothing", mask("null"), mask("null"), ""},
		{"a mask less", mask("null"), open, "newly visible hr pay: null -> visible"},
		{"a mask more", open, mask("null"), "stricter hr pay: visible -> null"},
		{"another mask", mask("redact"), mask("partial"), "less strictly masked hr pay: redact -> partial"},
		{"a drop that is a redaction now", mask("drop"), mask("redact"), "less strictly masked hr pay: drop -> redact"},
		{"a grant, masked", shut, mask("redact"), "newly answered hr pay: denied -> redact"},
		{"a grant that shows a part", shut, mask("hash"), "less strictly masked hr pay: denied -> hash"},
		{"a grant in the clear", shut, open, "newly visible hr pay: denied -> visible"},
		{"another role", mask("null"), open + "\nallow if input.subject.role == \"intern\"", "newly visible hr pay: null -> visible\nnewly visible intern pay: denied -> visible"},
		{
			"a field in another spelling", grants + `mask contains {"path": "$..Pay", "action": "null"}`, open,
			"newly visible hr Pay: null -> visible",
		},
		{"a field that nobody knows any more", mask("null"), "allow if input.subject.role == \"hr\"\nall_rows := true\nall_fields := true", "newly visible hr pay: null -> visible"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			routes := []opa.Probe{{Route: "me", Path: "/me", Methods: []string{"GET"}, Rows: true}}
			before, now := engine(t, tt.was), engine(t, tt.now)
			o := matrix.Options{Routes: routes}.Vocabularies(before.Vocabulary(), now.Vocabulary())
			a, err := matrix.Ask(t.Context(), before, o)
			if err != nil {
				t.Fatal(err)
			}
			b, err := matrix.Ask(t.Context(), now, o)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, s := range matrix.Summarize(matrix.Compare(a, b)) {
				lines = append(lines, fmt.Sprintf("%s %s %s: %s -> %s", s.Kind, s.Who, strings.Join(s.Fields, " "), s.Was, s.Now))
			}
			if d := cmp.Diff(tt.want, strings.Join(lines, "\n")); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
		})
	}
}

// What was not asked before was not seen before.
func TestCompareMoreRoutes(t *testing.T) {
	const policy = `allow := true if input.subject
classified contains "$..pay"`
	one, two := opa.Probe{Route: "one", Path: "/one"}, opa.Probe{Route: "two", Path: "/two"}
	changes := matrix.Compare(survey(t, policy, one), survey(t, policy, one, two))
	for _, c := range changes {
		if c.Route != "two" || c.Was != matrix.Denied || !c.Shows() {
			t.Errorf("%+v", c)
		}
	}
	if len(changes) == 0 {
		t.Error("a route more is no change")
	}
}

// A filter for an empty value is not one for what the caller is.
func TestEmptyValues(t *testing.T) {
	e := engine(t, `allow := true if input.subject
classified contains "$..pay"
rows contains {"path": "$", "where": [{"field": "stage", "op": "eq", "value": ""}]}`)
	o := matrix.Options{Routes: []opa.Probe{{Route: "r", Path: "/r"}}, Subject: &policies.Subject{ID: "e1"}}
	s, err := matrix.Ask(t.Context(), e, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.Matrix() {
		if c.State != matrix.Visible {
			t.Errorf("%+v", c)
		}
	}
}

func TestForms(t *testing.T) {
	cells := survey(t, `allow if input.subject.role in {"hr", "staff"}
mask contains {"path": path, "action": "null", "class": "pay"} if {
	input.subject.role == "staff"
	some path in ["$..salary", "$..net"]
}
mask contains {"path": "$..['<b>']", "action": "partial"}
rows contains {"path": "$", "where": [{"field": "tenant", "op": "eq", "input": "subject.tenant"}]}`).Matrix()
	var text strings.Builder
	if err := matrix.Text(&text, cells); err != nil {
		t.Fatal(err)
	}
	const want = `class pay  net salary

ROUTE staff

list: own, colleague, other branch; read: own, colleague, other branch; create: own, colleague, other branch; update: own, colleague, other branch; delete: own, colleague, other branch
       hr       staff    (other)
  <b>  partial  partial  denied
  pay  visible  null     denied

list: other tenant; read: other tenant; create: other tenant; update: other tenant; delete: other tenant
  nobody gets anything
`
	if d := cmp.Diff(want, text.String()); d != "" {
		t.Errorf("text (-want +got):\n%s", d)
	}

	var table strings.Builder
	if err := matrix.CSV(&table, cells); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(table.String())).ReadAll()
	if err != nil || len(lines) != len(cells)+1 || len(lines[0]) != 9 {
		t.Errorf("%d lines of CSV for %d cells, %v", len(lines), len(cells), err)
	}

	var page strings.Builder
	if err := matrix.HTML(&page, cells, "r1"); err != nil {
		t.Fatal(err)
	}
	for _, has := range []string{`<td class="closed">null</td>`, `<td class="visible">visible</td>`, `<td class="masked">partial</td>`, "&lt;b&gt;", "Policies r1."} {
		if !strings.Contains(page.String(), has) {
			t.Errorf("the page lacks %s", has)
		}
	}
	for _, lacks := range []string{"<b>", "<script", "src=", "href=", "url("} {
		if strings.Contains(page.String(), lacks) {
			t.Errorf("the page has %s", lacks)
		}
	}
}

func TestRoutes(t *testing.T) {
	ask := func(route, path string) *policies.Input {
		return &policies.Input{Resource: policies.Resource{Route: route, Path: path}}
	}
	got := matrix.Routes([]*policies.Input{
		ask("b", "/api/b/7/x"), ask("b", "/api/b/"), ask("a", "/api/a/1"), ask("b", "/api/b/9"), ask("top", "/"),
	})
	want := []opa.Probe{{Route: "a", Path: "/api/a/"}, {Route: "b", Path: "/api/b/"}, {Route: "top", Path: "/"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("routes (-want +got):\n%s", d)
	}
}

// Each route is asked for what its path and methods are.
func TestQuestions(t *testing.T) {
	policy := `allow if input.subject.role == "hr"
classified contains "$..pay"`
	for path, want := range map[string]string{
		"/a/":      "list own, read own, read colleague",
		"/a/{id}":  "read own, read colleague",
		"/a/me":    "read own",
		"/{t}/me/": "list own, read own, read colleague",
	} {
		s := survey(t, policy, opa.Probe{Route: "r", Path: path, Methods: []string{"GET", "HEAD"}})
		var got []string
		for _, c := range s.Matrix() {
			if c.Role == "hr" && (c.Whose == "own" || c.Whose == "colleague" && c.Action != "list" && path != "/a/me") {
				got = append(got, c.Action+" "+c.Whose)
			}
		}
		if g := strings.Join(got, ", "); g != want {
			t.Errorf("%s: asked for %s, want %s", path, g, want)
		}
	}
}

func TestTooManyRoles(t *testing.T) {
	o := matrix.Options{Roles: make([]string, 250), Routes: []opa.Probe{{Route: "r", Path: "/"}}}
	if _, err := matrix.Ask(t.Context(), engine(t, "allow := true"), o); err == nil {
		t.Error("250 roles were asked for")
	}
}
