package redact

import (
	"slices"
	"strings"
	"testing"
)

func eq(field string, value any) Cond { return Cond{Field: field, Op: "eq", Value: value} }

func not(c Cond) Cond { return Cond{Not: &c} }

func keeps(t *testing.T, row string, where ...Cond) bool {
	t.Helper()
	p := compile(t, Spec{Rows: []RowFilter{{Path: "$[*]", Where: where}}})
	got, _, err := appendBoth(t, nil, []byte("["+row+"]"), p, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return string(got) != "[]"
}

// TestKleene writes down the tables of Kleene's logic: y, n and u are
// comparisons that come to yes, no and undefined. A condition is no if its
// negation is yes, and undefined if neither is.
func TestKleene(t *testing.T) {
	leaves := map[rune]Cond{'y': eq("one", 1), 'n': eq("one", 2), 'u': eq("none", 1)}
	pair := func(s string) (out []Cond) {
		for _, c := range s {
			out = append(out, leaves[c])
		}
		return out
	}
	any := map[string]rune{"yy": 'y', "yn": 'y', "yu": 'y', "nn": 'n', "nu": 'u', "uu": 'u', "y": 'y', "n": 'n', "u": 'u', "nun": 'u', "uny": 'y'}
	all := map[string]rune{"yy": 'y', "yn": 'n', "yu": 'u', "nn": 'n', "nu": 'n', "uu": 'u', "y": 'y', "n": 'n', "u": 'u', "yuy": 'u', "uyn": 'n'}
	judge := func(what string, c Cond, want rune) {
		t.Helper()
		if keeps(t, `{"one":1}`, c) != (want == 'y') || keeps(t, `{"one":1}`, not(c)) != (want == 'n') {
			t.Errorf("%s is not %c", what, want)
		}
	}
	for in, want := range any {
		judge("any "+in, Cond{Any: pair(in)}, want)
		back := pair(in)
		slices.Reverse(back)
		judge("any, backwards "+in, Cond{Any: back}, want)
	}
	for in, want := range all {
		judge("all "+in, Cond{All: pair(in)}, want)
		back := pair(in)
		slices.Reverse(back)
		judge("all, backwards "+in, Cond{All: back}, want)
	}
	judge("not not yes", not(not(leaves['y'])), 'y')
	judge("not not undefined", not(not(leaves['u'])), 'u')
}

func TestCombinedConditions(t *testing.T) {
	mine := Cond{Any: []Cond{eq("owner", "ann"), {All: []Cond{eq("branch.id", 7), not(eq("sealed", true))}}}}
	for row, want := range map[string]bool{
		`{"owner":"ann"}`: true,
		`{"owner":"bob"}`: false,
		`{"owner":"bob","branch":{"id":7},"sealed":false}`:   true,
		`{"owner":"bob","branch":{"id":7},"sealed":true}`:    false,
		`{"owner":"bob","branch":{"id":7}}`:                  false, // sealed is undefined, and so is its negation
		`{"owner":"ann","branch":{"id":8},"sealed":true}`:    true,
		`{"owner":"ann","owner":"bob","branch":{"id":7}}`:    false,
		`{"owner":"ann","branch":{"id":7},"branch":{}}`:      true,
		`{"owner":1,"branch":{"id":7},"sealed":0}`:           false,
		`{"branch":{"ID":7},"sealed":false,"owner":["ann"]}`: false,
	} {
		if keeps(t, row, mine) != want {
			t.Errorf("%s: kept is not %v", row, want)
		}
		if keeps(t, row, mine, eq("other", 1)) {
			t.Errorf("%s: the second condition does not count", row)
		}
	}
	// One field in several comparisons, and one filter inside another.
	both := Cond{All: []Cond{{Field: "n", Op: "gt", Value: 1}, {Field: "n", Op: "lt", Value: 3}, not(eq("n", 2.5))}}
	p := compile(t, Spec{Rows: []RowFilter{
		{Path: "$[*]", Where: []Cond{both}},
		{Path: "$[*].sub", Where: []Cond{{Any: []Cond{both, eq("k", "x")}}}},
	}})
	const in = `[{"n":2,"sub":[{"n":1},{"n":2},{"k":"x"},{"n":2.5,"k":"y"}]},{"n":2.5},{"n":3}]`
	got, _, err := appendBoth(t, nil, []byte(in), p, Limits{})
	if want := `[{"n":2,"sub":[{"n":2},{"k":"x"}]}]`; string(got) != want || err != nil {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestConditionsThatDoNotCompile(t *testing.T) {
	leaf := eq("a", 1)
	nested := func(depth int) Cond {
		c := leaf
		for range depth - 1 {
			c = not(c)
		}
		return c
	}
	many := func(n int) []Cond { return slices.Repeat([]Cond{leaf}, n) }
	tests := []struct {
		name  string
		where []Cond
		err   string // "" for none
	}{
		{"empty any", []Cond{{Any: []Cond{}}}, "any and all need a condition"},
		{"empty all", []Cond{{All: []Cond{}}}, "any and all need a condition"},
		{"nothing at all", []Cond{{}}, "field is empty"},
		{"an empty part", []Cond{{Any: []Cond{leaf, {}}}}, "field is empty"},
		{"any and all", []Cond{{Any: many(1), All: many(1)}}, "one of any, all and not"},
		{"all and not", []Cond{{All: many(1), Not: &leaf}}, "one of any, all and not"},
		{"any and field", []Cond{{Any: many(1), Field: "a"}}, "not both"},
		{"any and op", []Cond{{Any: many(1), Op: "eq"}}, "not both"},
		{"not and value", []Cond{{Not: &leaf, Value: 1}}, "not both"},
		{"not and missing", []Cond{{Not: &leaf, Missing: true}}, "not both"},
		{"unknown op inside", []Cond{not(Cond{Field: "a", Op: "like", Value: "x"})}, `op "like" is unknown`},
		{"list for a string", []Cond{{Field: "a", Op: "startswith", Value: []any{"x"}}}, "in and not_in compare with a list"},
		{"deep", []Cond{nested(16)}, ""},
		{"too deep", []Cond{nested(17)}, "nested deeper than 16"},
		{"many", []Cond{{Any: many(200)}, {All: many(56)}}, ""},
		{"too many", []Cond{{Any: many(200)}, {All: many(57)}}, "more than 256 comparisons"},
	}
	for _, tt := range tests {
		_, err := Compile(Spec{Rows: []RowFilter{{Path: "$", Where: tt.where}}}, Options{})
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	two := []RowFilter{{Path: "$.a", Where: []Cond{{Any: many(200)}}}, {Path: "$.b", Where: many(57)}}
	if _, err := Compile(Spec{Rows: two}, Options{}); err == nil {
		t.Error("the bound does not hold for all filters together")
	}
}
