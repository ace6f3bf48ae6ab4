package redact

import (
	"encoding/json"
	"errors"
	"testing"
)

// TestConditions judges one field, in a row of an array, by one condition.
func TestConditions(t *testing.T) {
	num := func(s string) any { return json.Number(s) }
	list := func(v ...any) any { return append([]any{}, v...) }
	tests := []struct {
		row   string
		field string
		op    string
		value any
		want  bool
	}{
		{`{"f":"x"}`, "f", "eq", "x", true},
		{`{"f":"\u0078"}`, "f", "eq", "x", true},
		{`{"\u0066":"x"}`, "f", "eq", "x", true},
		{`{"f":"y"}`, "f", "eq", "x", false},
		{`{"f":"y"}`, "f", "ne", "x", true},
		{`{}`, "f", "eq", "x", false},
		{`{}`, "f", "ne", "x", false},
		{`{"f":1}`, "f", "eq", "1", false},
		{`{"f":1}`, "f", "ne", "1", false},
		{`{"f":["x"]}`, "f", "eq", "x", false},
		{`{"f":["x"]}`, "f", "ne", "y", false},
		{`{"f":{}}`, "f", "ne", "y", false},
		{`{"f":"x","f":"x"}`, "f", "eq", "x", false},
		{`{"f":"x","F":"x"}`, "f", "eq", "x", false},
		{`{"F":"x"}`, "f", "eq", "x", false},
		{`{"F":"x"}`, "f", "ne", "y", false},
		{`{"f\ud800":"x","f":"x"}`, "f", "eq", "x", true},
		{`{"f":"\ud800"}`, "f", "ne", "x", false},
		{`{"f":true}`, "f", "eq", true, true},
		{`{"f":false}`, "f", "ne", true, true},
		{`{"f":false}`, "f", "lt", true, false},
		{`{"f":null}`, "f", "eq", nil, true},
		{`{"f":1}`, "f", "ne", nil, true},
		{`{"f":[]}`, "f", "ne", nil, false},
		{`{"f":null}`, "f", "ne", "x", false},
		{`{"f":null}`, "f", "le", nil, false},

		{`{"f":1.0}`, "f", "eq", num("1"), true},
		{`{"f":10e-1}`, "f", "eq", num("1"), true},
		{`{"f":-0}`, "f", "eq", num("0"), true},
		{`{"f":9007199254740993}`, "f", "eq", num("9007199254740992"), false},
		{`{"f":9007199254740993}`, "f", "gt", num("9007199254740992"), true},
		{`{"f":0.1}`, "f", "lt", num("0.11"), true},
		{`{"f":-5}`, "f", "lt", num("-4.9"), true},
		{`{"f":-5}`, "f", "lt", num("1e-9"), true},
		{`{"f":5}`, "f", "ge", num("5.000"), true},
		{`{"f":5}`, "f", "le", num("5"), true},
		{`{"f":1e400}`, "f", "gt", num("1e399"), true},
		{`{"f":1e1000000000}`, "f", "lt", num("1e1000000001"), true},
		{`{"f":1e99999999999999999999}`, "f", "gt", num("1"), false},
		{`{"f":1e99999999999999999999}`, "f", "le", num("1"), false},
		{`{"f":0.5}`, "f", "eq", 0.5, true},
		{`{"f":3}`, "f", "eq", 3, true},
		{`{"f":"2026-01-02"}`, "f", "ge", "2026-01-01", true},
		{`{"f":"b"}`, "f", "gt", "b", false},
		{`{"f":"b"}`, "f", "gt", num("1"), false},

		{`{"f":"x"}`, "f", "in", list("y", "x"), true},
		{`{"f":"x"}`, "f", "in", list(), false},
		{`{"f":"x"}`, "f", "in", list(num("1"), "x"), true},
		{`{"f":["x"]}`, "f", "in", list("x"), false},
		{`{"f":null}`, "f", "in", list("x", nil), true},
		{`{"f":"x"}`, "f", "not_in", list("y"), true},
		{`{"f":"x"}`, "f", "not_in", list(), true},
		{`{"f":"x"}`, "f", "not_in", list(num("1")), false},
		{`{}`, "f", "not_in", list("y"), false},

		{`{"f":"ab\u0063"}`, "f", "startswith", "ab", true},
		{`{"f":"abc"}`, "f", "startswith", "abc", true},
		{`{"f":"abc"}`, "f", "startswith", "b", false},
		{`{"f":"abc"}`, "f", "startswith", "A", false},
		{`{"f":"a"}`, "f", "startswith", "ab", false},
		{`{"f":""}`, "f", "startswith", "", true},
		{`{"f":"ab\u0063"}`, "f", "endswith", "bc", true},
		{`{"f":"abc"}`, "f", "endswith", "b", false},
		{`{"f":"a\nc"}`, "f", "contains", "\nc", true},
		{`{"f":"abc"}`, "f", "contains", "ac", false},
		{`{"f":"e\u0301"}`, "f", "contains", "é", false},
		{`{"f":"\ud800x"}`, "f", "contains", "x", false},
		{`{"f":12}`, "f", "startswith", "1", false},
		{`{"f":12}`, "f", "startswith", num("1"), false},
		{`{"f":"12"}`, "f", "endswith", num("2"), false},
		{`{"f":"true"}`, "f", "contains", true, false},
		{`{"f":["x"]}`, "f", "contains", "x", false},
		{`{}`, "f", "contains", "", false},

		{`{"f":null}`, "f", "exists", nil, true},
		{`{"f":{}}`, "f", "exists", true, true},
		{`{}`, "f", "exists", nil, false},
		{`{}`, "f", "exists", false, true},
		{`{"f":1}`, "f", "exists", false, false},
		{`{"F":1}`, "f", "exists", nil, false},
		{`{"F":1}`, "f", "exists", false, false},
		{`{"a":[{"b":1}]}`, "a.b", "exists", false, false},
		{`{"a":null}`, "a.b", "exists", false, true},

		{`{"a":{"b":"x"}}`, "a.b", "eq", "x", true},
		{`{"a":{"b":"x"}}`, "@.a['b']", "eq", "x", true},
		{`{"a":{"b":"x"},"a":1}`, "a.b", "eq", "x", false},
		{`{"a":{"b":"x"},"A":{}}`, "a.b", "eq", "x", false},
		{`{"a":[{"b":"x"}]}`, "a.b", "eq", "x", false},
		{`{"a-b":1}`, "['a-b']", "eq", 1, true},
		{`"x"`, "@", "eq", "x", true},
		{`["x"]`, "@", "ne", "y", false},
		{`5`, "f", "ne", 5, false},
	}
	for _, tt := range tests {
		p := compile(t, Spec{
			// Rows are judged on what came in, not on what goes out.
			Rules: rules(t, "$.rows[*].* redact"),
			Rows:  []RowFilter{{Path: "$.rows[*]", Where: []Cond{{Field: tt.field, Op: tt.op, Value: tt.value}}}},
		})
		got, rep, err := appendBoth(t, nil, []byte(`{"rows":[`+tt.row+`]}`), p, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if kept := string(got) != `{"rows":[]}`; kept != tt.want || rep.Dropped == 1 == tt.want {
			t.Errorf("%s: %s %s %v: kept %v", tt.row, tt.field, tt.op, tt.value, kept)
		}
	}
}

func TestRowPaths(t *testing.T) {
	where := []Cond{{Field: "k", Op: "eq", Value: 1}}
	const yes, no = `{"k":1}`, `{"k":2}`
	tests := []struct {
		name, path, in, want string
		err                  error
	}{
		{name: "elements", path: "$.r[*]", in: `{"r":[` + yes + `,` + no + `]}`, want: `{"r":[` + yes + `]}`},
		{name: "elements of what is no array", path: "$.r[*]", in: `{"r":` + no + `}`, err: ErrRowsAbsent},
		{name: "elements of elements stand for themselves", path: "$.r[*]", in: `{"r":[[` + yes + `]]}`, want: `{"r":[]}`},
		{name: "value", path: "$.r", in: `{"r":` + no + `,"s":1}`, want: `{"s":1}`},
		{name: "value that is an array", path: "$.r", in: `{"r":[` + no + `, ` + yes + `, ` + no + `]}`, want: `{"r":[ ` + yes + `]}`},
		{name: "root", path: "$", in: yes, want: yes},
		{name: "root denied", path: "$", in: no, err: ErrRowDenied},
		{name: "scalar root denied", path: "$", in: `1`, err: ErrRowDenied},
		{name: "root array", path: "$", in: `[` + no + `,` + yes + `]`, want: `[` + yes + `]`},
		{name: "root elements", path: "$[*]", in: `[` + no + `]`, want: `[]`},
		{name: "root that has no elements", path: "$[*]", in: yes, err: ErrRowsAbsent},
		{name: "no looking through arrays", path: "$.r", in: `[{"r":` + yes + `}]`, err: ErrRowsAbsent},
		{name: "empty array", path: "$.r[*]", in: `{"r":[ ]}`, want: `{"r":[ ]}`},
		{name: "empty array on the way", path: "$.r[*].s[*]", in: `{"r":[]}`, want: `{"r":[]}`},
		{name: "empty array elsewhere", path: "$.r[*]", in: `{"q":[]}`, err: ErrRowsAbsent},
		{name: "loose names", path: "$.my_rows[*]", in: `{"myRows":[` + no + `]}`, want: `{"myRows":[]}`},
		{name: "nested", path: "$..r[*]", in: `{"r":[{"k":1,"r":[` + no + `]},` + no + `]}`, want: `{"r":[{"k":1,"r":[]}]}`},
		{name: "null", path: "$.r", in: `{"r":null}`, want: `{}`},
		{name: "wildcard", path: "$.*", in: `{"a":` + yes + `,"b":` + no + `}`, want: `{"a":` + yes + `}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, Spec{Rows: []RowFilter{{Path: tt.path, Where: where}}})
			got, _, err := appendBoth(t, nil, []byte(tt.in), p, Limits{})
			if !errors.Is(err, tt.err) || string(got) != tt.want {
				t.Fatalf("got %s, %v; want %s, %v", got, err, tt.want, tt.err)
			}
			if tt.err == ErrRowsAbsent {
				if got, _, err := appendBoth(t, nil, []byte(tt.in), p.OptionalRows(), Limits{}); err != nil || string(got) != tt.in {
					t.Errorf("where rows are optional: %s, %v", got, err)
				}
			}
		})
	}
}

func TestRowsMeetMasks(t *testing.T) {
	eq := func(path, field string, v any) RowFilter {
		return RowFilter{Path: path, Where: []Cond{{Field: field, Op: "eq", Value: v}}}
	}
	tests := []struct {
		name  string
		rules []string
		rows  []RowFilter
		expo  []string
		in    string
		want  string
	}{
		{name: "every filter must hold", rows: []RowFilter{eq("$.r[*]", "a", 1), eq("$.r", "b", 1)}, in: `{"r":[{"a":1,"b":1},{"a":1,"b":2},{"a":2,"b":1}]}`, want: `{"r":[{"a":1,"b":1}]}`},
		{name: "one path that exists is enough", rows: []RowFilter{eq("$.r[*]", "a", 1), eq("$.s[*]", "a", 1)}, in: `{"s":[{"a":2}]}`, want: `{"s":[]}`},
		{name: "a dropped field still counts", rules: []string{"$..a drop"}, rows: []RowFilter{eq("$.r", "a", 1)}, in: `{"r":[{"a":1,"b":2},{"a":2}]}`, want: `{"r":[{"b":2}]}`},
		{name: "a masked array still holds rows", rules: []string{"$.r redact"}, rows: []RowFilter{eq("$.r", "a", 1)}, in: `{"r":[{"a":1}]}`, want: `{"r":"***"}`},
		{name: "a hidden array still holds rows", expo: []string{"$.n"}, rows: []RowFilter{eq("$.r", "a", 1)}, in: `{"r":[{"a":2}],"n":1}`, want: `{"n":1}`},
		{name: "hidden fields are judged", expo: []string{"$.r.n"}, rows: []RowFilter{eq("$.r", "a", 1)}, in: `{"r":[{"a":1,"n":1},{"a":2,"n":2}]}`, want: `{"r":[{"n":1}]}`},
		{name: "show does not keep a row", rules: []string{"$.r redact", "$.r.n show"}, rows: []RowFilter{eq("$.r", "a", 1)}, in: `{"r":[{"a":2,"n":1}]}`, want: `{"r":"***"}`},
		{name: "show in a row that stays", rules: []string{"$.r redact", "$.r.n show"}, rows: []RowFilter{eq("$.r", "a", 1)}, in: `{"r":[{"a":2,"n":1},{"a":1,"n":1}]}`, want: `{"r":[{"a":"***","n":1}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, Spec{Rules: rules(t, tt.rules...), Rows: tt.rows, Expose: tt.expo})
			got, _, err := appendBoth(t, nil, []byte(tt.in), p, Limits{})
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestMissingNeverHolds(t *testing.T) {
	for _, op := range []string{"eq", "ne", "in", "not_in", "lt", "le", "gt", "ge", "exists", "startswith", "endswith", "contains"} {
		leaf := Cond{Field: "a", Op: op, Missing: true}
		for _, c := range []Cond{leaf, {Not: &leaf}, {Not: &Cond{Not: &leaf}}} {
			p := compile(t, Spec{Rows: []RowFilter{{Path: "$", Where: []Cond{c}}}})
			for _, in := range []string{`{"a":1}`, `{"a":null}`, `{"a":""}`, `{}`} {
				if _, _, err := appendBoth(t, nil, []byte(in), p, Limits{}); !errors.Is(err, ErrRowDenied) {
					t.Errorf("%s of %s: %v", op, in, err)
				}
			}
		}
	}
}
