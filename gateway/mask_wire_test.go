package gateway

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// marker is what no client of these tests may ever receive.
const marker = "SECRET-123-45-6789"

// people gives n records as a list, and as it is when masked.
func people(n int) (text, masked string) {
	var a, b strings.Builder
	for i := range n {
		if i > 0 {
			a.WriteByte(',')
			b.WriteByte(',')
		}
		fmt.Fprintf(&a, `{"id":%d,"name":"Ada %d","ssn":"%s","pay":{"salary":"%s", "currency":"NGN"},"n":1.50}`, i, i, marker, marker)
		fmt.Fprintf(&b, `{"id":%d,"name":"Ada %d","ssn":"***","pay":{ "currency":"NGN"},"n":1.50}`, i, i)
	}
	return `{"items":[` + a.String() + `]}`, `{"items":[` + b.String() + `]}`
}

// lines is the same on lines of their own.
func lines(text string) string {
	text = strings.TrimSuffix(strings.TrimPrefix(text, `{"items":[`), `]}`)
	return strings.ReplaceAll(text, "},{", "}\n{") + "\n"
}

func sheet(n int) (text, masked string) {
	var a, b strings.Builder
	a.WriteString("id,ssn,name,salary\r\n")
	b.WriteString("id,ssn,name\r\n")
	for i := range n {
		fmt.Fprintf(&a, "%d,%s,\"Ada, %d\",%s\r\n", i, marker, i, marker)
		fmt.Fprintf(&b, "%d,***,\"Ada, %d\"\r\n", i, i)
	}
	return a.String(), b.String()
}

func stream(n int) (text, masked string) {
	var a, b strings.Builder
	for i := range n {
		fmt.Fprintf(&a, ": %s\nid: %d\ndata: {\"i\":%d,\ndata: \"ssn\":\"%s\"}\n\n", marker, i, i, marker)
		fmt.Fprintf(&b, ":\nid: %d\ndata: {\"i\":%d,\ndata: \"ssn\":\"***\"}\n\n", i, i)
	}
	return a.String(), b.String()
}

func pack(coding, text string) string {
	var b bytes.Buffer
	var z io.WriteCloser
	switch coding {
	case "gzip":
		z = gzip.NewWriter(&b)
	case "br":
		z = brotli.NewWriter(&b)
	case "zstd":
		z, _ = zstd.NewWriter(&b)
	}
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

// maskedAnswer is one way in which an upstream may answer, and what becomes of
// it.
type maskedAnswer struct {
	name   string
	path   string // "/api/" where not said
	method string
	send   string // the request's body
	header string
	raw    string // what the upstream writes
	status int
	cut    bool // the client must see that the answer is not all
	want   string
	sized  bool // with its length
}

// head makes an answer without a length: it ends with the connection.
func head(lines ...string) string {
	return "HTTP/1.1 200 OK\r\nConnection: close\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func sized(body string, lines ...string) string {
	return head(append(lines, "Content-Length: "+strconv.Itoa(len(body)))...) + body
}

// chunked writes a body in chunks, with a trailer, or without its end.
func chunked(body string, whole bool, lines ...string) string {
	var b strings.Builder
	b.WriteString(head(append(lines, "Transfer-Encoding: chunked", "Trailer: X-Sum")...))
	for part := body; part != ""; {
		n := min(5000, len(part))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, part[:n])
		part = part[n:]
	}
	if whole {
		b.WriteString("0\r\nX-Sum: " + marker + "\r\nX-More: " + marker + "\r\n\r\n")
	}
	return b.String()
}

const (
	typeJSON  = "Content-Type: application/json"
	typeLines = "Content-Type: application/x-ndjson"
	typeCSV   = "Content-Type: text/csv; charset=utf-8"
	typeSSE   = "Content-Type: text/event-stream"
)

func maskedAnswers() []maskedAnswer {
	small, smallMasked := people(2)
	large, largeMasked := people(4000)
	csv, csvMasked := sheet(5000)
	sse, sseMasked := stream(2000)
	late := large[:len(large)-2] + `,{"ssn":NaN,"x":"` + marker + `"}]}`
	all := []maskedAnswer{
		{name: "fine", raw: sized(small, typeJSON), want: smallMasked, sized: true},
		{name: "fine, large", raw: sized(large, typeJSON), want: largeMasked},
		{name: "early bad", raw: sized(`{"ssn":NaN,"x":"`+marker+`"}`, typeJSON), status: 502},
		{name: "early bad, large", raw: sized(`{"ssn":NaN},`+large, typeJSON), status: 502},
		{name: "late bad", raw: sized(late, typeJSON), cut: true},
		{name: "late bad, held", path: "/held/", raw: sized(late, typeJSON), status: 502},
		{name: "fine, held", path: "/held/", raw: chunked(large, true, typeJSON), want: largeMasked, sized: true},
		{name: "too large to be held", path: "/held/", raw: chunked(large+strings.Repeat(" ", 1<<20), true, typeJSON), status: 502},
		{name: "truncated", raw: sized(small, typeJSON)[:300], status: 502},
		{name: "truncated, large", raw: sized(large, typeJSON)[:300_000], cut: true},
		{name: "chunked", raw: chunked(small, true, typeJSON), want: smallMasked, sized: true},
		{name: "chunked, large", raw: chunked(large, true, typeJSON), want: largeMasked},
		{name: "chunked, truncated", raw: chunked(small, false, typeJSON), status: 502},
		{name: "chunked, large, truncated", raw: chunked(large, false, typeJSON), cut: true},
		{name: "chunked, large, truncated inside", raw: chunked(large[:len(large)-700], true, typeJSON), cut: true},
		{name: "close-delimited", raw: head(typeJSON) + large, want: largeMasked},
		{name: "close-delimited, truncated", raw: head(typeJSON) + large[:len(large)-1], cut: true},
		{name: "close-delimited, small, truncated", raw: head(typeJSON) + small[:len(small)-1], status: 502},
		{name: "double coding", raw: sized(pack("gzip", pack("gzip", small)), typeJSON, "Content-Encoding: gzip, gzip"), status: 502},
		{name: "double coding, said once", raw: sized(pack("gzip", pack("gzip", small)), typeJSON, "Content-Encoding: gzip"), status: 502},
		{name: "deflate", raw: sized(small, typeJSON, "Content-Encoding: deflate"), status: 502},
		{name: "304", raw: "HTTP/1.1 304 Not Modified\r\nETag: \"" + marker + "\"\r\nConnection: close\r\n\r\n", status: 502},
		{name: "206", raw: strings.Replace(sized(small, typeJSON, "Content-Range: bytes 0-1/2"), "200 OK", "206 Partial Content", 1), status: 502},
		{name: "range", header: "Range: bytes=20-80", raw: sized(small, typeJSON), want: smallMasked, sized: true},
		{name: "head", method: "HEAD", raw: head(typeJSON, "Content-Length: 999", "ETag: \""+marker+"\"")},
		{name: "error body", raw: strings.Replace(sized(small, typeJSON), "200 OK", "422 Unprocessable Entity", 1), status: 422, want: smallMasked, sized: true},
		{name: "error page", raw: strings.Replace(sized(marker, "Content-Type: text/html"), "200 OK", "500 Oops", 1), status: 502},
		{name: "lines", raw: chunked(lines(large), true, typeLines), want: lines(largeMasked)},
		{name: "lines, late bad", raw: chunked(lines(large)+`{"ssn":'`+marker+"'}\n", true, typeLines), cut: true},
		{name: "lines, early bad", raw: sized(`{"ssn":'`+marker+"'}\n"+lines(small), typeLines), status: 502},
		{name: "csv", raw: chunked(csv, true, typeCSV), want: csvMasked},
		{name: "csv, late bad", raw: chunked(csv+"1,"+marker+"\r\n", true, typeCSV), cut: true},
		{name: "csv without a header", raw: sized("1,"+marker+",Ada\r\n", typeCSV), status: 502},
		{name: "events", raw: chunked(sse, true, typeSSE), want: sseMasked},
		{name: "events, late bad", raw: chunked(sse+"data: "+marker+"\n\n"+sse, true, typeSSE), cut: true},
		{
			name: "graphql alias", path: "/graphql", method: "POST", header: "Content-Type: application/json",
			send: `{"query":"{ people { x: ssn, ssn: name, ...F } } fragment F on Person { p: pay { y: salary } }"}`,
			raw:  sized(`{"data":{"people":[{"x":"`+marker+`","ssn":"Ada","p":{"y":"`+marker+`"}}]}}`, typeJSON),
			want: `{"data":{"people":[{"x":"***","ssn":"***","p":{}}]}}`, sized: true,
		},
		{name: "image", path: "/photos/", raw: sized("\x89PNG", "Content-Type: image/png"), want: "\x89PNG", sized: true},
		{name: "image elsewhere", raw: sized("\x89PNG"+marker, "Content-Type: image/png"), status: 502},
	}
	for _, c := range []string{"gzip", "br", "zstd"} {
		coded := "Content-Encoding: " + c
		z := pack(c, large)
		all = append(all,
			maskedAnswer{name: c, raw: chunked(z, true, typeJSON, coded), want: largeMasked},
			maskedAnswer{name: c + ", small", raw: sized(pack(c, small), typeJSON, coded), want: smallMasked, sized: true},
			maskedAnswer{name: c + ", late bad", raw: sized(pack(c, late), typeJSON, coded), cut: true},
			maskedAnswer{name: c + ", truncated", raw: chunked(pack(c, small)[:30], true, typeJSON, coded), status: 502},
			maskedAnswer{name: c + ", bomb", raw: sized(pack(c, `{"a":"`+strings.Repeat("x", 8<<20)+`"}`), typeJSON, coded), cut: true},
		)
	}
	return all
}

const maskRoutes = `
upstreams: {api: {endpoints: ["{API}"]}}
routes:
  - {name: api, match: {path: /api/}, upstream: api, authn: {issuers: [auth]}}
  - {name: held, match: {path: /held/}, upstream: api, authn: {issuers: [auth]}, mask: {buffer: full, max: 1MiB}}
  - {name: graphql, match: {path: /graphql}, upstream: api, authn: {issuers: [auth]}, mask: {graphql: {}}}
  - {name: photos, match: {path: /photos/}, upstream: api, authn: {issuers: [auth]}, mask: {passthrough_types: [image/png]}}
`

const maskPolicy = `
allow := true
mask contains {"path": "$..ssn", "action": "redact", "class": "pii"}
mask contains {"path": "$..salary", "action": "drop", "class": "pay"}
`

// TestMaskedAnswersOnTheWire: whatever an upstream writes, over HTTP/1.1 and
// HTTP/2, nothing that is masked leaves, what is not masked arrives byte for
// byte, and a client can tell an answer from half of one.
func TestMaskedAnswersOnTheWire(t *testing.T) {
	w := open(t)
	answers := maskedAnswers()
	w.backend("API", func(rw http.ResponseWriter, r *http.Request) {
		i, _ := strconv.Atoi(r.Header.Get("X-Case"))
		c, buf, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(buf, r.ContentLength))
		_, _ = io.WriteString(c, answers[i].raw)
	})
	w.start(maskRoutes, maskPolicy)
	for _, h2 := range []bool{false, true} {
		client := w.client(h2)
		for i, a := range answers {
			t.Run(fmt.Sprintf("h2=%t/%s", h2, a.name), func(t *testing.T) {
				r := w.request(orElse(a.method, "GET"), orElse(a.path, "/api/"), strings.NewReader(a.send), w.as("e2", "staff"), "X-Case: "+strconv.Itoa(i))
				if name, value, ok := strings.Cut(a.header, ": "); ok {
					r.Header.Set(name, value)
				}
				a.check(t, do(t, client, r))
			})
		}
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (a *maskedAnswer) check(t *testing.T, got answer) {
	t.Helper()
	if all := fmt.Sprint(got.Header, got.Trailer) + got.body; strings.Contains(all, marker) {
		t.Fatalf("the marker left: %.300s", all)
	}
	status := a.status
	if status == 0 {
		status = 200
	}
	if got.StatusCode != status || (got.err != nil) != a.cut {
		t.Fatalf("status %d, error %v; want %d, cut: %t", got.StatusCode, got.err, status, a.cut)
	}
	switch {
	case status == 502:
		if !strings.Contains(got.body, `"response_unmaskable"`) {
			t.Errorf("refused with %s", got.body)
		}
	case !a.cut && got.body != a.want:
		t.Errorf("body differs: %s", cmp.Diff(a.want, got.body))
	case a.sized && got.ContentLength != int64(len(a.want)):
		t.Errorf("length %d, want %d", got.ContentLength, len(a.want))
	}
	if got.Header.Get("Cache-Control") == "" || !strings.Contains(got.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("Cache-Control: %q", got.Header.Get("Cache-Control"))
	}
	for _, name := range []string{"Etag", "Content-Encoding", "Content-Range", "Trailer"} {
		if v := got.Header.Get(name); v != "" {
			t.Errorf("%s: %s", name, v)
		}
	}
}

// TestOldClientsGetAllOrNothing: to HTTP/1.0 the end of a body without a length
// is that of the connection, so a cut answer would look whole.
func TestOldClientsGetAllOrNothing(t *testing.T) {
	large, masked := people(4000)
	body := large
	w := open(t)
	w.backend("API", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, body)
	})
	w.start(maskRoutes, maskPolicy)
	for _, want := range []struct {
		body   string
		status int
	}{{masked, 200}, {"", 502}} {
		c := w.dial()
		c.send("GET /api/ HTTP/1.0\nHost: localhost\n" + w.as("e2", "staff") + "\n\n")
		got := c.receive("GET")
		if got.StatusCode != want.status || got.err != nil || want.body != "" && got.body != want.body {
			t.Errorf("status %d, %d bytes, %v; want %d", got.StatusCode, len(got.body), got.err, want.status)
		}
		body = large[:len(large)-1]
	}
}

// TestStreamsArriveAsTheyAreWritten: an event, or a line, is there before the
// next one is written.
func TestStreamsArriveAsTheyAreWritten(t *testing.T) {
	next := make(chan struct{})
	w := open(t)
	w.backend("API", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", r.Header.Get("Accept"))
		piece := "data: {\"ssn\":\"" + marker + "\"}\n\n"
		if r.Header.Get("Accept") == "application/x-ndjson" {
			piece = "{\"ssn\":\"" + marker + "\"}\n"
		}
		for range 3 {
			_, _ = io.WriteString(rw, piece)
			_ = http.NewResponseController(rw).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	})
	w.start(maskRoutes, maskPolicy)
	for _, h2 := range []bool{false, true} {
		for mediaType, want := range map[string]string{
			"text/event-stream":    "data: {\"ssn\":\"***\"}\n\n",
			"application/x-ndjson": "{\"ssn\":\"***\"}\n",
		} {
			res, err := w.client(h2).Do(w.request("GET", "/api/", nil, w.as("e2", "staff"), "Accept: "+mediaType))
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want))
			for range 3 {
				if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
					t.Fatalf("%s, h2=%t: %q, %v", mediaType, h2, got, err)
				}
				next <- struct{}{}
			}
			if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
				t.Errorf("%s, h2=%t: %q, %v at the end", mediaType, h2, rest, err)
			}
			_ = res.Body.Close()
		}
	}
}
