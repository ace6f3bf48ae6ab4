package gateway

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// translated is a request in frames that has no meaning in HTTP/1.1, or another.
type translated struct {
	name   string
	fields [][2]string
	data   []string // DATA frames; the last ends the stream, if there are no trailers
	trail  [][2]string
	ok     bool   // it is answered with 200
	may    bool   // it may be refused as well: its parts are judged by others than its framing
	saw    string // what reaches the backend
}

// pseudo gives the fields of an ordinary request, with some of them changed: an
// empty name stands for leaving the pseudo field out.
func pseudo(changes ...string) [][2]string {
	fields := [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/plain/1"}}
	for i := 0; i < len(changes); i += 2 {
		for j := range fields {
			if fields[j][0] == changes[i] {
				fields[j][1] = changes[i+1]
			}
		}
	}
	return fields
}

func with(fields [][2]string, more ...string) [][2]string {
	for i := 0; i < len(more); i += 2 {
		fields = append(fields, [2]string{more[i], more[i+1]})
	}
	return fields
}

func without(name string) [][2]string {
	var out [][2]string
	for _, f := range pseudo() {
		if f[0] != name {
			out = append(out, f)
		}
	}
	return out
}

const splitting = " HTTP/1.1\r\nHost: localhost\r\n\r\nGET /plain/smuggled"

func translations() []translated {
	var out []translated
	bad := func(name string, fields [][2]string, data ...string) {
		out = append(out, translated{name: name, fields: fields, data: data})
	}
	for _, name := range []string{":path", ":method", ":authority", ":scheme"} {
		base := map[string]string{":path": "/plain/1", ":method": "GET", ":authority": "localhost", ":scheme": "https"}[name]
		for _, more := range []string{splitting, "\r", "\n", "\r\nX: y", "\x00", "\x7f"} {
			bad(name+" "+more, pseudo(name, base+more))
		}
		bad(name+" twice", with(pseudo(), name, base)) // after the others, but no regular one yet
		bad(name+" after a regular one", append(with([][2]string{{"x", "y"}}), pseudo()...))
		if name != ":authority" {
			bad("no "+name, without(name))
			bad(name+" empty", pseudo(name, ""))
		}
	}
	bad(":path without a slash", pseudo(":path", "plain/1"))
	bad(":path *", pseudo(":path", "*"))
	bad(":path with a fragment", pseudo(":path", "/plain/1#x"))
	bad(":path //", pseudo(":path", "//plain/1"))
	bad(":method CONNECT", pseudo(":method", "CONNECT"))
	bad(":method with a colon", pseudo(":method", "GET:"))
	bad(":authority with a user", pseudo(":authority", "root@localhost"))
	bad(":unknown", with(pseudo(), ":unknown", "x"))
	bad(":protocol", with(pseudo(":method", "CONNECT"), ":protocol", "websocket"))
	bad(":status", with(pseudo(), ":status", "200"))
	for _, name := range []string{
		"X-Upper", "x y", "x:", ":", "", "x\r\ny", "x\r\nHost", "x\x00", "x\n", "transfer-encoding: chunked\r\nx", "x\x80", "(", "x\t",
	} {
		bad("name "+name, with(pseudo(), name, "v"))
	}
	for _, value := range []string{"a\r\nX-User-Id: root", "a\r\n\r\n" + smuggled, "a\nb", "a\rb", "a\x00b", "\x7f", "\x1b"} {
		bad("value "+value, with(pseudo(), "x", value))
	}
	for _, f := range [][2]string{
		{"connection", "close"},
		{"connection", "x"},
		{"keep-alive", "timeout=5"},
		{"proxy-connection", "keep-alive"},
		{"upgrade", "h2c"},
		{"transfer-encoding", "chunked"},
		{"transfer-encoding", "identity"},
		{"te", "chunked"},
		{"te", "gzip, trailers"},
		{"te", "trailers, chunked"},
	} {
		bad(f[0]+" "+f[1], with(pseudo(), f[0], f[1]))
		bad(f[0]+" "+f[1]+" with a body", with(pseudo(":method", "POST"), f[0], f[1], "content-length", "5"), "hello")
	}
	posted := func(more ...string) [][2]string { return with(pseudo(":method", "POST"), more...) }
	bad("too short", posted("content-length", "10"), "hello")
	bad("too long", posted("content-length", "3"), "hello")
	bad("a length and nothing", posted("content-length", "5"))
	// Whole as far as its length says; what follows ends the stream.
	out = append(out, translated{name: "no length and more", fields: posted("content-length", "0"), data: []string{"hello"}, ok: true, may: true, saw: "POST /plain/1 "})
	bad("two lengths", posted("content-length", "5", "content-length", "6"), "hello")
	bad("lengths in a list", posted("content-length", "5,5"), "hello")
	bad("a signed length", posted("content-length", "+5"), "hello")
	bad("a negative length", posted("content-length", "-5"), "hello")
	bad("no number", posted("content-length", "five"), "hello")
	for _, f := range [][2]string{{":path", "/plain/smuggled"}, {":status", "200"}, {"X-Upper", "x"}, {"x", "a\r\nb"}} {
		out = append(out, translated{name: "trailer " + f[0], fields: posted(), data: []string{"hello"}, trail: [][2]string{f}})
	}
	for _, f := range [][2]string{{"connection", "close"}, {"transfer-encoding", "chunked"}, {"content-length", "9"}, {"x-user-id", "root"}, {"x-sum", "1"}} {
		out = append(out, translated{name: "trailer " + f[0], fields: posted(), data: []string{"hello"}, trail: [][2]string{f}, ok: true, saw: "POST /plain/1 hello"})
	}
	for name, fields := range map[string][][2]string{
		"space after the path": pseudo(":path", "/plain/1 "), "space in the path": pseudo(":path", "/plain/1 x"),
		"space after the authority": pseudo(":authority", "localhost "), "tab after the authority": pseudo(":authority", "localhost\t"),
		"space in the authority": pseudo(":authority", "localhost x"), "path in the authority": pseudo(":authority", "localhost/plain"),
		"authority in the path": pseudo(":path", "http://other/plain/1"), ":authority against host": with(pseudo(), "host", "other"),
	} {
		saw := "GET /plain/1 "
		switch name {
		case "space after the path":
			saw = "GET /plain/1%20 "
		case "space in the path":
			saw = "GET /plain/1%20x "
		}
		out = append(out, translated{name: name, fields: fields, may: true, ok: true, saw: saw})
	}
	return append(
		out,
		translated{name: "ordinary", fields: pseudo(), ok: true, saw: "GET /plain/1 "},
		translated{name: "te trailers", fields: with(pseudo(), "te", "trailers"), ok: true, saw: "GET /plain/1 "},
		translated{name: "host and :authority agree", fields: with(pseudo(), "host", "localhost"), ok: true, saw: "GET /plain/1 "},
		translated{name: "host instead of :authority", fields: with(without(":authority"), "host", "localhost"), ok: true, saw: "GET /plain/1 "},
		translated{name: "cookies in pieces", fields: with(pseudo(), "cookie", "a=1", "cookie", "b=2"), ok: true, saw: "GET /plain/1 "},
		translated{name: "the length", fields: posted("content-length", "5"), data: []string{"hel", "lo"}, ok: true, saw: "POST /plain/1 hello"},
		translated{name: "the length twice", fields: posted("content-length", "5", "content-length", "5"), data: []string{"hello"}, ok: true, saw: "POST /plain/1 hello"},
		translated{name: "no length", fields: posted(), data: []string{"5\r\nhello", "\r\n0\r\n\r\n" + smuggled}, ok: true, saw: "POST /plain/1 5\r\nhello\r\n0\r\n\r\n" + smuggled},
		translated{name: "a body that ends without data", fields: posted(), data: []string{""}, ok: true, saw: "POST /plain/1 "},
		translated{
			name: "trailers", fields: posted("trailer", "x-sum"), data: []string{"hello"},
			trail: [][2]string{{"x-sum", "1"}}, ok: true, saw: "POST /plain/1 hello",
		},
	)
}

// send writes the case on stream 1 and gives the answer.
func (c translated) send(f *frames) outcome {
	err := f.open(1, f.head(c.fields...), len(c.data) == 0)
	for i, d := range c.data {
		if err == nil {
			err = f.WriteData(1, i == len(c.data)-1 && c.trail == nil, []byte(d))
		}
	}
	if c.trail != nil && err == nil {
		err = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.head(c.trail...), EndStream: true, EndHeaders: true})
	}
	if err != nil {
		return outcome{err: err}
	}
	return f.answer(1)
}

func tryTranslation(t *testing.T) int {
	t.Helper()
	w := open(t)
	b := w.record(nil)
	w.vars["HR"] = b.url
	w.start(plain, "")
	cases := translations()
	for i, c := range cases {
		for j := range c.fields {
			if c.fields[j][0] == ":path" { // so that arrivals tell their case
				c.fields[j][1] = strings.Replace(c.fields[j][1], "/plain/1", fmt.Sprintf("/plain/%d/1", i), 1)
			}
		}
		f := w.frames()
		got := c.send(f)
		_ = f.Close()
		ok := got.err == nil && got.status == 200
		if ok != c.ok && !c.may {
			t.Errorf("%q: answered %v", c.name, got)
		}
	}
	w.close() // everything that is on its way arrives or is given up
	seen := b.arrivals(t)
	for i, c := range cases {
		got := seen.of(i)
		if saw := strings.Join(got.whole, "|"); saw != c.saw && !(c.may && saw == "") || got.broken > 0 && c.ok {
			t.Errorf("%q: the backend saw %q and %d that broke off, want %q", c.name, got.whole, got.broken, c.saw)
		}
		delete(seen, i)
	}
	for _, more := range seen {
		t.Errorf("the backend saw %q and %d that broke off", more.whole, more.broken)
	}
	return len(cases)
}
