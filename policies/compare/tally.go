package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Group is one difference as it was met for one role on one route.
type Group struct {
	Difference
	Route string `json:"route"`
	Role  string `json:"role"` // "" for callers without one
	Count int    `json:"count"`
	// First and Last are the ids of the requests that met it.
	First string `json:"first_request"`
	Last  string `json:"last_request"`
}

// Tally groups differences by role and route. The zero value is ready for use;
// it is not safe for use by several goroutines at once.
type Tally struct {
	// Max is how many groups are kept; for one more, the one that was not met
	// for the longest time goes. 0 keeps all.
	Max int

	groups map[key]*Group
	met    map[key]int // when a group was met last, in differences
	clock  int
}

type key struct {
	Difference
	route, role string
}

// String says it in a line: "newly visible $..salary: redact -> shown (employees,
// staff, 12 times)".
func (g Group) String() string {
	role, times := cmp.Or(g.Role, "no role"), "once"
	if g.Count != 1 {
		times = fmt.Sprintf("%d times", g.Count)
	}
	return fmt.Sprintf("%v (%s, %s, %s)", g.Difference, g.Route, role, times)
}

// Add counts the differences that a request met, as often as it was met.
func (t *Tally) Add(route, role, id string, times int, found []Difference) {
	if t.groups == nil {
		t.groups, t.met = map[key]*Group{}, map[key]int{}
	}
	for _, d := range found {
		k := key{d, route, role}
		g := t.groups[k]
		if g == nil {
			t.room()
			g = &Group{Difference: d, Route: strings.Clone(route), Role: strings.Clone(role), First: id}
			t.groups[k] = g
		}
		g.Count += times
		g.Last = id
		t.clock++
		t.met[k] = t.clock
	}
}

// room makes room for one more group.
func (t *Tally) room() {
	if t.Max <= 0 || len(t.groups) < t.Max {
		return
	}
	var oldest key
	at := t.clock + 1
	for k, met := range t.met {
		if met < at {
			oldest, at = k, met
		}
	}
	delete(t.groups, oldest)
	delete(t.met, oldest)
}

// Groups lists them: the most dangerous first, then the most frequent.
func (t *Tally) Groups() []Group {
	out := make([]Group, 0, len(t.groups))
	for _, g := range t.groups {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b Group) int {
		return cmp.Or(
			cmp.Compare(a.Kind.rank(), b.Kind.rank()), cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.Route, b.Route), cmp.Compare(a.Role, b.Role), cmp.Compare(a.What, b.What),
			cmp.Compare(a.Before, b.Before), cmp.Compare(a.After, b.After),
		)
	})
	return out
}

// Opens reports whether any of the differences gives somebody more than before.
func Opens(list []Difference) bool {
	return slices.ContainsFunc(list, func(d Difference) bool { return d.Kind.Opens() })
}
