package memo

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

func TestOutcome(t *testing.T) {
	one, a, no, yes := ast.Number("1"), ast.String("a"), ast.Null{}, ast.Boolean(true)
	for i, tt := range []struct {
		op     string
		value  any
		consts []ast.Value
		want   byte
	}{
		{opEqual, "a", []ast.Value{a}, tagTrue},
		{opEqual, "b", []ast.Value{a}, tagFalse},
		{opEqual, json.Number("1"), []ast.Value{one}, tagTrue},
		{opEqual, 1, []ast.Value{one}, tagTrue},
		{opEqual, json.Number("1.0"), []ast.Value{one}, tagRaw}, // equal, and yet not the same
		{opEqual, json.Number("2"), []ast.Value{one}, tagFalse},
		{opEqual, "1", []ast.Value{one}, tagFalse},
		{opEqual, nil, []ast.Value{no}, tagTrue},
		{opEqual, true, []ast.Value{yes}, tagTrue},
		{opEqual, false, []ast.Value{yes}, tagFalse},
		{opEqual, []any{"a"}, []ast.Value{a}, tagFalse},
		{opIn, "a", []ast.Value{one, a}, tagTrue},
		{opIn, "a", nil, tagFalse},
		{opIn, json.Number("1e0"), []ast.Value{a, one}, tagRaw},
		{opHas, []any{"b", "a"}, []ast.Value{a}, tagTrue},
		{opHas, []any{json.Number("1.0")}, []ast.Value{one}, tagRaw},
		{opHas, []any{json.Number("1.0"), json.Number("1"), "x"}, []ast.Value{one}, tagTrue},
		{opHas, []string{"a"}, []ast.Value{a}, tagTrue},
		{opHas, []string{"1"}, []ast.Value{one}, tagFalse},
		{opHas, map[string]any{"k": "a"}, []ast.Value{a}, tagTrue}, // the values of members
		{opHas, map[string]any{"a": "k"}, []ast.Value{a}, tagFalse},
		{opHas, "a", []ast.Value{a}, tagFalse},
		{opStarts, "ab", []ast.Value{a}, tagTrue},
		{opEnds, "ab", []ast.Value{a}, tagFalse},
		{opHolds, "bab", []ast.Value{a}, tagTrue},
		{opStarts, json.Number("1"), []ast.Value{a}, tagRaw}, // an error, or a rule that is passed over
		{opLess, json.Number("0.5"), []ast.Value{one}, tagTrue},
		{opLess, json.Number("1.0"), []ast.Value{one}, tagFalse},
		{opAtMost, json.Number("1.0"), []ast.Value{one}, tagTrue},
		{opMore, 2, []ast.Value{one}, tagTrue},
		{opMore, "a", []ast.Value{one}, tagTrue}, // text is more than any number
		{opLess, nil, []ast.Value{one}, tagTrue},
		{opLess, false, []ast.Value{yes}, tagTrue},
		{opLeast, true, []ast.Value{yes}, tagTrue},
		{opMore, map[string]any{}, []ast.Value{a}, tagTrue},
		{opLess, "A", []ast.Value{a}, tagTrue},
		{opTrue, false, nil, tagFalse},
		{opTrue, nil, nil, tagTrue}, // null is not false
		{opTrue, json.Number("0"), nil, tagTrue},
	} {
		v := look(tt.value)
		if got := outcome(tt.op, &v, tt.consts); got != tt.want {
			t.Errorf("%d: %v %s %v: %d, want %d", i, tt.value, tt.op, tt.consts, got, tt.want)
		}
	}
	for _, op := range []string{opTrue, opEqual, opIn, opHas, opStarts, opLess} {
		if got := outcome(op, &view{}, []ast.Value{a}); got != tagAbsent {
			t.Errorf("%s of nothing: %d", op, got)
		}
	}
}

// Pairs of questions that a policy can tell apart, and pairs that it cannot.
func TestKeys(t *testing.T) {
	body := func(v any) *policies.Input { return &policies.Input{Body: v} }
	type m = map[string]any
	for _, tt := range []struct {
		policy string
		a, b   *policies.Input
		same   bool
	}{
		{`r := input.body`, body(m{"a": 1, "b": 2}), body(m{"b": 2, "a": 1}), true},
		{`r := input.body`, body(json.Number("1")), body(json.Number("1.0")), false},
		{`r := input.body`, body([]any{"a", "b"}), body([]any{"ab"}), false},
		{`r := input.body`, body([]any{[]any{}, "a"}), body([]any{[]any{"a"}}), false},
		{`r := input.body`, body([]string{"a"}), body([]any{"a"}), true},
		{`r := input.body`, body(m{"a": nil}), body(m{}), false},
		{`r := input.body`, body("1"), body(json.Number("1")), false},
		{
			`r := [input.resource.host, input.resource.path]`, &policies.Input{Resource: policies.Resource{Host: "ab", Path: "c"}},
			&policies.Input{Resource: policies.Resource{Host: "a", Path: "bc"}}, false,
		},
		{`r if input.subject`, &policies.Input{}, &policies.Input{Subject: &policies.Subject{}}, false},
		{`r if { x := input.subject; not x.claims.a }`, &policies.Input{}, &policies.Input{Subject: &policies.Subject{}}, false},
		{`r if { x := input.subject; x.claims.a == "x" }`, ask("a"), ask("b"), true},
		{`r := input.subject`, ask("a"), ask("b"), false},
		{`r if count(input) > 1`, ask("a"), ask("b"), false},
		{`r if data.base.users[input.body].role == "b"`, body("a"), body("b"), true}, // both have role a
		{`r if data.base.users[input.body].role == "b"`, body("a"), body("ab"), false},
		{`r if data.base.users[input.body].role == "b"`, body("x"), body("y"), true}, // neither is known
		{`r if data.base.users[input.body].role == "b"`, body("x"), body("a"), false},
		{`r if data.base.users[input.body]`, body(json.Number("1")), body(json.Number("2")), false}, // the key "1" is there
		{`r if data.base.grants.ab[input.body] == "a"`, body(json.Number("0")), body(json.Number("1")), false},
		{`r if input.body.a == input.body.b`, body(m{"a": "x", "b": "x"}), body(m{"a": 1, "b": 1}), true},
		{`r if input.body.a == input.body.b`, body(m{"a": "x", "b": "y"}), body(m{"a": 1, "b": "1"}), true},
		{`r if input.body.a == input.body.b`, body(m{"a": "x", "b": "y"}), body(m{"a": "x"}), false},
		{`r if input.body.a == input.body.b`, body(m{"a": []any{"x"}, "b": []any{"x"}}), body(m{"a": []any{"x"}, "b": []any{"y"}}), false},
		{`r if input.body.a == input.body.b`, body(m{"a": json.Number("1"), "b": json.Number("1")}), body(m{"a": json.Number("1"), "b": json.Number("1.0")}), false},
		{`r if { some k, _ in input.body; k == "a" }`, body(m{"a": 1}), body(m{"a": 2}), true},
		{`r if { some k, _ in input.body; k == "a" }`, body(m{"a": 1}), body(m{"b": 1}), false},
		{`r if { some k, _ in input.body; k == 0 }`, body([]any{1}), body([]any{1, 2}), false},
	} {
		memo := New(sourceOf(t, tt.policy), Options{})
		a, aok := memo.general.key(nil, tt.a)
		b, bok := memo.general.key(nil, tt.b)
		if !aok || !bok || bytes.Equal(a, b) != tt.same {
			t.Errorf("%s: one key %v, want %v: %+v, %+v", tt.policy, !tt.same, tt.same, tt.a, tt.b)
		}
	}
}
