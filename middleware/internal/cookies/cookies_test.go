package cookies_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/internal/cookies"
)

const name = "__Host-session"

func TestFind(t *testing.T) {
	for _, c := range []struct {
		what  string
		lines []string
		want  string
		err   error
	}{
		{"none", nil, "", nil},
		{"alone", []string{"__Host-session=t"}, "t", nil},
		{"among others", []string{"a=1; __Host-session=t; b=2"}, "t", nil},
		{"without spaces, as some clients write", []string{"a=1;__Host-session=t;b=2"}, "t", nil},
		{"in a line of its own", []string{"a=1", "__Host-session=t"}, "t", nil},
		{"empty, as after a logout", []string{"__Host-session="}, "", nil},
		{"with = in its value", []string{"__Host-session=a=b=="}, "a=b==", nil},
		{"a longer name", []string{"__Host-session-id=x; my__Host-session=y; x.__Host-session=z"}, "", nil},
		{"a longer name beside it", []string{"__Host-session-id=x; __Host-session=t"}, "t", nil},
		{"its name in a value", []string{"last=__Host-session; __Host-session=t"}, "t", nil},
		{"in another case only", []string{"a=1; __host-session=t"}, "", cookies.ErrAmbiguous},
		{"behind a comma only", []string{"a=1,__Host-session=t"}, "", cookies.ErrAmbiguous},
		{"in quotes only", []string{`a="x; y __Host-session=t"`}, "", cookies.ErrAmbiguous},
		{"as PHP writes it only", []string{"..Host-session=t"}, "", cookies.ErrAmbiguous},
		{"again as PHP writes it", []string{"[_Host-session=u; __Host-session=t"}, "", cookies.ErrAmbiguous},
		{"another name, and dots", []string{"..Host-sessions=u; Host-session=v; __Host.session=w"}, "", nil},
		{"without a value", []string{"__Host-session"}, "", nil},
		{"twice", []string{"__Host-session=t; __Host-session=u"}, "", cookies.ErrAmbiguous},
		{"twice the same", []string{"__Host-session=t; __Host-session=t"}, "", cookies.ErrAmbiguous},
		{"twice, one empty", []string{"__Host-session=; __Host-session=t"}, "", cookies.ErrAmbiguous},
		{"in two lines", []string{"__Host-session=t", "a=1; __Host-session=u"}, "", cookies.ErrAmbiguous},
		{"again in another case", []string{"__Host-session=t; __HOST-SESSION=u"}, "", cookies.ErrAmbiguous},
		{"again behind a comma", []string{"__Host-session=t; a=1,__Host-session=u"}, "", cookies.ErrAmbiguous},
		{"again behind a tab", []string{"__Host-session=t; a=1\t__Host-session=u"}, "", cookies.ErrAmbiguous},
		{"again in quotes", []string{`__Host-session=t; a="; __Host-session=u"`}, "", cookies.ErrAmbiguous},
		{"again before a space", []string{"__Host-session=t; a=1 __Host-session =u"}, "", cookies.ErrAmbiguous},
		{"again in its own value", []string{"__Host-session=t __Host-session=u"}, "", cookies.ErrAmbiguous},
	} {
		got, err := cookies.Find(http.Header{"Cookie": c.lines}, name)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v", c.what, got, err)
		}
	}
}

func TestRemove(t *testing.T) {
	for _, c := range []struct{ lines, want []string }{
		{nil, nil},
		{[]string{"__Host-session=t"}, nil},
		{[]string{" __Host-session = t "}, nil},
		{[]string{"a=1; __Host-session=t; b=2"}, []string{"a=1; b=2"}},
		{[]string{"__Host-session=t; b=2"}, []string{"b=2"}},
		{[]string{"a=1; __Host-session=t"}, []string{"a=1"}},
		{[]string{"a=1;__Host-session=t;b=2"}, []string{"a=1;b=2"}},
		{[]string{"__Host-session=t; __Host-session=u; a=1"}, []string{"a=1"}},
		{[]string{"__Host-session=t", "a=1", "b=2; __Host-session=u"}, []string{"a=1", "b=2"}},
		{[]string{`a="q,r" ;  c = 3;;x; __Host-session=t;`}, []string{`a="q,r" ;  c = 3;;x;`}},
		{[]string{"__Host-session-id=x; my__Host-session=y;"}, []string{"__Host-session-id=x; my__Host-session=y;"}},
		{[]string{""}, []string{""}},
	} {
		h := http.Header{"Cookie": slices.Clone(c.lines), "X": {"y"}}
		cookies.Remove(h, name)
		if _, there := h["Cookie"]; !slices.Equal(h["Cookie"], c.want) || there != (len(c.want) > 0) || h.Get("X") != "y" {
			t.Errorf("%q: %q, want %q", c.lines, h, c.want)
		}
	}
}

// FuzzCookies holds what both promise: whatever the header, the cookie is gone
// and every other pair is there, byte for byte and in its order.
func FuzzCookies(f *testing.F) {
	for _, s := range []string{
		"__Host-session=t", "a=1; __Host-session=t; b=2", "__Host-session=t;;__Host-session;=x", " ; \t__Host-session = \"a;b\" ;c",
		"a=1,__Host-session=u\n__Host-session=v; d", "__HOST-session=t",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		h := http.Header{"Cookie": slices.Clone(lines)}
		value, err := cookies.Find(h, name)
		read := pairs(lines, func(n string) bool { return n == name })
		if err == nil && (len(read) > 1 || value != "" && len(read) != 1) {
			t.Errorf("%q is read as %q", text, value)
		}
		cookies.Remove(h, name)
		if left := pairs(h["Cookie"], func(n string) bool { return n == name }); len(left) > 0 {
			t.Errorf("%q leaves %q", text, left)
		}
		others := func(n string) bool { return n != name }
		if before, after := pairs(lines, others), pairs(h["Cookie"], others); !slices.Equal(before, after) {
			t.Errorf("%q: %q became %q", text, before, after)
		}
		if !strings.Contains(text, name) && !slices.Equal(lines, h["Cookie"]) {
			t.Errorf("%q was changed", text)
		}
	})
}

// pairs gives the pairs of a name, by a reading of its own (RFC 6265, section
// 5.4), without the spaces around them.
func pairs(lines []string, of func(string) bool) []string {
	var out []string
	for _, line := range lines {
		for _, p := range strings.Split(line, ";") {
			p = strings.Trim(p, " \t")
			i := strings.IndexByte(p, '=')
			if i >= 0 && of(strings.Trim(p[:i], " \t")) || i < 0 && p != "" && of("") {
				out = append(out, p)
			}
		}
	}
	return out
}
