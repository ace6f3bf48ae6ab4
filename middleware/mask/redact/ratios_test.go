//go:build unix

package redact

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// contestant is something whose cost is measured beside that of others.
type contestant struct {
	run   func() error
	reps  int // how often at a time
	times []time.Duration
}

// contest lets all take turns, so that they have the same weather, and gives
// the processor time that each takes once it is warm. It is the least but two:
// the least of all may be too little, where the books of the kernel on another
// thread are late.
func contest(t *testing.T, rounds int, all []*contestant) []time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range rounds {
		for _, c := range all {
			if err := c.run(); err != nil {
				t.Fatal(err)
			}
			start := cpuTime(t)
			for range c.reps {
				if err := c.run(); err != nil {
					t.Fatal(err)
				}
			}
			c.times = append(c.times, (cpuTime(t)-start)/time.Duration(c.reps))
		}
	}
	out := make([]time.Duration, len(all))
	for i, c := range all {
		slices.Sort(c.times)
		out[i] = c.times[min(2, len(c.times)-1)]
	}
	return out
}

// rewriting gives a contestant that applies a plan to a text.
func rewriting(text []byte, plan *Plan) *contestant {
	dst, room := make([]byte, 0, 2*len(text)), make([]int, 0, len(plan.rules))
	return &contestant{reps: 10, run: func() error {
		_, _, err := Append(dst, text, plan, Limits{Pointers: -1, Rules: room})
		return err
	}}
}

func validating(text []byte) *contestant {
	return &contestant{reps: 2, run: func() error { json.Valid(text); return nil }}
}

// expected is how many times as fast as json.Valid a plan is, and as decoding
// and encoding. The second version of encoding/json validates three times as
// fast as the first, and decodes no faster.
type expected struct{ valid, tree float64 }

func targets() map[string]expected {
	if jsonV2 {
		return map[string]expected{"2 fields": {1.15, 20}}
	}
	return map[string]expected{"validate": {4.5, 0}, "2 fields": {3.3, 20}, "3 recursive": {2.3, 0}, "20 fields": {1.8, 0}, "rows": {2.8, 0}}
}

// TestRatios prints how many times as fast as others the engine does the same.
// It fails at half of what is expected: what is beside it depends on the
// machine and the toolchain. It runs only where GATEHOUSE_BENCH is set.
func TestRatios(t *testing.T) {
	if os.Getenv("GATEHOUSE_BENCH") == "" {
		t.Skip("GATEHOUSE_BENCH is not set")
	}
	text := benchList(100)
	others := peers()
	plans := benchPlans(t)
	all := []*contestant{validating(text)}
	dst := make([]byte, 0, 2*len(text))
	for _, p := range plans {
		all = append(all, rewriting(text, compile(t, p.spec)))
		for _, other := range others {
			all = append(all, &contestant{reps: 2, run: func() error {
				_, err := other.run(dst, text, &p.chore)
				return err
			}})
		}
	}
	times := contest(t, 60, all)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "plan\tMB/s\tjson.Valid\t")
	for _, other := range others {
		fmt.Fprintf(w, "%s\t", other.name)
	}
	fmt.Fprintln(w)
	for i, p := range plans {
		turn := times[1+i*(1+len(others)):][:1+len(others)]
		want := targets()[p.name]
		fmt.Fprintf(w, "%s\t%.0f\t%s", p.name, float64(len(text))/turn[0].Seconds()/1e6, ratio(t, p.name, times[0], turn[0], want.valid))
		for k := range others {
			fmt.Fprint(w, ratio(t, p.name, turn[1+k], turn[0], []float64{want.tree, 0, 0, 0}[k]))
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	version := map[bool]string{false: "first", true: "second"}
	t.Logf("%s %s/%s, %s version of encoding/json; %d bytes, 100 records alike; times as fast as others (expected)\n%s",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, version[jsonV2], len(text), b.String())
}

// ratio tells how many times as fast the engine is.
func ratio(t *testing.T, name string, other, engine time.Duration, want float64) string {
	t.Helper()
	x := other.Seconds() / engine.Seconds()
	if x < want/2 {
		t.Errorf("%s: %.2f x, %.2f x expected", name, x, want)
	}
	if want == 0 {
		return fmt.Sprintf("%.1f x\t", x)
	}
	return fmt.Sprintf("%.1f x (%.4g)\t", x, want)
}
