package graphql

import (
	"errors"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// FuzzParse looks for requests that are taken and cannot be translated, and for
// errors that are of no kind.
func FuzzParse(f *testing.F) {
	f.Add("POST", "application/json", "", []byte(`{"query":"query Q($a: Int) {e: employees(first: $a) {...F}} fragment F on E {x: salary}","operationName":"Q"}`))
	f.Add("POST", "application/json", "", []byte(`[{"id":"list"},{"query":"mutation {a}"}]`))
	f.Add("POST", "application/graphql", "", []byte("{a ... on B @skip(if: true) {b(s: \"x\\\"\")}} # c"))
	f.Add("GET", "", "query=%7Bx:employees%7Btenant%7D%7D&extensions=%7B%7D", []byte(nil))
	settings := Settings{Batch: 2, Depth: 8, Selections: 50, Persisted: map[string]string{"list": "{employees{tenant}}"}}
	spec := redact.Spec{
		Rules:  []redact.Rule{{Path: "$..salary", Action: redact.Drop}, {Path: "$.data.employees.*", Action: redact.Null}, {Path: "$..a", Action: redact.Show}},
		Rows:   rows("$.data.employees[*]", eq("tenant.id", "x")),
		Expose: []string{"$.data.employees", "$.data..b"},
		Known:  []string{"$..a"},
	}
	f.Fuzz(func(t *testing.T, method, mediaType, rawQuery string, body []byte) {
		q, err := Parse(settings, Request{method, mediaType, rawQuery, body})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || q != nil {
				t.Fatalf("%v, %v", q, err)
			}
			return
		}
		got, _, err := q.Translate(spec)
		switch {
		case errors.Is(err, ErrRefused):
			return
		case err != nil:
			t.Fatal(err)
		case len(got.Expose) == 0 || len(got.Rows) == 0:
			t.Fatalf("restrictions are gone: %+v", got)
		}
		compile(t, got)
	})
}
