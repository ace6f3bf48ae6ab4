package gateway

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// readings gives the paths that servers may take a request target for: those
// that decode twice, that take a backslash for a slash, end a path at a NUL, a
// question mark or a number sign, drop what stands behind a semicolon or a dot
// at the end of a name, and those that fold look-alikes of ASCII. Without
// parameters, a name is taken for another one in none of these ways, but its
// slashes and dots are.
func readings(target string, parameters bool) []string {
	raw, _, _ := strings.Cut(target, "?")
	var out []string
	for i := range 1 << 7 {
		if !parameters && (i&(8|64) != 0 || i&16 != 0 && i&3 != 0) { // a bare semicolon is refused, an encoded one is text
			continue
		}
		s := raw
		if _, rest, ok := strings.Cut(s, "://"); ok && !strings.HasPrefix(s, "/") {
			_, s, _ = strings.Cut(rest, "/")
			s = "/" + s
		}
		for range i & 3 {
			s = lenientUnescape(s)
		}
		if i&4 != 0 {
			s = strings.ReplaceAll(s, `\`, "/")
		}
		if i&8 != 0 {
			s, _, _ = strings.Cut(s, "\x00")
			s, _, _ = strings.Cut(s, "#")
			s, _, _ = strings.Cut(s, "?")
		}
		if i&16 != 0 {
			s = perSegment(s, func(name string) string { name, _, _ = strings.Cut(name, ";"); return name })
		}
		if i&32 != 0 {
			s = fold(s)
		}
		if i&64 != 0 {
			s = perSegment(s, func(name string) string {
				if trimmed := strings.TrimRight(name, ". \t\r\n"); trimmed != "" {
					return trimmed
				}
				return name
			})
		}
		out = append(out, path.Clean("/"+s))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func perSegment(s string, f func(string) string) string {
	names := strings.Split(s, "/")
	for i, n := range names {
		names[i] = f(n)
	}
	return strings.Join(names, "/")
}

// lenientUnescape decodes what can be decoded and leaves the rest, as servers do
// that never refuse.
func lenientUnescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// fold takes look-alikes of the signs that make a path for them: overlong UTF-8
// (RFC 3629, section 10), full-width forms, and the like (Unicode, NFKC).
func fold(s string) string {
	return strings.NewReplacer(
		"\xc0\xae", ".", "\xe0\x80\xae", ".", "\xf0\x80\x80\xae", ".", "\xc0\xaf", "/", "\xe0\x80\xaf", "/", "\xc1\x9c", `/`,
		"\uff0e", ".", "\u2024", ".", "\ufe52", ".", "\u2025", "..", "\ufe30", "..", "\u2026", "...", "\uff0f", "/", "\uff3c", "/", "\ufe68", "/",
		"%u002e", ".", "%u002f", "/", "%uff0e", ".", "%uff0f", "/", "%U002E", ".",
	).Replace(s)
}

// within tells whether a server may take the target for something below a
// prefix.
func within(target, prefix string, parameters bool) bool {
	return slices.ContainsFunc(readings(target, parameters), func(p string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") })
}

// sameAsJudged holds that what the policy judged is what arrived: method, path,
// query and the headers that it is shown. The path is compared without the
// prefix that the route takes off.
func sameAsJudged(t *testing.T, what string, q received, strip string) *policies.Input {
	t.Helper()
	in := q.judged(t)
	raw, query, _ := strings.Cut(q.target, "?")
	decoded, err := url.PathUnescape(raw)
	if want := strings.TrimPrefix(in.Resource.Path, strip); err != nil || decoded != want {
		t.Errorf("%s: the path %q was judged and %q arrived: %v", what, in.Resource.Path, raw, err)
	}
	if d := cmp.Diff(policies.Segments(in.Resource.Path), in.Resource.Segments); d != "" {
		t.Errorf("%s: segments: %s", what, d)
	}
	values, err := url.ParseQuery(query)
	if d := cmp.Diff(map[string][]string(values), in.Resource.Query); err != nil || d != "" {
		t.Errorf("%s: the query that was judged is not the one that arrived: %v %s", what, err, d)
	}
	if in.Action.Method != q.method {
		t.Errorf("%s: the method %s was judged and %s arrived", what, in.Action.Method, q.method)
	}
	if got := q.values("X-Purpose"); len(got) > 0 || len(in.Context.Headers["x-purpose"]) > 0 {
		if d := cmp.Diff(got, in.Context.Headers["x-purpose"]); d != "" {
			t.Errorf("%s: the header that was judged is not the one that arrived: %s", what, d)
		}
	}
	return in
}
