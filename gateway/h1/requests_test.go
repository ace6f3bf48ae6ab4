package h1

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sent is something odd on a connection.
type sent struct {
	name, text string
}

// last ends a connection in good order.
const last = "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

func get(lines string) string { return "GET /a HTTP/1.1\r\n" + lines + "\r\n" }

func post(lines, body string) string {
	return "POST /a HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n" + body
}

func targets() []sent {
	var out []sent
	for _, target := range []string{
		"/", "*", "/a?b=c", "/a%20b?x=%zz", "/%zz", "//h/a", "http://other/a?b", "http://other", "http://", "https://u:p@other:80/a#f", "a", "", "/a b", "/\x7f", "/\x01", "/\xff", "/a#f",
		"other:443", "ftp://x/y", "http://[::1]:80/a", "http://[::1/a", "http://a b/", "/..;/x", "?a", "http://other:port/", "/:a", ":a",
	} {
		for _, method := range []string{"GET", "OPTIONS", "CONNECT", "PRI"} {
			out = append(out, sent{name: method + " " + target, text: method + " " + target + " HTTP/1.1\r\nHost: h\r\n\r\n" + last})
		}
	}
	for _, first := range []string{
		"GET / HTTP/1.0", "GET / HTTP/1.2", "GET / HTTP/2.0", "GET / HTTP/0.9", "GET / HTTP/3.0", "GET / HTTP/1.1 ", "GET / HTTP/1.1 x", " GET / HTTP/1.1", "GET  / HTTP/1.1", "GET\t/\tHTTP/1.1",
		"GET /", "GET", "", "GET / http/1.1", "GET / HTTP/1", "GET / HTTP/1.1\r", "GET / HTTP/11.1", "GET / HTTP/1.10", "G(T / HTTP/1.1", "G\x00T / HTTP/1.1", " / HTTP/1.1", "get / HTTP/1.1",
		"PRI * HTTP/2.0", "PRI / HTTP/2.0", "BREW / HTTP/1.1", "\u00e9 / HTTP/1.1", "GET / HTTP/1.1\x00",
	} {
		out = append(out, sent{name: "line " + first, text: first + "\r\nHost: h\r\n\r\n" + last}, sent{name: "only " + first, text: first + "\r\n\r\n" + last})
	}
	return out
}

func fields() []sent {
	var out []sent
	for _, lines := range []string{
		"Host: h\r\n", "Host: h\r\nHost: h\r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host:\r\n", "Host: \xff\r\n", "Host: [::1]\r\n", "Host: h:80\r\n", "X: y\r\n", "Host: h\r\nX: \x00\r\n",
		"Host: h\r\nX: a\rb\r\n", "Host: h\nX: y\n", "Host: h\r\nX: a\r\n b\r\n", "Host: h\r\nX: a\r\n \r\n", "Host: h\r\nX:\r\n a\r\n", " X: a\r\nHost: h\r\n", "Host: h\r\nX : a\r\n", "Host: h\r\nX\r\n",
		"Host: h\r\n: a\r\n", "Host: h\r\nX\x00: a\r\n", "Host: h\r\n\xc3\xa9: a\r\n", "Host: h\r\nX: \xc3\xa9\xff\x7f\r\n", "Host: h\r\nX: \xc3\xa9\xff\r\n", "Host: h\r\nx-y: 1\r\nX-Y: 2\r\nX-y: 1\r\n",
		"Host: h\r\nPragma: no-cache\r\n", "Host: h\r\nPragma: no-cache\r\nCache-Control: x\r\n", "Host: h\r\nX: a\r\r\n", "Host: h\r\nX:a\t \r\n", "Host: h\r\nX\r\n : a\r\n", "Host: h\r\n\tX: a\r\n", "hOsT: h\r\n",
		"Host: h\r\nTE: trailers\r\nUpgrade: h2c\r\nConnection: Upgrade, TE\r\n", "Host: h\r\nConnection: close, x\r\n", "Host: h\r\nConnection: x\r\nConnection: Close\r\n", "Host: h\r\nConnection: keep-alive\r\n",
		"Host: h\r\nConnection: closed\r\n", "Host: h\r\nExpect: 100-continue\r\n", "Host: h\r\nExpect: x\r\n", "Host: h\r\nExpect:\r\n", "Host: h\r\nExpect: x 100-Continue\r\n",
		"Host: h\r\nExpect: , 100-Continue,\r\n", "Host: h\r\nExpect: 100-continue, x\r\n", "Host: h\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n", "Host: h\r\nExpect: 100-continue\r\nExpect: x\r\n", "Host: h\r\nExpect:\r\nExpect: x\r\n",
		"Host: h\r\nTrailer: X\r\n",
	} {
		out = append(out, sent{name: fmt.Sprintf("%q", lines), text: get(lines) + last}, sent{name: fmt.Sprintf("%q in 1.0", lines), text: strings.Replace(get(lines), "1.1", "1.0", 1) + last})
	}
	return append(out,
		sent{name: "LF only", text: "GET /a HTTP/1.1\nHost: h\n\n" + last}, sent{name: "LF, then CR LF", text: "GET /a HTTP/1.1\nHost: h\n\r\n" + last}, sent{name: "LF at the end", text: "GET /a HTTP/1.1\r\nHost: h\r\n\n" + last},
		sent{name: "1.0 without a host", text: "GET /a HTTP/1.0\r\n\r\n"}, sent{name: "1.0 kept", text: "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + last},
		sent{name: "empty lines ahead", text: "\r\n\r\n" + last}, sent{name: "empty lines behind a body", text: post("Content-Length: 1\r\n", "x\r\n\r\n") + last},
		sent{name: "many empty lines behind a body", text: post("Content-Length: 1\r\n", "x\r\n\r\n\r\n") + last}, sent{name: "empty lines behind a GET", text: get("Host: h\r\n") + "\r\n" + last},
		sent{name: "a long head", text: get("Host: h\r\nX: "+strings.Repeat("x", 9000)+"\r\n") + last}, sent{name: "many fields", text: get("Host: h\r\n"+strings.Repeat("X: y\r\n", 2000)) + last},
		sent{name: "too long", text: get("Host: h\r\nX: "+strings.Repeat("x", 80<<10)+"\r\n") + last}, sent{name: "too many fields", text: get("Host: h\r\n"+strings.Repeat("X: y\r\n", 20<<10)) + last},
		sent{name: "a long target", text: "GET /" + strings.Repeat("x", 9000) + " HTTP/1.1\r\nHost: h\r\n\r\n" + last}, sent{name: "a target that is too long", text: "GET /" + strings.Repeat("x", 80<<10)},
		sent{name: "TLS", text: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"}, sent{name: "one of each", text: get("Host: h\r\n") + post("Content-Length: 3\r\n", "abc") + strings.Replace(get("Host: h\r\n"), "GET", "HEAD", 1) + last},
	)
}

func bodies() []sent {
	var out []sent
	for _, lines := range []string{
		"Content-Length: 3\r\n", "Content-Length: 0\r\n", "", "Content-Length: 3\r\nContent-Length: 3\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n", "Content-Length: 3, 3\r\n", "Content-Length: +3\r\n",
		"Content-Length: -3\r\n", "Content-Length: 0x3\r\n", "Content-Length:\r\n", "Content-Length: 3 \r\n", "Content-Length: 0003\r\n", "Content-Length: 9223372036854775808\r\n", "Content-Length: 3\r\n 3\r\n",
		"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "Content-Length: x\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: Chunked\r\n", "Transfer-Encoding: chunked, chunked\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding:\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked\r\n \r\n",
		"Transfer-Encoding:\r\n chunked\r\n", "Transfer-Encoding: x\r\nContent-Length: 3\r\n", "Transfer-Encoding: chunked\r\nTrailer: X, Y\r\n", "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n",
		"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", "Content-Length: 3\r\nExpect: 100-continue\r\n",
	} {
		for _, body := range []string{"abc", "3\r\nabc\r\n0\r\n\r\n"} {
			out = append(out, sent{name: fmt.Sprintf("%q %q", lines, body), text: post(lines, body) + last},
				sent{name: fmt.Sprintf("%q %q in 1.0", lines, body), text: strings.Replace(post(lines, body), "1.1", "1.0", 1) + last})
		}
	}
	for _, body := range []string{
		"1\r\nx\r\n0\r\n\r\n", "0\r\n\r\n", "1;a=b\r\nx\r\n0;c\r\n\r\n", "1 \r\nx\r\n0\r\n\r\n", "01\r\nx\r\n00\r\n\r\n", "1\nx\r\n0\r\n\r\n", "1\r\nx\n0\r\n\r\n", "1\r\nx0\r\n\r\n", "g\r\nx\r\n0\r\n\r\n", "-1\r\nx\r\n0\r\n\r\n",
		"\r\nx\r\n0\r\n\r\n", "10000000000000000\r\nx\r\n0\r\n\r\n", "1\r\nx\r\n0\r\nX: y\r\nZ: 1\r\n\r\n", "1\r\nx\r\n0\r\nX : y\r\n\r\n", "1\r\nx\r\n0\r\nno colon\r\n\r\n", "1\r\nx\r\n0\r\nTransfer-Encoding: y\r\n\r\n",
	} {
		out = append(out, sent{name: fmt.Sprintf("chunks %q", body), text: post("Transfer-Encoding: chunked\r\n", body) + last})
	}
	return out
}

// Whatever is sent, it is answered as net/http answers, and handlers see the
// same request, but for what is listed.
func TestRequestsAreReadAlike(t *testing.T) {
	differ := map[string]string{
		`chunks "1\r\nx\r\n0\r\nX : y\r\n\r\n"`:                "a trailer is a field line like those of a head, whose names are tokens",
		`chunks "1\r\nx\r\n0\r\nTransfer-Encoding: y\r\n\r\n"`: "a trailer that frames must not be merged into a head by anybody (RFC 9110, section 6.5.1)",
		"line PRI * HTTP/2.0":                                  "to handlers it would be a request over HTTP/2; here it is one of HTTP/1.1, with the method PRI",
	}
	for _, lines := range []string{"Expect: x 100-Continue", "Expect: 100-continue, x", "Expect: 100-continue\r\nExpect: x", "Expect:\r\nExpect: x"} {
		for _, version := range []string{"", " in 1.0"} {
			differ[fmt.Sprintf("%q", "Host: h\r\n"+lines+"\r\n")+version] = "what is expected is a list, all of which must be known (RFC 9110, section 10.1.1)"
		}
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := told(r)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, text)
	})
	b := usual()
	b.bytes = 64 << 10
	ours, theirs := start(t, true, false, b, handler), start(t, false, false, b, handler)
	n := 0
	for _, cases := range [][]sent{targets(), fields(), bodies()} {
		for _, s := range cases {
			method, _, _ := strings.Cut(s.text, " ")
			got, want := answers(ours.talk(t, s.text), method), answers(theirs.talk(t, s.text), method)
			alike := cmp.Diff(refused(want), refused(got)) == ""
			if reason, known := differ[s.name]; !known && !alike {
				t.Errorf("%s:\n got %q\nwant %q", s.name, got, want)
			} else if known && alike {
				t.Errorf("%s: is alike, though %s", s.name, reason)
			}
			n++
		}
	}
	t.Logf("%d requests", n)
}

// refused leaves of a refusal the status: the text is a matter of taste.
func refused(answers []string) []string {
	var out []string
	for _, a := range answers {
		if status := a[:3]; status >= "400" && status <= "599" {
			a = status
		}
		out = append(out, a)
	}
	return out
}
