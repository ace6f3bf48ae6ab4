package graphql

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestQuestions: what fields are given is told wherever it stands, with what
// the variables hold that are used, and those only.
func TestQuestions(t *testing.T) {
	q, err := Parse(Settings{Batch: 2}, jsonBody(`[
		{"query":"query($a: A, $b: B = C, $c: C) { x(n: 1, w: {s: E, t: [\"u\", 2, null]}) { y(a: $a, b: {b: $b}) } }",
		 "variables":{"c":{"z":1},"a":[{"k":"v","n":0},{"k":[]}],"b":"d"}},
		{"query":"mutation { x(n: 1) { ...F } } fragment F on X { y(m: 2) }"}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Question{
		{
			Arguments: []Argument{
				{Name: "n"},
				{Name: "w", Inside: []Argument{{Name: "s", Text: "E", Enum: true}, {Name: "t", Inside: []Argument{{Text: "u"}}}}},
				{Name: "a", Variable: "a"},
				{Name: "b", Inside: []Argument{{Name: "b", Variable: "b"}}},
			},
			Variables: map[string][]Argument{
				"a": {{Inside: []Argument{{Inside: []Argument{{Name: "k", Text: "v"}, {Name: "n"}}}, {Inside: []Argument{{Name: "k"}}}}}},
				"b": {{Text: "C", Enum: true}, {Text: "d"}},
			},
		},
		{Arguments: []Argument{{Name: "m"}}, Variables: map[string][]Argument{}},
	}
	if diff := cmp.Diff(want, q.Questions()); diff != "" {
		t.Error(diff)
	}
}

// TestQuestionsAreBounded: of all operations together.
func TestQuestionsAreBounded(t *testing.T) {
	one := `{"query":"query($a: A) { x(a: $a) }","variables":{"a":[` + strings.Repeat(`"v",`, maxArguments/2) + `"v"]}}`
	if _, err := Parse(Settings{Batch: 2}, jsonBody(one)); err != nil {
		t.Error(err)
	}
	if _, err := Parse(Settings{Batch: 2}, jsonBody("["+one+","+one+"]")); err == nil {
		t.Error("two of them are not too much")
	}
}
