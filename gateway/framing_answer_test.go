package gateway

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/headers"
)

// odd is an answer that can be read in more than one way, or is none.
type odd struct {
	name   string
	method string // GET where it is ""
	answer string
	want   string // status and body, or a code; "cut" where it breaks off
	kept   bool   // the connection is used for the next request
	check  func(h http.Header) error
}

func lacking(names ...string) func(h http.Header) error {
	return func(h http.Header) error {
		for _, n := range names {
			if v, there := h[http.CanonicalHeaderKey(n)]; there {
				return fmt.Errorf("%s: %q", n, v)
			}
		}
		return nil
	}
}

func oddAnswers() []odd {
	const next = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned"
	ok := func(fields string) string {
		return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n" + fields + "\r\nok"
	}
	chunked := func(fields, body string) string {
		return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n" + fields + "\r\n" + body
	}
	const none = "502 upstream_unavailable"
	return []odd{
		{name: "ordinary", answer: ok(""), want: "200 ok", kept: true},
		{name: "surplus", answer: ok("") + next, want: "200 ok"},
		{name: "surplus behind chunks", answer: chunked("", "2\r\nok\r\n0\r\n\r\n"+next), want: "200 ok"},
		{name: "one byte more", answer: ok("") + "\n", want: "200 ok"},
		{name: "length and chunks", answer: chunked("Content-Length: 5\r\n", "2\r\nok\r\n0\r\n\r\n"), want: "200 ok"},
		{name: "chunks that are none", answer: chunked("Content-Length: 2\r\n", "ok\r\n"), want: "cut"},
		{name: "two lengths", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", want: none},
		{name: "lengths in a list", answer: "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok!", want: none},
		{name: "signed length", answer: "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", want: none},
		{name: "length with zeros", answer: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 002\r\n\r\nok", want: "200 ok", kept: true},
		{name: "unknown coding", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", want: none},
		{name: "two codings", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", want: none},
		{name: "HEAD with a body", method: "HEAD", answer: ok(""), want: "200 "},
		{name: "HEAD with an answer", method: "HEAD", answer: strings.TrimSuffix(ok(""), "ok") + next, want: "200 "},
		{name: "204 with a body", answer: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", want: "204 ", check: lacking("Content-Length")},
		{name: "304 with a body", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok", want: "304 "},
		{name: "early hints", answer: "HTTP/1.1 103 Early Hints\r\nLink: </evil>\r\nX-Evil: 1\r\n\r\n" + ok(""), want: "200 ok", kept: true, check: lacking("Link", "X-Evil")},
		{name: "processing", answer: strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 20) + ok(""), want: "200 ok", kept: true},
		{name: "hints without end", answer: strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </evil>\r\n\r\n", 3000) + ok(""), want: none},
		{name: "another protocol", answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + next, want: none},
		{name: "Upgrade in a 200", answer: ok("Connection: Upgrade\r\nUpgrade: h2c\r\n"), want: "200 ok", kept: true, check: lacking("Upgrade", "Connection")},
		{
			name: "Connection names what the gateway sets", answer: ok("Connection: Strict-Transport-Security, X-Request-Id, X-Content-Type-Options, x-inner\r\nX-Inner: 1\r\n"),
			want: "200 ok", kept: true, check: lacking("X-Inner", "Connection"),
		},
		{name: "name with a space", answer: ok("X Y: 1\r\n"), want: none},
		{name: "space before the colon", answer: ok("Content-Length : 9\r\n"), want: none},
		{name: "NUL", answer: ok("X: a\x00b\r\n"), want: none},
		{name: "bare CR", answer: ok("X: a\rSet-Cookie: b\r\n"), want: none},
		{name: "escape", answer: ok("X: \x1b[2J\r\n"), want: none},
		{name: "beyond ASCII", answer: ok("X-Name: J\xfcrgen\r\n"), want: "200 ok", kept: true},
		{name: "folded", answer: ok("X: a\r\n Set-Cookie: b\r\n"), want: "200 ok", kept: true, check: lacking("Set-Cookie")},
		{name: "5,000 fields", answer: ok(strings.Repeat("X: y\r\n", 5000)), want: none},
		{name: "64 KiB of fields", answer: ok("X: " + strings.Repeat("y", 70<<10) + "\r\n"), want: none},
		{name: "broken chunk", answer: chunked("", "2\r\nok\r\nzz\r\n"), want: "cut"},
		{name: "chunk sizes with zeros", answer: chunked("", "0002\r\nok\r\n000\r\n\r\n"), want: "200 ok", kept: true},
		{name: "chunk size of 17 digits", answer: chunked("", "00000000000000002\r\nok\r\n0\r\n\r\n"), want: "cut"},
		{name: "chunk size with a sign", answer: chunked("", "+2\r\nok\r\n0\r\n\r\n"), want: "cut"},
		{name: "chunk size with a prefix", answer: chunked("", "0x2\r\nok\r\n0\r\n\r\n"), want: "cut"},
		{name: "chunk size behind a blank", answer: chunked("", " 2\r\nok\r\n0\r\n\r\n"), want: "cut"},
		{name: "chunk extension of 2 KiB", answer: chunked("", "2;"+strings.Repeat("x", 2<<10)+"\r\nok\r\n0\r\n\r\n"), want: "cut"},
		{name: "trailer with a NUL", answer: chunked("", "2\r\nok\r\n0\r\nX: a\x00b\r\n\r\n"), want: "cut"},
		{name: "trailer with a bare CR", answer: chunked("", "2\r\nok\r\n0\r\nX: a\rSet-Cookie: b\r\n\r\n"), want: "cut"},
		{name: "trailer that goes on", answer: chunked("", "2\r\nok\r\n0\r\nX: a\r\n Set-Cookie: b\r\n\r\n"), want: "cut"},
		{name: "trailers without end", answer: chunked("", "2\r\nok\r\n0\r\n"+strings.Repeat("X: y\r\n", 5000)), want: "cut"},
		{name: "chunk with a bare LF", answer: chunked("", "2\nok\r\n0\r\n\r\n"), want: "cut"},
		{name: "no type", answer: "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", want: "200 <html>", kept: true, check: lacking("Content-Type")},
		{
			name: "trailers", answer: chunked("Trailer: X-Sum\r\n", "2\r\nok\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=b\r\nX-Request-Id: mine\r\nContent-Length: 9\r\nX-Late: 1\r\n\r\n"),
			want: "200 ok", kept: true,
		},
		{name: "trailers announced that frame", answer: chunked("Trailer: Content-Length\r\n", "2\r\nok\r\n0\r\nContent-Length: 9\r\n\r\n"), want: none},
		{name: "HTTP/1.0", answer: "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nok", want: "200 ok"},
		{name: "HTTP/2.0", answer: "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", want: none},
	}
}

// tryAnswers asks a backend for each odd answer and then for an ordinary one.
func tryAnswers(t *testing.T, p proto) int {
	t.Helper()
	w := open(t)
	cases := oddAnswers()
	var mu sync.Mutex
	conns := map[string][]io.Writer{}
	b := w.record(func(c io.Writer, r *http.Request, _ []byte) bool {
		var i int
		rest, _ := strings.CutPrefix(r.URL.Path, "/plain/")
		_, _ = fmt.Sscan(rest, &i)
		mu.Lock()
		conns[r.URL.Path] = append(conns[r.URL.Path], c)
		mu.Unlock()
		text := cases[i].answer
		if strings.HasSuffix(rest, "/next") {
			text = cases[0].answer
		}
		_, err := io.WriteString(c, text)
		return err == nil && !strings.HasPrefix(text, "HTTP/1.0")
	})
	w.vars["HR"] = b.url
	w.start(plain, "")
	for i, c := range cases {
		path := fmt.Sprintf("/plain/%d/odd", i)
		o := w.ask(p, raw{method: c.method, target: path})
		got := fmt.Sprintf("%d %s", o.status, o.body)
		switch {
		case o.err != nil:
			got = "cut"
		case o.code() != "":
			got = o.String()
		}
		if got != c.want {
			t.Errorf("%s: got %q %v, want %q", c.name, got, o.err, c.want)
		}
		if o.status > 0 { // else it was cut before its head was sent
			secured(t, c.name, p, o.header)
		}
		if c.check != nil {
			if err := c.check(o.header); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		next := fmt.Sprintf("/plain/%d/next", i)
		if o := w.ask(p, raw{target: next}); o.status != 200 || o.body != "ok" {
			t.Errorf("%s: the next request: %v %q", c.name, o, o.body)
		}
		mu.Lock()
		if kept := slices.Equal(conns[path], conns[next]); kept != c.kept {
			t.Errorf("%s: the connection is used again: %v", c.name, kept)
		}
		mu.Unlock()
	}
	return len(cases)
}

// secured verifies what every answer has, once.
func secured(t *testing.T, name string, p proto, h http.Header) {
	t.Helper()
	want := map[string]string{"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": headers.HSTS}
	if p == plainH1 {
		delete(want, "Strict-Transport-Security")
	}
	for k, v := range want {
		if got := h.Values(k); len(got) != 1 || got[0] != v {
			t.Errorf("%s: %s is %q", name, k, got)
		}
	}
	if id := h.Values("X-Request-Id"); len(id) != 1 || len(id[0]) != 32 {
		t.Errorf("%s: X-Request-Id is %q", name, id)
	}
}
