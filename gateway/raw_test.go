package gateway

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// proto is a way to reach a gateway.
type proto string

const (
	plainH1 proto = "HTTP/1.1"
	tlsH1   proto = "HTTP/1.1 over TLS"
	tlsH2   proto = "HTTP/2"
)

// raw is a request as it is written to a connection: nothing of it is checked,
// normalized or added, but for the framing that the protocol cannot do without.
type raw struct {
	method, target, host string // GET, / and localhost where they are ""
	headers              [][2]string
	body                 string
	noLength             bool // HTTP/1.1: chunked; HTTP/2: no content-length
}

// outcome is what came back: an answer, or an error where there is none. Over
// HTTP/2 that may be an http2.StreamError.
type outcome struct {
	status int
	header http.Header
	body   string
	err    error
}

// code gives the code of a refusal.
func (o outcome) code() string {
	_, rest, _ := strings.Cut(o.body, `"code":"`)
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

func (o outcome) String() string {
	if o.err != nil {
		return o.err.Error()
	}
	return fmt.Sprintf("%d %s", o.status, o.code())
}

// ask sends one request on a connection of its own and reads what comes back.
func (w *world) ask(p proto, r raw) outcome {
	w.t.Helper()
	if r.method == "" {
		r.method = "GET"
	}
	if r.target == "" {
		r.target = "/"
	}
	if r.host == "" {
		r.host = "localhost"
	}
	if p == tlsH2 {
		return askH2(w.frames(), r)
	}
	conn := w.wire(p)
	defer conn.Close()
	if _, err := conn.Write(r.h1()); err != nil {
		return outcome{err: err}
	}
	return readH1(bufio.NewReader(conn), r.method)
}

// wire opens a connection for HTTP/1.1.
func (w *world) wire(p proto) net.Conn {
	w.t.Helper()
	if p == tlsH1 {
		return w.tls("http/1.1")
	}
	c, err := net.Dial("tcp", strings.TrimPrefix(w.plain, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func (w *world) tls(protocol string) *tls.Conn {
	w.t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(w.base, "https://"), &tls.Config{
		RootCAs: w.roots(), ServerName: "localhost", NextProtos: []string{protocol}, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// h1 writes the request as HTTP/1.1.
func (r raw) h1() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.target, r.host)
	for _, h := range r.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	switch {
	case r.noLength:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(r.body), r.body)
	case r.body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
	default:
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

func readH1(r *bufio.Reader, method string) outcome {
	res, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return outcome{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return outcome{res.StatusCode, res.Header, string(b), err}
}

// frames is a connection on which a test writes HTTP/2 frames.
type frames struct {
	t testing.TB
	*tls.Conn
	*http2.Framer
	block *bytes.Buffer
	enc   *hpack.Encoder
}

// frames opens a connection for HTTP/2, with the preface sent.
func (w *world) frames() *frames {
	w.t.Helper()
	f, err := framesOn(w.t, w.tls("h2"))
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// framesOn sends the preface on a connection. The error may be that the other
// side has not let the connection come about.
func framesOn(t testing.TB, c *tls.Conn) (*frames, error) {
	t.Helper()
	if p := c.ConnectionState().NegotiatedProtocol; p != "h2" {
		t.Fatalf("the listener speaks %q", p)
	}
	f := &frames{t: t, Conn: c, Framer: http2.NewFramer(c, c), block: &bytes.Buffer{}}
	f.Framer.AllowIllegalWrites = true
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.enc = hpack.NewEncoder(f.block)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return nil, err
	}
	return f, f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 24})
}

// head encodes header fields, pseudo fields first.
func (f *frames) head(fields ...[2]string) []byte {
	f.block.Reset()
	for _, h := range fields {
		_ = f.enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	return bytes.Clone(f.block.Bytes())
}

// request gives the fields of a request in HTTP/2.
func (r raw) fields() [][2]string {
	out := [][2]string{{":method", r.method}, {":scheme", "https"}, {":authority", r.host}, {":path", r.target}}
	for _, h := range r.headers {
		out = append(out, [2]string{strings.ToLower(h[0]), h[1]})
	}
	if r.body != "" && !r.noLength {
		out = append(out, [2]string{"content-length", fmt.Sprint(len(r.body))})
	}
	return out
}

const frameSize = 16 << 10

// open sends a header block in as many frames as it needs.
func (f *frames) open(stream uint32, block []byte, end bool) error {
	first := block[:min(len(block), frameSize)]
	block = block[len(first):]
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: end, EndHeaders: len(block) == 0})
	for err == nil && len(block) > 0 {
		part := block[:min(len(block), frameSize)]
		block = block[len(part):]
		err = f.WriteContinuation(stream, len(block) == 0, part)
	}
	return err
}

func askH2(f *frames, r raw) outcome {
	defer f.Close()
	return f.ask(1, r)
}

// ask sends one request as a stream and reads its answer.
func (f *frames) ask(stream uint32, r raw) outcome {
	if err := f.open(stream, f.head(r.fields()...), r.body == ""); err != nil {
		return outcome{err: err}
	}
	for b := r.body; b != ""; {
		part := b[:min(len(b), frameSize)]
		b = b[len(part):]
		if err := f.WriteData(stream, b == "", []byte(part)); err != nil {
			return outcome{err: err}
		}
	}
	return f.answer(stream)
}

// answer reads frames until the stream is over. An answer that is reset after
// its end (RFC 9113, section 8.1: the rest of the request is not wanted) is
// whole.
func (f *frames) answer(stream uint32) outcome {
	o := outcome{header: http.Header{}}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			o.err = err
			return o
		}
		switch x := frame.(type) {
		case *http2.SettingsFrame:
			if !x.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.GoAwayFrame:
			if x.ErrCode != http2.ErrCodeNo {
				o.err = fmt.Errorf("the gateway ends the connection: %v", x.ErrCode)
				return o
			}
		case *http2.RSTStreamFrame:
			if x.StreamID == stream {
				o.err = http2.StreamError{StreamID: stream, Code: x.ErrCode}
				return o
			}
		case *http2.MetaHeadersFrame:
			if x.StreamID != stream {
				continue
			}
			for _, h := range x.Fields {
				if h.Name == ":status" {
					_, _ = fmt.Sscan(h.Value, &o.status)
				} else {
					o.header.Add(h.Name, h.Value)
				}
			}
			if x.StreamEnded() {
				return o
			}
		case *http2.DataFrame:
			if x.StreamID != stream {
				continue
			}
			o.body += string(x.Data())
			if x.StreamEnded() {
				return o
			}
			_ = f.WriteWindowUpdate(0, uint32(max(1, len(x.Data()))))
		}
	}
}

func TestAskSpeaksAllProtocols(t *testing.T) {
	w := open(t)
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s %s %s %s", r.Method, r.RequestURI, r.Header.Get("X-Note"), b)
	})
	w.start(plain, "")
	for _, p := range []proto{plainH1, tlsH1, tlsH2} {
		for _, noLength := range []bool{false, true} {
			o := w.ask(p, raw{method: "POST", target: "/plain/1", headers: [][2]string{{"X-Note", "n"}}, body: strings.Repeat("x", 40000), noLength: noLength})
			if o.err != nil || o.status != 200 || o.body != "POST /plain/1 n "+strings.Repeat("x", 40000) {
				t.Errorf("%s: %v %.80q", p, o, o.body)
			}
		}
		if o := w.ask(p, raw{target: "/nowhere"}); o.String() != "404 route_unknown" {
			t.Errorf("%s: %v", p, o)
		}
	}
	if o := w.ask(tlsH2, raw{target: "/plain/1", headers: [][2]string{{"Connection", "close"}}}); o.status != 400 {
		t.Errorf("a connection header over HTTP/2: %v", o)
	}
}
