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

// wideText is an object, or a list of one, with so many members.
func wideText(members int, list bool) []byte {
	var b strings.Builder
	b.WriteString(`{"":0`)
	for i := range members {
		fmt.Fprintf(&b, `,"member_%d":"value %d"`, i, i)
	}
	b.WriteString(`}`)
	if list {
		return []byte(`{"items":[` + b.String() + `]}`)
	}
	return []byte(b.String())
}

// wideSpec masks so many of its members.
func wideSpec(format string, masks int) Spec {
	var spec Spec
	for i := range masks {
		spec.Rules = append(spec.Rules, Rule{Path: fmt.Sprintf(format, i), Action: []Action{Drop, Hash, Partial, Redact}[i%4]})
	}
	return spec
}

// TestStatesOfManyMasks: what a text costs grows with its masks and no faster, for
// a plan keeps a state for each of them. One that is made anew for every member
// costs a thousand times what the member does.
func TestStatesOfManyMasks(t *testing.T) {
	const members = 1200
	keys, err := NewKeyring("k", map[string]string{"k": strings.Repeat("k", 32)})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"$.member_%d", "$.items[*].member_%d", "$..member_%d"} {
		text := wideText(members, strings.HasPrefix(format, "$.items"))
		for _, masks := range []int{10, 100, 1000, members} {
			plan, err := Compile(wideSpec(format, masks), Options{Keys: keys})
			if err != nil {
				t.Fatal(err)
			}
			read := func() {
				if _, r, err := Append(nil, text, plan, Limits{Pointers: -1}); err != nil || r.Masked != masks {
					t.Fatalf("%s, %d: %d masked, %v", format, masks, r.Masked, err)
				}
			}
			read()
			made := plan.machine.salt // moves on with every state that is made
			read()
			if plan.machine.salt != made || len(plan.machine.known) < masks {
				t.Errorf("%s, %d masks: a text that is known makes states anew; %d are kept", format, masks, len(plan.machine.known))
			}
		}
	}
}

// TestStatesAreSmall: of a state where a path ends, which is one for every mask,
// nothing is kept that hangs on how many paths there are.
func TestStatesAreSmall(t *testing.T) {
	const masks = 2000
	text := wideText(masks, false)
	spec := wideSpec("$.member_%d", masks)
	for i := range spec.Rules {
		spec.Rules[i].Action = Drop
	}
	plan, err := Compile(spec, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, size := held(func() bool {
		_, _, err := Append(nil, text, plan, Limits{Pointers: -1})
		return err == nil
	})
	if each := size / masks; len(plan.machine.known) <= masks || each > stateMemory+64 {
		t.Errorf("%d states take %d bytes each", len(plan.machine.known), each)
	}
	runtime.KeepAlive(plan)
}

// BenchmarkWide measures a record of a thousand members of which some are masked.
func BenchmarkWide(b *testing.B) {
	text := wideText(1000, false)
	for _, masks := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(masks), func(b *testing.B) {
			spec := wideSpec("$.member_%d", masks)
			for i := range spec.Rules {
				spec.Rules[i].Action = Drop
			}
			plan := compile(b, spec)
			benchAppend(b, text, plan)
		})
	}
}
