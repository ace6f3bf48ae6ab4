package graphql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

const typical = `query Staff($first: Int!, $after: String) {
  staff: employees(first: $first, after: $after) {
    edges { node { ...Card boss { ...Card } offices { id city country { code name } } } cursor }
    pageInfo { hasNextPage endCursor }
  }
  me: viewer { id ...Card }
}
fragment Card on Employee {
  id firstName lastName mail: email pay: salary tenant
  ... on Manager { reports(first: 10) { id name: lastName } }
}`

func typicalSpec() redact.Spec {
	spec := redact.Spec{Rows: rows("$.data.employees.edges[*]", eq("node.tenant", "t1"))}
	for i, path := range strings.Fields(`$..salary $..ssn $..iban $.data.employees.edges.node.email $.data.viewer.phone
		$..birth_date $.data..home_address $.errors[*].extensions $..password $..api_key`) {
		action := redact.Drop
		if i%3 == 0 {
			action = redact.Hash
		}
		spec.Rules = append(spec.Rules, redact.Rule{Path: path, Action: action})
	}
	return spec
}

func BenchmarkTypical(b *testing.B) {
	spec, req := typicalSpec(), post(typical)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(Settings{}, req); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("translate", func(b *testing.B) {
		q := parse(b, Settings{}, req)
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := q.Translate(spec); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkHostile is about queries that are made to be dear: as many names as
// are allowed for a field that is masked in many ways, and the plan of that.
func BenchmarkHostile(b *testing.B) {
	var text strings.Builder
	text.WriteString("{e: employees{")
	for i := range 1990 {
		fmt.Fprintf(&text, " a%d: salary", i)
	}
	text.WriteString("}}")
	spec := redact.Spec{Expose: []string{"$.data.employees.*"}}
	for i := range 50 {
		spec.Rules = append(spec.Rules, redact.Rule{Path: "$.data.employees.salary" + strings.Repeat("[*]", i%3), Action: redact.Drop})
		spec.Rules = append(spec.Rules, redact.Rule{Path: fmt.Sprintf("$..employees..x%d", i), Action: redact.Drop})
	}
	b.Run("parse and translate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, err := parse(b, Settings{}, post(text.String())).Translate(spec)
			if err == nil {
				b.Fatal("it is let through")
			}
		}
	})
	spec.Rules = masks("$.data.employees.salary")
	doc := []byte(`{"data":{"e":[{"a1":1` + strings.Repeat(`,"b":2`, 100) + `}]}}`)
	b.Run("compile and mask", func(b *testing.B) {
		got, _, err := parse(b, Settings{}, post(text.String())).Translate(spec)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := redact.Append(nil, doc, compile(b, got), redact.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
