package edge

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestWithout(t *testing.T) {
	for _, tt := range []struct{ raw, prefix, path, escaped string }{
		{"/api/employees/7", "/api", "/employees/7", "/employees/7"},
		{"/api/employees/7", "/api/", "/employees/7", "/employees/7"},
		{"/api/employees/7", "/api/employees", "/7", "/7"},
		{"/api", "/api", "/", "/"},
		{"/api/", "/api", "/", "/"},
		{"/apix/7", "/api", "/apix/7", "/apix/7"},
		{"/api../7", "/api", "/api../7", "/api../7"},
		{"/api;x/7", "/api", "/api;x/7", "/api;x/7"},
		{"/employees/api/7", "/api", "/employees/api/7", "/employees/api/7"},
		{"/api/api/7", "/api", "/api/7", "/api/7"},
		{"/api/a%3Bb/%C3%A9", "/api", "/a;b/é", "/a%3Bb/%C3%A9"},
		{"/%61pi/7", "/api", "/7", "/7"},
		{"/a%20b/c%20d", "/a b", "/c d", "/c%20d"},
		{"/api/7", "", "/api/7", "/api/7"},
		{"/api/7", "/", "/api/7", "/api/7"},
		{"/api/7", "api", "/api/7", "/api/7"},
		{"/api/7", "/../x", "/api/7", "/api/7"},
	} {
		c, err := Path(tt.raw)
		if err != nil {
			t.Fatal(err)
		}
		c.Query = "a=1"
		got, err := c.Without(tt.prefix)
		if want := (Target{tt.path, tt.escaped, "a=1"}); err != nil || got != want {
			t.Errorf("%s without %s: got %+v, %v; want %+v", tt.raw, tt.prefix, got, err, want)
		}
	}
}

// Whatever is taken off, what is left is a path that reads as itself, and the
// end of the one that was asked for.
func FuzzWithout(f *testing.F) {
	f.Add("/api/7", "/api")
	f.Add("/a%3Bb/%C3%A9", "/a;b")
	f.Add("/%2A/x", "/*/")
	f.Fuzz(func(t *testing.T, raw, prefix string) {
		c, err := Path(raw)
		if err != nil {
			return
		}
		got, err := c.Without(prefix)
		if err != nil {
			t.Errorf("%q without %q: %v", raw, prefix, err)
		}
		if again, err := Path(got.Escaped); err != nil || again != got {
			t.Errorf("%q without %q: %+v is read as %+v, %v", raw, prefix, got, again, err)
		}
		if !strings.HasSuffix(c.Path, strings.TrimPrefix(got.Path, "/")) {
			t.Errorf("%q without %q is %q", raw, prefix, got.Path)
		}
	})
}

// read1 reads a head as a connection of HTTP/1 brings it.
func read1(text string, secure bool) (Head, error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return Head{}, err
	}
	if secure {
		r.TLS = &tls.ConnectionState{}
	}
	return NewDoor(nil, nil, []string{"x-purpose"}).Read(r)
}

// Targets are read as net/http hands them over (RFC 9112, section 3.2).
func TestTarget(t *testing.T) {
	for _, tt := range []struct {
		target, host, path, query string
		err                       error
	}{
		{"/a/b?c=/../d", "h", "/a/b", "c=/../d", nil},
		{"/a?", "h", "/a", "", nil},
		{"/a?b?c", "h", "/a", "b?c", nil},
		{"http://other.example/a/b?c", "other.example", "/a/b", "c", nil},
		{"HTTP://Other.example:80/", "other.example", "/", "", nil},
		{"http://other.example?c", "other.example", "/", "c", nil},
		{"http://other.example", "", "", "", errStar},
		{"*", "", "", "", errStar},
		{"https://other.example/", "", "", "", errScheme},
		{"ftp://other.example/", "", "", "", errAbsolute},
		{"file:///etc/passwd", "", "", "", errAbsolute},
		{"javascript:alert", "", "", "", errAbsolute},
		{"http:/a", "", "", "", errAbsolute},
		{"http:///a", "", "", "", errAbsolute},
		{"http://me@other.example/", "", "", "", errUser},
		{"http://me:word@other.example/", "", "", "", errUser},
		{"http://other.example/a/../b", "", "", "", errDots},
		{"http://other.example/a%2fb", "", "", "", errEncoded},
		{"http://127.1/", "", "", "", errHost},
		{"/http://other.example/", "", "", "", errSlashes},
		{"/a?b;c", "", "", "", errQuery},
		{"/a?%zz", "", "", "", errQuery},
		{"/a?" + strings.Repeat("a&", maxParameters), "", "", "", errParameters},
		{"//a", "", "", "", errSlashes},
		{"/a#b", "", "", "", errFragment},
	} {
		h, err := read1("OPTIONS "+tt.target+" HTTP/1.1\r\nHost: h\r\n\r\n", false)
		if !errors.Is(err, tt.err) || err == nil && (h.Host != tt.host || h.Path != tt.path || h.Query != tt.query) {
			t.Errorf("%s: got %+v %v, want %v", tt.target, h, err, tt)
		}
	}
	if h, err := read1("GET https://h/a HTTP/1.1\r\nHost: h\r\n\r\n", true); err != nil || h.Path != "/a" {
		t.Errorf("an absolute target over TLS: %+v %v", h, err)
	}
	if _, err := read1("GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n", true); !errors.Is(err, errScheme) {
		t.Errorf("a plain target over TLS: %v", err)
	}
}

// What an operator asks about is read as what a client sends.
func TestParse(t *testing.T) {
	for _, tt := range []struct{ method, text, want string }{
		{"GET", "https://API.example.com:8443/a/%7eb?c=d", "api.example.com api.example.com:8443 /a/~b /a/~b c=d"},
		{"GET", "http://api.example.com", "api.example.com api.example.com / / "},
		{"GET", "https://api.example.com?c", "api.example.com api.example.com / / c"},
		{"GET", "/a", "  /a /a "},
		{"GET", "/a?b=http://c/", "  /a /a b=http://c/"},
		{"GET", "a", errNoSlash.Detail},
		{"GET", "https://api.example.com/a#b", errFragment.Detail},
		{"GET", "https://api.example.com#b", errAbsolute.Detail},
		{"GET", "https://me@api.example.com/", errHost.Detail},
		{"GET", "https://127.1/", errHost.Detail},
		{"GET", "ftp://api.example.com/", errAbsolute.Detail},
		{"GET", "https://api.example.com/../a", errDots.Detail},
		{"get", "/a", errMethodUnknown.Detail},
		{"TRACE", "/a", errMethodRefused.Detail},
	} {
		h, err := Parse(tt.method, tt.text)
		got := strings.Join([]string{h.Host, h.Authority, h.Path, h.Escaped, h.Query}, " ")
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.method, tt.text, got, tt.want)
		}
	}
}
