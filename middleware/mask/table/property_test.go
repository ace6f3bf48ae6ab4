package table

import (
	"bytes"
	"encoding/csv"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// TestAgainstModel compares random tables under random plans, and their
// division into reads of random sizes.
func TestAgainstModel(t *testing.T) {
	seeds := uint64(6000)
	if raceEnabled {
		seeds /= 10
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 7))
		var names []string
		for range 1 + r.IntN(4) {
			names = append(names, genName(r))
		}
		in := genTable(r, names)
		m := genModel(t, r, names)
		// The model reads names of fields as they are.
		plan := compile(t, m.spec())
		for i := range m.rows {
			m.rows[i] = unquoted(m.rows[i])
		}
		want := m.out(in)
		limits := redact.Limits{Window: 1 + r.IntN(100)}
		got, err := io.ReadAll(NewReader(plan, &chunks{r, []byte(in)}, limits))
		if err != nil || string(got) != want {
			t.Fatalf("seed %d: %v\nspec %+v\nin   %q\ngot  %q\nwant %q", seed, err, m.spec(), in, got, want)
		}
		agree(t, in)
		agree(t, string(got))
	}
}

func unquoted(c redact.Cond) redact.Cond {
	c.Field = strings.TrimSuffix(strings.TrimPrefix(c.Field, "['"), "']")
	for _, list := range [][]redact.Cond{c.Any, c.All} {
		for i := range list {
			list[i] = unquoted(list[i])
		}
	}
	if c.Not != nil {
		n := unquoted(*c.Not)
		c.Not = &n
	}
	return c
}

// agree checks that encoding/csv finds in a text the fields that the model
// finds.
func agree(t testing.TB, in string) {
	t.Helper()
	in = strings.TrimPrefix(in, "\ufeff")
	records, err := csv.NewReader(strings.NewReader(in)).ReadAll()
	if err != nil {
		t.Fatalf("%q: %v", in, err)
	}
	var fields []string
	if in == "" {
		return
	}
	for _, f := range split(in) {
		s := f[1]
		if quoted, ok := strings.CutPrefix(s, `"`); ok {
			s = strings.ReplaceAll(quoted[:len(quoted)-1], `""`, `"`)
		}
		fields = append(fields, s)
	}
	if flat := slices.Concat(records...); !slices.Equal(flat, fields) {
		t.Fatalf("%q: %q, %q", in, flat, fields)
	}
}

// chunks gives a text in pieces of random sizes.
type chunks struct {
	r    *rand.Rand
	left []byte
}

func (c *chunks) Read(p []byte) (int, error) {
	n := min(1+c.r.IntN(40), len(p), len(c.left))
	n = copy(p[:n], c.left)
	if c.left = c.left[n:]; len(c.left) == 0 && c.r.IntN(2) == 0 {
		return n, io.EOF
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestPlanted: what is under a masked name is not in the result, whatever else
// is asked for and however the name is spelled.
func TestPlanted(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 8))
		names := []string{pick(r, "SSN", "employee.ssn", "Ssn (old)", "s_s_n", "bank/ssn", "s s n"), "b", "c"}
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		in := strings.Join(names, ",") + "\n"
		for range 20 {
			for i, n := range names {
				text := "open"
				if len(n) > 1 {
					text = "planted"
				}
				in += strings.Repeat(",", min(i, 1)) + pick(r, text, `"`+text+`"`, `"""`+text+`"`, "\"\n"+text+"\"")
			}
			in += "\n"
		}
		spec := redact.Spec{Rules: rules(t, "$.data.ssn "+pick(r, "drop", "null", "redact", "hash", "tokenize", "generalize"), "$.b show", "$.ssn show")}
		got, err := io.ReadAll(NewReader(compile(t, spec), &chunks{r, []byte(in)}, redact.Limits{}))
		if err != nil || bytes.Contains(got, []byte("planted")) || !bytes.Contains(got, []byte("open")) {
			t.Fatalf("seed %d: %v\n%s\n%s", seed, err, in, got)
		}
	}
}
