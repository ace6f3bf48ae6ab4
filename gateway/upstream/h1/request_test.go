package h1

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sent gives the lines of the head that is sent, those behind the first in order.
func sent(t *testing.T, change func(r *http.Request)) ([]string, error) {
	t.Helper()
	var lines []string
	c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) {
		for {
			line, err := r.ReadString('\n')
			if err != nil || line == "\r\n" {
				break
			}
			lines = append(lines, strings.TrimSuffix(line, "\r\n"))
		}
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	}), func(s *Settings) { s.Host = "upstream.test:8080" })
	r := ask(t, "GET", "/a", nil)
	change(r)
	_, _, err := whole(c.Do(&Call{}, r))
	if len(lines) > 0 {
		slices.Sort(lines[1:])
	}
	return lines, err
}

func TestHeads(t *testing.T) {
	const host = "Host: upstream.test:8080"
	for name, tt := range map[string]struct {
		change func(r *http.Request)
		want   []string
	}{
		"plain":                  {func(*http.Request) {}, []string{"GET /a HTTP/1.1", host}},
		"no path":                {func(r *http.Request) { r.URL.Path = "" }, []string{"GET / HTTP/1.1", host}},
		"encoded":                {func(r *http.Request) { r.URL.Path, r.URL.RawPath, r.URL.RawQuery = "/a/b c", "/a%2Fb%20c", "x=%20&y" }, []string{"GET /a%2Fb%20c?x=%20&y HTTP/1.1", host}},
		"empty query":            {func(r *http.Request) { r.URL.ForceQuery = true }, []string{"GET /a? HTTP/1.1", host}},
		"asterisk":               {func(r *http.Request) { r.Method, r.URL = "OPTIONS", &url.URL{Path: "*"} }, []string{"OPTIONS * HTTP/1.1", host}},
		"POST":                   {func(r *http.Request) { r.Method = "POST" }, []string{"POST /a HTTP/1.1", "Content-Length: 0", host}},
		"the host of the client": {func(r *http.Request) { r.Host = "evil.test"; r.Header["Host"] = []string{"evil.test"} }, []string{"GET /a HTTP/1.1", host}},
		"fields": {
			func(r *http.Request) { r.Header = http.Header{"X": {"1", "2"}, "User-Agent": {"a", "b"}, "Y": nil} },
			[]string{"GET /a HTTP/1.1", host, "User-Agent: a", "X: 1", "X: 2"},
		},
		"for one connection": {
			func(r *http.Request) {
				for _, n := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Transfer-Encoding", "Content-Length", "Trailer", "Expect", "Te", "transfer-encoding", "content-length", "HOST", "connection"} {
					r.Header[n] = []string{"chunked"}
				}
			}, []string{"GET /a HTTP/1.1", host},
		},
		"trailers": {
			func(r *http.Request) {
				r.Header["Te"] = []string{"trailers"}
				r.Trailer = http.Header{"X": {"1"}}
			}, []string{"GET /a HTTP/1.1", host, "TE: trailers"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sent(t, tt.change)
			if d := cmp.Diff(tt.want, got); err != nil || d != "" {
				t.Errorf("%v, lines (-want +got):\n%s", err, d)
			}
		})
	}
}

// What could be read as another line, or another request, is not sent, and what it
// says not told.
func TestHeadsThatCannotBeSaid(t *testing.T) {
	for name, change := range map[string]func(r *http.Request){
		"a line in a value":    func(r *http.Request) { r.Header["X"] = []string{"secret\r\nY: z"} },
		"a bare LF in a value": func(r *http.Request) { r.Header["X"] = []string{"secret\nY: z"} },
		"a bare CR in a value": func(r *http.Request) { r.Header["X"] = []string{"secret\rY: z"} },
		"NUL in a value":       func(r *http.Request) { r.Header["X"] = []string{"secret\x00"} },
		"a line in a name":     func(r *http.Request) { r.Header["X: secret\r\nY"] = []string{"z"} },
		"a blank in a name":    func(r *http.Request) { r.Header["X "] = []string{"secret"} },
		"a colon in a name":    func(r *http.Request) { r.Header["Transfer-Encoding:"] = []string{"secret"} },
		"no name":              func(r *http.Request) { r.Header[""] = []string{"secret"} },
		"a line in User-Agent": func(r *http.Request) { r.Header["User-Agent"] = []string{"secret\r\nY: z"} },
		"a line in Upgrade": func(r *http.Request) {
			r.Header = http.Header{"Connection": {"upgrade"}, "Upgrade": {"secret\r\nY: z"}}
		},
		"two protocols":                   func(r *http.Request) { r.Header = http.Header{"Connection": {"upgrade"}, "Upgrade": {"secret", "y"}} },
		"a blank in the method":           func(r *http.Request) { r.Method = "GET /secret" },
		"a line in the method":            func(r *http.Request) { r.Method = "GET\r\nsecret" },
		"CONNECT":                         func(r *http.Request) { r.Method = "CONNECT" },
		"a blank in the query":            func(r *http.Request) { r.URL.RawQuery = "secret HTTP/1.1" },
		"a line in the query":             func(r *http.Request) { r.URL.RawQuery = "secret\r\nX: y" },
		"a path without a slash":          func(r *http.Request) { r.URL.Path = "secret" },
		"an asterisk, and not to options": func(r *http.Request) { r.URL.Path = "*" },
		"opaque":                          func(r *http.Request) { r.URL = &url.URL{Scheme: "http", Opaque: "//secret/"} },
	} {
		t.Run(name, func(t *testing.T) {
			lines, err := sent(t, change)
			if !errors.Is(err, ErrRequest) || len(lines) > 0 || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, and sent was %q", err, lines)
			}
		})
	}
}

// What a call adds to Via stands behind what the request says there, whatever else it
// says, and in a line of its own; without it nothing is added.
func TestViaOfACall(t *testing.T) {
	for via, want := range map[string][]string{
		"1.1 me": {"Via: 1.0 a", "Via: 1.1 b", "Via: 1.1 me"},
		"":       {"Via: 1.0 a", "Via: 1.1 b"},
	} {
		r := ask(t, "GET", "/a", nil)
		r.Header = http.Header{"X": {"1"}, "Via": {"1.0 a", "1.1 b"}, "Y": {"2"}, "User-Agent": {"z"}}
		head, err := appendHead(nil, r, "h", via, &outgoing{method: "GET"})
		var got []string
		for line := range strings.SplitSeq(string(head), "\r\n") {
			if strings.HasPrefix(line, "Via") {
				got = append(got, line)
			}
		}
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%v, lines (-want +got):\n%s", err, d)
		}
	}
	if _, err := appendHead(nil, ask(t, "GET", "/a", nil), "h", "1.1 me\r\nX: y", &outgoing{method: "GET"}); !errors.Is(err, ErrRequest) {
		t.Errorf("a line in Via: %v", err)
	}
}
