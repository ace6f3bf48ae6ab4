package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// A request over HTTP/2 that says something else than its connection, or than
// itself, is answered 400 or its stream is ended; it is never sent on.
func TestHTTP2Heads(t *testing.T) {
	w := open(t)
	hr := &witness{}
	w.backend("HR", hr.ServeHTTP)
	w.start(plain, "")
	whole := map[string]string{":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": "/plain/1"}
	for name, change := range map[string][][2]string{
		"a space in the path":             {{":path", "/plain/1 HTTP/1.1"}},
		"a line end in the path":          {{":path", "/plain/1\r\nX: y"}},
		"a carriage return in the path":   {{":path", "/plain/1\rx"}},
		"a fragment":                      {{":path", "/plain/1#/admin"}},
		"no slash":                        {{":path", "plain/1"}},
		"a query alone":                   {{":path", "?a"}},
		"an absolute target":              {{":path", "https://localhost/plain/1"}},
		"nothing in particular":           {{":path", "*"}},
		"no scheme of ours":               {{":scheme", "gopher"}},
		"two hosts":                       {{"host", "other.example"}},
		"two hosts that are one twice":    {{"host", "localhost"}, {"host", "localhost"}},
		"a host with another port":        {{"host", "localhost:1"}},
		"a user":                          {{":authority", "me@localhost"}},
		"a path in the host":              {{":authority", "localhost/admin"}},
		"a host in another script":        {{":authority", "b\u00fccher.example"}},
		"an address in another spelling":  {{":authority", "0x7f.1"}},
		"a method in small letters":       {{":method", "get"}},
		"a tunnel":                        {{":method", "CONNECT"}},
		"a line end in a method":          {{":method", "GET / HTTP/1.1\r\nX: y"}},
		"a connection header":             {{"connection", "x-request-id"}},
		"an upgrade":                      {{"upgrade", "h2c"}},
		"a value behind a blank":          {{"x-purpose", " secret"}},
		"a value before a tab":            {{"x-purpose", "secret\t"}},
		"content that is no HTTP/2 thing": {{"transfer-encoding", "chunked"}},
	} {
		fields := [][2]string{}
		for _, k := range []string{":method", ":scheme", ":authority", ":path"} {
			v := whole[k]
			for _, c := range change {
				if c[0] == k {
					v = c[1]
				}
			}
			fields = append(fields, [2]string{k, v})
		}
		for _, c := range change {
			if !strings.HasPrefix(c[0], ":") {
				fields = append(fields, c)
			}
		}
		f := w.frames()
		if err := f.open(1, f.head(fields...), true); err != nil {
			t.Fatal(err)
		}
		o := f.answer(1)
		_ = f.Close()
		var reset http2.StreamError
		if o.status < 400 && !errors.As(o.err, &reset) {
			t.Errorf("%s: %v", name, o)
		}
	}
	if n := hr.requests(); len(n) > 0 {
		t.Errorf("the backend saw %q", n)
	}
	if o := w.ask(tlsH2, raw{target: "/plain/1", headers: [][2]string{{"host", "LOCALHOST"}}}); o.status != 200 || len(hr.requests()) != 1 {
		t.Errorf("one host written twice: %v", o)
	}
}

// Without TLS no HTTP/2 is spoken, whether it is asked for or begun with.
func TestNoPlainHTTP2(t *testing.T) {
	w := open(t)
	hr := &witness{}
	w.backend("HR", hr.ServeHTTP)
	w.start(plain, "")
	conn := w.wire(plainH1)
	if _, err := io.WriteString(conn, http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	if o := readH1(r, "PRI"); o.String() != "501 method_unknown" {
		t.Errorf("the preface of HTTP/2: %v", o)
	}
	if rest, err := io.ReadAll(r); strings.Contains(string(rest), "HTTP/1.1 2") {
		t.Errorf("after it: %q %v", rest, err)
	}
	if len(hr.requests()) > 0 {
		t.Errorf("the backend saw %q", hr.requests())
	}
	o := w.ask(plainH1, raw{target: "/plain/1", headers: [][2]string{
		{"Connection", "Upgrade, HTTP2-Settings"}, {"Upgrade", "h2c"}, {"HTTP2-Settings", "AAMAAABkAAQAAP__"},
	}})
	if seen := hr.requests(); o.status != 200 || o.header.Get("Upgrade") != "" || len(seen) != 1 || strings.Contains(fmt.Sprint(seen), "h2c") || strings.Contains(fmt.Sprint(seen), "AAMAA") {
		t.Errorf("an upgrade: %v; the backend saw %q", o, seen)
	}
}

// Load balancers ask about health without a host. There is nothing to tell the
// backend about it then, and routes that name hosts do not serve it.
func TestNoHost(t *testing.T) {
	w := open(t)
	hr := &witness{}
	w.backend("HR", hr.ServeHTTP)
	w.start(plain+"  - {name: named, match: {hosts: [api.example.com], path: /plain/named}, upstream: hr, public: true, policy: \"off\"}\n", "")
	for _, head := range []string{"GET /plain/named HTTP/1.0\r\n\r\n", "GET /plain/named HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n"} {
		conn := w.wire(plainH1)
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		if o := readH1(bufio.NewReader(conn), "GET"); o.status != 200 {
			t.Errorf("%q: %v", head, o)
		}
	}
	seen := hr.requests()
	if len(seen) != 2 || strings.Contains(fmt.Sprint(seen), "X-Forwarded-Host") {
		t.Errorf("the backend saw %q", seen)
	}
	for _, e := range w.exchanges(2) {
		if e["route"] != "plain" || e["host"] != "" {
			t.Errorf("%v", e)
		}
	}
}
