package redact

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// hostile are texts of about a mebibyte that are made to be slow, by what they
// are made of.
func hostile() map[string]string {
	const size = 1 << 20
	names := func(f func(i int) string) string {
		var b strings.Builder
		b.WriteString("{")
		for i := 0; b.Len() < size; i++ {
			fmt.Fprintf(&b, "%q:1,", f(i))
		}
		return b.String() + `"":1}`
	}
	r := rand.New(rand.NewPCG(1, 2))
	nested := strings.Repeat(`{"pay":`, 900) + "0" + strings.Repeat("}", 900) + ","
	deep := strings.Repeat("[", 999) + strings.Repeat("]", 999) + ","
	return map[string]string{
		"nested to the limit": "[" + strings.Repeat(deep, size/len(deep)) + "0]",
		"zeros":               "[" + strings.Repeat("0,", size/2) + "0]",
		"empty arrays":        "[" + strings.Repeat("[],", size/3) + "0]",
		"empty objects":       "[" + strings.Repeat("{},", size/3) + "0]",
		"rows of one field":   "[" + strings.Repeat(`{"tenant":"y"},`, size/15) + "0]",
		"spellings":           "[" + strings.Repeat(`{"a":{"A":{"a_":0,"-A":0}}},`, size/28) + "0]",
		"spaces":              "[" + strings.Repeat(" \n", size/2) + "0]",
		"digits":              "[" + strings.Repeat("1", size) + "]",
		"not ASCII":           `"` + strings.Repeat(`aä`, size/3) + `"`,
		"every member masked": "[" + strings.Repeat(`{"ssn":"123-45-6789"},`, size/22) + "0]",
		"names that differ":   names(func(int) string { return fmt.Sprintf("%x", r.Uint64()) }),
		"long names":          names(func(i int) string { return fmt.Sprintf("%0*d", 4000, i) }),
		"escaped names":       strings.ReplaceAll(names(func(i int) string { return fmt.Sprint("n", i) }), `"n`, `"\u006e`),
		"escapes":             `"` + strings.Repeat(`\n`, size/2) + `"`,
		"nested masks":        "[" + strings.Repeat(nested, size/len(nested)) + "0]",
	}
}

func hostilePlan(tb testing.TB) *Plan {
	tb.Helper()
	spec := Spec{Rows: []RowFilter{{Path: "$[*]", Where: []Cond{{Field: "tenant", Op: "ne", Value: "x"}}}}}
	for _, n := range []string{"ssn", "pay", "salary", "bank", "health", "a", "b", "c", "d", "e", "f"} {
		spec.Rules = append(spec.Rules, Rule{Path: "$.." + n, Action: Partial}, Rule{Path: "$.." + n + ".x", Action: Show})
	}
	p, err := Compile(spec, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return p.OptionalRows()
}

// BenchmarkHostile is what the slowest texts cost, reported as the mask stage
// asks for it: counts without places.
func BenchmarkHostile(b *testing.B) {
	plan := hostilePlan(b)
	for name, text := range hostile() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_, _, _ = Append(nil, []byte(text), plan, Limits{Pointers: -1})
			}
		})
	}
}
