package gateway

import (
	"fmt"
	"strings"
)

// heads are odd heads of requests.
func heads() []framed {
	get := func(lines string) string { return "GET /plain/1 HTTP/1.1\r\n" + lines + "\r\n" }
	line := func(l string) string { return l + "\r\nHost: localhost\r\n\r\n" }
	bad := func(name, send string) framed { return framed{name, send, "400", ""} }
	return []framed{
		{"ordinary", get("Host: localhost\r\n"), "200 200", "GET /plain/1 "},
		bad("empty lines before", "\r\n\r\n"+get("Host: localhost\r\n")),
		{"bare LF", "GET /plain/1 HTTP/1.1\nHost: localhost\n\n", "200 200", "GET /plain/1 "},
		{"obs-fold", get("Host: localhost\r\nX: a\r\n b\r\n"), "200 200", "GET /plain/1 "},
		bad("obs-fold first", get(" X: a\r\nHost: localhost\r\n")),
		bad("bare CR", get("Host: localhost\r\nX: a\rY: b\r\n")),
		bad("NUL in value", get("Host: localhost\r\nX: a\x00b\r\n")),
		bad("NUL in name", get("Host: localhost\r\nX\x00: a\r\n")),
		bad("space before colon", get("Host: localhost\r\nX : a\r\n")),
		bad("empty name", get("Host: localhost\r\n: a\r\n")),
		bad("no colon", get("Host: localhost\r\nX\r\n")),
		bad("name beyond ASCII", get("Host: localhost\r\nX\xe4: a\r\n")),
		bad("no host", get("X: a\r\n")),
		bad("two hosts", get("Host: localhost\r\nHost: other\r\n")),
		bad("the same host twice", get("Host: localhost\r\nHost: localhost\r\n")),
		bad("host with a space", get("Host: local host\r\n")),
		bad("host with a slash", get("Host: localhost/admin\r\n")),
		bad("host with a line", get("Host: localhost\rX: y\r\n")),
		bad("0.9", "GET /plain/1\r\n"),
		bad("lower case", line("GET /plain/1 http/1.1")),
		bad("no version", line("GET /plain/1")),
		bad("1.10", line("GET /plain/1 HTTP/1.10")),
		bad("01.1", line("GET /plain/1 HTTP/01.1")),
		bad("1,1", line("GET /plain/1 HTTP/1,1")),
		bad("two spaces", line("GET  /plain/1 HTTP/1.1")),
		bad("tab", line("GET\t/plain/1\tHTTP/1.1")),
		bad("space in the target", line("GET /plain/1 x HTTP/1.1")),
		bad("space first", line(" GET /plain/1 HTTP/1.1")),
		bad("space last", line("GET /plain/1 HTTP/1.1 ")),
		bad("CR in the target", line("GET /plain/\r1 HTTP/1.1")),
		bad("NUL in the target", line("GET /plain/\x001 HTTP/1.1")),
		bad("NUL in the method", line("GE\x00T /plain/1 HTTP/1.1")),
		bad("brackets in the method", line("GET() /plain/1 HTTP/1.1")),
		bad("no method", line(" /plain/1 HTTP/1.1")),
		bad("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
		{"1.2", line("GET /plain/1 HTTP/1.2"), "200 200", "GET /plain/1 "},
		{"2.0", line("GET /plain/1 HTTP/2.0"), "505", ""},
		{"0.9 with a head", line("GET /plain/1 HTTP/0.9"), "505", ""},
		{"1.0", line("GET /plain/1 HTTP/1.0"), "200", "GET /plain/1 "},
		{"1.0 without host", "GET /plain/1 HTTP/1.0\r\n\r\n", "200", "GET /plain/1 "},
		{"1.0 kept", "GET /plain/1 HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n", "200", "GET /plain/1 "},
		// A server of HTTP/1.0 knows no chunks; what stands before it may.
		{
			"1.0 chunked", "POST /plain/1 HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled,
			"200", "POST /plain/1 ",
		},
		{
			"1.0 chunked with a length", "POST /plain/1 HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
			"200", "POST /plain/1 0\r\n\r\n",
		},
		{"long target", line("GET /plain/" + strings.Repeat("x", 1<<20) + " HTTP/1.1"), "431", ""},
		{"long line", get("Host: localhost\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n"), "431", ""},
		{"many lines", get("Host: localhost\r\n" + strings.Repeat("X: y\r\n", 1<<17)), "431", ""},
		{"preface of HTTP/2 with a field", line("PRI * HTTP/2.0"), "501", ""},
		{"preface of HTTP/2 with a body", "PRI * HTTP/2.0\r\nContent-Length: 5\r\n\r\nhello", "400", ""},
		{"preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "501", ""},
		{"h2c", get("Host: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"), "200 200", "GET /plain/1 "},
		{"websocket", get("Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"), "200 200", "GET /plain/1 "},
		{"Connection names framing", postTo("Connection: Content-Length, Transfer-Encoding, Host\r\nContent-Length: 5\r\n\r\n", "hello"), "200 200", "POST /plain/1 hello"},
		{"unknown expectation", postTo("Expect: 200-ok\r\nContent-Length: "+fmt.Sprint(len(smuggled))+"\r\n\r\n", smuggled), "417", ""},
		{"two expectations", postTo("Expect: 100-continue, x\r\nContent-Length: "+fmt.Sprint(len(smuggled))+"\r\n\r\n", smuggled), "417", ""},
		{"two expectations in two lines", postTo("Expect: 100-continue\r\nExpect: x\r\nContent-Length: "+fmt.Sprint(len(smuggled))+"\r\n\r\n", smuggled), "417", ""},
		{"expected, sent early", postTo("Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", "hello"), "100 200 200", "POST /plain/1 hello"},
		{"expected, without a length", get("Host: localhost\r\nExpect: 100-continue\r\n"), "200 200", "GET /plain/1 "},
		{"expected in 1.0", "POST /plain/1 HTTP/1.0\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", "200", "POST /plain/1 hello"},
		{"unknown expectation in 1.0", "POST /plain/1 HTTP/1.0\r\nHost: localhost\r\nExpect: x\r\nContent-Length: 5\r\n\r\nhello", "417", ""},
		{"expected twice", postTo("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "hello"), "100 200 200", "POST /plain/1 hello"},
		{"expected with a parameter", postTo("Expect: 100-continue;q=1\r\nContent-Length: "+fmt.Sprint(len(smuggled))+"\r\n\r\n", smuggled), "417", ""},
		{"expected for one hop", postTo("Connection: Expect\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "hello"), "100 200 200", "POST /plain/1 hello"},
		{"expected of nobody", strings.Replace(postTo("Expect: 100-continue\r\nContent-Length: "+fmt.Sprint(len(smuggled))+"\r\n\r\n", smuggled), "/plain/1", "/nowhere", 1), "404", ""},
		{"expected without a body", postTo("Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", ""), "200 200", "POST /plain/1 "},
		{"TE trailers", get("Host: localhost\r\nTE: trailers\r\nConnection: TE\r\n"), "200 200", "GET /plain/1 "},
	}
}
