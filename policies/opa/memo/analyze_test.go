package memo

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sourceOf(t *testing.T, text string) Source {
	t.Helper()
	var texts []string
	for m := range strings.SplitSeq(text, "\n---\n") {
		if !strings.HasPrefix(m, "package") {
			m = "package p\n" + m
		}
		texts = append(texts, m)
	}
	modules, err := parse(texts...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newProgram(modules, baseData(), "data.p")
	if err != nil {
		t.Fatal(err)
	}
	return p.source
}

func reads(p *Plan) []string {
	out := []string{}
	for i := range p.Slots {
		out = append(out, strings.ReplaceAll(p.Slots[i].String(), "input.", ""))
	}
	slices.Sort(out)
	return out
}

// What a policy observes of its input, construct by construct.
func TestAnalyze(t *testing.T) {
	for text, want := range map[string][]string{
		`r if input.a == "x"`:                                  {`a == "x"`},
		`r if input.a != "x"`:                                  {`a == "x"`},
		`r if "x" == input.a`:                                  {`a == "x"`},
		`r if input.a == input.b`:                              {"a == b"},
		`r if input.b == input.a`:                              {"a == b"},
		`r if input.a > 3`:                                     {"a > 3"},
		`r if 3 > input.a`:                                     {"a < 3"},
		`r if input.a < input.b`:                               {"a", "b"},
		`r if input.a <= data.base.users.a.n`:                  {"a <= 1"},
		`r if data.base.users.b.n > input.a`:                   {"a < 2"},
		`r if data.base.users.a.role in input.a`:               {`"a" in a`},
		`r if data.base.users.a in input.a`:                    {"a"},
		`r if input.a <= data.base.users.b.role`:               {`a <= "a"`},
		`r if input.a <= data.base.users.a`:                    {"a"},
		`r if input.a <= data.base.nobody.n`:                   {"a"},
		`r if input.a <= data.base.users[input.b].n`:           {"a", "data.base.users[b].n"},
		`r if { x := data.base.users.a.n; input.a <= x }`:      {"a <= 1"},
		`r := x if { x := data.base.users.a.n; input.a <= x }`: {"a"},
		"r if input.a <= data.base.users.a.n\n---\npackage base.users.a\nn := input.c": {"a", "c"},
		"r if input.a <= data.p.m\nm := input.c":                                       {"a", "c"},
		`r if { x = data.base.users.a.n; x = input.b; input.a <= x }`:                  {"a", "b"},
		`r if { input.a <= data.base.users.a.n with data.base.users.a.n as input.c }`:  {"a", "c"},
		`r if input.a in {"x", 1}`:                                                     {`a in {1, "x"}`},
		`r if "x" in input.a`:                                                          {`"x" in a`},
		`r if input.a in input.b`:                                                      {"a", "b"},
		`r if startswith(input.a, "x")`:                                                {`startswith(a, "x")`},
		`r if contains(input.a, "x")`:                                                  {`contains(a, "x")`},
		`r if startswith("x", input.a)`:                                                {"a"},
		`r if input.a`:                                                                 {"a is true"},
		`r if not input.a.b`:                                                           {"a.b is true"},
		`r := input.a`:                                                                 {"a"},
		`r if count(input.a) > 1`:                                                      {"a"},
		`r if input.a == ["x"]`:                                                        {"a"},
		`r if input.a[input.b]`:                                                        {"a", "b"},
		`r if input.a[x] == 1`:                                                         {"a"},
		`r if { some k, _ in input.a; k == "x" }`:                                      {"names in a"},
		`r if { some k, v in input.a; k == v }`:                                        {"a"},
		`r contains k if some k, _ in input.a`:                                         {"names in a"},
		`r contains v if some _, v in input.a`:                                         {"a"},
		`r if { x := input.a; x.b == 1 }`:                                              {"a exists", "a.b == 1"},
		`r if { x := input.a; not x.b }`:                                               {"a exists", "a.b is true"},
		`r if { x := input.a; y := x.b; y.c == 1 }`:                                    {"a exists", "a.b exists", "a.b.c == 1"},
		`r if { x := input.a; x == input.b }`:                                          {"a == b", "a exists", "b exists"},
		`r if { x := input.a; x.c == 1; count(x) > 1 }`:                                {"a"},
		`r := {"k": x.b} if x := input.a`:                                              {"a exists", "a.b"},
		`r := [x] if x := input.a`:                                                     {"a"},
		`r if every x in input.a { x != "b" }`:                                         {"a"},
		`r if object.get(input, "a", 1) == 1`:                                          {"input"},
		`r if walk(input.a, [_, "x"])`:                                                 {"a"},
		`r := {x | x := input.a[_]}`:                                                   {"a"},
		`r := $"{input.a}"`:                                                            {"a"},
		`r if data.base.users[input.a].role == "a"`:                                    {"data.base.users[a].role"},
		`r if { x := data.base.users[input.a]; x.role == 1 }`:                          {"data.base.users[a]"},
		`r if data.base.grants[input.a][input.b]`:                                      {"a exists", "b exists", "data.base.grants[a][b]"},
		`r if { some k; data.base.grants[input.a][k] }`:                                {"data.base.grants[a]"},
		`r := s[input.a]
		 s contains "x"`: {"a"},
		`r if f(input.a)
		 f(x) if x.b == 1`: {"a exists", "a.b == 1"},
		`r if f("q")
		 f(x) if x == input.a`: {"a"},
		`r if f(input.b)
		 f(x) if x == input.a`: {"a == b", "a exists", "b exists"},
		`r if { f(input.b); f(data.base) }
		 f(x) if x == input.a`: {"a", "b"},
		`r if { f(input.b, input.a); f(data.base, input.c) }
		 f(x, y) if x == y`: {"a", "b", "c"},
		`r if { f(input.a, "k"); f("q", input.b) }
		 f(x, y) if data.base.grants[x][y]`: {"a", "b"},
		`r if { some x in data.base.users; f(x); x == input.a }
		 f(y) if y == input.b`: {"a", "b"},
		`r if { some x; data.base.users[x]; f(x); x == input.a }
		 f(y) if y == input.b`: {"a", "b"},
		`r if { not data.base.users[input.a]; every k in ["k"] { data.base.grants[input.b][k] } }`: {"data.base.grants[b]", "data.base.users[a]"},
		`r := f(input.a)
		 f(x) := x`: {"a"},
		`r if f(input.a)
		 f("x") := 1`: {"a"},
		`r if f(input.a)
		 f([x, _]) := x`: {"a"},
		`r if f(input.a, input.b)
		 f(x, y) if g(y, x)
		 g(u, v) if { u.k == 1; v == "z" }`: {`a == "z"`, "b exists", "b.k == 1"},
		`r if input.a == 1
		 else := input.b if input.c`: {"a == 1", "b", "c is true"},
		`default r := "x"
		 r := "y" if input["a-b"].c[0] == 1`: {`input["a-b"].c[0] == 1`},
		`r if data.other[input.a] == 1
---
package other.none`: {"a"}, // {} where input.a is none
		`r if data.q.x
---
package q
x if input.a == 1
---
package unasked
x if input.z`: {"a == 1"},
		`r if data.q[input.kind].x
---
package q.one
x if input.a == 1
---
package q.two
x if input.b == 1`: {"a == 1", "b == 1", "kind"},
		`r if data.q with data.base as 1
---
package q
x if data.base.users[input.a]`: {"a"},
	} {
		p := Analyze(sourceOf(t, text), nil)
		if len(p.Refused) > 0 {
			t.Errorf("%s: refused: %v", text, p.Refused)
		}
		if d := cmp.Diff(want, reads(p)); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}

// Constants of a route leave out what it cannot reach.
func TestAnalyzeRoute(t *testing.T) {
	for text, want := range map[string][]string{
		`r if { input.resource.route == "x"; input.a }`:                     {},
		`r if { input.resource.route == "r1"; input.a }`:                    {"a is true"},
		`r if { input.resource.route != "r1"; input.a }`:                    {},
		`r if { input.resource.route in {"r2", "r3"}; input.a }`:            {},
		`r if { not input.resource.route in {"r1"}; input.a }`:              {},
		`r if { input.a; input.resource.route == "x" }`:                     {"a is true"},
		`r := input.resource.route`:                                         {},
		`r if input.resource.route == input.a`:                              {`a == "r1"`},
		`r := input.resource`:                                               {"resource"},
		`r if { data.base.users[input.resource.route]; input.a }`:           {},
		`r if { data.base.grants[input.resource.route][input.a] }`:          {`data.base.grants.r1[a]`},
		`r if { input.body.x == 1; input.a }`:                               {},
		`r if { not input.body.x; input.a }`:                                {"a is true"},
		`r if { count(input.b) > 0; input.resource.route == "x"; input.a }`: {"a is true", "b"}, // count may raise an error
		`r if { s; input.a }
		 s if input.resource.route == "x"`: {},
		`r if { s; input.a }
		 default s := false
		 s if input.resource.route == "x"`: {"a is true"},
		`r if { not s; input.a }
		 s if input.resource.route == "x"`: {"a is true"},
		`r if { s; input.resource.route == "x"; input.a }
		 s if input.b == 1`: {"b == 1"},
		`r if { s; input.resource.route == "x"; input.a }
		 s := input.b
		 s := input.c`: {"a is true", "b", "c"}, // two values are an error
		`r if f(input.resource.route)
		 f(x) if { x == "other"; input.a }`: {},
		`r if { s with data.base.users as {"r1": 1}; input.a }
		 s if data.base.users[input.resource.route]`: {"a"},
		`r if { f(input.resource.route); f(input.b) }
		 f(x) if { x == "other"; input.a }`: {`a is true`, `b == "other"`},
	} {
		p := Analyze(sourceOf(t, text), Constants{routePath: "r1", "body": nil})
		if d := cmp.Diff(want, reads(p)); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"r if time.now_ns() > input.a":                               "time.now_ns depends on more than its arguments at m0.rego:2",
		"r if rand.intn(\"x\", 3) == 1":                              "rand.intn depends on more",
		"r if s with input as {}\ns if input.a":                      "with input at m0.rego:2",
		"r if s with input.a as 1\ns if input.a":                     "with input.a at m0.rego:2",
		"r if f(1) with f as g\nf(x) := x\ng(x) := input.a":          "with f, a function",
		"r if count(input.a) with count as 3":                        "with count",
		"r := {x | x := s with input as {}}\ns if input.a":           "with input",
		"r if json.match_schema(input.a, {})[0]":                     "json.match_schema depends",
		"r if io.jwt.decode_verify(input.a, {\"secret\": \"x\"})[0]": "io.jwt.decode_verify depends",
	} {
		p := Analyze(sourceOf(t, text), nil)
		if len(p.Refused) == 0 || !strings.Contains(fmt.Sprint(p.Refused), strings.Replace(want, "with f,", "with data.p.f,", 1)) || len(p.Slots) > 0 {
			t.Errorf("%s: refused %v, want %q; slots %v", text, p.Refused, want, reads(p))
		}
		if body, headers := p.reads(); !body || !slices.Equal(headers, []string{"*"}) {
			t.Errorf("%s: body %v, headers %v: want all", text, body, headers)
		}
	}
	// What is not reached does no harm.
	p := Analyze(sourceOf(t, "r if input.a\n---\npackage other\nx if time.now_ns() > 1\ny if data.p with input as {}"), nil)
	if len(p.Refused) > 0 {
		t.Errorf("refused: %v", p.Refused)
	}
}

// The guard sees a mention of input that the walk has not accounted for,
// wherever it stands.
func TestGuard(t *testing.T) {
	src := sourceOf(t, `r := {"k": [input.a, {input.b}], "o": {x | x := input.c[_]}} if {
	not input.d
	every y in input.e { y != input.f }
	input.g.h == input["i"]
} else := input.j if data.base.users[input.k]`)
	a := &analyzer{index: newIndex(src.Compiler), src: src, tests: true, params: map[string][]*flow{}, tainted: map[variable]bool{}}
	a.settle()
	if a.guard(); len(a.refused) > 0 {
		t.Fatalf("refused: %v", a.refused)
	}
	if len(a.seen) != 10 {
		t.Errorf("%d mentions, want 10", len(a.seen))
	}
	for m := range a.seen {
		delete(a.seen, m)
		if a.guard(); len(a.refused) == 0 {
			t.Error("a mention that is not accounted for passes")
		}
		a.seen[m] = true
		clear(a.refused)
	}
}

func TestReads(t *testing.T) {
	for text, want := range map[string]string{
		`r if input.subject.role`:                        "false []",
		`r if input.body.x == 1`:                         "true []",
		`r := input`:                                     "true [*]",
		`r := input.context`:                             "false [*]",
		`r if "a" in input.context.headers["x-purpose"]`: "false [x-purpose]",
		`r if { input.context.headers.b; input.context.headers.a[0] == "x" }`: "false [a b]",
		`r if { some name, _ in input.context.headers; name == "x" }`:         "false [*]",
	} {
		body, headers := Analyze(sourceOf(t, text), nil).reads()
		if got := fmt.Sprint(body, headers); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// Places that make keys many are named, with the line.
func TestAdvice(t *testing.T) {
	m := New(sourceOf(t, `r := input.subject.id
s if count(input) > 1
u if object.get(input.subject.claims, "x", 1) == 1
v := input.context.request_id
w if count(input.resource.params) > 1
x if input.subject.id == "a"
y if input.subject.role in data.roles
z if input.resource.segments[1] > input.subject.tenant`), Options{})
	var got []string
	for _, a := range m.Report().Advice {
		got = append(got, fmt.Sprint(a.Line, " ", a.Message))
	}
	want := []string{"3 passes input whole: read its members one by one"} // and with it everything else
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("advice (-want +got):\n%s", d)
	}
	for path, want := range map[string]string{
		"subject.id": "copies", "subject.claims": "whole", "context.request_id": "no two requests", "resource.params": "whole",
		"subject": "whole", "body.x": "share no decision", "resource.params.id": "copies", "context.client_address": "copies", "subject.role": "",
		"context.headers": "whole", "resource.segments[2]": "copies", "subject.auth_time": "max_age", "subject.auth_age": "constant", "context.time.hour": "",
	} {
		if got := costly(ParsePath(path)); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
