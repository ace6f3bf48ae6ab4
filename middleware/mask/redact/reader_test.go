package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// records gives a list of so many records, without ever holding it.
type records struct {
	n, at int
	rest  []byte
}

func (r *records) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		switch {
		case r.at > r.n:
			return 0, io.EOF
		case r.at == r.n:
			r.rest = []byte(`{}]}`)
		case r.at == 0:
			r.rest = []byte(`{"data":[`)
			fallthrough
		default:
			r.rest = fmt.Appendf(r.rest, `{"id":%d,"ssn":"123-45-6789","branch":"b%d","name":"%s"},`, r.at, r.at%3, strings.Repeat("x", 200))
		}
		r.at++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// TestMemory: what a Reader holds does not grow with the text, of 64 MiB or,
// with GATEHOUSE_SOAK, 1 GiB.
func TestMemory(t *testing.T) {
	size := 64 << 20
	if os.Getenv("GATEHOUSE_SOAK") != "" {
		size = 1 << 30
	}
	if raceEnabled {
		size /= 8
	}
	inBranch := []RowFilter{{Path: "$.data[*]", Where: []Cond{{Field: "branch", Op: "eq", Value: "b1"}}}}
	for name, spec := range map[string]Spec{
		"nothing":          {},
		"drop":             {Rules: rules(t, "$..ssn drop")},
		"show":             {Rules: rules(t, "$.data.* redact", "$..name show")},
		"mask of the list": {Rules: rules(t, "$.data redact")},
		"show in the list": {Rules: rules(t, "$.data redact", "$..name show")},
		"rows":             {Rows: inBranch},
		"expose":           {Expose: []string{"$.data.id"}},
		"expose by ..":     {Expose: []string{"$..id"}},
		"hidden list":      {Expose: []string{"$.other"}},
	} {
		t.Run(name, func(t *testing.T) {
			plan := compile(t, spec)
			var start, now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&start)
			r := NewReader(plan, &records{n: size / 260}, Limits{})
			var most, total int64
			buf := make([]byte, 32<<10)
			for i := 0; ; i++ {
				n, err := r.Read(buf)
				total += int64(n)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if i%500 == 0 {
					runtime.GC()
					runtime.ReadMemStats(&now)
					most = max(most, int64(now.HeapAlloc)-int64(start.HeapAlloc))
				}
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			t.Logf("the heap grew by %d KiB at most, for a text of %d MiB", most>>10, size>>20)
			if most > 256<<10 {
				t.Errorf("the heap grew by %d bytes for a result of %d", most, total)
			}
		})
	}
}

// TestElement: what is held back is bounded.
func TestElement(t *testing.T) {
	row := []RowFilter{{Path: "$[*]", Where: []Cond{{Field: "k", Op: "eq", Value: 1}}}}
	long := strings.Repeat("x", 3000)
	for _, tt := range []struct {
		name, in string
		spec     Spec
		err      error
	}{
		{"row", `[{"k":1,"v":"` + long + `"}]`, Spec{Rows: row}, ErrTooLarge},
		{"container with a show", `{"a":[` + strings.Repeat("1,", 3000) + `1]}`, Spec{Rules: rules(t, "$.a redact", "$.a..x show")}, ErrTooLarge},
		{"space in front of a member", `[1, ` + strings.Repeat(" ", 3000) + `2]`, Spec{Rules: rules(t, "$[*].a drop")}, ErrTooLarge},
		{"rows that fit", `[` + strings.Repeat(`{"k":1,"v":"`+long[:800]+`"},`, 50) + `1]`, Spec{Rows: row}, nil},
		{"decided container", `{"a":{"v":1,"w":[` + strings.Repeat("1,", 3000) + `1]}}`, Spec{Rules: rules(t, "$.a redact", "$.a.v show")}, nil},
		{"what is not sent", `{"a":["` + long + `"],"b":1}`, Spec{Rules: rules(t, "$.a drop")}, nil},
		{"value that is masked", `["` + long + `"]`, Spec{Rules: rules(t, "$[*] drop")}, nil},
		{"value that stays", `["` + long + `"]`, Spec{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := compile(t, tt.spec)
			r := NewReader(plan, strings.NewReader(tt.in), Limits{Element: 1000, Window: 100, Scalar: 100})
			got, err := io.ReadAll(r)
			if !errors.Is(err, tt.err) {
				t.Fatalf("%v, want %v", err, tt.err)
			}
			want, _, wantErr := Append(nil, []byte(tt.in), plan, Limits{Scalar: 100})
			if wantErr != nil || tt.err == nil && !bytes.Equal(got, want) || !bytes.HasPrefix(want, got) {
				t.Errorf("got %q, Append %q, %v", got, want, wantErr)
			}
		})
	}
}

// TestReleasedAtOnce: what is known to stay is not held until the text ends.
func TestReleasedAtOnce(t *testing.T) {
	plan := compile(t, Spec{Rules: rules(t, "$..ssn drop"), Rows: []RowFilter{{Path: "$[*]", Where: []Cond{{Field: "k", Op: "eq", Value: 1}}}}})
	in, out := io.Pipe()
	defer out.Close()
	r := NewReader(plan, in, Limits{})
	defer r.Close()
	for _, step := range []struct{ send, want string }{
		{`[{"k":1,"ssn":2}`, `[{"k":1}`}, {`,{"k":2,"v":1}`, ""}, {`,{"k":1}`, `,{"k":1}`}, {`]`, `]`},
	} {
		go func() { _, _ = out.Write([]byte(step.send)) }()
		if step.want == "" {
			continue
		}
		got := make([]byte, len(step.want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != step.want {
			t.Fatalf("after %s: got %q, %v", step.send, got, err)
		}
	}
}

func TestPrefetch(t *testing.T) {
	plan := compile(t, Spec{Rules: rules(t, "$.ssn redact")})
	long := `{"a":"` + strings.Repeat("x", 100<<10) + `"}`
	for _, tt := range []struct {
		in       string
		least    int
		complete bool
		err      error
	}{
		{in: `{"ssn":1}`, least: len(`{"ssn":"***"}`), complete: true},
		{in: `{"ssn":1`, err: ErrSyntax},
		{in: long, least: 64 << 10},
		{in: long + "x", least: 64 << 10},
	} {
		r := NewReader(plan, strings.NewReader(tt.in), Limits{})
		head, complete, err := r.Prefetch(64 << 10)
		if len(head) < tt.least || complete != tt.complete || !errors.Is(err, tt.err) {
			t.Errorf("%.20s: %d bytes, complete %v, %v", tt.in, len(head), complete, err)
		}
		head = bytes.Clone(head)
		all, err := io.ReadAll(r)
		if !bytes.HasPrefix(all, head) || json.Valid([]byte(tt.in)) != (err == nil) {
			t.Errorf("%.20s: %d bytes, %v", tt.in, len(all), err)
		}
		if complete && len(all) != len(head) {
			t.Errorf("%.20s: there was more than all", tt.in)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if _, err := r.Read(make([]byte, 1)); err == nil {
			t.Error("read after close")
		}
	}
}

// TestSourceFails: an error of the source is passed on, whatever it is, and
// nothing that was held back.
func TestSourceFails(t *testing.T) {
	plan := compile(t, Spec{Rules: rules(t, "$.a redact", "$.a.b show")})
	boom := errors.New("boom")
	for _, in := range []string{"", "{", `{"a":{"c":1,"d":"x`} {
		r := NewReader(plan, io.MultiReader(strings.NewReader(in), iotest.ErrReader(boom)), Limits{})
		got, err := io.ReadAll(r)
		if !errors.Is(err, boom) || strings.Contains(string(got), "1") {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
	r := NewReader(plan, iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("{}"))), Limits{})
	if _, err := io.ReadAll(r); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("timeout: %v", err)
	}
}

// TestSharedPlan makes the states of one plan from many goroutines at once.
func TestSharedPlan(t *testing.T) {
	text := benchList(20)
	for _, s := range benchPlans(t) {
		plan := compile(t, s.spec)
		want, _, err := naiveAppend(nil, text, plan, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				got, _, err := Append(nil, text, plan, Limits{})
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %v", s.name, err)
				}
			})
		}
		wg.Wait()
	}
}

// TestManyStates: a plan whose deterministic automaton has 2^n states keeps a
// bounded number of them, and works on.
func TestManyStates(t *testing.T) {
	var paths []string
	for i := range 14 {
		paths = append(paths, fmt.Sprintf("$..a%d..z redact", i))
	}
	plan := compile(t, Spec{Rules: rules(t, paths...)})
	var b strings.Builder
	b.WriteByte('[')
	for set := range 1 << 13 {
		for i := range 14 {
			if set>>i&1 != 0 {
				fmt.Fprintf(&b, `{"a%d":`, i)
			}
		}
		b.WriteString(`{"z":1}`)
		for i := range 14 {
			if set>>i&1 != 0 {
				b.WriteByte('}')
			}
		}
		b.WriteByte(',')
	}
	b.WriteString("0]")
	got, report, err := Append(nil, []byte(b.String()), plan, Limits{})
	if err != nil || report.Masked != 1<<13-1 {
		t.Fatalf("%d masked, %v", report.Masked, err)
	}
	if want := strings.Count(b.String(), `{"z":1}`) - 1; strings.Count(string(got), `"***"`) != want {
		t.Error("not all of them")
	}
	if n := len(plan.machine.known); n > maxStates {
		t.Errorf("%d states are kept", n)
	}
}

// TestCompileIsLinear: twice as many rules take twice as much, not more.
func TestCompileIsLinear(t *testing.T) {
	allocs := func(n int) float64 {
		var spec Spec
		for i := range n {
			spec.Rules = append(spec.Rules, Rule{Path: fmt.Sprintf("$..a%d[*].b%d", i, i), Action: Redact})
		}
		return testing.AllocsPerRun(3, func() { compile(t, spec) })
	}
	if few, many := allocs(100), allocs(400); many > 6*few {
		t.Errorf("%.0f allocations for 100 rules, %.0f for 400", few, many)
	}
}

// TestNoAllocations: a warm plan needs no memory of its own, where there is room
// for what is given away with the report.
func TestNoAllocations(t *testing.T) {
	text := benchList(10)
	dst, room := make([]byte, 0, 2*len(text)), make([]int, 0, 100)
	for _, s := range benchPlans(t) {
		plan := compile(t, s.spec)
		n := testing.AllocsPerRun(200, func() {
			if _, _, err := Append(dst, text, plan, Limits{Pointers: -1, Rules: room}); err != nil {
				t.Fatal(err)
			}
		})
		// The pool may lose an engine to a garbage collection, and loses some
		// on purpose under the race detector.
		if n >= 1 && !raceEnabled {
			t.Errorf("%s: %v allocations", s.name, n)
		}
	}
}

// FuzzReader: however a text arrives, the result is that of the oracle.
func FuzzReader(f *testing.F) {
	for i := range fuzzPlans(f) {
		f.Add([]byte(`{"a":{"b":1,"k":"x"},"c":[{"d":"x","e":"123456789"}],"f":12.5e1}`), i, false)
		f.Add([]byte("{\"a\":1}\n\n [\"\\ud83d\\ude00 é\"]\r\n1"), i, true)
	}
	f.Add([]byte(`{"a":"x@y","b":"@","c":[{"d":"@","e":"x\u0040"}],"f@":123456789012}`), 5, false)
	plans := append(fuzzPlans(f), compile(f, Spec{
		Rules: rules(f, "$..a redact", "$.a.b show", "$.c partial", "$..d drop"),
		Rows:  []RowFilter{{Path: "$..c", Where: []Cond{{Field: "e", Op: "ne", Value: "x"}}}},
	}).OptionalRows(), detecting(f, Spec{Rules: rules(f, "$..b drop"), Known: []string{"$.c[*].d"}}, true))
	f.Fuzz(func(t *testing.T, in []byte, n int, lines bool) {
		inAllWays(t, nil, in, plans[uint(n)%uint(len(plans))], Limits{Depth: 50, Key: 40, Scalar: 60}, lines)
	})
}
