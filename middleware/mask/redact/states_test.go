package redact

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// held gives the bytes that f leaves behind on the heap, and keeps what it gave
// until then.
func held[T any](f func() T) (T, int) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	out := f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return out, int(after.HeapAlloc) - int(before.HeapAlloc)
}

// TestStatesAreBounded: what a plan keeps of the texts it was used on is
// bounded, whatever the texts are and however many paths there are.
func TestStatesAreBounded(t *testing.T) {
	// Which of the last 20 names were "a" is a state of its own.
	explodes := Spec{Rules: []Rule{{Path: "$..a" + strings.Repeat(".*", 20), Action: Redact}}}
	// A query that gives a thousand names to what is masked.
	var wide Spec
	for i := range 2000 {
		wide.Rules = append(wide.Rules, Rule{Path: fmt.Sprintf("$.data.x%d.y%d.z%d.ssn", i, i, i), Action: Redact})
	}
	for name, tt := range map[string]struct {
		spec Spec
		text func() string
	}{
		"explodes": {explodes, func() string {
			var b strings.Builder
			b.WriteByte('[')
			for i := range 20_000 {
				if i > 0 {
					b.WriteByte(',')
				}
				for bit := range 16 {
					if i>>bit&1 == 0 {
						b.WriteString(`{"a":`)
					} else {
						b.WriteString(`{"b":`)
					}
				}
				b.WriteByte('1')
				b.WriteString(strings.Repeat("}", 16))
			}
			b.WriteByte(']')
			return b.String()
		}},
		"wide": {wide, func() string {
			var b strings.Builder
			b.WriteString(`{"data":{"":0`)
			for i := range 2000 {
				fmt.Fprintf(&b, `,"x%d":{"y%d":{"z%d":{"ssn":1}}}`, i, i, i)
			}
			b.WriteString(`}}`)
			return b.String()
		}},
	} {
		text := tt.text()
		plan, size := held(func() *Plan {
			plan, err := Compile(tt.spec, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				r := NewReader(plan, strings.NewReader(text), Limits{Pointers: -1})
				if _, err := io.Copy(io.Discard, r); err != nil {
					t.Fatal(err)
				}
				_ = r.Close()
			}
			return plan
		})
		t.Logf("%s: %d KiB for %d positions, %d symbols, %d states", name, size>>10, plan.machine.size, len(plan.machine.match), len(plan.machine.known))
		if size > 16<<20 || len(plan.machine.known) > maxStates {
			t.Errorf("%s: a plan holds %d KiB", name, size>>10)
		}
		runtime.KeepAlive(plan)
	}
}
