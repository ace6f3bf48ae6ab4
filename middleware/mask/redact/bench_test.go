package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
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

func benchSpecs(t testing.TB) []struct {
	name string
	spec Spec
} {
	fields := func(format string, n int) []string {
		names := []string{
			"salary", "ssn", "email", "phone", "account", "hired", "zip", "lat", "lon", "manager",
			"field01", "field03", "field05", "field07", "password", "token", "iban", "dob", "secret", "mobile",
		}
		var out []string
		for _, name := range names[:n] {
			out = append(out, fmt.Sprintf(format, name)+" redact")
		}
		return out
	}
	in := []Cond{{Field: "branch", Op: "in", Value: []any{"b1"}}}
	return []struct {
		name string
		spec Spec
	}{
		{"validate", Spec{}},
		{"2 fields", Spec{Rules: rules(t, "$.data[*].salary redact", "$.data[*].ssn drop")}},
		{"20 fields", Spec{Rules: rules(t, fields("$.data[*].%s", 20)...)}},
		{"3 recursive", Spec{Rules: rules(t, fields("$..%s", 3)...)}},
		{"20 recursive", Spec{Rules: rules(t, fields("$..%s", 20)...)}},
		{"rows", Spec{Rules: rules(t, "$.data[*].salary redact", "$.data[*].ssn drop"), Rows: []RowFilter{{Path: "$.data[*]", Where: in}}}},
		{"expose", Spec{Expose: []string{
			"$.count", "$.data.id", "$.data.first_name", "$.data.last_name", "$.data.email", "$.data.title", "$.data.address.city",
			"$.data.tags", "$.data.branch", "$.data.active", "$.data.created", "$.data.notes",
		}}},
	}
}

// walkMarshal is what a program without an engine does: the whole text as a
// tree, and back.
func walkMarshal(t testing.TB, text []byte) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	for _, r := range v["data"].([]any) {
		r := r.(map[string]any)
		r["salary"] = "***"
		delete(r, "ssn")
	}
	if _, err := json.Marshal(v); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkAppend measures each plan beside encoding/json, in turns, so that
// what else the machine does hits both.
func BenchmarkAppend(b *testing.B) {
	text := benchList(100)
	for _, bb := range benchSpecs(b) {
		b.Run(strings.ReplaceAll(bb.name, " ", "-"), func(b *testing.B) {
			plan := compile(b, bb.spec)
			dst := make([]byte, 0, 2*len(text))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Append(dst, text, plan, Limits{Pointers: -1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, f := range map[string]func(){
		"json.Valid":    func() { json.Valid(text) },
		"Unmarshal-any": func() { walkMarshal(b, text) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// TestRatios tells how many times as fast as encoding/json the engine is, and
// checks it against half of what is expected. It depends on the machine, so it
// runs only where GATEHOUSE_BENCH is set.
func TestRatios(t *testing.T) {
	if os.Getenv("GATEHOUSE_BENCH") == "" {
		t.Skip("GATEHOUSE_BENCH is not set")
	}
	text := benchList(100)
	least := func(f func()) float64 {
		start := time.Now()
		for range 3 {
			f()
		}
		return float64(time.Since(start)) / 3
	}
	specs := benchSpecs(t)
	times := make([]float64, len(specs))
	plans := make([]*Plan, len(specs))
	for i, s := range specs {
		plans[i], times[i] = compile(t, s.spec), math.Inf(1)
	}
	valid, tree := math.Inf(1), math.Inf(1)
	dst := make([]byte, 0, 2*len(text))
	for range 60 {
		valid = min(valid, least(func() { json.Valid(text) }))
		for i, p := range plans {
			times[i] = min(times[i], least(func() {
				if _, _, err := Append(dst, text, p, Limits{Pointers: -1}); err != nil {
					t.Fatal(err)
				}
			}))
		}
		tree = min(tree, least(func() { walkMarshal(t, text) }))
	}
	want := map[string]float64{"validate": 4.5, "2 fields": 3.3, "3 recursive": 2.3, "20 fields": 1.8, "rows": 2.8}
	mbs := func(ns float64) float64 { return float64(len(text)) / ns * 1000 }
	t.Logf("%s %s/%s, %d bytes; json.Valid %.0f MB/s, Unmarshal+walk+Marshal %.0f MB/s", runtime.Version(), runtime.GOOS, runtime.GOARCH, len(text), mbs(valid), mbs(tree))
	for i, s := range specs {
		t.Logf("%-13s %5.0f MB/s, %4.2f x json.Valid, %4.1f x Unmarshal+walk+Marshal", s.name, mbs(times[i]), valid/times[i], tree/times[i])
		if valid/times[i] < want[s.name]/2 {
			t.Errorf("%s: %.2f x json.Valid, want %.2f", s.name, valid/times[i], want[s.name])
		}
	}
}

// BenchmarkSmall measures a short answer: what a text costs before its first
// byte and behind its last.
func BenchmarkSmall(b *testing.B) {
	text := benchList(1)
	plan := compile(b, benchSpecs(b)[1].spec)
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
			dst := make([]byte, 0, 2*len(text))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Append(dst, text, plan, Limits{Pointers: -1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompile measures a plan of 200 rules.
func BenchmarkCompile(b *testing.B) {
	var spec Spec
	for i := range 200 {
		spec.Rules = append(spec.Rules, Rule{Path: fmt.Sprintf("$.data[*].field%d", i), Action: Redact})
	}
	for b.Loop() {
		if _, err := Compile(spec, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReader measures a Reader on a long text.
func BenchmarkReader(b *testing.B) {
	text := benchList(1000)
	plan := compile(b, benchSpecs(b)[1].spec)
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
