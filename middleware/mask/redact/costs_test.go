//go:build unix

package redact

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestCosts prints what the engine costs where nothing is alike, in
// allocations, for compiling, and on texts made to be slow.
func TestCosts(t *testing.T) {
	if os.Getenv("GATEHOUSE_BENCH") == "" {
		t.Skip("GATEHOUSE_BENCH is not set")
	}
	two := compile(t, benchPlans(t)[1].spec)
	mixed := mixedList(t, 100)
	text := benchList(100)
	times := contest(t, 40, []*contestant{
		validating(mixed), rewriting(mixed, two), validating(text), rewriting(text, detecting(t, Spec{}, false)),
		{reps: 5, run: func() error {
			_, err := Compile(manyRules(200), Options{})
			return err
		}},
	})
	var b strings.Builder
	fmt.Fprintf(&b, "2 fields, members in random order, a third absent: %.1f x json.Valid\n", times[0].Seconds()/times[1].Seconds())
	fmt.Fprintf(&b, "every value looked at by a detector: %.1f x json.Valid\n", times[2].Seconds()/times[3].Seconds())
	fmt.Fprintf(&b, "compiling 200 rules: %d us (300)\n", times[4].Microseconds())
	fmt.Fprint(&b, "allocations per text (0):")
	for _, p := range benchPlans(t) {
		run := rewriting(text, compile(t, p.spec)).run
		fmt.Fprintf(&b, " %s %.0f", p.name, testing.AllocsPerRun(100, func() { _ = run() }))
	}
	fmt.Fprint(&b, "\nhostile texts, ms for each MiB (25):")
	hostilePlan := hostilePlan(t)
	texts := hostile()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		text := []byte(texts[name])
		c := rewriting(text, hostilePlan)
		c.reps = 1
		ms := contest(t, 8, []*contestant{c})[0].Seconds() * 1000 * (1 << 20) / float64(len(text))
		fmt.Fprintf(&b, "\n  %-22s %5.1f", name, ms)
		if ms > 50 {
			t.Errorf("%s: %.1f ms", name, ms)
		}
	}
	t.Log("\n" + b.String())
}

// mixedList is a list of records that are as unlike as the members of
// [benchList] can be.
func mixedList(tb testing.TB, records int) []byte {
	tb.Helper()
	var list struct {
		Data []map[string]json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(benchList(records), &list); err != nil {
		tb.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	b.WriteString(`{"data":[`)
	for i, record := range list.Data {
		names := make([]string, 0, len(record))
		for name := range record {
			names = append(names, name)
		}
		slices.Sort(names)
		r.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
		b.WriteString("{")
		for _, name := range names[:len(names)*2/3] {
			fmt.Fprintf(&b, "%q:%s,", name, record[name])
		}
		fmt.Fprintf(&b, `"number":%d},`, i)
	}
	return []byte(strings.TrimSuffix(b.String(), ",") + "]}")
}

// BenchmarkMixed measures records of which the next is never like the last.
func BenchmarkMixed(b *testing.B) {
	text := mixedList(b, 100)
	plan := compile(b, benchPlans(b)[1].spec)
	dst := make([]byte, 0, 2*len(text))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, _, err := Append(dst, text, plan, Limits{Pointers: -1}); err != nil {
			b.Fatal(err)
		}
	}
}
