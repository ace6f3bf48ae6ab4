package matrix

import (
	"cmp"
	"maps"
	"slices"
)

// Matrix is the whole table, in the order of routes, actions, records, roles and
// fields.
func (s *Survey) Matrix() []Cell { return s.cells(learn(s)) }

// cells judges every field of a vocabulary.
func (s *Survey) cells(v vocabulary) []Cell {
	cells := map[Cell]Cell{} // by all but what is seen, the least strict of several methods
	var order []Cell
	for _, a := range s.answers {
		for _, whose := range records() {
			if a.record && (whose == own) != a.own {
				continue
			}
			for _, f := range v.fields[a.route] {
				if f.action != "" && f.action != a.action {
					continue
				}
				key := Cell{
					Route: a.route, Action: a.action, Whose: whose, Role: a.role, Branch: a.branch, Class: f.class, Field: f.text(),
				}
				now := key
				now.State, now.Detail = a.state(v, f, whose)
				before, seen := cells[key]
				if !seen {
					order = append(order, key)
				}
				if !seen || rank(now.State) > rank(before.State) {
					cells[key] = now
				}
			}
		}
	}
	position := map[string]int{}
	for i, r := range s.options.Routes {
		position[r.Route] = i
	}
	slices.SortStableFunc(order, func(a, b Cell) int {
		return cmp.Or(
			cmp.Compare(position[a.Route], position[b.Route]),
			cmp.Compare(slices.Index(actions(), a.Action), slices.Index(actions(), b.Action)),
			cmp.Compare(slices.Index(records(), a.Whose), slices.Index(records(), b.Whose)),
		)
	})
	out := make([]Cell, len(order))
	for i, key := range order {
		out[i] = cells[key]
	}
	return out
}

// state judges one field of one answer.
func (a *answered) state(v vocabulary, f field, whose string) (state, detail string) {
	if a.decision == nil {
		return Denied, a.detail
	}
	if !f.absolute && !passes(a.decision.Rows, a.subject, whose) {
		return Filtered, ""
	}
	best := ""
	roots := vocabulary{roots: map[shape][][]string{}}
	at := shape{a.route, a.action}
	for _, row := range a.decision.Rows {
		roots.addRoot(at, row.Path)
	}
	if len(roots.roots) == 0 {
		roots = v
	}
	for _, place := range f.places(roots.roots[at]) {
		if s := stateAt(a.decision, place); best == "" || rank(s) > rank(best) {
			best = s
		}
	}
	return best, ""
}

func rank(state string) int { return slices.Index(Strictness(), state) }

// Classes lists the fields of each class that a matrix speaks of; "" for those of
// none.
func Classes(cells []Cell) map[string][]string {
	sets := map[string]map[string]bool{}
	for _, c := range cells {
		if sets[c.Class] == nil {
			sets[c.Class] = map[string]bool{}
		}
		sets[c.Class][c.Field] = true
	}
	out := map[string][]string{}
	for class, set := range sets {
		out[class] = slices.Sorted(maps.Keys(set))
	}
	return out
}
