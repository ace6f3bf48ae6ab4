package memo

import (
	"slices"
	"testing"
)

// TestWhatIsNotReadIsNotMissed: without the body and the headers that Reads does
// not name, every policy answers as with them, in whatever way it gets at them.
func TestWhatIsNotReadIsNotMissed(t *testing.T) {
	for _, text := range []string{
		`r := input.context.headers["X-A"]`,
		`r := input.context.headers[lower("X-A")]`,
		`r := input.context.headers[input.resource.route]`,
		`r := input[x].headers["x-a"] if { x := "context" }`,
		`r contains h if some h, _ in input.context.headers`,
		`r := count(input.context.headers)`,
		`r := count(input.context)`,
		`r := [v | walk(input, [p, v]); p[2] == "x-a"]`,
		`r := [p | walk(input.context, [p, _])]`,
		`r := json.marshal(input)`,
		`r := json.marshal(input.body)`,
		`r := object.get(input, ["body", "a"], 7)`,
		`r := object.get(input.context.headers, "x-a", 7)`,
		`r := object.keys(input)`,
		`r := f(input)
		f(x) := x.body.a`,
		`r := f(input.context.headers)
		f(x) := x["x-b"][0]`,
		`r := f(input.context)
		f({"headers": h}) := h` + "\n" + `f(x) := x.headers if not x.headers`,
		`r if { {"x-a": _, "x-b": _, "resource": _} = input.context.headers } else := input.context.headers["x-a"][0]`,
		`r := v if { {"body": v} = {"body": input.body} }`,
		`r := [x | x := input["body"]; x.a == 1]`,
		`r := {k: v | some k, v in input.context.headers}`,
		`r if not input.body`,
		`r if every v in input.context.headers { v[0] != "2" }`,
		`r if every h in ["x-a", "x-b"] { input.context.headers[h] }`,
		`r := "x" if input.context.headers["x-a"] == input.context.headers["x-b"]`,
		`r := x if { some x in input.context.headers["x-a"] }`,
		`r := y if { x := input; y := x.body }`,
		`r := y if { x := input.context; z := x; y := z.headers["x-b"] }`,
		`r := data.users[input.context.headers["x-a"][0]]`,
		`r := data.users[input.body.u].x`,
		`r := data.users[k] if some k in input.context.headers["x-a"]`,
		`r := v if { v := q with data.users as input.body }
		q := data.users`,
		`r := v if { v := q with data.users as {"h": input.context.headers["x-b"]} }
		q := data.users`,
		`r := v if { v := q with input as {"x": input.body} }
		q := input.x`,
		`r := v if { v := q with input.context.headers as {} }
		q := input`,
		`r := $"{input.body.a} and {input.context.headers["x-a"]}"`,
		`r[k] := v if { some k; v := input.context.headers[k] }`,
		`r if "1" in input.context.headers["x-a"]`,
		`r if ["1"] in input.context.headers`,
		`r if input.context.headers["x-a"][_] == "1"`,
		`r := x if { x := input.context.headers[_][0]; x != "2" }`,
		`r := intersection({{"x-a"}, object.keys(input.context.headers)})`,
		`r := json.filter(input, ["body/a"])`,
		`r := json.patch(input, [{"op": "remove", "path": "/body"}])`,
		`r := object.subset(input, {"body": {"a": 1}})`,
		`r := graph.reachable({"a": input.context.headers["x-a"]}, ["a"])`,
		`r := input == {}` + "\n" + `s := input != input.body`,
		`r if input.resource.route == "other"` + "\n" + `else := input.body`,
		`r if { input.resource.route != "r" } else := input.context.headers["x-b"]`,
		`r := input.body if input.resource.route in {"r", "s"}`,
		`r := input.body if startswith(input.resource.route, "r")`,
		`r := input.body if not input.resource.route == "q"`,
		`default r := "none"
		r := input.body if f(input.resource.route)
		f(x) if x == "r"`,
		`r := g(input.resource.route, input)
		g("q", _) := 1
		g("r", x) := x.body`,
		`r := g(input.resource.route)
		g(x) := input.body if x != "q"`,
		`r := input.context.headers[h] if { h := {"r": "x-b"}[input.resource.route] }`,
		`r := input[["body", "x"][0]]`,
		`r := [x | x := [input.body, input.context.headers["x-a"]][_]]`,
		`r := union({ {x} | x := input[_] })`,
	} {
		modules, err := parse("package p\n" + text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		data := map[string]any{"users": map[string]any{"1": "one", "u7": map[string]any{"x": true}}}
		p, err := newProgram(modules, data, "data.p")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for _, fixed := range []Constants{nil, {"resource.route": "r"}} {
			body, headers := Analyze(p.source, fixed).reads()
			if whole, reduced := p.eval(shown(true, []string{"*"})), p.eval(shown(body, headers)); whole != reduced {
				t.Errorf("%s\nroute %v, body %v, headers %q: %s, and %s where nothing more is shown", text, fixed, body, headers, whole, reduced)
			}
		}
	}
}

// shown is a question with so much of a request in it.
func shown(body bool, headers []string) any {
	all := map[string]any{}
	for name, v := range map[string]any{"x-a": []any{"1"}, "x-b": []any{"2"}} {
		if slices.Contains(headers, name) || slices.Contains(headers, "*") {
			all[name] = v
		}
	}
	in := map[string]any{
		"resource": map[string]any{"route": "r"}, "action": map[string]any{"name": "read"}, "context": map[string]any{"headers": all, "tls": "1.3"},
	}
	if body {
		in["body"] = map[string]any{"a": 1, "u": "u7"}
	}
	return in
}
