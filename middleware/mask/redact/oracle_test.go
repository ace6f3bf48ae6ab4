package redact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// appendBoth is Append, compared with the oracle and with a Reader.
func appendBoth(t testing.TB, dst, src []byte, plan *Plan, limits Limits) ([]byte, Report, error) {
	t.Helper()
	return inAllWays(t, dst, src, plan, limits, false)
}

func linesBoth(t testing.TB, dst, src []byte, plan *Plan, limits Limits) ([]byte, Report, error) {
	t.Helper()
	return inAllWays(t, dst, src, plan, limits, true)
}

func inAllWays(t testing.TB, dst, src []byte, plan *Plan, limits Limits, lines bool) ([]byte, Report, error) {
	t.Helper()
	naive, engine := naiveAppend, Append
	if lines {
		naive, engine = naiveLines, AppendLines
	}
	want, wantReport, wantErr := naive(slices.Clip(dst), src, plan, limits)
	r := rand.New(rand.NewPCG(uint64(len(src)), 7))
	limits.Window = pick(r, 64, 100, 256, 0)
	got, report, err := engine(slices.Clip(dst), src, plan, limits)
	same := func(way string, got []byte, report Report, err error) {
		t.Helper()
		if !bytes.Equal(got, want) || !sameReport(report, wantReport) || !sameError(err, wantErr) {
			t.Fatalf("%s: not as the oracle\nspec %s\ntext %q\ngot  %q %+v %v\nwant %q %+v %v", way, describe(plan), src, got, report, err, want, wantReport, wantErr)
		}
	}
	same("Append", got, report, err)
	sent := report
	limits.Element = never
	reader := newReader(plan, &chunks{r, src}, limits, lines)
	out, err := io.ReadAll(iotest.HalfReader(reader))
	report = reader.Report()
	if err != nil {
		if !bytes.HasPrefix(want, out) && wantErr == nil {
			t.Fatalf("Reader: %q before %v", out, err)
		}
		out, report = nil, Report{}
	}
	if report.Sensitive != sent.Sensitive || report.Rows != sent.Rows || report.Documents != sent.Documents {
		t.Fatalf("Reader: counted %+v, Append %+v\nspec %s\ntext %q", report, sent, describe(plan), src)
	}
	same("Reader", append(slices.Clip(dst), out...), report, err)
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	return got, report, err
}

func sameReport(a, b Report) bool {
	return a.Masked == b.Masked && a.Dropped == b.Dropped && a.Hidden == b.Hidden && slices.Equal(a.Rules, b.Rules) && slices.Equal(a.Found, b.Found) &&
		slices.Equal(a.Pointers, b.Pointers)
}

func sameError(a, b error) bool {
	var at, bt *Error
	if !errors.As(a, &at) || !errors.As(b, &bt) {
		return a == b
	}
	return *at == *bt
}

func describe(p *Plan) string {
	var b strings.Builder
	for i, pat := range p.patterns {
		fmt.Fprintf(&b, "%d:%+v ", i, pat.segs)
		if i < p.masks {
			fmt.Fprint(&b, p.rules[i].action, " ")
		}
	}
	return fmt.Sprintf("%d masks, %d shows, %d exposed: %s", p.masks, p.shows, p.expose, b.String())
}

// chunks gives a text in pieces of 1 to 40 bytes.
type chunks struct {
	r    *rand.Rand
	text []byte
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.text[:min(len(c.text), 1+c.r.IntN(40))])
	c.text = c.text[n:]
	return n, nil
}

// TestAgainstOracle compares bytes, report and error on random texts, a fifth
// of them broken, under random plans. With GATEHOUSE_SOAK it goes on for long.
func TestAgainstOracle(t *testing.T) {
	plans := uint64(10_000)
	if os.Getenv("GATEHOUSE_SOAK") != "" {
		plans = 1 << 18
	}
	if testing.Short() {
		plans /= 10
	}
	const shards = 4
	for shard := range uint64(shards) {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			for seed := shard; seed < plans; seed += shards {
				againstOracle(t, seed)
			}
		})
	}
}

// againstOracle compares 20 texts under one plan.
func againstOracle(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	plan := genSpec(r).compile(t)
	if r.IntN(2) == 0 {
		plan = plan.OptionalRows()
	}
	for range 20 {
		var b strings.Builder
		lines := r.IntN(5) == 0
		for range 1 + r.IntN(3) {
			if !lines {
				genDoc(r, &b, 4)
				break
			}
			var doc strings.Builder
			genDoc(r, &doc, 4)
			b.WriteString(strings.ReplaceAll(doc.String(), "\n", "") + pick(r, "\n", "\n", "\r\n", "\n\n", ""))
		}
		text := []byte(b.String())
		if r.IntN(5) == 0 {
			text = mutate(r, text)
		}
		inAllWays(t, []byte("before "), text, plan, pick(r, Limits{}, Limits{}, Limits{Depth: 3, Key: 5, Scalar: 8}), lines)
	}
}

func mutate(r *rand.Rand, text []byte) []byte {
	for range 1 + r.IntN(3) {
		i := r.IntN(len(text) + 1)
		switch r.IntN(3) {
		case 0:
			text = slices.Insert(text, i, []byte(pick(r, `"`, `\`, ",", "[", "}", "\n", " ", "\x00", "\xff", "e", "0", "-", ".", "é", "\ufeff"))...)
		case 1:
			text = text[:i]
		case 2:
			if i < len(text) {
				text[i] = byte(r.IntN(256))
			}
		}
	}
	return text
}
