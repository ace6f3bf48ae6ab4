package table

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// TestRows: which rows stay, by what is in a field and by what the columns are
// called.
func TestRows(t *testing.T) {
	cond := func(op string, value any) redact.Cond { return redact.Cond{Field: "k", Op: op, Value: value} }
	list := func(v ...any) []any { return v }
	for _, tt := range []struct {
		name  string
		cond  redact.Cond
		keeps []string
		drops []string
	}{
		{"string", cond("eq", "b1"), []string{"b1", `"b1"`}, []string{"b2", "B1", " b1", "b1 ", "", `""`, "1"}},
		{"string with a quote", cond("eq", `a"b`), []string{`"a""b"`}, []string{`"a""""b"`, "ab"}},
		{"other string", cond("ne", "b1"), []string{"b2", "B1", "12", "true"}, []string{"b1", "", `""`}},
		{"number", cond("eq", 12), []string{"12", "12.0", "1.2e1", `"120e-1"`}, []string{"12.1", "012", "+12", " 12", "12x", "", `"1,2"`, "NaN", "0xc"}},
		{"exact number", cond("eq", json.Number("9007199254740993")), []string{"9007199254740993"}, []string{"9007199254740992", "9007199254740993.1"}},
		{"other number", cond("ne", 12), []string{"13", "-12"}, []string{"12", "12.00", "x", "", "012"}},
		{"absurd number", cond("ne", 12), nil, []string{"1e99999999999999"}},
		{"less", cond("lt", 10), []string{"9", "-1e9", "9.99"}, []string{"10", "1e1", "11", "x", ""}},
		{"not less", cond("ge", 10), []string{"10", "11"}, []string{"9", "x", "", "010"}},
		{"less text", cond("lt", "b"), []string{"a", "10"}, []string{"b", "ba", ""}},
		{"true", cond("eq", true), []string{"true", "True"}, []string{"false", "False", "TRUE", "tRue", "1", "", "yes"}},
		{"not true", cond("ne", true), []string{"false", "False"}, []string{"true", "True", "FALSE", "0", "", "no"}},
		{"text of a boolean", cond("eq", "true"), []string{"true"}, []string{"True"}},
		{"null", cond("eq", nil), []string{"", `""`}, []string{"null", " ", "0", "x"}},
		{"not null", cond("ne", nil), []string{"null", " ", "0"}, []string{"", `""`}},
		{"in", cond("in", list("a", 2, true, nil)), []string{"a", "2", "2.0", "True", ""}, []string{"b", "3", "false"}},
		{"not in texts", cond("not_in", list("a", "b")), []string{"c", "1"}, []string{"a", "b", ""}},
		{"not in a mixture", cond("not_in", list("a", 2)), []string{"3"}, []string{"a", "2", "c", ""}},
		{"in nothing", cond("in", list()), nil, []string{"a", ""}},
		{"exists", cond("exists", nil), []string{"a", " "}, []string{"", `""`}},
		{"exists not", cond("exists", false), nil, []string{"a", "", `""`}},
		{"starts with", cond("startswith", "ab"), []string{"ab", "abc"}, []string{"a", "cab", ""}},
		{"contains", cond("contains", "1"), []string{"1", "x1"}, []string{"2", ""}},
		{"number is no text", cond("contains", 1), nil, []string{"1", "11"}},
		{"no value", redact.Cond{Field: "k", Op: "eq", Missing: true}, nil, []string{"a", ""}},
		{"not no value", redact.Cond{Not: &redact.Cond{Field: "k", Op: "eq", Missing: true}}, nil, []string{"a", ""}},
		{"not", redact.Cond{Not: &redact.Cond{Field: "k", Op: "eq", Value: 1}}, []string{"2"}, []string{"1", "x", ""}},
		{"any", redact.Cond{Any: []redact.Cond{cond("eq", "a"), cond("gt", 5)}}, []string{"a", "6"}, []string{"b", "5", ""}},
		{"all", redact.Cond{All: []redact.Cond{cond("gt", 3), cond("lt", 5)}}, []string{"4"}, []string{"3", "5", "x", ""}},
		{"any with what is missing", redact.Cond{Any: []redact.Cond{cond("eq", "a"), {Field: "none", Op: "ne", Value: "x"}}}, []string{"a"}, []string{"b"}},
	} {
		for _, path := range []string{"$", "$[*]", "$.data[*].x", "$..y"} {
			plan := compile(t, redact.Spec{Rows: []redact.RowFilter{{Path: path, Where: []redact.Cond{tt.cond}}}})
			in, want := "k,v\n", "k,v\n"
			for _, s := range tt.keeps {
				in += s + ",keep\n"
				want += s + ",keep\n"
			}
			for _, s := range tt.drops {
				in += s + ",drop\n"
			}
			got, report, err := run(t, plan, in, redact.Limits{})
			if got != want || err != nil || report.Dropped != len(tt.drops) {
				t.Errorf("%s, %s: %q, %+v, %v, want %q", tt.name, path, got, report, err, want)
			}
		}
	}
}

// TestFields: which column a field is.
func TestFields(t *testing.T) {
	for _, tt := range []struct {
		field, header string
		keeps         bool
	}{
		{"k", "k,x", true},
		{"k", "x,\"k\"", true},
		{"k", "x,y", false},
		{"k", "k,k", false},
		{"k", "k,K", false},
		{"k", "K,k", false},
		{"k", "k,_k", false},
		{"k", "k, k", false},
		{"k", "k,k\u200b", false},
		{"k", "K,x", false},
		{"k", "k,a.k", true},
		{"a.k", "a.k,x", true},
		{"a.k", "a.k,a k", false},
		{"a.k", "a.k,a/K", false},
		{"a.k", "a k,x", false},
		{"a.k", "k,a", false},
		{"['a.k']", "a.k,x", true},
		{"@.k", "k,x", true},
		{"@", "@x,@", false},
		{"@", "k,x", false},
	} {
		for _, c := range []redact.Cond{
			{Field: tt.field, Op: "eq", Value: "1"},
			{Field: tt.field, Op: "ne", Value: "2"},
			{Field: tt.field, Op: "exists"},
			{Not: &redact.Cond{Field: tt.field, Op: "exists", Value: false}},
		} {
			plan := compile(t, redact.Spec{Rows: []redact.RowFilter{{Path: "$", Where: []redact.Cond{c}}}})
			header := strings.ReplaceAll(tt.header, "@", "at") + "\n"
			want := header
			if tt.keeps {
				want += "1,1\n"
			}
			if got, _, err := run(t, plan, header+"1,1\n", redact.Limits{}); got != want || err != nil {
				t.Errorf("%+v of %q: %q, %v", c, tt.header, got, err)
			}
		}
		// A column that is not there does not say that the field is not.
		plan := compile(t, redact.Spec{Rows: []redact.RowFilter{{Path: "$", Where: []redact.Cond{{Field: "none", Op: "exists", Value: false}}}}})
		if got, _, err := run(t, plan, "k,v\n1,1\n", redact.Limits{}); got != "k,v\n" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// TestFilters: every filter judges every row.
func TestFilters(t *testing.T) {
	plan := compile(t, redact.Spec{Rows: []redact.RowFilter{
		{Path: "$.a[*]", Where: []redact.Cond{{Field: "x", Op: "eq", Value: 1}}},
		{Path: "$.b[*]", Where: []redact.Cond{{Field: "y", Op: "eq", Value: 1}, {Field: "z", Op: "eq", Value: 1}}},
	}}).OptionalRows()
	const in = "x,y,z\n1,1,1\n2,1,1\n1,2,1\n1,1,2\n"
	if got, report, err := run(t, plan, in, redact.Limits{}); got != "x,y,z\n1,1,1\n" || report.Dropped != 3 || err != nil {
		t.Errorf("%q, %+v, %v", got, report, err)
	}
}
