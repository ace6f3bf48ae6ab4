package matrix

import (
	"cmp"
	"slices"
	"strings"
)

// Kinds of change, worst first.
const (
	NewlyVisible = "newly visible"        // in the clear, and was not
	Looser       = "less strictly masked" // something of the value shows that did not
	Opened       = "newly answered"       // the request passes, nothing of the value shows
	Stricter     = "stricter"
)

// Change is a cell that differs between two sets of policies.
type Change struct {
	Kind string `json:"kind"`
	Cell        // as it is now
	Was  string `json:"was"`
}

// Shows reports a change after which a role sees more of a value than before.
func (c Change) Shows() bool { return c.Kind == NewlyVisible || c.Kind == Looser }

// Compare gives the cells that differ, what is newly visible first. Both surveys
// must be of the same options. Every field that either of them knows is compared:
// one that the policies no longer speak of is one that they no longer mask.
func Compare(before, now *Survey) []Change {
	v := learn(before, now)
	was := map[Cell]string{}
	for _, c := range before.cells(v) {
		was[c.place()] = c.State
	}
	var out []Change
	for _, c := range now.cells(v) {
		// What was not asked before was not seen before.
		if old := cmp.Or(was[c.place()], Denied); old != c.State {
			out = append(out, Change{kind(old, c.State), c, old})
		}
	}
	order := []string{NewlyVisible, Looser, Opened, Stricter}
	slices.SortStableFunc(out, func(a, b Change) int {
		return cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind))
	})
	return out
}

// place is a cell without what it says.
func (c Cell) place() Cell {
	c.State, c.Detail = "", ""
	return c
}

func kind(old, now string) string {
	nothing := []string{Denied, Filtered, Hidden, "drop", "null", "redact"} // nothing of the value shows
	switch {
	case rank(now) < rank(old):
		return Stricter
	case now == Visible:
		return NewlyVisible
	case slices.Contains([]string{Denied, Filtered}, old) && slices.Contains(nothing, now):
		return Opened
	}
	return Looser
}

// Summary is one line for all changes that are alike but for fields of one class
// and where they happen.
type Summary struct {
	Kind, Who, Class, Was, Now string
	Fields                     []string
	Where                      []string // "employees read: own, colleague"
}

// Summarize joins changes that are alike.
func Summarize(changes []Change) []Summary {
	type key struct{ kind, who, class, field, was, now string }
	where := map[key][]string{}
	var order []key
	for _, c := range changes {
		k := key{c.Kind, c.who(), c.Class, c.Field, c.Was, c.State}
		if where[k] == nil {
			order = append(order, k)
		}
		where[k] = addWhere(where[k], c.Route+" "+c.Action+": ", c.Whose)
	}
	var out []Summary
	for _, k := range order {
		s := Summary{Kind: k.kind, Who: k.who, Class: k.class, Was: k.was, Now: k.now, Where: where[k]}
		i := slices.IndexFunc(out, s.alike)
		if i < 0 {
			i = len(out)
			out = append(out, s)
		}
		out[i].Fields = append(out[i].Fields, k.field)
	}
	return out
}

// addWhere lists whose records behind what is done to them, unless it is all.
func addWhere(list []string, done, whose string) []string {
	if n := len(list); n > 0 && strings.HasPrefix(list[n-1], done) {
		list[n-1] = strings.TrimSuffix(list[n-1]+", "+whose, ": "+strings.Join(records(), ", "))
		return list
	}
	return append(list, done+whose)
}

func (s *Summary) alike(t Summary) bool {
	return s.Kind == t.Kind && s.Who == t.Who && s.Class == t.Class && s.Was == t.Was && s.Now == t.Now && slices.Equal(s.Where, t.Where)
}
