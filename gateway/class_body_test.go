package gateway

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// bodyClasses are about bodies: what the policy and the stages see of one is
// what the backend gets, or the backend gets nothing.
func bodyClasses(s *arenas) []failure {
	return []failure{
		{id: "A1", name: "a body that comes in another framing is not seen by the policy (CVE-2026-50197)", run: s.framedBodies},
		{id: "A2", name: "a body that is too large to look at is let through, whole or in part (CVE-2026-65838)", run: s.paddedBodies},
		{id: "A3", name: "a body under another media type is taken for none", run: s.mediaTypes},
		{id: "A4", name: "a member that stands twice, or in another spelling, is read in two ways", run: s.members},
		{id: "A5", name: "what is not quite JSON is read in two ways", run: s.documents},
		{id: "A6", name: "a field of a form that stands twice, or under a near name, is not looked at (CVE-2025-61726)", run: s.formFields},
		{id: "A7", name: "a file or a field of a multipart body is not looked at (CVE-2022-41725, CVE-2023-45290, CVE-2023-29401)", run: s.parts},
		{id: "A8", name: "a compressed body is unpacked without end, or not looked at", run: s.compressedBodies},
		{id: "A9", name: "an answer of the issuer's server is read without end (CVE-2026-26998)", over: []proto{plainH1}, run: endlessKeys},
		{id: "A10", name: "a bundle of policies is read without end (CVE-2026-54247, GO-2026-6006, GO-2026-6008)", over: []proto{plainH1}, run: endlessBundles},
	}
}

// The policy lets through what has no role of admin in it.
const (
	badBody  = `{"name":"Ann","role":"admin"}`
	goodBody = `{"name":"Ann","role":"clerk"}`
)

// write sends a body to the route whose policy judges bodies.
func (a *arena) write(p proto, method, mediaType, body string, noLength bool, headers ...[2]string) (outcome, []received) {
	a.t.Helper()
	r := raw{method: method, target: "/write/x", headers: append([][2]string{bearer(a.staff)}, headers...), body: body, noLength: noLength}
	if mediaType != "" {
		r.headers = append(r.headers, [2]string{"Content-Type", mediaType})
	}
	return a.send(p, r)
}

// arrived holds that a body reached the backend byte for byte, and that the
// policy judged that very body.
func (a *arena) arrived(what, body string, o outcome, got []received) {
	a.t.Helper()
	q, ok := a.passed(what, o, got)
	if !ok {
		return
	}
	if q.body != body {
		a.t.Errorf("%s arrived as %.200q", what, q.body)
	}
	d := json.NewDecoder(strings.NewReader(q.body))
	d.UseNumber()
	var sent any
	if err := d.Decode(&sent); err != nil {
		a.t.Errorf("%s: %v", what, err)
	}
	// Not cmp.Diff, which takes twice as long for each level of nesting.
	if judged := q.judged(a.t.(*testing.T)).Body; !reflect.DeepEqual(sent, judged) {
		a.t.Errorf("%s was judged as another one: %.200v", what, judged)
	}
}

func (s *arenas) framedBodies(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS"} {
		for _, noLength := range []bool{false, true} {
			for _, expect := range [][][2]string{nil, {{"Expect", "100-continue"}}, {{"expect", "100-Continue"}}} {
				o, got := a.write(p, method, "application/json", badBody, noLength, expect...)
				a.refused(fmt.Sprint(method, noLength, expect), o, got, "forbidden")
				o, got = a.write(p, method, "application/json", goodBody, noLength, expect...)
				a.arrived(fmt.Sprint(method, noLength, expect), goodBody, o, got)
				n += 2
			}
		}
	}
	// A route that judges bodies and gets none.
	for _, noLength := range []bool{false, true} {
		o, got := a.write(p, "POST", "application/json", "", noLength)
		a.refused("no body", o, got, "forbidden", "body_malformed", "media_type_unsupported")
		n++
	}
	if p == tlsH2 {
		return n + a.framesOfBodies()
	}
	return n + a.chunksOfBodies(p)
}

// chunksOfBodies are framings of HTTP/1.1.
func (a *arena) chunksOfBodies(p proto) (n int) {
	head := "POST /write/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: " + a.staff + "\r\n"
	bytewise := func(body string) string {
		var b strings.Builder
		for i := range len(body) {
			fmt.Fprintf(&b, "1\r\n%c\r\n", body[i])
		}
		return b.String() + "0\r\n\r\n"
	}
	chunk := func(size, body, end string) string {
		return fmt.Sprintf(size, len(body)) + "\r\n" + body + "\r\n" + end
	}
	for name, frame := range map[string]func(body string) string{
		"a chunk for each byte": func(b string) string { return "Transfer-Encoding: chunked\r\n\r\n" + bytewise(b) },
		"a chunk with zeros":    func(b string) string { return "Transfer-Encoding: chunked\r\n\r\n" + chunk("00000%x", b, "0\r\n\r\n") },
		"a size in capitals":    func(b string) string { return "transfer-encoding: Chunked\r\n\r\n" + chunk("%X", b, "0\r\n\r\n") },
		"a chunk extension":     func(b string) string { return "Transfer-Encoding: chunked\r\n\r\n" + chunk("%x;a=b", b, "0\r\n\r\n") },
		"trailers": func(b string) string {
			return "Trailer: X-User-Id\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("%x", b, "0\r\nX-User-Id: evil\r\nContent-Length: 2\r\n\r\n")
		},
		"both framings": func(b string) string {
			return "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("%x", b, "0\r\n\r\n")
		},
		"both framings, the other way": func(b string) string {
			return fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n", len(b)) + chunk("%x", b, "0\r\n\r\n")
		},
		"the same length twice": func(b string) string {
			return fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n\r\n%s", len(b), len(b), b)
		},
		"an upgrade": func(b string) string {
			return fmt.Sprintf("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
		},
	} {
		o, got := a.bytes(p, head+frame(badBody))
		a.refused(name, o, got, "forbidden", "400", "reset")
		o, got = a.bytes(p, head+frame(goodBody))
		if len(got) == 0 {
			a.refused(name, o, got, "400", "header_invalid")
		} else {
			a.arrived(name, goodBody, o, got)
			if q := got[0]; len(q.values("Content-Length"))+len(q.values("Transfer-Encoding")) != 1 || strings.Contains(fmt.Sprint(q.headers), evil) {
				a.t.Errorf("%s arrived with %q", name, q.headers)
			}
		}
		n += 2
	}
	return n
}

// framesOfBodies are framings of HTTP/2.
func (a *arena) framesOfBodies() (n int) {
	for name, write := range map[string]func(f *frames, body []byte) error{
		"a frame for each byte": func(f *frames, body []byte) error {
			for i := range body {
				if err := f.WriteData(1, i == len(body)-1, body[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		},
		"an empty frame at the end": func(f *frames, body []byte) error {
			if err := f.WriteData(1, false, body); err != nil {
				return err
			}
			return f.WriteData(1, true, nil)
		},
		"empty frames before": func(f *frames, body []byte) error {
			for range 10 {
				if err := f.WriteData(1, false, nil); err != nil {
					return err
				}
			}
			return f.WriteData(1, true, body)
		},
		"padding": func(f *frames, body []byte) error { return f.WriteDataPadded(1, true, body, make([]byte, 200)) },
		"trailers": func(f *frames, body []byte) error {
			if err := f.WriteData(1, false, body); err != nil {
				return err
			}
			return f.open(1, f.head([2]string{"x-user-id", evil}), true)
		},
	} {
		for _, body := range []string{badBody, goodBody} {
			l := a.connect("127.0.0.1", tlsH2)
			r := raw{method: "POST", target: "/write/x", host: "localhost", headers: [][2]string{bearer(a.staff), {"Content-Type", "application/json"}}, body: body, noLength: true}
			err := l.h2.open(1, l.h2.head(r.fields()...), false)
			if err == nil {
				err = write(l.h2, []byte(body))
			}
			if err != nil {
				a.t.Fatal(err)
			}
			o := l.h2.answer(1)
			l.Close()
			got := a.hr.seen()
			n++
			if body == badBody {
				a.refused(name, o, got, "forbidden")
				continue
			}
			a.arrived(name, body, o, got)
			if strings.Contains(fmt.Sprint(got), evil) {
				a.t.Errorf("%s arrived: %v", name, got)
			}
		}
	}
	return n
}

// The arena's largest body.
const largestBody = 64 << 10

func (s *arenas) paddedBodies(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	pads := map[string]func(pad int) string{
		"spaces before":       func(n int) string { return strings.Repeat(" ", n) + badBody },
		"spaces behind":       func(n int) string { return badBody + strings.Repeat(" ", n) },
		"lines before":        func(n int) string { return strings.Repeat("\n", n) + badBody },
		"spaces within":       func(n int) string { return "{" + strings.Repeat(" ", n) + badBody[1:] },
		"a long value before": func(n int) string { return `{"pad":"` + strings.Repeat("x", max(0, n-9)) + `",` + badBody[1:] },
		"a long name before":  func(n int) string { return `{"` + strings.Repeat("x", max(0, n-5)) + `":1,` + badBody[1:] },
		"a long value behind": func(n int) string {
			return badBody[:len(badBody)-1] + `,"pad":"` + strings.Repeat("x", max(0, n-9)) + `"}`
		},
		"a long list before": func(n int) string {
			return `{"pad":[` + strings.Repeat(`"`+strings.Repeat("7", 997)+`",`, max(0, n/1000-1)) + `0],` + badBody[1:]
		},
	}
	for name, pad := range pads {
		for _, size := range []int{1 << 10, 4 << 10, largestBody - 2, largestBody, largestBody + 2, largestBody + 4096, 3 * largestBody} {
			for _, noLength := range []bool{false, true} {
				body := pad(size - len(badBody))
				what := fmt.Sprintf("%s, %d bytes", name, len(body))
				o, got := a.write(p, "POST", "application/json", body, noLength)
				n++
				if len(body) <= largestBody {
					a.refused(what, o, got, "forbidden")
					continue
				}
				a.refused(what, o, got, "body_too_large")
			}
		}
	}
	whole := strings.Repeat(" ", largestBody-len(goodBody)) + goodBody
	for _, noLength := range []bool{false, true} {
		o, got := a.write(p, "POST", "application/json", whole, noLength)
		a.arrived("the largest body", whole, o, got)
		o, got = a.write(p, "POST", "application/json", " "+whole, noLength)
		a.refused("a byte more", o, got, "body_too_large")
		n += 2
	}
	return n
}

func (s *arenas) mediaTypes(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, mediaType := range []string{
		"", "text/plain", "text/json", "text/html", "application/x-json", "application/javascript", "application/vnd.api+json", "application/problem+json", "application/json-patch+json", "application/jsonx", "xapplication/json", "application/json/x", "application", "json", "*/*", "application/*", "application/octet-stream",
		"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data", "application/xml", "application/x-ndjson", "application/json-seq", "application/cbor", "application/yaml", "application/msgpack",
		"application/json; charset=utf-16", "application/json; charset=utf-7", "application/json; charset=UTF-32BE", "application/json; charset=ibm037", "application/json; charset=latin1", "application/json; charset=\"utf-16\"", "application/json; charset=utf-8; charset=utf-16", "application/json; charset*=utf-8''utf-16", "application/json; charset*0=utf-; charset*1=16",
		"application/json, text/plain", "text/plain, application/json", "application/json; boundary", "application/json;;;", "application/json; charset", "application/json;charset=", " ", "application/json\x00", "application /json", "application/ json", "application/json text/plain", "application\\json", "application/json,", "APPLICATION/VND.X+JSON", "application/json+xml",
	} {
		for _, noLength := range []bool{false, true} {
			o, got := a.write(p, "POST", mediaType, badBody, noLength)
			a.refused(fmt.Sprintf("%q", mediaType), o, got, "media_type_unsupported", "header_invalid", "forbidden", "400", "reset")
			o, got = a.write(p, "POST", mediaType, goodBody, noLength)
			if len(got) > 0 {
				a.arrived(fmt.Sprintf("%q", mediaType), goodBody, o, got)
			} else {
				a.refused(fmt.Sprintf("%q", mediaType), o, got, "media_type_unsupported", "header_invalid", "400", "reset")
			}
			n += 2
		}
	}
	for _, mediaType := range []string{"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8", `application/json; charset="utf-8"`, "application/json ; q=1", "application/merge-patch+json"} {
		o, got := a.write(p, "POST", mediaType, badBody, false)
		a.refused(mediaType, o, got, "forbidden")
		o, got = a.write(p, "POST", mediaType, goodBody, false)
		a.arrived(mediaType, goodBody, o, got)
		if len(got) == 1 && !slices.Equal(got[0].values("Content-Type"), []string{mediaType}) {
			t.Errorf("%s arrived as %q", mediaType, got[0].values("Content-Type"))
		}
		n += 2
	}
	return n
}

// members: names that mean one thing to one parser and another to the next.
func (s *arenas) members(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, body := range []string{
		`{"role":"clerk","role":"admin"}`, `{"role":"admin","role":"clerk"}`, `{"role":"clerk","\u0072ole":"admin"}`, `{"\u0072ole":"clerk","role":"admin"}`, `{"r\u006fle":"clerk","ro\u006ce":"clerk"}`, `{"a":{"role":"clerk","role":"admin"}}`, `[{"role":"clerk","role":"clerk"}]`,
		`{"a":1,"a":1}`, `{"a":{},"a":{"role":"admin"}}`, `{"":1,"":2}`, `{"a\u0000":1,"a\u0000":2}`, `{"a":[{"b":1,"b":2}]}`, `{"\ud83d\ude00":1,"` + "\U0001f600" + `":2}`, `{"role":"clerk", "x":1, "role" :"admin"}`, `{"a/b":1,"a\/b":2}`,
	} {
		for _, noLength := range []bool{false, true} {
			o, got := a.write(p, "POST", "application/json", body, noLength)
			a.refused(body, o, got, "body_malformed")
			n++
		}
	}
	// Not the same name: it is judged, and the backend gets it, as it is.
	for _, body := range []string{
		`{"role":"clerk","ROLE":"admin"}`, `{"role":"clerk","Role":"admin"}`, `{"role":"clerk","role ":"admin"}`, `{"role":"clerk","rol\u0435":"admin"}`, `{"role":"clerk","role\u0000":"admin"}`, `{"role":"clerk","ro\u200ble":"admin"}`, `{"role":"clerk","__proto__":{"x":"admin"}}`, `{"constructor":{"prototype":{"x":1}}}`, `{"role":"clerk","\uff52ole":"admin"}`, `{"a":1,"A":2}`, `{"\u017f":1,"s":2}`,
	} {
		o, got := a.write(p, "POST", "application/json", body, false)
		a.arrived(body, body, o, got)
		n++
	}
	// The same name in another spelling is the same name.
	for _, body := range []string{`{"\u0072\u006F\u006c\u0065":"admin"}`, `{"role":"\u0061dmin"}`, `{"role":"\u0061\u0064\u006D\u0069\u006e"}`, `{"a":[[{"role":"admin"}]]}`, `[{"role":"admin"}]`, `{"__proto__":{"role":"admin"}}`, ` {"role" : "admin"} `, "\t\r\n{\"role\":\"admin\"}\n"} {
		o, got := a.write(p, "POST", "application/json", body, false)
		a.refused(body, o, got, "forbidden")
		n++
	}
	return n
}

// documents: what is not one JSON value in UTF-8, and what is at its edges.
func (s *arenas) documents(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, body := range []string{
		`{"a":1}{"role":"admin"}`, "{\"a\":1}\n{\"role\":\"admin\"}\n", "{\"a\":1}\x00{\"role\":\"admin\"}", `{"a":1} x`, `{"a":1},`, `{"a":1}]`, `{"a":1}}`, "\x1e{\"a\":1}\n", "\xef\xbb\xbf{\"role\":\"admin\"}", "\xef\xbb\xbf{\"a\":1}", "{\"a\":1}\xef\xbb\xbf", "\xff\xfe{\x00}\x00", "{\x00\"\x00a\x00\"\x00:\x001\x00}\x00",
		`{"a":NaN}`, `{"a":Infinity}`, `{"a":-Infinity}`, `{"a":nan}`, `{"a":undefined}`, `{"a":True}`, `{"a":None}`, `{"a":0x10}`, `{"a":010}`, `{"a":1.}`, `{"a":.5}`, `{"a":+1}`, `{"a":1e}`, `{"a":- 1}`, `{"a":1_000}`, `{"a":--1}`,
		`{'a':1}`, `{a:1}`, `{"a":1,}`, `{"a":[1,]}`, `{,"a":1}`, `{"a":1 "b":2}`, `{"a" 1}`, `{"a":}`, `{/**/"role":"admin"}`, "{\"a\":1//\n}", "{\"a\":1}//x", "{\"a\":1}/*x*/", "#x\n{\"a\":1}", `{"a":"\x41"}`, `{"a":"\'"}`, `{"a":"\u00"}`, `{"a":"\u{41}"}`, "{\"a\":\"\n\"}", "{\"a\":\"\t\"}", "{\"a\":\"\x00\"}", `{"a":"`, `{"a":"b`, `{"a":1`, `[`, `]`, `{`, `"`, ` `, "\n", `)]}'` + "\n" + `{"a":1}`, "\v{\"a\":1}", "\u00a0{\"a\":1}", "{\"a\":1}\f",
		"{\"a\":\"\xff\"}", "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"\xff\":1}", "{\"role\xff\":\"admin\"}", "{\"role\":\"admin\xc3\"}", "{\"a\":\"\xf4\x90\x80\x80\"}",
		strings.Repeat("[", 10000) + strings.Repeat("]", 10000), strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000), strings.Repeat("[", 30000), strings.Repeat("[", 200) + `{"role":"admin"}` + strings.Repeat("]", 200),
	} {
		o, got := a.write(p, "POST", "application/json", body, false)
		a.refused(fmt.Sprintf("%.60q", body), o, got, "body_malformed")
		n++
	}
	for _, body := range []string{
		`{"a":9007199254740993}`, `{"a":18446744073709551616}`, `{"a":-9223372036854775809}`, `{"a":0.1}`, `{"a":1.0}`, `{"a":1.10}`, `{"a":-0}`, `{"a":1e2}`, `{"a":1E+2}`, `{"a":123456789012345678901234567890.5}`, `{"a":1e-7}`, `{"a":0}`, `{"a":"` + strings.Repeat("9", 400) + `"}`, `{"a":` + strings.Repeat("9", 400) + `}`,
		`[]`, `[1,2]`, `"text"`, `1`, `true`, `{}`, `{"a":null}`, ` { "a" : [ 1 , 2 ] } `, "{\"a\":\"\\u0000\"}", `{"a":"\ud83d\ude00"}`, `{"a":"\/"}`, "{\"a\":\"\u2028\"}", `{"a":"</script>"}`, `{"a":"\\u0072"}`, strings.Repeat("[", 100) + strings.Repeat("]", 100),
	} {
		o, got := a.write(p, "POST", "application/json", body, false)
		a.arrived(fmt.Sprintf("%.60q", body), body, o, got)
		n++
	}
	for _, body := range []string{`{"a":1e999}`, `{"a":1e400}`, `{"a":-1e999}`, `{"a":1e-999}`, `{"a":1e999999999}`, `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `null`, `false`} { // either way, but one way
		o, got := a.write(p, "POST", "application/json", body, false)
		if len(got) > 0 {
			a.arrived(body, body, o, got)
		} else {
			a.refused(body, o, got, "body_malformed", "policy_error", "forbidden")
		}
		n++
	}
	return n
}

// formFields: every field of a form is looked at, whatever else is in it.
func (s *arenas) formFields(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	const form = "application/x-www-form-urlencoded"
	send := func(body string, headers ...[2]string) (outcome, []received) {
		return a.send(p, raw{method: "POST", target: "/clean/x", headers: append([][2]string{{"Content-Type", form}}, headers...), body: body})
	}
	const bad = "%3Cscript%3Eevil()%3C/script%3E"
	for _, body := range []string{
		"a=" + bad, "a=1&a=" + bad, "a=" + bad + "&a=1", "a[]=1&a[]=" + bad, "a[b]=1&a[b]=" + bad, "a.b=1&a.c=" + bad, "a[0][b]=" + bad, "%61=1&a=" + bad, "a=1&&a=" + bad, "&a=" + bad, "=" + bad, bad + "=1", bad, "a=1;b=" + bad, "a=%3cscript>evil()", "a=<script>evil()", "a=%3C%73%63ript%3E", "a=1&b=2&c=3&" + strings.Repeat("d=4&", 5000) + "e=" + bad,
		"a=%3C%00script%3Eevil()", "a=+%3Cscript%3E", "a=%0a%3Cscript%3E", "_charset_=utf-7&a=" + bad, "__proto__[a]=" + bad,
	} {
		o, got := send(body)
		a.refused(fmt.Sprintf("%.60s", body), o, got, "input_rejected")
		n++
	}
	for _, body := range []string{"a=%", "a=%zz", "a=%ff", "a=%c0%bcscript%3e", "a=\xff", "%c3=1"} {
		o, got := send(body)
		a.refused(body, o, got, "body_malformed")
		n++
	}
	for _, body := range []string{"a=1", "a=1&a=2", "a[]=1&a[]=2", "a.b=1&a[c]=2", "a", "a=", "&&a=1&", "a=1+2&b=%2b", "a=O%27Brien&b=AT%26T", "a=5+%3C+6", strings.Repeat("a&", 30000), strings.Repeat("a=1&", 15000)} {
		o, got := send(body)
		if q, ok := a.passed(fmt.Sprintf("%.60s", body), o, got); ok && q.body != body {
			t.Errorf("%.60s arrived as %.60s", body, q.body)
		}
		n++
	}
	for _, body := range []string{strings.Repeat("a&", largestBody), strings.Repeat("a=1&", largestBody)} {
		o, got := send(body)
		a.refused("a huge form", o, got, "body_too_large")
		n++
	}
	for _, body := range []string{"role=admin", "role=clerk", "a=1&role=admin"} { // no policy judges what it cannot read
		o, got := a.write(p, "POST", form, body, false)
		a.refused(body, o, got, "media_type_unsupported")
		n++
	}
	return n
}

// bomb is a body of zeros, packed as often as times says.
func bomb(t testing.TB, size, times int) string {
	t.Helper()
	data := io.LimitReader(zeros{}, int64(size))
	for range times {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err == nil {
			_, err = io.Copy(w, data)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		data = &b
	}
	out, err := io.ReadAll(data)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// compressedBodies: what has to be looked into is not taken compressed, and what
// need not be is passed on as it is. Nothing is unpacked.
func (s *arenas) compressedBodies(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	const unpacked = 8 << 20
	once, twice := bomb(t, unpacked, 1), bomb(t, unpacked, 2)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, body := range []string{once, twice, bomb(t, 100, 1), goodBody} {
		for _, encoding := range []string{"gzip", "x-gzip", "GZIP", "deflate", "br", "zstd", "compress", "gzip, gzip", "identity, gzip", "gzip;q=1", "unknown", "aes128gcm"} {
			for target, mediaType := range map[string]string{"/write/x": "application/json", "/clean/x": "application/json", "/clean/y": "application/x-www-form-urlencoded", "/files/x": "multipart/form-data; boundary=x"} {
				o, got := a.send(p, raw{method: "POST", target: target, headers: [][2]string{bearer(a.staff), {"Content-Type", mediaType}, {"Content-Encoding", encoding}}, body: body})
				a.refused(target+" with "+encoding, o, got, "media_type_unsupported", "body_too_large", "header_invalid")
				n++
			}
		}
	}
	for _, body := range []string{once, twice} {
		o, got := a.send(p, raw{method: "POST", target: "/bare/x", headers: [][2]string{{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}}, body: body})
		if q, ok := a.passed("a packed body that nobody looks into", o, got); ok && (q.body != body || !slices.Equal(q.values("Content-Encoding"), []string{"gzip"})) {
			t.Error("it arrived as another one")
		}
		n++
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(n)*unpacked/4 {
		t.Errorf("%d bytes of memory were taken for %d requests", used, n)
	}
	return n
}
