package edge

import (
	"errors"
	"net/url"
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
		{"/a..b/.well-known", "/a..b/.well-known", "/a..b/.well-known", nil},
		{"", "", "", errNoSlash},
		{"api", "", "", errNoSlash},
		{"/a/../b", "", "", errDots},
		{"/a/.", "", "", errDots},
		{"/..", "", "", errDots},
		{"/a/..;/b", "", "", errDots},
		{"/a/..;x=1", "", "", errDots},
		{"/a/.%3b/b", "", "", errDots},
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
		{"/a%00b", "", "", errControl},
		{"/a%0d%0ab", "", "", errControl},
		{"/a\x7f", "", "", errControl},
		{"/%ff", "", "", errControl},
		{"/%c0%af", "", "", errControl},
		{"/a%", "", "", errEscape},
		{"/a%4", "", "", errEscape},
		{"/a%zz", "", "", errEscape},
		{"/a#b", "", "", errFragment},
	} {
		got, err := Path(tt.raw)
		if !errors.Is(err, tt.err) || err == nil && (got.Path != tt.path || got.Escaped != tt.escaped) {
			t.Errorf("%q: got %+v, %v; want %q %q, %v", tt.raw, got, err, tt.path, tt.escaped, tt.err)
		}
	}
}

// FuzzPath holds what everything else relies on: the forwarded form
// decodes to the judged form, is its own canonical form, and holds nothing that
// a server could read in another way.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/a%20b", "/a%3bb", "/%2e", "/a//b", "/café", "/a%25", "/;a=1/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := Path(raw)
		if err != nil {
			return
		}
		back, err := url.PathUnescape(c.Escaped)
		if err != nil || back != c.Path {
			t.Errorf("%q: %q decodes to %q, %v; judged was %q", raw, c.Escaped, back, err, c.Path)
		}
		again, err := Path(c.Escaped)
		if err != nil || again != c {
			t.Errorf("%q: %+v becomes %+v, %v", raw, c, again, err)
		}
		for _, bad := range []string{"//", "/../", "/./", "\\", "%2F", "%2E", "%25", "%00", "#", "?"} {
			if strings.Contains(c.Escaped+"/", bad) && !(bad == "//" && strings.HasSuffix(c.Escaped, "/")) {
				t.Errorf("%q: %q holds %q", raw, c.Escaped, bad)
			}
		}
	})
}

func TestCheckQuery(t *testing.T) {
	for q, ok := range map[string]bool{
		"": true, "a=1&b=2": true, "a=%20": true, "a": true, strings.Repeat("a&", 998) + "a": true,
		"a=%zz": false, "a=1;b=2": false, strings.Repeat("a&", 1001): false, "a=\x01": false, "a= b": false, "a=1#b": false,
	} {
		if err := checkQuery(q); (err == nil) != ok {
			t.Errorf("%.20q: %v", q, err)
		}
	}
}
