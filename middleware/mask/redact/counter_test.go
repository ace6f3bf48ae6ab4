package redact

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// counted gives what a counter tells of a text that comes in pieces.
func counted(r *rand.Rand, plan *Plan, text []byte, lines bool) Report {
	c := NewCounter(plan, Limits{Window: pick(r, 64, 100, 256, 0)}, lines)
	for len(text) > 0 {
		n := min(len(text), r.IntN(40))
		piece := bytes.Clone(text[:n])
		c.Write(piece)
		clear(piece) // nobody may look at it again
		text = text[n:]
	}
	c.Close()
	c.Close()
	c.Write([]byte("1"))
	return c.Report()
}

// A text that is only counted counts as one that is sent by the same plan, which
// changes none of its bytes.
func TestCounter(t *testing.T) {
	for seed := range uint64(5000) {
		r := rand.New(rand.NewPCG(seed, 9))
		m := &modelSpec{sensitive: genPaths(r, 3)}
		plan := m.compile(t)
		lines := r.IntN(3) == 0
		var b strings.Builder
		docs := 1
		if lines {
			docs = 1 + r.IntN(4)
		}
		for range docs {
			if lines {
				var one strings.Builder
				genDoc(r, &one, 3)
				b.WriteString(strings.ReplaceAll(one.String(), "\n", " ") + "\n")
				continue
			}
			genDoc(r, &b, 4)
		}
		doc := []byte(b.String())
		out, want, err := appendAll(nil, doc, plan, Limits{}, lines)
		if err != nil || !bytes.Equal(out, doc) {
			t.Fatalf("seed %d: %v\nspec %+v\ngot  %s\nwant %s", seed, err, m.spec(), out, doc)
		}
		if got := counted(r, plan, doc, lines); !sameReport(got, want) || got.Sensitive != want.Sensitive || got.Documents != want.Documents || got.Documents != docs {
			t.Fatalf("seed %d: counted %+v, want %+v\nspec %+v\ndoc  %s", seed, got, want, m.spec(), doc)
		}
	}
}

// What is not JSON is counted as far as it is, and nothing else happens.
func TestCounterOfBrokenText(t *testing.T) {
	plan := compile(t, Spec{Sensitive: []string{"$..a"}})
	r := rand.New(rand.NewPCG(1, 1))
	for text, want := range map[string]int{
		`[{"a":1},{"a":2},x{"a":3}]`: 2, `[{"a":1},{"a":`: 1, ``: 0, `<html>`: 0, "[{\"a\":1},\x00": 1, `{"a":1}{"a":2}`: 1, `{"a":[1,null,"",false,{"b":{}}]}`: 3,
	} {
		if got := counted(r, plan, []byte(text), false); got.Sensitive != want {
			t.Errorf("%q: %d, want %d", text, got.Sensitive, want)
		}
	}
}

func FuzzCounter(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"x"}],"a":null}`), uint64(1))
	f.Add([]byte("{\"a\":1}\n\n[2]\n"), uint64(2))
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		plan := compile(t, Spec{Sensitive: []string{"$..a", "$.b[*].c", "$..*.d"}})
		for _, lines := range []bool{false, true} {
			got := counted(rand.New(rand.NewPCG(seed, 1)), plan, text, lines)
			out, want, err := appendAll(nil, text, plan, Limits{}, lines)
			if err == nil && (got.Sensitive != want.Sensitive || got.Documents != want.Documents || !bytes.HasSuffix(text, out)) {
				t.Errorf("%q: %+v, want %+v", text, got, want)
			}
		}
	})
}

// BenchmarkCounter is what counting costs on the side, beside what masks cost.
func BenchmarkCounter(b *testing.B) {
	text := benchList(100)
	sensitive := Spec{Sensitive: []string{"$..salary", "$..ssn", "$..email", "$..phone", "$..address", "$..bank"}}
	masks := Spec{Rules: rules(b, "$..salary redact", "$..ssn redact", "$..email partial", "$..phone partial", "$..address redact", "$..bank redact")}
	both := masks
	both.Sensitive = sensitive.Sensitive
	b.Run("counted on the side", func(b *testing.B) {
		plan := compile(b, sensitive)
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			c := NewCounter(plan, Limits{Pointers: -1}, false)
			c.Write(text)
			if c.Close(); c.Report().Sensitive == 0 {
				b.Fatal("nothing")
			}
		}
	})
	for name, spec := range map[string]Spec{"masked": masks, "masked and counted": both} {
		b.Run(name, func(b *testing.B) {
			plan, dst := compile(b, spec), make([]byte, 0, 2*len(text))
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, _, err := Append(dst, text, plan, Limits{Pointers: -1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
