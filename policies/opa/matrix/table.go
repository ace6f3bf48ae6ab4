package matrix

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table is a part of a matrix that people can read: what each role gets of each
// field on a route, for all actions and records for which that is the same.
type Table struct {
	Route string
	// When lists actions and whose records: "read: own, colleague".
	When []string
	// Who are the columns.
	Who  []string
	Rows []Line
	// Nothing says that nobody gets anything: then there are no rows.
	Nothing bool
}

// Line is one line of a table: fields of a class that are all alike.
type Line struct {
	Class, Field string // Field lists them, or is "" for the whole class
	States       []string
}

// Tables sorts cells into tables, in the order of the cells.
func Tables(cells []Cell) []Table {
	type when struct{ route, action, whose string }
	groups := map[when][]Cell{}
	var order []when
	for _, c := range cells {
		at := when{c.Route, c.Action, c.Whose}
		if groups[at] == nil {
			order = append(order, at)
		}
		groups[at] = append(groups[at], c)
	}
	var out []Table
	for _, at := range order {
		t := table(groups[at])
		i := slices.IndexFunc(out, func(o Table) bool { return o.same(t) })
		if i < 0 {
			i = len(out)
			out = append(out, t)
		}
		out[i].When = addWhere(out[i].When, at.action+": ", at.whose)
	}
	return out
}

func (t *Table) same(o Table) bool {
	return t.Route == o.Route && slices.Equal(t.Who, o.Who) && slices.EqualFunc(t.Rows, o.Rows, func(a, b Line) bool {
		return a.Class == b.Class && a.Field == b.Field && slices.Equal(a.States, b.States)
	})
}

// table makes one of the cells of one action and record.
func table(cells []Cell) Table {
	t := Table{Route: cells[0].Route, Nothing: true}
	var lines []Line
	for _, c := range cells {
		if !slices.Contains(t.Who, c.who()) {
			t.Who = append(t.Who, c.who())
		}
		i := slices.IndexFunc(lines, func(l Line) bool { return l.Class == c.Class && l.Field == c.Field })
		if i < 0 {
			i = len(lines)
			lines = append(lines, Line{Class: c.Class, Field: c.Field})
		}
		lines[i].States = append(lines[i].States, c.State)
		t.Nothing = t.Nothing && rank(c.State) <= rank(Filtered)
	}
	if t.Nothing {
		return t
	}
	for _, l := range lines {
		i := slices.IndexFunc(t.Rows, func(o Line) bool { return o.Class == l.Class && slices.Equal(o.States, l.States) })
		if i < 0 {
			t.Rows = append(t.Rows, l)
			continue
		}
		t.Rows[i].Field += " " + l.Field
	}
	for i, l := range t.Rows {
		if l.Class != "" && !slices.ContainsFunc(lines, func(o Line) bool {
			return o.Class == l.Class && !slices.Equal(o.States, l.States)
		}) {
			t.Rows[i].Field = ""
		}
	}
	return t
}

// Text writes a matrix for reading: the classes, then a table for each route and
// what is done there.
func Text(w io.Writer, cells []Cell) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	classes := Classes(cells)
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		if class != "" {
			fmt.Fprintf(t, "class %s\t%s\n", class, strings.Join(classes[class], " "))
		}
	}
	route := ""
	for _, table := range Tables(cells) {
		if table.Route != route {
			route = table.Route
			fmt.Fprintf(t, "\nROUTE %s\n", route)
		}
		fmt.Fprintf(t, "\n%s\n", strings.Join(table.When, "; "))
		if table.Nothing {
			fmt.Fprintln(t, "  nobody gets anything")
			continue
		}
		fmt.Fprintf(t, "  \t%s\n", strings.Join(table.Who, "\t"))
		for _, l := range table.Rows {
			name := l.Field
			if name == "" {
				name = l.Class
			}
			fmt.Fprintf(t, "  %s\t%s\n", name, strings.Join(l.States, "\t"))
		}
	}
	return t.Flush()
}

// CSV writes a line for each cell.
func CSV(w io.Writer, cells []Cell) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"route", "action", "whose", "role", "branch", "class", "field", "state", "detail"})
	for _, x := range cells {
		_ = c.Write([]string{x.Route, x.Action, x.Whose, x.Role, x.Branch, x.Class, x.Field, x.State, x.Detail})
	}
	c.Flush()
	return c.Error()
}

// Changes writes what has changed, a line for changes that are alike.
func Changes(w io.Writer, changes []Change) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range Summarize(changes) {
		fields := strings.TrimSpace(s.Class + " " + strings.Join(s.Fields, " "))
		fmt.Fprintf(t, "%s\t%s\t%s\t%s -> %s\t%s\n", s.Kind, s.Who, fields, s.Was, s.Now, strings.Join(s.Where, "; "))
	}
	return t.Flush()
}
