package redact

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReportsAddUp: what is told of a stream is what is told of a list of its
// texts.
func TestReportsAddUp(t *testing.T) {
	plan := detecting(t, Spec{Rules: []Rule{{Path: "$..a", Action: Redact}, {Path: "$..b", Action: Drop}}, Rows: []RowFilter{{Path: "$", Where: []Cond{eq("k", 1)}}}}, true)
	var sum Report
	for _, in := range []string{`{"k":1,"a":1,"b":2}`, `{"k":1,"x":"x@y","c":123456789012}`, `{"k":2,"a":1}`, `{"k":1,"b":2,"x":"x@y","A":"x@y"}`} {
		_, r, err := Append(nil, []byte(in), plan, Limits{Pointers: -1})
		if err != nil {
			r = Report{Dropped: 1}
		}
		sum.Add(r)
	}
	want := Report{
		Masked: 7, Dropped: 1, Rows: 3, Documents: 3, Rules: []int{2, 2},
		Found: []Finding{{"$.c", "number", 1}, {"$.x", "email", 2}},
	}
	if diff := cmp.Diff(want, sum); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestAddedPlacesAreBounded: a stream may go on for ever.
func TestAddedPlacesAreBounded(t *testing.T) {
	var sum Report
	for i := range 3 * maxFound {
		sum.Add(Report{Found: []Finding{{fmt.Sprintf("$.n%03d", i), "a", 1}, {fmt.Sprintf("$.n%03d", i), "b", 1}, {"", "a", 1}}})
	}
	sum.Add(Report{Found: []Finding{{"$.n000", "c", 1}}})
	if n := len(sum.Found); n != 2*maxFound+1+2 {
		t.Errorf("%d findings", n)
	}
	want := []Finding{{"", "a", 5 * maxFound}, {"", "b", 2 * maxFound}, {"$.n000", "a", 1}, {"$.n000", "b", 1}, {"$.n000", "c", 1}, {"$.n001", "a", 1}}
	if diff := cmp.Diff(want, sum.Found[:6]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
