package redact

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestRuleCounts(t *testing.T) {
	keep := func(path string) []RowFilter { return []RowFilter{{Path: path, Where: []Cond{eq("k", 1)}}} }
	tests := []struct {
		name   string
		rules  []string
		rows   []RowFilter
		expose []string
		in     string
		want   []int
	}{
		{name: "no rules", in: `{"a":1}`},
		{name: "in the order of the spec", rules: []string{"$.a partial", "$.b drop", "$.c redact", "$.d null"}, in: `{"d":1,"a":1,"c":1,"b":1,"A":1}`, want: []int{2, 1, 1, 1}},
		{name: "nothing matches", rules: []string{"$.x drop", "$.y show"}, in: `{"a":1}`, want: []int{0, 0}},
		{name: "the strictest counts", rules: []string{"$..a partial", "$.b.a null", "$.b.a redact"}, in: `{"a":1,"b":{"a":1}}`, want: []int{1, 1, 0}},
		{name: "of equals the first", rules: []string{"$.a redact", "$.a redact"}, in: `{"a":1}`, want: []int{1, 0}},
		{name: "element by element", rules: []string{"$.a hash"}, in: `{"a":[1,[2,{"x":3,"y":4}],null]}`, want: []int{4}},
		{name: "objects under the weaker actions", rules: []string{"$.c drop", "$.a hash", "$.b partial"}, in: `{"a":{"x":1},"b":[{"y":1},{"y":2}]}`, want: []int{0, 1, 2}},
		{name: "what a mask leaves beside a show", rules: []string{"$.a tokenize", "$.a.s show", "$..z drop"}, in: `{"a":{"x":1,"s":{"z":1,"y":1},"w":{"q":1}}}`, want: []int{2, 0, 1}},
		{name: "a container that is replaced takes the inside along", rules: []string{"$.a null", "$.a.b drop", "$.a.s show"}, in: `{"a":{"b":1,"c":2}}`, want: []int{1, 0, 0}},
		{name: "rows", rules: []string{"$..a redact", "$..b drop"}, rows: keep("$[*]"), in: `[{"a":1,"b":1,"k":0},{"a":1,"k":1},{"b":[{"a":1}],"k":2}]`, want: []int{1, 0}},
		{name: "rows in rows", rules: []string{"$..a redact"}, rows: append(keep("$.r[*]"), keep("$..s[*]")...), in: `{"r":[{"k":1,"a":1,"s":[{"k":1,"a":1},{"k":0,"a":1}]},{"s":[{"k":1,"a":1}],"a":1,"k":0}],"a":1}`, want: []int{3}},
		{name: "scalar rows", rules: []string{"$[*] partial"}, rows: []RowFilter{{Path: "$[*]", Where: []Cond{eq("@", 1)}}}, in: `[1,2,1]`, want: []int{2}},
		{name: "hidden", rules: []string{"$..a redact"}, expose: []string{"$..x.y", "$.n.m"}, in: `{"q":{"x":{"a":1,"z":[{"a":2}]}},"n":{"m":{"a":1},"a":{}}}`, want: []int{1}},
		{name: "a scalar where a container is exposed", rules: []string{"$.a hash"}, expose: []string{"$.a.b"}, in: `{"a":1}`, want: []int{1}},
	}
	for _, tt := range tests {
		p := compile(t, Spec{Rules: rules(t, tt.rules...), Rows: tt.rows, Expose: tt.expose})
		_, report, err := appendBoth(t, nil, []byte(tt.in), p, Limits{})
		if err != nil || !slices.Equal(report.Rules, tt.want) || (report.Rules == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, %v; want %v", tt.name, report.Rules, err, tt.want)
		}
		sum := 0
		for _, n := range report.Rules {
			sum += n
		}
		if sum != report.Masked {
			t.Errorf("%s: the rules masked %d, all in all %d were", tt.name, sum, report.Masked)
		}
	}
}

// TestManyUndecided: what is counted while rows are undecided is exact, and
// remembered in little memory.
func TestManyUndecided(t *testing.T) {
	const many = 20_000
	inner := strings.Repeat(`{"a":1,"b":"x","c":[1,2]},`, many)
	row := func(k int) string {
		return fmt.Sprintf(`{"r":[{"x":[%s{"a":1}],"k":1},{"x":[%s0],"k":0}],"a":1,"k":%d}`, inner, inner, k)
	}
	text := `{"r":[` + row(1) + `,` + row(0) + `,` + row(1) + `],"a":1}`
	plan := compile(t, Spec{
		Rules: rules(t, "$..c[*] partial", "$..b drop", "$..a null"),
		Rows:  []RowFilter{{Path: "$..r[*]", Where: []Cond{eq("k", 1)}}},
	})
	want := []int{4 * many, 2 * many, 2*many + 5}
	_, report, err := Append(nil, []byte(text), plan, Limits{})
	if err != nil || !slices.Equal(report.Rules, want) {
		t.Errorf("Append: %v, %v; want %v", report.Rules, err, want)
	}
	reader := NewReader(plan, strings.NewReader(text), Limits{Element: never})
	if _, err := io.Copy(io.Discard, reader); err != nil || !slices.Equal(reader.Report().Rules, want) {
		t.Errorf("Reader: %v, %v; want %v", reader.Report().Rules, err, want)
	}
	// Two rows are open, and each may leave as much as it sums up.
	if n := cap(reader.e.tally.log); n > 8*minSum {
		t.Errorf("the log has grown to %d", n)
	}
}
