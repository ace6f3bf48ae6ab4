package compare

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// rows compares the row filters. All of them hold at once, and so do the
// conditions of one: a filter is as strict as before where one at the same path
// asks for all that it asked for.
func (l *differences) rows(a, b *policies.Decision) {
	for _, r := range a.Rows {
		if !implied(r, b.Rows) {
			l.add(RowsLoosened, r.Path, conditions(r), at(r.Path, b.Rows))
		}
	}
	for _, r := range b.Rows {
		if !implied(r, a.Rows) {
			l.add(RowsTightened, r.Path, at(r.Path, a.Rows), conditions(r))
		}
	}
	if len(a.Rows) == 0 && len(b.Rows) == 0 && a.AllRows != b.AllRows {
		l.either(sign(b.AllRows), RowsLoosened, RowsTightened, "all_rows", said(a.AllRows), said(b.AllRows))
	}
}

// implied reports whether one of the filters asks for everything that r does.
func implied(r policies.Row, by []policies.Row) bool {
	return slices.ContainsFunc(by, func(other policies.Row) bool {
		return other.Path == r.Path && !slices.ContainsFunc(r.Where, func(c policies.Condition) bool {
			return !slices.ContainsFunc(other.Where, func(d policies.Condition) bool { return exact(c) == exact(d) })
		})
	})
}

// exact writes a condition with its values, to be compared and not shown.
func exact(c policies.Condition) string {
	return c.Text(func(c policies.Condition) string {
		if c.Input != "" {
			return c.Input
		}
		text, err := json.Marshal(c.Value)
		if err != nil {
			return fmt.Sprintf("%#v", c.Value)
		}
		return string(text)
	})
}

// conditions writes a filter for people.
func conditions(r policies.Row) string {
	texts := make([]string, len(r.Where))
	for i, c := range r.Where {
		texts[i] = c.Text(func(c policies.Condition) string { return shown(policies.Value{Text: "…", Input: c.Input}) })
	}
	return strings.Join(texts, " and ")
}

// at writes all filters of one path.
func at(path string, rows []policies.Row) string {
	var texts []string
	for _, r := range rows {
		if r.Path == path {
			texts = append(texts, conditions(r))
		}
	}
	return strings.Join(texts, ", and ")
}

// shown is the name of a value, or a sign for one that was copied.
func shown(v policies.Value) string {
	if v.Input != "" {
		return v.Input
	}
	return "…"
}

// protected compares what may not be written. To take a member out of a request
// is less than to refuse it.
func (l *differences) protected(a, b *policies.Decision) {
	before, after := guards(a.Protect), guards(b.Protect)
	strength := []string{"", "drop", "reject"}
	for _, path := range union(before, after) {
		x, y := before[path], after[path]
		l.either(slices.Index(strength, x)-slices.Index(strength, y), NewlyWritable, NewlyProtected, path, x, y)
	}
}

// guards gives the strictest protection of each path.
func guards(list []policies.Protect) map[string]string {
	out := map[string]string{}
	for _, p := range list {
		if out[p.Path] != "reject" {
			out[p.Path] = p.Action
		}
	}
	return out
}

// authentication compares what all entries demand together.
func (l *differences) authentication(a, b []policies.Require) {
	before, after := demanded(a), demanded(b)
	lost, added := changed(before.words, after.words)
	switch {
	case len(lost) > 0 || before.age > 0 && (after.age == 0 || after.age > before.age):
		l.add(WeakerAuth, "", before.String(), after.String())
	case len(added) > 0 || after.age != before.age:
		l.add(StrongerAuth, "", before.String(), after.String())
	}
}

// demand is what all entries of require come to.
type demand struct {
	words []string // "acr gold", "amr otp"
	age   int64    // the lowest max_age, 0 for none
}

func demanded(list []policies.Require) (d demand) {
	for _, q := range list {
		if q.ACR != "" {
			d.words = append(d.words, "acr "+q.ACR)
		}
		for _, m := range q.AMR {
			d.words = append(d.words, "amr "+m)
		}
		if q.MaxAge > 0 && (d.age == 0 || q.MaxAge < d.age) {
			d.age = q.MaxAge
		}
	}
	slices.Sort(d.words)
	d.words = slices.Compact(d.words)
	return d
}

func (d demand) String() string {
	words := slices.Clone(d.words)
	if d.age > 0 {
		words = append(words, fmt.Sprintf("max_age %d", d.age))
	}
	return strings.Join(words, ", ")
}

func (l *differences) headers(a, b map[string]policies.Value) {
	text := func(m map[string]policies.Value, name string) string {
		v, ok := m[name]
		if !ok {
			return ""
		}
		return shown(v)
	}
	for _, name := range union(a, b) {
		x, inA := a[name]
		y, inB := b[name]
		if x != y || inA != inB {
			l.add(HeadersChanged, name, text(a, name), text(b, name))
		}
	}
}

// rates compares how much the caller gets. Where one of the two says nothing, the
// limit's own rate holds, which is not known here.
func (l *differences) rates(a, b map[string]policies.Rate) {
	text := func(r policies.Rate, said bool) string {
		if !said {
			return "the limit's own"
		}
		return r.String()
	}
	for _, name := range union(a, b) {
		x, inA := a[name]
		y, inB := b[name]
		if x == y && inA == inB {
			continue
		}
		kind := RateChanged
		if inA && inB && y.More(x) < 0 {
			kind = RateLowered
		}
		l.add(kind, name, text(x, inA), text(y, inB))
	}
}
