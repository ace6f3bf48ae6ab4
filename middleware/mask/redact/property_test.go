package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestAgainstModel compares the engine with the model on random documents and
// random specs: ordered trees are equal, and no planted text is in the output
// that the model leaves out.
func TestAgainstModel(t *testing.T) {
	planted := regexp.MustCompile(`planted[0-9a-f]{6}`)
	for seed := range uint64(10000) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := genSpec(r)
		plan := m.compile(t).OptionalRows()
		var b strings.Builder
		genDoc(r, &b, 4)
		doc := b.String()
		tree, err := parseTree([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		want, _, _ := m.out(tree, modelPlace{open: len(m.expose) == 0})
		denied := m.rowFails(tree, nil, false)
		got, report, err := appendBoth(t, nil, []byte(doc), plan, Limits{})
		if denied != errors.Is(err, ErrRowDenied) || err != nil && !denied {
			t.Fatalf("seed %d: %v\nspec %+v\ndoc  %s", seed, err, m.spec(), doc)
		}
		if denied {
			continue
		}
		if want == nil {
			want = &node{kind: 'n'}
		}
		if found := gather(want.found(nil)); !slices.Equal(report.Found, found) {
			t.Fatalf("seed %d: found %v, want %v\nspec %+v\ndoc  %s", seed, report.Found, found, m.spec(), doc)
		}
		if n := want.counted(); n != report.Sensitive {
			t.Fatalf("seed %d: %d sensitive values were sent, want %d\nspec %+v\ndoc  %s", seed, report.Sensitive, n, m.spec(), doc)
		}
		left, err := parseTree(got)
		if err != nil || left.String() != want.String() {
			t.Fatalf("seed %d: %v\nspec %+v\ndoc  %s\ngot  %s\nwant %v", seed, err, m.spec(), doc, got, want)
		}
		for _, p := range planted.FindAllString(doc, -1) {
			if bytes.Contains(got, []byte(p)) != strings.Contains(want.String(), p) {
				t.Fatalf("seed %d: %s in one and not in the other\n%s\n%v", seed, p, got, want)
			}
		}
		// A row that is masked may fail its filter, and [*] at the end means
		// something else once an array has become a scalar.
		if len(m.rows) == 0 && !m.endsInElements() {
			again, _, err := appendBoth(t, nil, got, plan, Limits{})
			if err != nil || !bytes.Equal(again, got) {
				t.Fatalf("seed %d: twice is not once: %v\nspec %+v\ndoc   %s\nonce  %s\ntwice %s", seed, err, m.spec(), doc, got, again)
			}
		}
	}
}

// TestGrammar has a case of its own for every rule of RFC 8259 and every way
// around it.
func TestGrammar(t *testing.T) {
	good := []string{
		`null`, `true`, `false`, `0`, `-0`, `1`, `-10.50e+07`, `1E-2`, `0e0`, `""`, `"\"\\\/\b\f\n\r\t\u0000\uD83D\uDE00"`, `"\ud800"`,
		`"\udc00\ud800"`, "\"\u007f\u2028\ufeff\U0010ffff\"", `[]`, `{}`, ` [ ] `, "\t\r\n{}\n", `[1,2]`, `{"":0}`, `{"a":1,"a":2}`, `[[[]],{}]`,
		strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "1" + strings.Repeat("0", 1000), `1e999999`,
	}
	bad := []string{
		``, ` `, `nul`, `nulll`, `True`, `NaN`, `Infinity`, `-`, `+1`, `01`, `-01`, `1.`, `.5`, `1e`, `1e+`, `1.e1`, `0x1`, `1_0`, `--1`, "1\x00",
		`"`, `"a`, `'a'`, `"\`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\U0041"`, "\"\n\"", "\"\x00\"", "\"\x1f\"", `[`, `]`, `[1`, `[1,`, `[1,]`, `[,1]`,
		`[1 2]`, `[1,,2]`, `[1}`, `{`, `}`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{"a"::1}`, `{a:1}`, `{1:1}`,
		`{"a":1]`, `{"a":1 "b":2}`, `1 2`, `{}{}`, `[]x`, `//x`, `[1/**/]`, "\f1", "\u00a01", "[\u2028]", ")]}'\n{}", "\xff\xfe1\x00",
		"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\"\x80\"", "\ufeff", "\ufeff\ufeff1",
	}
	plans := fuzzPlans(t)
	for i, list := range [][]string{good, bad} {
		for _, s := range list {
			valid := json.Valid([]byte(s)) && utf8.ValidString(s)
			if valid != (i == 0) {
				t.Errorf("%q is in the wrong list", s)
			}
			for n, p := range plans {
				if _, _, err := appendBoth(t, nil, []byte(s), p, Limits{}); (err == nil) != valid {
					t.Errorf("plan %d, %.80q: %v", n, s, err)
				}
				// Wherever it stands, masked or not.
				in := `{"a":{"x":` + s + `}}`
				if s[:min(1, len(s))] == "[" {
					continue // deeper than allowed
				}
				valid := json.Valid([]byte(in)) && utf8.ValidString(in)
				if _, _, err := appendBoth(t, nil, []byte(in), p, Limits{}); (err == nil) != valid {
					t.Errorf("plan %d, %.80q: %v", n, in, err)
				}
			}
		}
	}
}

// fuzzPlans are plans that are idempotent; the first does nothing.
func fuzzPlans(t testing.TB) []*Plan {
	return []*Plan{
		compile(t, Spec{}),
		compile(t, Spec{Rules: rules(t, "$.a drop", "$..b null", "$.c[*].d redact", "$.*.e partial", "$..f generalize")}),
		compile(t, Spec{Rules: rules(t, "$..a redact", "$.a.b show", "$.c drop", "$.c..d show")}),
		compile(t, Spec{Rules: rules(t, "$..b redact"), Expose: []string{"$.a", "$.c[*].d", "$..e"}}),
	}
}

// FuzzAppend: what is accepted is exactly valid JSON in valid UTF-8; what
// comes out is, too; the empty plan changes nothing; and masking twice is
// masking once.
func FuzzAppend(f *testing.F) {
	for _, s := range []string{
		`{"a":1,"b":[{"c":null}],"c":[{"d":"x","e":"123456789"}],"f":"2026-01-02"}`, "\ufeff{}", `{"\u0061":"\ud800"}`, "\"x😀 \"",
		` [ 1 , {"e" : {"a":{"b":1}} } ] `, `{"f":1234.5e1}`, `{"e":"ada@example.com"}`, `[[[[`, "\"\xc3\x28\"", `{"c":{"d":1},"c":2}`,
	} {
		for i := range fuzzPlans(f) {
			f.Add([]byte(s), i)
		}
	}
	plans := fuzzPlans(f)
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		plan := plans[uint(n)%uint(len(plans))]
		text := bytes.TrimPrefix(in, []byte("\ufeff"))
		out, _, err := appendBoth(t, nil, in, plan, Limits{})
		if errors.Is(err, ErrDepth) || errors.Is(err, ErrTooLarge) {
			return
		}
		if valid := json.Valid(text) && utf8.Valid(text); valid != (err == nil) {
			t.Fatalf("valid is %v, and %v", valid, err)
		}
		if err != nil {
			if out != nil {
				t.Fatal("output beside an error")
			}
			return
		}
		if !json.Valid(out) || !utf8.Valid(out) {
			t.Fatalf("made of it: %q", out)
		}
		if plan == plans[0] && !bytes.Equal(out, text) {
			t.Fatalf("the empty plan made of it: %q", out)
		}
		again, _, err := appendBoth(t, nil, out, plan, Limits{})
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("once %q, twice %q, %v", out, again, err)
		}
	})
}
