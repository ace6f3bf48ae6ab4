package memo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator writes policies at random, of the constructs through which input
// can be observed: aliases, functions, else, every, not, comprehensions,
// object.get, base data looked up by input, rules looked up by input, partial
// sets and objects.
type generator struct {
	*rand.Rand
	vars  []string // in scope
	n     int
	rules []string // complete rules that may be asked
	sets  []string // partial sets
	fns   []string // functions of one parameter
	two   bool     // there is a function k of two
	fixed bool
}

func (g *generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) fresh() string {
	g.n++
	return fmt.Sprintf("v%d", g.n)
}

// path is a reference of input, or of an alias.
func (g *generator) path() string {
	base := "input"
	if len(g.vars) > 0 && g.IntN(3) == 0 {
		base = g.pick(g.vars...)
	}
	steps := g.pick(".a", ".b", ".c", ".o", ".o.a", ".o.b", ".l", ".l[0]", ".o.p.q", `["x-y"]`, ".s", ".u", ".kind")
	if base == "input" && g.fixed && g.IntN(4) == 0 {
		return "input.resource.route"
	}
	return base + steps
}

// limit is a number of the base data, or something that is none.
func (g *generator) limit() string {
	return "data.base." + g.pick("users.a.n", "users.b.n", "users.a.role", "users.zz.n", "users", "grants.a.a")
}

func (g *generator) constant() string {
	return g.pick(`"a"`, `"a"`, `"a"`, `"b"`, `"b"`, `"r1"`, `"r2"`, "1", "1.0", "2", "true", "false", "null", `""`, `"ab"`)
}

// value is any term.
func (g *generator) value() string {
	switch g.IntN(14) {
	case 0:
		return g.constant()
	case 1:
		if len(g.vars) > 0 {
			return g.pick(g.vars...)
		}
	case 2:
		return "data.base.users[" + g.path() + "]" + g.pick("", ".role", ".n")
	case 3:
		return "data.base.grants[" + g.path() + "][" + g.path() + "]"
	case 4:
		if len(g.rules) > 0 {
			return g.pick(g.rules...)
		}
	case 5:
		if len(g.fns) > 0 {
			return g.pick(g.fns...) + "(" + g.value() + ")"
		}
	case 6:
		return fmt.Sprintf("object.get(%s, %s, %s)", g.pick("input", "input.o", g.path()), g.pick(`"a"`, `"o"`, `["o", "a"]`), g.constant())
	case 7:
		x := g.fresh()
		return fmt.Sprintf("%s%s | %s := %s[_]; %s%s", g.pick("[", "{"), x, x, g.pick("input.l", "input.o", g.path()), g.condition(), g.pick("]", "}"))
	case 9:
		return fmt.Sprintf("$\"{%s}-{%s}\"", g.path(), g.path())
	case 10:
		k, v := g.fresh(), g.fresh()
		return fmt.Sprintf("{%s: %s | some %s, %s in %s; %s}", k, v, k, v, g.path(), g.condition())
	case 8:
		return "{" + g.pick(`"k": `, "") + g.path() + "}"
	}
	return g.path()
}

// condition is one expression.
func (g *generator) condition() string {
	switch g.IntN(25) {
	case 17:
		return "data.q[" + g.path() + "]" + g.pick("", " == "+g.constant(), ".x")
	case 18:
		return fmt.Sprintf("%s with data.base.users as {\"a\": {\"role\": %s}}", g.simple(), g.pick(`"a"`, g.path()))
	case 19:
		return fmt.Sprintf("some i; %s[i] == %s", g.pick("input.l", g.path()), g.pick(g.path(), g.constant()))
	case 20:
		return fmt.Sprintf("[%s, %s] == [%s, %s]", g.path(), g.path(), g.constant(), g.path())
	case 21:
		v := g.fresh()
		return fmt.Sprintf("[%s, %s] = %s; %s", v, g.fresh(), g.pick("input.l", g.path()), v)
	case 22:
		return g.pick("is_string", "to_number", "upper", "is_null", "abs", "object.keys", "json.marshal") + "(" + g.path() + ")"
	case 23:
		v := g.fresh()
		return fmt.Sprintf("walk(%s, [_, %s]); %s == %s", g.path(), v, v, g.constant())
	case 0, 1:
		return g.path() + g.pick(" == ", " != ", " == ") + g.constant()
	case 2, 3:
		return g.path() + g.pick(" == ", " != ") + g.path()
	case 4:
		return g.path() + g.pick(" < ", " <= ", " > ", " >= ") + g.pick(g.constant(), g.constant(), g.limit())
	case 5:
		return g.path() + ` in {"a", "b", 1}`
	case 6:
		return g.pick(`"a"`, "1", g.path(), g.limit()) + " in " + g.path()
	case 7:
		return g.pick("startswith", "endswith", "contains") + "(" + g.path() + `, "a")`
	case 8:
		return "not " + g.simple()
	case 9:
		x := g.fresh()
		return fmt.Sprintf("every %s in %s { %s %s }", x, g.pick("input.l", "input.o", g.path()), x, g.pick(`!= "a"`, "!= 1", "== "+g.path()))
	case 10:
		x := g.fresh()
		return fmt.Sprintf("some %s, _ in %s; %s == %s", x, g.pick("input.o", "input.l", g.path()), x, g.pick(`"a"`, "0", g.path()))
	case 11:
		x := g.fresh()
		return fmt.Sprintf("some %s in %s; %s == %s", x, g.pick("input.l", g.path()), x, g.value())
	case 12:
		if len(g.sets) > 0 {
			return g.pick(g.sets...) + "[" + g.path() + "]"
		}
	case 13:
		if len(g.fns) > 0 {
			return g.pick(g.fns...) + "(" + g.pick("input", "input.o", g.value()) + ")"
		}
	case 14:
		if g.two && g.IntN(2) == 0 {
			return fmt.Sprintf("k(%s, %s)", g.value(), g.pick("input", g.path(), g.value()))
		}
		return g.value() + " == " + g.value()
	case 15:
		return "count(" + g.value() + ") > 0"
	case 16:
		return fmt.Sprintf("data.base.users[%s].role == %s", g.path(), g.pick(`"a"`, `"b"`, g.path()))
	}
	return g.value()
}

func (g *generator) simple() string {
	return g.pick(g.path(), g.path()+" == "+g.constant(), g.path()+" == "+g.path(), "data.base.users["+g.path()+"]")
}

// body is a few expressions, some of which define variables for those behind.
func (g *generator) body() string {
	var lines []string
	if g.fixed && g.IntN(3) == 0 {
		lines = append(lines, "input.resource.route "+g.pick("==", "!=")+g.pick(` "r1"`, ` "r2"`))
	}
	for range 1 + g.IntN(3) {
		if g.IntN(3) == 0 {
			v := g.fresh()
			lines = append(lines, v+" := "+g.pick("input", "input.o", g.path(), g.path(), g.value()))
			g.vars = append(g.vars, v)
			continue
		}
		lines = append(lines, g.condition())
	}
	return strings.Join(lines, "\n\t")
}

// module is a policy whose entry is data.p.
func (g *generator) module() string {
	var b strings.Builder
	b.WriteString("package p\n\n")
	for i := range 1 + g.IntN(3) {
		g.vars = []string{"x"}
		name := fmt.Sprintf("f%d", i)
		fmt.Fprintf(&b, "%s(x) := %s if {\n\t%s\n}\n\n", name, g.pick("true", "x", g.path()), g.body())
		g.vars = nil
		g.fns = append(g.fns, name)
	}
	if g.IntN(2) == 0 {
		fmt.Fprintf(&b, "%s\n\n", g.pick(
			"h(\"a\") := 1\n\nh(\"b\") := 2", "h([x, y]) := x if y != \"a\"", "h({\"a\": x}) := x", "default h(_) := 7\n\nh(x) := x.a",
			"h(x) := \"long\" if count(x) > 1 else := \"short\" if x.a == \"a\" else := x.b if { x.b }"))
		g.fns = append(g.fns, "h")
		g.vars = []string{"x", "y"}
		fmt.Fprintf(&b, "k(x, y) := %s if {\n\t%s\n}\n\n", g.pick("true", "x", "y.a"), g.body())
		g.two = true
	}
	for i := range 2 + g.IntN(4) {
		g.vars = nil
		name := fmt.Sprintf("r%d", i)
		switch g.IntN(5) {
		case 0:
			body := g.body()
			fmt.Fprintf(&b, "%s contains %s if {\n\t%s\n}\n\n", name, g.value(), body)
			g.sets = append(g.sets, name)
		case 1:
			body := g.body()
			fmt.Fprintf(&b, "%s[%s] := %s if {\n\t%s\n}\n\n", name, g.path(), g.value(), body)
			g.sets = append(g.sets, name)
		case 2:
			body := g.body()
			fmt.Fprintf(&b, "default %s := \"none\"\n\n%s := %s if {\n\t%s\n}", name, name, g.value(), body)
			g.vars = nil
			body = g.body()
			fmt.Fprintf(&b, " else := %s if {\n\t%s\n}\n\n", g.value(), body)
			g.rules = append(g.rules, name)
		case 3:
			body := g.body()
			fmt.Fprintf(&b, "%s := %s if {\n\t%s\n}\n\n", name, g.value(), body)
			g.rules = append(g.rules, name)
		default:
			fmt.Fprintf(&b, "%s if {\n\t%s\n}\n\n", name, g.body())
			g.vars = nil
			fmt.Fprintf(&b, "%s if {\n\t%s\n}\n\n", name, g.body())
			g.rules = append(g.rules, name)
		}
	}
	return b.String()
}

func baseData() map[string]any {
	return map[string]any{"base": map[string]any{
		"users": map[string]any{
			"a": map[string]any{"role": "a", "n": json.Number("1")}, "b": map[string]any{"role": "a", "n": json.Number("2")},
			"ab": map[string]any{"role": "b"}, "1": false,
		},
		"grants": map[string]any{
			"a": map[string]any{"a": true, "b": false}, "b": map[string]any{"a": "x"},
			"ab": []any{"a", "b"},
		},
	}}
}

// other is a package whose rules are chosen by input.
func (g *generator) other() string {
	var b strings.Builder
	b.WriteString("package q\n\n")
	for _, name := range []string{"a", "b"} {
		g.vars = nil
		fmt.Fprintf(&b, "%s := %s if {\n\t%s\n}\n\n", name, g.pick("true", g.path()), g.pick(g.simple(), g.path()+" == "+g.constant()))
	}
	return b.String()
}

// input is a small world, so that inputs meet.
func (g *generator) input() any {
	var value func(depth int) any
	value = func(depth int) any {
		switch n := g.IntN(20); {
		case n < 9:
			return g.pick("a", "a", "a", "b", "b", "ab", "")
		case n < 10:
			return json.Number(g.pick("1", "1.0", "2", "0"))
		case n < 12:
			return g.IntN(2) == 0
		case n == 12:
			return nil
		case depth > 2:
			return "a"
		case n < 16:
			l := make([]any, g.IntN(3))
			for i := range l {
				l[i] = value(depth + 1)
			}
			return l
		}
		m := map[string]any{}
		for _, k := range []string{"a", "b", "p", "q"} {
			if g.IntN(2) == 0 {
				m[k] = value(depth + 1)
			}
		}
		return m
	}
	m := map[string]any{"resource": map[string]any{"route": g.pick("r1", "r2", "r3")}}
	for _, k := range []string{"a", "b", "c", "o", "l", "x-y", "s", "u", "kind"} {
		if g.IntN(8) > 0 {
			m[k] = value(0)
		}
	}
	if g.IntN(4) > 0 {
		m["o"] = map[string]any{"a": value(1), "b": value(1), "p": map[string]any{"q": value(2)}}
	}
	return m
}

// inputs are variations of a few.
func (g *generator) inputs(n int) []any {
	pool := []any{
		"a", "b", "ab", "", json.Number("1"), json.Number("1.0"), json.Number("2"), true, false, nil,
		map[string]any{"a": "a"},
		[]any{"a", json.Number("1")},
		[]any{},
	}
	var out []any
	for len(out) < n {
		base := g.input()
		out = append(out, base)
		for range 39 {
			v := base
			for range 1 + g.IntN(2) {
				v = mutate(g.Rand, v, pool)
			}
			if v != nil {
				out = append(out, v)
			}
		}
	}
	return out[:n]
}
