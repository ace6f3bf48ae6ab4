package redact

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Random documents and specs.

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func space(r *rand.Rand) string { return pick(r, "", "", "", " ", "\n\t", "\r\n  ") }

func genName(r *rand.Rand) string {
	return pick(r, `"a"`, `"a"`, `"b"`, `"b"`, `"c"`, `"A"`, `"_a"`, `"\u0062"`, `"B-"`, `"k"`, `"k"`, `"K"`, "\"\u212a\"", `""`, `"名前😀"`, `"a long name of 24 bytes!"`, `"b"`, `"x@\u0061"`, `"it's \\"`)
}

func genDoc(r *rand.Rand, b *strings.Builder, depth int) {
	b.WriteString(space(r))
	defer func() { b.WriteString(space(r)) }()
	if n := r.IntN(10); depth > 0 && n < 7 {
		object := n < 4
		b.WriteByte(map[bool]byte{true: '{', false: '['}[object])
		b.WriteString(space(r))
		for i := range r.IntN(4) {
			if i > 0 {
				b.WriteByte(',')
			}
			if object {
				b.WriteString(space(r) + genName(r) + space(r) + ":")
			}
			genDoc(r, b, depth-1)
		}
		b.WriteByte(map[bool]byte{true: '}', false: ']'}[object])
		return
	}
	b.WriteString(pick(r, "1", "1.0", "2", "-0.5e1", "123456789012", "true", "null", `"x@y"`, `"x\u0040"`, `"x"`, `"\u0078"`, `"y"`, `""`, `"😀 \"#]"`,
		fmt.Sprintf(`"planted%06x"`, r.IntN(1<<24)), fmt.Sprintf(`"planted%06x"`, r.IntN(1<<24))))
}

func genPath(r *rand.Rand) modelPath {
	p := make(modelPath, r.IntN(4))
	for i := range p {
		p[i].what = pick(r, "a", "a", "b", "b", "c", "*", "[*]", "[*]")
		p[i].deep = r.IntN(5) == 0
	}
	return p
}

func genPaths(r *rand.Rand, most int) []modelPath {
	out := make([]modelPath, r.IntN(most+1))
	for i := range out {
		out[i] = genPath(r)
	}
	return out
}

func genSpec(r *rand.Rand) *modelSpec {
	m := &modelSpec{masks: genPaths(r, 3)}
	for range m.masks {
		m.acts = append(m.acts, pick(r, Drop, Null, Redact, Partial))
	}
	if r.IntN(2) == 0 {
		m.shows = genPaths(r, 2)
	}
	if r.IntN(3) == 0 {
		m.expose = genPaths(r, 2)
	}
	if r.IntN(2) == 0 {
		m.rows = genPaths(r, 2)
	}
	if m.detect = r.IntN(3) == 0; m.detect {
		m.known, m.redactFound = genPaths(r, 2), r.IntN(2) == 0
	}
	for range m.rows {
		list := []modelCond{genCond(r, 3)}
		if r.IntN(4) == 0 {
			list = append(list, genCond(r, 1))
		}
		m.conds = append(m.conds, list)
	}
	if r.IntN(2) == 0 {
		m.sensitive = genPaths(r, 2)
	}
	return m
}

func genCond(r *rand.Rand, depth int) modelCond {
	if depth > 1 && r.IntN(2) == 0 {
		c := modelCond{op: pick(r, "any", "all", "not"), parts: []modelCond{genCond(r, depth-1)}}
		for c.op != "not" && len(c.parts) < 3 && r.IntN(3) > 0 {
			c.parts = append(c.parts, genCond(r, depth-1))
		}
		return c
	}
	c := modelCond{
		field: pick(r, []string{"k"}, []string{"a"}, []string{"b"}, []string{"a", "b"}),
		op:    pick(r, "eq", "ne", "in", "not_in", "exists", "startswith", "endswith", "contains"),
	}
	scalar := pick[any](r, "x", "y", "", json.Number("1"), json.Number("-5"), nil)
	switch c.op {
	case "in", "not_in":
		if scalar != nil {
			c.value = []any{scalar, pick[any](r, "x", json.Number("2"))}
		}
	case "exists":
	default:
		c.value = scalar
	}
	return c
}
