package wire

import (
	"bufio"
	"errors"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware/field"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestMain(m *testing.M) { middlewaretest.Main(m) }

func TestFields(t *testing.T) {
	for name, tt := range map[string]struct {
		in       string
		want     http.Header
		err      error       // strictly
		tolerant http.Header // where it is an error strictly, and else none
	}{
		"none":                 {in: "", want: http.Header{}},
		"ordinary":             {in: "Host: a\r\nAccept: */*\r\n", want: http.Header{"Host": {"a"}, "Accept": {"*/*"}}},
		"names are made alike": {in: "hOST: a\r\nx-user-ID: 7\r\nWWW-Authenticate: x\r\n", want: http.Header{"Host": {"a"}, "X-User-Id": {"7"}, "Www-Authenticate": {"x"}}},
		"twice, in order":      {in: "A: 1\r\nB: x\r\na: 2\r\nA: 3\r\n", want: http.Header{"A": {"1", "2", "3"}, "B": {"x"}}},
		"blanks around":        {in: "A:\t 1 2 \t\r\nB:\r\nC:x\r\n", want: http.Header{"A": {"1 2"}, "B": {""}, "C": {"x"}}},
		"a tab inside":         {in: "A: 12345678\t9\r\n", want: http.Header{"A": {"12345678\t9"}}},
		"beyond ASCII":         {in: "A: caf\xe9\xff\r\n", want: http.Header{"A": {"caf\xe9\xff"}}},
		"a long name":          {in: strings.Repeat("x", 100) + ": 1\r\n", want: http.Header{"X" + strings.Repeat("x", 99): {"1"}}},
		"odd letters":          {in: "!#$%&'*+-.^_`|~09: 1\r\n", want: http.Header{"!#$%&'*+-.^_`|~09": {"1"}}},

		"bare LF":             {in: "A: 1\nB: 2\r\n", err: ErrLine, tolerant: http.Header{"A": {"1"}, "B": {"2"}}},
		"folded":              {in: "A: 1\r\n 2\r\n\t 3 \r\nB: 4\r\n", err: ErrFold, tolerant: http.Header{"A": {"1 2 3"}, "B": {"4"}}},
		"folded at once":      {in: "A:\r\n 1\r\n", err: ErrFold, tolerant: http.Header{"A": {"1"}}},
		"folded, only blanks": {in: "A: 1\r\n \r\n", err: ErrFold, tolerant: http.Header{"A": {"1 "}}},
		"folded first":        {in: " A: 1\r\n", err: ErrFold},
		"no end":              {in: "A: 1", err: ErrLine},
		"only CR":             {in: "A: 1\r", err: ErrLine},
		"two CR":              {in: "A: 1\r\r\n", err: ErrValue},
		"CR inside":           {in: "A: 1\rB: 2\r\n", err: ErrValue},
		"NUL":                 {in: "A: 123456789\x00\r\n", err: ErrValue},
		"DEL":                 {in: "A: 1234567\x7f9\r\n", err: ErrValue},
		"a fold with NUL":     {in: "A: 1\r\n \x00\r\n", err: ErrFold},
		"no colon":            {in: "A\r\n", err: ErrName},
		"no name":             {in: ": 1\r\n", err: ErrName},
		"blank in the name":   {in: "A B: 1\r\n", err: ErrName},
		"blank behind":        {in: "A : 1\r\n", err: ErrName},
		"tab behind":          {in: "A\t: 1\r\n", err: ErrName},
		"NUL in the name":     {in: "A\x00: 1\r\n", err: ErrName},
		"name beyond ASCII":   {in: "\u212a: 1\r\n", err: ErrName},
		"name over two lines": {in: "A\r\n : 1\r\n", err: ErrName},
		"an empty line":       {in: "A: 1\r\n\r\nB: 2\r\n", err: ErrName},
	} {
		got, err := Rules{}.Fields([]byte(tt.in))
		if !errors.Is(err, tt.err) || err == nil && cmp.Diff(tt.want, got) != "" {
			t.Errorf("%s: %v %v", name, got, err)
		}
		want := tt.want
		if tt.err != nil {
			want = tt.tolerant
		}
		got, err = Rules{Tolerant: true}.Fields([]byte(tt.in))
		if (err == nil) != (want != nil) || want != nil && cmp.Diff(want, got) != "" {
			t.Errorf("%s, tolerant: %v %v", name, got, err)
		}
	}
}

func TestFieldsAreBounded(t *testing.T) {
	if _, err := (Rules{Max: 2}).Fields([]byte("A: 1\r\nB: 2\r\n")); err != nil {
		t.Error(err)
	}
	if _, err := (Rules{Max: 2}).Fields([]byte("A: 1\r\nB: 2\r\nC: 3\r\n")); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	if _, err := (Rules{Max: 2, Tolerant: true}).Fields([]byte("A: 1\r\n 2\r\n 3\r\n")); !errors.Is(err, ErrTooMany) {
		t.Error("lines that go on are not counted")
	}
}

// Nothing of what was read depends on the buffer, and a value that is appended to
// one field is not seen in another.
func TestFieldsStandAlone(t *testing.T) {
	for _, fill := range []int{0, 2 * shareable} {
		block := []byte("A: first\r\nB: second\r\nX: " + strings.Repeat("x", fill) + "\r\n")
		h, err := Rules{}.Fields(block)
		if err != nil {
			t.Fatal(err)
		}
		clear(block)
		h["A"] = append(h["A"], "more")
		h.Add("A", "and more")
		if want := []string{"first", "more", "and more"}; !slices.Equal(h["A"], want) || h.Get("B") != "second" {
			t.Errorf("%q", h)
		}
	}
}

// The names of the list are in the form that maps have, and cost nothing.
func TestCommonNames(t *testing.T) {
	n := 0
	for _, name := range []string{"Accept", "Authorization", "Content-Length", "Cookie", "Host", "Sec-Ch-Ua-Mobile", "Te", "User-Agent", "X-Request-Id"} {
		lower := strings.ToLower(name)
		if got := canonical(lower); got != name || got != http.CanonicalHeaderKey(lower) {
			t.Errorf("%s becomes %s", lower, got)
		}
		if a := testing.AllocsPerRun(10, func() { n += len(canonical(lower)) }); a > 0 {
			t.Errorf("%s costs %v allocations", name, a)
		}
	}
}

func TestHead(t *testing.T) {
	for in, want := range map[string]int{
		"": 0, "GET": 0, "GET\r\n": 0, "GET\r\n\r": 0, "GET\r\n\r\n": 7, "GET\r\nA: 1\r\n\r\nmore": 13,
		"\r\n\r\n": 4, "\n\n": 2, "GET\n\nx": 5, "GET\n\r\nx": 6, "GET\r\n\nx": 6, "GET\r\r\n\r\r\n": 0, "GET\n \n": 0,
	} {
		if got := Head([]byte(in), 0); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
		for cut := range len(in) { // as it comes in two parts
			if Head([]byte(in[:cut]), 0) == 0 {
				if got := Head([]byte(in), cut); got != want {
					t.Errorf("%q, of which %d bytes were known: %d, want %d", in, cut, got, want)
				}
			}
		}
	}
}

// What is written is one line per value, whatever the value is.
func TestAppendFields(t *testing.T) {
	h := http.Header{"A": {"1", "2"}, "B": {"x\r\nSet-Cookie: a=b\x00\x7f\t!"}, "No Name": {"x"}, "Skipped": {"x"}, "": {"x"}, "C\r\nD": {"x"}}
	out := string(AppendFields(nil, h, func(name string) bool { return name == "Skipped" }))
	lines := strings.Split(strings.TrimSuffix(out, "\r\n"), "\r\n")
	slices.Sort(lines)
	if want := []string{"A: 1", "A: 2", "B: x  Set-Cookie: a=b  \t!"}; !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
}

// FuzzFields holds the reader against that of the standard library: strictly it
// takes a part of what that takes, tolerantly the same, and reads it alike.
func FuzzFields(f *testing.F) {
	for _, s := range []string{
		"Host: a\r\nAccept: */*\r\n", "a: 1\nB: 2\r\n", "A: 1\r\n 2\r\n \r\n", "A : 1\r\n", "A: \x7f\r\n", ": x\r\n", "A:\r\n\r\n", "\u212a: 1\r\n",
		"A: 12345678\t\x01\r\n", "X:\t\t\r\nX:  y\t\r\n", "A: 1\r\r\n", "a\r\n:b\r\n", "A: 1\n\n", "A: 1\r\n \n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !strings.HasSuffix(s, "\n") || Head([]byte(s+"\r\n"), 0) != len(s)+2 || strings.HasPrefix(s, "\n") || strings.HasPrefix(s, "\r\n") {
			return // not the lines of one head
		}
		want, err := textproto.NewReader(bufio.NewReader(strings.NewReader(s + "\r\n"))).ReadMIMEHeader()
		valid := err == nil
		for name := range want { // what net/http's server verifies besides
			valid = valid && field.ValidName(name)
		}
		got, err := Rules{Tolerant: true}.Fields([]byte(s))
		if (err == nil) != valid {
			t.Fatalf("%q: %v, valid to others: %v", s, err, valid)
		}
		if valid && cmp.Diff(map[string][]string(want), map[string][]string(got)) != "" {
			t.Fatalf("%q: %q, to others %q", s, got, want)
		}
		strict, err := Rules{}.Fields([]byte(s))
		if err == nil && (!valid || cmp.Diff(got, strict) != "") {
			t.Fatalf("%q: strictly %q, tolerantly %q", s, strict, got)
		}
		if odd := strings.Contains(strings.ReplaceAll(s, "\r\n", ""), "\n"); err == nil && odd {
			t.Fatalf("%q is taken strictly", s)
		}
	})
}

func BenchmarkFields(b *testing.B) {
	block := []byte("Host: localhost:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: text/html,application/xhtml+xml\r\n" +
		"accept-encoding: gzip, deflate, br\r\nAuthorization: Bearer " + strings.Repeat("x", 600) + "\r\nX-Tenant: acme\r\n")
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := (Rules{Max: 100}).Fields(block); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("textproto", func(b *testing.B) {
		b.ReportAllocs()
		s := string(block) + "\r\n"
		for b.Loop() {
			if _, err := textproto.NewReader(bufio.NewReader(strings.NewReader(s))).ReadMIMEHeader(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
