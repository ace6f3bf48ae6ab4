package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
)

// benchList is a list of records of 41 members, as backends give them.
func benchList(records int) []byte {
	var b strings.Builder
	b.WriteString(`{"count":` + fmt.Sprint(records) + `,"next":null,"data":[`)
	for i := range records {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"first_name":"Ada%d","last_name":"Lovelace","email":"ada%d@example.com","ssn":"123-45-%04d","salary":%d.50,`, i, i, i, i, 40000+i*37)
		fmt.Fprintf(&b, `"branch":"b%d","active":%t,"manager":null,"hired":"2019-0%d-11","title":"Engineer","phone":"+44 20 7946 0%03d",`, i%3, i%2 == 0, 1+i%9, i)
		fmt.Fprintf(&b, `"address":{"street":"%d High Street","city":"London","zip":"E1 %dAB","country":"GB","geo":{"lat":51.5%d,"lon":-0.1%d}},`, i, i%10, i, i)
		fmt.Fprintf(&b, `"bank":{"account":"GB29NWBK6016%08d","name":"NatWest"},"tags":["a","b%d","c"],"scores":[1,22,%d],`, i, i, i)
		for k := range 20 {
			switch k % 4 {
			case 0:
				fmt.Fprintf(&b, `"field%02d":"some text of field %d",`, k, k)
			case 1:
				fmt.Fprintf(&b, `"field%02d":%d,`, k, i*k)
			case 2:
				fmt.Fprintf(&b, `"field%02d":%t,`, k, k%3 == 0)
			default:
				fmt.Fprintf(&b, `"field%02d":"%x",`, k, i*7919+k)
			}
		}
		b.WriteString(`"created":"2024-05-17T10:00:00Z","updated":"2025-01-02T03:04:05Z","notes":"a longer text, as people write them into such fields, of one line"}`)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

// benchPlan is a plan to be measured, and the same said to those that have no
// plans.
type benchPlan struct {
	name  string
	spec  Spec
	chore chore
}

func benchPlans(t testing.TB) []benchPlan {
	names := []string{
		"salary", "ssn", "email", "phone", "account", "hired", "zip", "lat", "lon", "manager",
		"field01", "field03", "field05", "field07", "password", "token", "iban", "dob", "secret", "mobile",
	}
	masks := func(format string, n int) Spec {
		var out []string
		for _, name := range names[:n] {
			out = append(out, fmt.Sprintf(format, name)+" redact")
		}
		return Spec{Rules: rules(t, out...)}
	}
	two := rules(t, "$.data[*].salary redact", "$.data[*].ssn drop")
	rows := []RowFilter{{Path: "$.data[*]", Where: []Cond{{Field: "branch", Op: "in", Value: []any{"b1"}}}}}
	pass := []string{
		"$.count", "$.data.id", "$.data.first_name", "$.data.last_name", "$.data.email", "$.data.title", "$.data.address.city",
		"$.data.tags", "$.data.branch", "$.data.active", "$.data.created", "$.data.notes",
	}
	return []benchPlan{
		{"validate", Spec{}, chore{}},
		{"2 fields", Spec{Rules: two}, chore{mask: []string{"salary"}, drop: []string{"ssn"}}},
		{"20 fields", masks("$.data[*].%s", 20), chore{mask: names}},
		{"3 recursive", masks("$..%s", 3), chore{mask: names[:3], deep: true}},
		{"20 recursive", masks("$..%s", 20), chore{mask: names, deep: true}},
		{"rows", Spec{Rules: two, Rows: rows}, chore{mask: []string{"salary"}, drop: []string{"ssn"}, branch: "b1"}},
		{"expose", Spec{Expose: pass}, chore{pass: passTree(pass)}},
	}
}

// benchAppend masks a text again and again.
func benchAppend(b *testing.B, text []byte, plan *Plan) {
	dst := make([]byte, 0, 2*len(text))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Append(dst, text, plan, Limits{Pointers: -1}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend measures each plan, for a profile of it. TestRatios compares.
func BenchmarkAppend(b *testing.B) {
	text := benchList(100)
	for _, bb := range benchPlans(b) {
		b.Run(strings.ReplaceAll(bb.name, " ", "-"), func(b *testing.B) {
			plan := compile(b, bb.spec)
			benchAppend(b, text, plan)
		})
	}
	b.Run("json.Valid", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			json.Valid(text)
		}
	})
}

// BenchmarkSmall measures a short answer: what a text costs before its first
// byte and behind its last.
func BenchmarkSmall(b *testing.B) {
	text := benchList(1)
	plan := compile(b, benchPlans(b)[1].spec)
	dst := make([]byte, 0, 2*len(text))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Append(dst, text, plan, Limits{Pointers: -1}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDetect measures a plan that looks at every value: on a list, and on a
// text that is made of findings as deep as they are told apart.
func BenchmarkDetect(b *testing.B) {
	for name, text := range map[string][]byte{
		"list": benchList(100),
		"deep": []byte(strings.Repeat(`{"a":`, 15) + "[" + strings.Repeat(`"@",`, 25_000) + "0]" + strings.Repeat("}", 15)),
	} {
		b.Run(name, func(b *testing.B) {
			plan := detecting(b, Spec{Known: []string{"$.data[*].email"}}, false)
			benchAppend(b, text, plan)
		})
	}
}

// manyRules is a spec of n rules.
func manyRules(n int) Spec {
	var spec Spec
	for i := range n {
		spec.Rules = append(spec.Rules, Rule{Path: fmt.Sprintf("$.data[*].field%d", i), Action: Redact})
	}
	return spec
}

// BenchmarkCompile measures a plan of 200 rules.
func BenchmarkCompile(b *testing.B) {
	spec := manyRules(200)
	for b.Loop() {
		if _, err := Compile(spec, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReader measures a Reader on a long text.
func BenchmarkReader(b *testing.B) {
	text := benchList(1000)
	plan := compile(b, benchPlans(b)[1].spec)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(plan, bytes.NewReader(text), Limits{Pointers: -1})
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
