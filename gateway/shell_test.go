package gateway

import (
	"bufio"
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestStripPrefix(t *testing.T) {
	for _, tt := range []struct{ raw, prefix, path, escaped string }{
		{"/api/employees/7", "/api", "/employees/7", "/employees/7"},
		{"/api/employees/7", "/api/", "/employees/7", "/employees/7"},
		{"/api/employees/7", "api", "/employees/7", "/employees/7"},
		{"/api/employees/7", "/api/employees", "/7", "/7"},
		{"/api", "/api", "/", "/"},
		{"/api/", "/api", "/", "/"},
		{"/apix/7", "/api", "/apix/7", "/apix/7"},
		{"/employees/api/7", "/api", "/employees/api/7", "/employees/api/7"},
		{"/api/api/7", "/api", "/api/7", "/api/7"},
		{"/api/a%3Bb/%C3%A9", "/api", "/a;b/é", "/a%3Bb/%C3%A9"},
		{"/%61pi/7", "/api", "/7", "/7"},
		{"/a%20b/c%20d", "/a b", "/c d", "/c%20d"},
		{"/a%20b/c", "/a%20b", "/c", "/c"},
		{"/api/7", "", "/api/7", "/api/7"},
		{"/api/7", "/", "/api/7", "/api/7"},
		{"/api/7", "/../x", "/api/7", "/api/7"},
	} {
		c, err := canonicalPath(tt.raw)
		if err != nil {
			t.Fatal(err)
		}
		path, escaped := stripPrefix(c, tt.prefix)
		if path != tt.path || escaped != tt.escaped {
			t.Errorf("%s without %s: got %q, %q, want %q, %q", tt.raw, tt.prefix, path, escaped, tt.path, tt.escaped)
		}
		again, err := canonicalPath(escaped)
		if err != nil || again.path != path {
			t.Errorf("%s without %s: the forms differ: %q, %q", tt.raw, tt.prefix, path, escaped)
		}
	}
}

func FuzzStripPrefix(f *testing.F) {
	f.Add("/api/7", "/api")
	f.Add("/a%3Bb/%C3%A9", "a;b")
	f.Add("/%2A/x", "/*/")
	f.Fuzz(func(t *testing.T, raw, prefix string) {
		c, err := canonicalPath(raw)
		if err != nil {
			return
		}
		path, escaped := stripPrefix(c, prefix)
		again, err := canonicalPath(escaped)
		if err != nil || again.path != path {
			t.Errorf("%q without %q: %q and %q are not one path", raw, prefix, path, escaped)
		}
		if !strings.HasSuffix(c.path, strings.TrimPrefix(path, "/")) {
			t.Errorf("%q without %q is %q", raw, prefix, path)
		}
	})
}

// Targets are read as net/http hands them over (RFC 9112, section 3.2).
func TestCanonicalTarget(t *testing.T) {
	for _, tt := range []struct {
		target, path string
		err          error
	}{
		{"/a/b?c=/../d", "/a/b", nil},
		{"/a?", "/a", nil},
		{"http://other.example/a/b?c", "/a/b", nil},
		{"HTTP://other.example", "/", nil},
		{"http://other.example?c", "/", nil},
		{"http://other.example/a/../b", "", errDots},
		{"http://other.example/a%2fb", "", errEncoded},
		{"/http://other.example/", "", errSlashes},
		{"*", "", errNoSlash},
		{"/a?b;c", "", errQuery},
		{"/a?%zz", "", errQuery},
		{"/a?" + strings.Repeat("a&", maxParameters), "", errQuery},
		{"//a", "", errSlashes},
		{"/a#b", "", errFragment},
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("OPTIONS " + tt.target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
		if err != nil {
			t.Fatalf("%s: %v", tt.target, err)
		}
		c, err := canonicalTarget(r)
		if !errors.Is(err, tt.err) || err == nil && c.path != tt.path {
			t.Errorf("%s: got %q %v, want %q %v", tt.target, c.path, err, tt.path, tt.err)
		}
	}
}
