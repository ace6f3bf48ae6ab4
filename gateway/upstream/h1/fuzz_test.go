package h1

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// interim lets net/http take as many interim answers as fit into a head.
func interim(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { return nil }})
}

// script is a connection that says what it is told to, and takes everything.
type script struct {
	io.Reader
	net.Conn // for what nobody calls
}

func (s *script) Read(p []byte) (int, error)       { return s.Reader.Read(p) }
func (s *script) Write(p []byte) (int, error)      { return len(p), nil }
func (s *script) Close() error                     { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// FuzzAnswer holds our reader of answers against that of net/http: nothing is
// accepted that is malformed there, and what both take is the same.
func FuzzAnswer(f *testing.F) {
	for _, tt := range oddAnswers() {
		if len(tt.answer) < 4000 {
			f.Add([]byte(tt.answer), false)
		}
	}
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, in []byte, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		c := New(Settings{Host: "a", Dial: func(context.Context) (net.Conn, error) { return &script{Reader: bytes.NewReader(in)}, nil }})
		defer c.CloseIdleConnections()
		r, _ := http.NewRequestWithContext(context.Background(), method, "http://a/", nil)
		res, err := c.Do(&Call{}, r)
		status, body, err := whole(res, err)
		if err != nil {
			return
		}
		theirs := bufio.NewReader(bytes.NewReader(in))
		var want *http.Response
		for {
			if want, err = http.ReadResponse(theirs, r); err != nil {
				t.Fatalf("%q: read as %d %q, net/http: %v", in, status, body, err)
			}
			if want.StatusCode >= 200 {
				break
			}
		}
		wantStatus, wantBody, err := whole(want, nil)
		if err != nil || wantStatus != status || wantBody != body {
			t.Fatalf("%q: read as %d %q, by net/http as %d %q %v", in, status, body, wantStatus, wantBody, err)
		}
		for _, name := range []string{"Cache-Control", "Connection"} { // which it makes of Pragma, and keeps in some cases
			delete(want.Header, name)
			delete(res.Header, name)
		}
		if res.TransferEncoding != nil {
			delete(want.Header, "Content-Length") // which it keeps where there is no body
		}
		for _, name := range []string{"Content-Length", "Transfer-Encoding", "Trailer", "Connection", "Host"} {
			delete(want.Trailer, name) // which we drop
		}
		if d := cmp.Diff(want.Header, res.Header); d != "" {
			t.Fatalf("%q: header (-net/http +ours):\n%s", in, d)
		}
		if len(want.Trailer)+len(res.Trailer) > 0 {
			if d := cmp.Diff(want.Trailer, res.Trailer); d != "" {
				t.Fatalf("%q: trailer (-net/http +ours):\n%s", in, d)
			}
		}
	})
}
