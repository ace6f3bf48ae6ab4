package table

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func genName(r *rand.Rand) string {
	word := func() string {
		return pick(r, "a", "b", "A", "a_b", "a-b", "ab", "c", "k", "\u212a", "имя", "x1")
	}
	name := word()
	for r.IntN(3) == 0 {
		name += pick(r, ".", "/", " ", "__", ":", "_", "-", "; ", "\t", "--", ",", "\n", `"`) + word()
	}
	return name
}

func genCond(r *rand.Rand, names []string, depth int) redact.Cond {
	if depth > 0 && r.IntN(3) == 0 {
		a, b := genCond(r, names, depth-1), genCond(r, names, depth-1)
		return pick(r, redact.Cond{Any: []redact.Cond{a, b}}, redact.Cond{All: []redact.Cond{a, b}}, redact.Cond{Not: &a})
	}
	c := redact.Cond{Field: pick(r, append(names, "none")...), Op: pick(r, "eq", "ne", "in", "not_in", "lt", "exists")}
	values := []any{"v", "12", 12, 0, true, false, nil, "true", `"`}
	switch c.Op {
	case "in", "not_in":
		c.Value = []any{pick(r, values...), pick(r, values...)}
	case "lt":
		c.Value = r.IntN(20)
	case "eq", "ne":
		c.Value = pick(r, values...)
	}
	c.Field = "['" + c.Field + "']"
	return c
}

func genModel(t testing.TB, r *rand.Rand, names []string) *model {
	m := &model{t: t, header: names}
	quote := func(name string) string { return "['" + name + "']" }
	plain := func(name string) bool { return !strings.ContainsAny(name, "\n\t\"") }
	names = slices.DeleteFunc(slices.Clone(names), func(s string) bool { return !plain(s) })
	names = append(names, "a")
	for range r.IntN(4) {
		name := quote(pick(r, pick(r, names...), "a", "b", "a_b", "A.B", "k", "x1"))
		m.masks = append(m.masks, redact.Rule{
			Path:   pick(r, "$"+name, "$.."+name, "$['data'][*]"+name, "$"+name+".*", "$"+name+"[*]", "$..*", "$"),
			Action: redact.Action(1 + r.IntN(7)),
		})
	}
	for range r.IntN(3) {
		name := pick(r, names...)
		path := pick(r, "$"+quote(name), "$.."+quote(name), "$[*]"+quote(name), "$.data"+quote(name), "$[*].."+quote(name), "$.*")
		m.shows = append(m.shows, path)
		if grants(path) {
			m.shown = append(m.shown, name)
		}
	}
	for range max(r.IntN(6)-2, 0) {
		name := pick(r, names...)
		path := pick(r, "$"+quote(name), "$.."+quote(name), "$[*]"+quote(name), "$.data"+quote(name), "$", "$[*].*", "$..[*]")
		m.paths, m.expose = append(m.paths, path), true
		m.all = m.all || path == "$" || path == "$[*].*"
		if grants(path) {
			m.exposed = append(m.exposed, name)
		}
	}
	for range max(r.IntN(4)-1, 0) {
		m.rows = append(m.rows, genCond(r, names, 2))
	}
	return m
}

// grants tells the paths that name a column from the others of the generator.
func grants(path string) bool {
	return strings.HasPrefix(path, "$['") || strings.HasPrefix(path, "$..['") || strings.HasPrefix(path, "$[*]['")
}

func genTable(r *rand.Rand, names []string) string {
	var b strings.Builder
	field := func(s string) {
		if strings.ContainsAny(s, ";|\t\",\r\n") || s == "" && len(names) == 1 || r.IntN(4) == 0 {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		b.WriteString(s)
	}
	record := func(text func(i int) string) {
		for i := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			field(text(i))
		}
	}
	b.WriteString(pick(r, "", "", "\ufeff"))
	record(func(i int) string { return names[i] })
	for range r.IntN(6) {
		b.WriteString(pick(r, "\n", "\r\n"))
		record(func(int) string {
			return pick(r, "", "v", "12", "12.0", "true", "True", "false", " v", "2024-05-17", "a,b", `say "no"`, "two\nlines", "*",
				"ada@example.com", "123456789", "-1.5", "007", "имя и фамилия", fmt.Sprintf("planted%06x", r.Uint32()>>8))
		})
	}
	b.WriteString(pick(r, "", "\n", "\r\n"))
	return b.String()
}
