package redact

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestColumns: what a plan makes of columns, by their names.
func TestColumns(t *testing.T) {
	plan := compile(t, Spec{
		Rules:  rules(t, "$.data.ssn redact", "$..* partial", "$.x show", "$.pay.* null", "$['salary'] drop"),
		Expose: []string{"$.x", "$..ssn", "$[*].salary", "$['Pay Grade']"},
	})
	names := []string{"x", "X", "ssn", "SSN", "salary", "Pay Grade", "other"}
	c := plan.Columns(names, Limits{})
	want := []Action{0, Drop, Redact, Drop, Drop, Null, Drop}
	for i, name := range names {
		if got := c.Action(i); got != want[i] {
			t.Errorf("%s: %v, want %v", name, got, want[i])
		}
	}
	report := Report{Masked: 9, Hidden: 9, Dropped: 5, Rules: []int{3, 0, 0, 3, 3}}
	if got := c.Report(3, 5); !cmp.Equal(got, report) {
		t.Error(cmp.Diff(report, got))
	}
	if got := compile(t, Spec{}).Columns(names, Limits{}).Report(3, 0); !cmp.Equal(got, Report{}) {
		t.Errorf("without rules: %+v", got)
	}
}

// TestColumnText: what becomes of a text, appended to what is there.
func TestColumnText(t *testing.T) {
	for _, tt := range []struct{ action, in, want string }{
		{"redact", "", "***"},
		{"redact", strings.Repeat("x", 99), "***"},
		{"null", "v", ""},
		{"partial", "", ""},
		{"partial", "12345678", "****5678"},
		{"partial", "1234567.8", "***"},
		{"partial", "\"\"\"\"\"\x01\\\"x", "****\x01\\\"x"},
		{"generalize", "", ""},
		{"generalize", "1999", "1000"},
		{"generalize", "1999-12", "1999"},
		{"generalize", "-", "***"},
		{"generalize", strings.Repeat("1", 20), "***"},
		{"hash", "", ""},
		{"hash", strings.Repeat("x", 33), "***"},
		{"tokenize", strings.Repeat("x", 33), "***"},
	} {
		c := compile(t, Spec{Rules: rules(t, "$.a "+tt.action)}).Columns([]string{"b", "a"}, Limits{Scalar: 32})
		if got := string(c.Append([]byte("x,"), []byte(tt.in), 1)); got != "x,"+tt.want {
			t.Errorf("%s of %q: %q, want %q", tt.action, tt.in, got, tt.want)
		}
		if got := string(c.Append([]byte("x,"), []byte(tt.in), 0)); got != "x,"+tt.in {
			t.Errorf("no mask of %q: %q", tt.in, got)
		}
	}
}

// TestColumnRows: the reading of texts in conditions. Package table has more.
func TestColumnRows(t *testing.T) {
	for _, tt := range []struct {
		cond Cond
		text string
		want bool
	}{
		{Cond{Field: "a.b", Op: "eq", Value: 1.5}, "15e-1", true},
		{Cond{Field: "a.b", Op: "eq", Value: 1.5}, "+1.5", false},
		{Cond{Field: "a.b", Op: "ne", Value: 1.5}, "+1.5", false},
		{Cond{Field: "a.b", Op: "eq", Value: "+1.5"}, "+1.5", true},
		{Cond{Field: "a.b", Op: "eq", Value: nil}, "", true},
		{Cond{Field: "a.b", Op: "exists"}, "", false},
		{Cond{Field: "a.b", Op: "exists", Value: false}, "", false},
		{Cond{Field: "a.b", Op: "exists"}, "x", true},
		{Cond{Field: "@", Op: "exists"}, "x", false},
		{Cond{Field: "b", Op: "exists", Value: false}, "x", false},
		{Cond{Not: &Cond{Field: "b", Op: "eq", Value: 1}}, "x", false},
		{Cond{Any: []Cond{{Field: "b", Op: "exists"}, {Field: "a.b", Op: "in", Value: []any{1, "x"}}}}, "x", true},
		{Cond{Field: "a.b", Op: "ne", Value: "y"}, strings.Repeat("x", 32), true},
		{Cond{Field: "a.b", Op: "ne", Value: "y"}, strings.Repeat("x", 33), false},
	} {
		plan := compile(t, Spec{Rows: []RowFilter{{Path: "$", Where: []Cond{{Field: "c", Op: "eq", Value: "c"}}}, {Path: "$.none[*]", Where: []Cond{tt.cond}}}})
		c := plan.Columns([]string{"c", "a.b"}, Limits{Scalar: 32})
		text := func(first string) func(int) []byte {
			return func(i int) []byte { return []byte([]string{first, tt.text}[i]) }
		}
		if got := c.Passes(text("c")); got != tt.want || !c.Filtered() {
			t.Errorf("%+v of %q: %t", tt.cond, tt.text, got)
		}
		if c.Passes(text("x")) {
			t.Errorf("%+v of %q: one filter is enough", tt.cond, tt.text)
		}
	}
	c := compile(t, Spec{}).Columns([]string{"a"}, Limits{})
	if c.Filtered() || !c.Passes(nil) {
		t.Error("no filter, and yet")
	}
}

// TestHeading: how names are cut.
func TestHeading(t *testing.T) {
	for _, tt := range []struct{ column, holds, not string }{
		{"a", "a A _a a-", "b aa"},
		{"a.b/c", "a b c ab bc abc a_bc", "ac cb abcd"},
		{"a_b c-d", "ab cd abcd", "a b bc abc"},
		{"a__b--c_-d", "a b c d ab abcd", "ac"},
		{"ab.a.b", "ab a b aba abab", "bab ba"},
		{"é.ü", "é ü éü", "e"},
		{"x\u00adx", "x xx", "xxx"},
		{"_", "_ -", "x"},
		{"", "_", "x"},
	} {
		h := newHeading(tt.column)
		for _, name := range strings.Fields(tt.holds) {
			if !h.holds(newHeading(name)) {
				t.Errorf("%q does not hold %q", tt.column, name)
			}
		}
		for _, name := range strings.Fields(tt.not) {
			if h.holds(newHeading(name)) {
				t.Errorf("%q holds %q", tt.column, name)
			}
		}
	}
}
