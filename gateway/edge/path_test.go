package edge

import (
	"errors"
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	for _, tt := range []struct {
		raw, path, escaped string
		err                error
	}{
		{"/", "/", "/", nil},
		{"/api/employees/7", "/api/employees/7", "/api/employees/7", nil},
		{"/api/", "/api/", "/api/", nil},
		{"/a%20b", "/a b", "/a%20b", nil},
		{"/%61%7e", "/a~", "/a~", nil},
		{"/a%3bb;c", "/a;b;c", "/a%3Bb;c", nil},
		{"/caf%c3%a9", "/café", "/caf%C3%A9", nil},
		{"/café", "/café", "/caf%C3%A9", nil},
		{"/a%23b", "/a#b", "/a%23b", nil},
		{"/a%3fb", "/a?b", "/a%3Fb", nil},
		{"/a|b^c\"<>`", "/a|b^c\"<>`", "/a%7Cb%5Ec%22%3C%3E%60", nil}, // browsers send some of these bare
		{"/a!$&'()*+,=:@[]", "/a!$&'()*+,=:@[]", "/a!$&'()*+,=:@[]", nil},
		{"/a..b/.well-known/...", "/a..b/.well-known/...", "/a..b/.well-known/...", nil},
		{"/100\uff05", "/100\uff05", "/100%EF%BC%85", nil},
		{"/a\uff0eb/\u2026", "/a\uff0eb/\u2026", "/a%EF%BC%8Eb/%E2%80%A6", nil}, // dots that are no segment of their own
		{"", "", "", errNoSlash},
		{"api", "", "", errNoSlash},
		{"/a/../b", "", "", errDots},
		{"/a/.", "", "", errDots},
		{"/..", "", "", errDots},
		{"/a/..;/b", "", "", errDots},
		{"/a/..;x=1", "", "", errDots},
		{"/a/.%3b/b", "", "", errDots},
		{"/a/..%20/b", "", "", errDots},
		{"/a/%20/b", "", "", errDots},
		{"/a/..%20;x/b", "", "", errDots},
		{"/a/\uff0e\uff0e/b", "", "", errDots},
		{"/a/%ef%bc%8e%EF%B9%92/b", "", "", errDots},
		{"/a/\u2025/b", "", "", errDots},
		{"/a/\u2024./b", "", "", errDots},
		{"/a/.\u2024/b", "", "", errDots},
		{"/a/;x", "", "", errSlashes},
		{"/a/;/b", "", "", errSlashes},
		{"//a", "", "", errSlashes},
		{"/a//b", "", "", errSlashes},
		{"/a//", "", "", errSlashes},
		{"/a%2fb", "", "", errEncoded},
		{"/a%2Fb", "", "", errEncoded},
		{"/%2e%2e/b", "", "", errEncoded},
		{"/.%2e/b", "", "", errEncoded},
		{"/a%252fb", "", "", errEncoded},
		{`/a\b`, "", "", errBackslash},
		{"/a%5cb", "", "", errBackslash},
		{"/a\uff0fb", "", "", errLookalike},
		{"/a%EF%BC%BCb", "", "", errLookalike},
		{"/a\u2215b", "", "", errLookalike},
		{"/\u2105", "", "", errLookalike},
		{"/a%00b", "", "", errControl},
		{"/a%0d%0ab", "", "", errControl},
		{"/a\rb", "", "", errControl},
		{"/a b", "", "", errControl},
		{"/a\x7f", "", "", errControl},
		{"/a%C2%85b", "", "", errControl},
		{"/%ff", "", "", errControl},
		{"/%c0%af", "", "", errControl},
		{"/%e0%80%af", "", "", errControl},
		{"/%ed%a0%80", "", "", errControl},
		{"/a%", "", "", errEscape},
		{"/a%4", "", "", errEscape},
		{"/a%zz", "", "", errEscape},
		{"/a%u002e", "", "", errEscape},
		{"/a#b", "", "", errFragment},
		{"/a?b", "", "", errQuestion},
	} {
		got, err := Path(tt.raw)
		if !errors.Is(err, tt.err) || err == nil && (got.Path != tt.path || got.Escaped != tt.escaped) {
			t.Errorf("%q: got %+v, %v; want %q %q, %v", tt.raw, got, err, tt.path, tt.escaped, tt.err)
		}
	}
}

// FuzzPath holds what everything else relies on: the forwarded form is read as
// itself, and no server that reads it makes other segments of it than were
// judged.
func FuzzPath(f *testing.F) {
	for _, s := range []string{
		"/", "/a%20b", "/a%3bb", "/%2e", "/a//b", "/café", "/a%25", "/;a=1/b", "/a/..%3b/b", "/a/%ef%bc%8e./b", "/a%c0%af", "/a%u002f", "/%3f/..", "/a.%20/b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := Path(raw)
		if err != nil {
			return
		}
		if again, err := Path(c.Escaped); err != nil || again != c {
			t.Errorf("%q: %+v becomes %+v, %v", raw, c, again, err)
		}
		judged := strings.Split(c.Path[1:], "/")
		for name, read := range readers() {
			got, ok := read(c.Escaped)
			if want := seenBy(name, judged); !ok || strings.Join(got, "/") != strings.Join(want, "/") {
				t.Errorf("%q: forwarded as %q, judged as %q, read by %s as %q", raw, c.Escaped, want, name, got)
			}
		}
	})
}

// The readers would be of no use if they took dangerous paths for harmless.
func TestReadersAreFooled(t *testing.T) {
	for name, paths := range map[string][]string{
		"net/url":       {"/a%2fb"},
		"merging":       {"/a/../b", "/a//b", "/a/%2e%2e/b", "/a%2fb"},
		"parameters":    {"/a/..;x/b", "/a/%2e%2e;/b"},
		"decodes twice": {"/a%252fb", "/a/%252e%252e/b"},
		"windows":       {`/a\b`, "/a%5cb", "/a/..%20/b"},
		"normalizing":   {"/a\uff0fb", "/a/%ef%bc%8e%ef%bc%8e/b"},
	} {
		for _, p := range paths {
			plain := strings.Split(p[1:], "/")
			if got, ok := readers()[name](p); ok && strings.Join(got, "/") == strings.Join(seenBy(name, plain), "/") && len(got) == len(plain) {
				t.Errorf("%s reads %q as it stands", name, p)
			}
		}
	}
}
