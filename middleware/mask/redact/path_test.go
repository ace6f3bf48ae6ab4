package redact

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePath(t *testing.T) {
	name := func(n string) segment { return segment{name: n, fold: foldString(n)} }
	deep := func(s segment) segment { s.deep = true; return s }
	tests := []struct {
		path string
		want []segment
		bad  bool
	}{
		{path: "$"},
		{path: "$.a.b_1", want: []segment{name("a"), name("b_1")}},
		{path: "$['a.b']", want: []segment{name("a.b")}},
		{path: `$["it's"]..['\u00e9\'"']`, want: []segment{name("it's"), deep(name(`é'"`))}},
		{path: "$..a.*[*]..*..[*]", want: []segment{deep(name("a")), {kind: segAny}, {kind: segElems}, {kind: segAny, deep: true}, {kind: segElems, deep: true}}},
		{path: "$.größe", want: []segment{name("größe")}},
		{path: "", bad: true},
		{path: "a.b", bad: true},
		{path: "$a", bad: true},
		{path: "$.", bad: true},
		{path: "$..", bad: true},
		{path: "$...a", bad: true},
		{path: "$.1a", bad: true},
		{path: "$.a-b", bad: true},
		{path: "$.a b", bad: true},
		{path: "$ .a", bad: true},
		{path: "$[0]", bad: true},
		{path: "$[1:2]", bad: true},
		{path: "$['a','b']", bad: true},
		{path: "$[?@.a]", bad: true},
		{path: "$['a", bad: true},
		{path: "$['a'", bad: true},
		{path: `$['a\"']`, bad: true},
		{path: `$["a\'"]`, bad: true},
		{path: `$['\ud800']`, bad: true},
		{path: "$['a\nb']", bad: true},
		{path: "$.a\xff", bad: true},
		{path: "$.*" + strings.Repeat(".*", maxSegments), bad: true},
	}
	for _, tt := range tests {
		got, err := parsePath(tt.path)
		if (err != nil) != tt.bad {
			t.Errorf("%q: %v", tt.path, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(segment{})); !tt.bad && diff != "" {
			t.Errorf("%q (-want +got)\n%s", tt.path, diff)
		}
	}
	for _, f := range []string{"", "$.a", "a..b", "a.*", "a[*]", "@a", ".a", "a-b"} {
		if segs, err := parseField(f); err == nil {
			t.Errorf("field %q was read as %v", f, segs)
		}
	}
}

func TestParseAction(t *testing.T) {
	for a := Generalize; a <= Show; a++ {
		if got, err := ParseAction(a.String()); got != a || err != nil {
			t.Errorf("%v: %v, %v", a, got, err)
		}
	}
	for _, bad := range []string{"", "none", "Redact", "blur"} {
		if _, err := ParseAction(bad); err == nil {
			t.Errorf("%q is an action", bad)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"$", "$.a[*]..b", `$['a\u0041']["b"]`, "$..*", "@.a.b", "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		segs, err := parsePath(s)
		if err == nil {
			// Every path has one meaning however it is quoted.
			var b strings.Builder
			b.WriteByte('$')
			for _, seg := range segs {
				if seg.deep {
					b.WriteString("..")
				}
				switch seg.kind {
				case segElems:
					b.WriteString("[*]")
				case segAny:
					b.WriteString(strings.TrimPrefix(".*", map[bool]string{true: "."}[seg.deep]))
				default:
					b.WriteString("[" + string(appendQuoted(nil, []byte(seg.name))) + "]")
				}
			}
			again, err := parsePath(b.String())
			if diff := cmp.Diff(segs, again, cmp.AllowUnexported(segment{})); err != nil || diff != "" {
				t.Errorf("%q as %q: %v\n%s", s, b.String(), err, diff)
			}
		}
		_, _ = parseField(s)
	})
}
