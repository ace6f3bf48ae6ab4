package compare

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTally(t *testing.T) {
	visible := Difference{Kind: NewlyVisible, What: "$..salary", Before: "redact", After: "no mask"}
	refused := Difference{Kind: NewlyRefused}
	var y Tally
	if len(y.Groups()) != 0 {
		t.Error("there is something in nothing")
	}
	y.Add("employees", "hr", "q1", 1, []Difference{refused})
	y.Add("employees", "staff", "q2", 1, []Difference{refused, visible})
	y.Add("employees", "staff", "q3", 4, []Difference{visible})
	want := []Group{
		{visible, "employees", "staff", 5, "q2", "q3"},
		{refused, "employees", "hr", 1, "q1", "q1"},
		{refused, "employees", "staff", 1, "q2", "q2"},
	}
	if diff := cmp.Diff(want, y.Groups()); diff != "" {
		t.Error(diff)
	}
	if got := y.Groups()[0].String() + "; " + y.Groups()[1].String(); got !=
		"newly visible $..salary: redact -> no mask (employees, staff, 5 times); newly refused (employees, hr, once)" {
		t.Error(got)
	}
	if Opens([]Difference{refused}) || !Opens([]Difference{refused, visible}) || Opens(nil) {
		t.Error("what opens is not told from what does not")
	}
}

// TestTallyIsBounded: what was met again stays, what was met last is there.
func TestTallyIsBounded(t *testing.T) {
	y := Tally{Max: 2}
	for _, route := range []string{"a", "b", "a", "c"} {
		y.Add(route, "hr", "q", 1, []Difference{{Kind: NewlyVisible, What: "$.x"}})
	}
	var routes []string
	for _, g := range y.Groups() {
		routes = append(routes, g.Route)
	}
	if diff := cmp.Diff([]string{"a", "c"}, routes); diff != "" {
		t.Error(diff)
	}
}
