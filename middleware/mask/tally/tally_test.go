package tally

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestRecords(t *testing.T) {
	for _, tt := range []struct {
		text   string
		levels int
		want   int64
	}{
		{`[]`, 0, 0},
		{` [ ] `, 0, 0},
		{`[1]`, 0, 1},
		{`[{"a":[1,2,3]},{"b":{"c":[1,2,3,4]}}]`, 0, 2},
		{`[[1,2],[3,4],[5]]`, 0, 3},
		{`["a,b","c\\",",\",,"]`, 0, 3},
		{`[[]]`, 0, 1},
		{`[{}]`, 0, 1},
		{`[""]`, 0, 1},
		{`[null]`, 0, 1},
		{"[\n 1 ,\n 2\n]\n", 0, 2},
		{`{}`, 0, 1},
		{`{"a":1}`, 0, 1},
		{`{"items":[]}`, 0, 1},
		{`{"items":[1,2,3],"count":3}`, 0, 3},
		{`{"links":[1],"items":[{"x":[1,2,3,4,5]},{}],"errors":[]}`, 0, 2},
		{`{"data":{"items":[1,2,3]}}`, 0, 1},
		{`{"data":{"items":[1,2,3]},"rows":[1,2]}`, 0, 2},
		{`{"data":{"items":[1,2,3]}}`, 1, 3},
		{`{"data":{"a":{"edges":[1,2,3]},"b":[1,2,3,4]}}`, 2, 4},
		{`{"data":{"a":{"edges":[1,2,3]},"b":[1,2]}}`, 1, 2},
		{`{"a":"[1,2,3]","b":"}]"}`, 0, 1},
		{`{"[":[1,2],"{\"":[1,2,3]}`, 0, 3},
		{``, 0, 0},
		{`"text, with [1,2]"`, 0, 0},
		{`7`, 0, 0},
		{`null`, 0, 0},
		{`[{"a":1},{"a":2},{"a`, 0, 3}, // cut
		{`{"items":[1,2,`, 0, 3},
	} {
		for size := 1; size <= len(tt.text)+1; size++ {
			r := Records{Levels: tt.levels}
			for at := 0; at < len(tt.text); at += size {
				r.Write([]byte(tt.text[at:min(at+size, len(tt.text))]))
			}
			if got := r.Count(); got != tt.want {
				t.Errorf("%q in pieces of %d: %d, want %d", tt.text, size, got, tt.want)
			}
		}
	}
}

// lists counts as the tree of the text tells.
func lists(v any, levels int) (longest int64) {
	switch v := v.(type) {
	case []any:
		return int64(len(v))
	case map[string]any:
		for _, e := range v {
			if _, is := e.([]any); is || levels > 0 {
				longest = max(longest, lists(e, levels-1))
			}
		}
	}
	return longest
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":[1,2]}],"c":{"d":[1,2,3]}}`), uint64(3))
	f.Add([]byte(`[[],"\\\"",{},null,-1e9]`), uint64(1))
	f.Add([]byte(`]]]}}{[[,,"`), uint64(2))
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		levels := rnd.IntN(4)
		r := Records{Levels: levels}
		for rest := text; len(rest) > 0; {
			n := 1 + rnd.IntN(len(rest))
			r.Write(rest[:n])
			rest = rest[n:]
		}
		got := r.Count()
		if got < 0 {
			t.Errorf("%q: %d", text, got)
		}
		var v any
		// Of a name that stands twice the tree has one.
		if json.Unmarshal(text, &v) != nil || twice(string(text)) {
			return
		}
		want := lists(v, levels)
		if _, object := v.(map[string]any); object {
			want = max(want, 1)
		}
		if got != want {
			t.Errorf("%q, %d levels: %d, want %d", text, levels, got, want)
		}
	})
}

// twice reports whether a name stands twice in an object.
func twice(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	type level struct {
		names map[string]bool
		name  bool
	}
	var open []*level
	for {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		var top *level
		if len(open) > 0 {
			top = open[len(open)-1]
		}
		if s, ok := tok.(string); ok && top != nil && top.names != nil && top.name {
			if top.names[s] {
				return true
			}
			top.names[s], top.name = true, false
			continue
		}
		switch tok {
		case json.Delim('{'):
			open = append(open, &level{map[string]bool{}, true})
			continue
		case json.Delim('['):
			open = append(open, &level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
			if len(open) > 0 {
				open[len(open)-1].name = true
			}
			continue
		}
		if top != nil {
			top.name = true
		}
	}
}

func BenchmarkRecords(b *testing.B) {
	text := []byte(`{"count":1000,"data":[` + strings.Repeat(`{"id":12345,"name":"Ada Lovelace","email":"ada@example.com","tags":["a","b"]},`, 999) + `{}]}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var r Records
		r.Write(text)
		if r.Count() != 1000 {
			b.Fatal(r.Count())
		}
	}
}
