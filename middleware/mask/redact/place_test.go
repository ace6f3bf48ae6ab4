package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// randomPath and randomValue make paths and documents over a few names. Every
// scalar has a number of its own.
func randomPath(r *rand.Rand) string {
	segs := []string{".a", ".b", "['c d']", ".*", "[*]", "..a", "..b", "..*", "..[*]"}
	path := "$"
	for range 1 + r.IntN(3) {
		path += segs[r.IntN(len(segs))]
	}
	return path
}

func randomValue(r *rand.Rand, depth int, next *int) any {
	switch r.IntN(4) {
	case 0:
		if depth == 0 {
			break
		}
		m := map[string]any{}
		for range 1 + r.IntN(3) {
			m[[]string{"a", "A", "b", "c d", "e"}[r.IntN(5)]] = randomValue(r, depth-1, next)
		}
		return m
	case 1:
		if depth == 0 {
			break
		}
		list := []any{}
		for range 1 + r.IntN(3) {
			list = append(list, randomValue(r, depth-1, next))
		}
		return list
	}
	*next++
	return fmt.Sprintf("planted%04d", *next)
}

// heldAt gives the scalars for which a place holds.
func heldAt(at Place, v any) []string {
	var out []string
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			out = append(out, heldAt(at.Member(name), e)...)
		}
	case []any:
		for _, e := range v {
			out = append(out, heldAt(at.Element(), e)...)
		}
	case string:
		if at.Any() >= 0 {
			out = append(out, v)
		}
	}
	return out
}

// TestPlacesAgreeWithTexts: what a place holds for is what the engine masks in a
// text, with shows and without; and nulls that masks may have made are found there
// and nowhere else.
func TestPlacesAgreeWithTexts(t *testing.T) {
	seen := 0
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 7))
		var masks, shows []string
		var spec Spec
		for range 1 + r.IntN(2) {
			path := randomPath(r)
			masks = append(masks, path)
			spec.Rules = append(spec.Rules, Rule{Path: path, Action: Drop})
		}
		if r.IntN(3) == 0 {
			path := randomPath(r)
			shows = append(shows, path)
			spec.Rules = append(spec.Rules, Rule{Path: path, Action: Show})
		}
		n := 0
		doc := randomValue(r, 4, &n)
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := Append(nil, text, compile(t, spec), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		paths, err := newPaths(masks, shows)
		if err != nil {
			t.Fatal(err)
		}
		holds := heldAt(paths.Root(), doc)
		seen += len(holds)
		for i := range spec.Rules {
			if spec.Rules[i].Action == Drop {
				spec.Rules[i].Action = Null
			}
		}
		p, err := NewPlaceholders(spec.Rules, nil)
		if err != nil {
			t.Fatal(err)
		}
		nulls := regexp.MustCompile(`"planted\d+"`).ReplaceAll(text, []byte("null"))
		if found, err := p.Find(p.Root(), nulls, Limits{Pointers: 1 << 20}); err != nil || len(found.Pointers) != len(holds) {
			t.Fatalf("masks %q, shows %q: found %q in %s, %v; held %v", masks, shows, found.Pointers, nulls, err, holds)
		}
		for i := range n {
			planted := fmt.Sprintf("planted%04d", i+1)
			if bytes.Contains(text, []byte(planted)) && bytes.Contains(got, []byte(planted)) == slices.Contains(holds, planted) {
				t.Fatalf("masks %q, shows %q: %s\ntext %s\nleft %s\nheld %v", masks, shows, planted, text, got, holds)
			}
		}
	}
	if seen < 1000 {
		t.Errorf("only %d values were held", seen)
	}
}

func TestAbove(t *testing.T) {
	paths, err := NewPaths([]string{"$.a.b", "$..c", "$.d.*.e"})
	if err != nil {
		t.Fatal(err)
	}
	root := paths.Root()
	for name, tt := range map[string]struct {
		at   Place
		want int
	}{
		"the document": {root, 0}, "the container": {root.Member("A"), 0}, "the value": {root.Member("a").Member("b"), -1},
		"beside": {root.Member("a").Member("x"), -1}, "below ..": {root.Member("x"), -1}, "above .*": {root.Member("d"), -1},
		"an element": {root.Member("a").Index("0"), 0},
	} {
		if got := tt.at.Above(); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// FuzzFind: what Find leaves is JSON, holds no placeholder that could be left
// out, and is the text itself where there was none.
func FuzzFind(f *testing.F) {
	for _, s := range []string{
		`{"a":"***","b":1}`, `{"b":{"a":null},"c":[{"a":"***"}]}`, `[{"a":"****1234"},"***"]`, `"***"`, ` { "a" : 1 } `,
		`{"a":"***"}x`, `{"b":"\"***"}`, `{"a":"\u002a**","a":"***"}`, strings.Repeat("[", 50) + strings.Repeat("]", 50),
	} {
		f.Add([]byte(s))
	}
	p, err := NewPlaceholders([]Rule{{Path: "$..a", Action: Partial}, {Path: "$.b.a", Action: Null}, {Path: "$..n", Action: Generalize}}, []string{"k1"})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{`{"b":{"a":null}}`, `{"x":"hk1_AAAAAAAAAAAAAAAAAAAAAA"}`, `{"x":" hk1\u005fAAAAAAAAAAAAAAAAAAAAAA"}`, `{"a":"a***@b.c"}`, `[1,2]`, `{"a":1`} {
		f.Add([]byte(s))
	}
	quick, err := NewPlaceholders([]Rule{{Path: "$..a", Action: Partial}, {Path: "$.b.a", Action: Null}, {Path: "$..n", Action: Redact}}, []string{"k1"})
	if err != nil || quick.marks == nil {
		f.Fatal(err)
	}
	slow := *quick
	slow.marks = nil
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		short, serr := quick.Find(quick.Root(), text, Limits{Depth: 4})
		long, lerr := slow.Find(slow.Root(), text, Limits{Depth: 4})
		if fmt.Sprint(short, serr) != fmt.Sprint(long, lerr) {
			t.Fatalf("%q: %v, %v without walking through, else %v, %v", text, short, serr, long, lerr)
		}
		found, err := p.Find(p.Root(), text, Limits{Depth: 40})
		if !bytes.Equal(before, text) {
			t.Fatal("the text was changed in place")
		}
		if err != nil {
			return
		}
		if len(found.Pointers) == 0 && !bytes.Equal(found.Rest, text) {
			t.Fatalf("%q became %q", text, found.Rest)
		}
		again, err := p.Find(p.Root(), found.Rest, Limits{Depth: 40})
		if err != nil || !found.Fixed && len(again.Pointers) > 0 {
			t.Fatalf("%q left %q: %v, %v", text, found.Rest, again.Pointers, err)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	for name, more := range map[string][]Rule{"ordinary": nil, "walked": {{Path: "$..born", Action: Generalize}}} {
		b.Run(name, func(b *testing.B) { benchmarkFind(b, more) })
	}
}

func benchmarkFind(b *testing.B, more []Rule) {
	p, err := NewPlaceholders(append(more, Rule{Path: "$..salary", Action: Redact}, Rule{Path: "$..ssn", Action: Partial}, Rule{Path: "$.bank.iban", Action: Null}), []string{"k1"})
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(`{"items":[` + strings.Repeat(`{"id":"e2","name":"Ada Obi","pay":{"salary":1000.50},"note":"half past two"},`, 25) + `{}]}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Find(p.Root(), text, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
