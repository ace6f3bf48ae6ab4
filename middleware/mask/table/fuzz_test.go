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

// FuzzReader: a text that passes is one that encoding/csv reads as the same
// fields, its division into reads makes no difference, and what is left of it
// is what is left of its fields.
func FuzzReader(f *testing.F) {
	for i, s := range []string{
		"a,b\n1,2\n", "\ufeffa,\"b\"\r\n\"1\",\"2\"\"\"\r\n\r\n", "ssn\n\n1\n\"\"\n", "a,ssn,b\n,,\n\"\n\",\"x,y\",\"\"\"\"\n", "id;ssn\n1;2\n",
		"a,b\n1\n", "a\r1\n", "\"a\"b\n", "a,b\n\"1,2\n", "1,2\n", "", "a\n\xff\n", "x.ssn,Name\n1,2", "SSN,a\n1,\n2,\n",
	} {
		f.Add([]byte(s), uint64(i))
	}
	nothing := compile(f, redact.Spec{})
	drop := compile(f, redact.Spec{Rules: rules(f, "$..ssn drop")})
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		if len(text) > 200 {
			return // the model takes long for long names
		}
		r := rand.New(rand.NewPCG(seed, 1))
		limits := redact.Limits{Element: 1 + r.IntN(150)}
		got, err := io.ReadAll(NewReader(nothing, bytes.NewReader(text), limits))
		small := limits
		small.Window = 1 + r.IntN(50)
		again, splitErr := io.ReadAll(NewReader(nothing, &chunks{r, text}, small))
		if !same(err, splitErr) || err == nil && !bytes.Equal(got, again) {
			t.Fatalf("%q, %v\n%q, %v", got, err, again, splitErr)
		}
		left, dropErr := io.ReadAll(NewReader(drop, bytes.NewReader(text), limits))
		if !same(err, dropErr) {
			t.Fatalf("%v, %v", err, dropErr)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(got, text) {
			t.Fatalf("%q", got)
		}
		before, after := fields(t, got), fields(t, left)
		removed := map[int]bool{}
		for i, name := range before[0] {
			removed[i] = masked("$..['ssn']", name)
		}
		for _, record := range before {
			var want []string
			for i, s := range record {
				if !removed[i] {
					want = append(want, s)
				}
			}
			switch {
			case want == nil:
			case len(after) == 0 || !slices.Equal(after[0], want):
				t.Fatalf("%q: %q, want %q", text, after, want)
			default:
				after = after[1:]
			}
		}
		if len(after) > 0 {
			t.Fatalf("%q: %q", text, after)
		}
	})
}

func fields(t *testing.T, text []byte) [][]string {
	s := strings.TrimPrefix(string(text), "\ufeff")
	records, err := csv.NewReader(strings.NewReader(s)).ReadAll()
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return records
}
