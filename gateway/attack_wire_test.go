package gateway

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// Who has agreed on one protocol and speaks the other gets nowhere, and neither does
// who agrees on none that is served.
func TestOtherProtocolThanAgreed(t *testing.T) {
	w := open(t)
	var served atomic.Int64
	w.backend("HR", func(http.ResponseWriter, *http.Request) { served.Add(1) })
	w.start(plain, "")
	const get = "GET /plain/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	preface := http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	for _, tt := range []struct {
		offered []string
		send    string
		want    string // how the answer begins; "" for no handshake, "-" for no answer in HTTP/1.1
	}{
		{nil, get, "HTTP/1.1 200 "},
		{[]string{"http/1.1"}, get, "HTTP/1.1 200 "},
		{[]string{"h2c", "http/1.1"}, get, "HTTP/1.1 200 "},
		{[]string{"h2"}, get, "-"},
		{[]string{"h2", "http/1.1"}, get, "-"},
		{[]string{"h2"}, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + get, "-"},
		{[]string{"h2"}, strings.ToLower(preface) + get, "-"},
		{[]string{"http/1.1"}, preface + get, "HTTP/1.1 501 "},
		{nil, preface + get, "HTTP/1.1 501 "},
		{[]string{"http/1.1"}, "PRI * HTTP/2.0\r\nHost: localhost\r\n\r\n" + get, "HTTP/1.1 501 "},
		{[]string{"http/1.1"}, "PRI * HTTP/2.0\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get, "HTTP/1.1 400 "},
		{[]string{"h2c"}, get, ""},
		{[]string{"http/1.0"}, get, ""},
		{[]string{"HTTP/1.1"}, get, ""},
		{[]string{"spdy/3.1"}, get, ""},
		{[]string{"acme-tls/1"}, get, ""},
	} {
		before := served.Load()
		c, err := tls.Dial("tcp", strings.TrimPrefix(w.base, "https://"), &tls.Config{RootCAs: w.roots(), ServerName: "localhost", NextProtos: tt.offered})
		if err != nil {
			if tt.want != "" {
				t.Errorf("%q: %v", tt.offered, err)
			}
			continue
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(c, tt.send)
		buf := make([]byte, 64<<10)
		n, err := io.ReadFull(c, buf) // until it ends
		_ = c.Close()
		got := string(buf[:n])
		switch {
		case isTimeout(err):
			t.Errorf("%q, %.30q: the connection stays open", tt.offered, tt.send)
		case tt.want == "-" && strings.Contains(got, "HTTP/1."), tt.want != "-" && !strings.HasPrefix(got, tt.want):
			t.Errorf("%q, %.30q: got %.100q", tt.offered, tt.send, got)
		case served.Load() > before != strings.Contains(tt.want, "200"):
			t.Errorf("%q, %.30q: the backend was asked %d times", tt.offered, tt.send, served.Load()-before)
		}
	}
}

// Thousands of connections that do not come to a request, each in its own way, keep
// nobody waiting, and are gone when the time for a head is over.
func TestHalfOpenConnections(t *testing.T) {
	each := 600
	if testing.Short() {
		each = 50
	}
	w := open(t)
	w.backend("HR", echo("A"))
	w.start("timeouts: {header: 5s}\n"+plain, "")
	hello := helloOf(t)
	var open []net.Conn
	for _, way := range []struct {
		address string
		text    []byte
	}{
		{w.plain, nil},
		{w.plain, []byte("G")},
		{w.plain, []byte("GET /plain/1 HTTP/1.1\r\nHost: localhost\r\n")},
		{w.base, nil},
		{w.base, hello[:len(hello)/2]},
		{w.base, hello},
	} {
		for range each {
			c := dialRaw(t, way.address)
			_, _ = c.Write(way.text)
			open = append(open, c)
		}
	}
	for _, p := range []proto{plainH1, tlsH1, tlsH2} {
		if o := w.ask(p, raw{target: "/plain/1"}); o.status != 200 {
			t.Errorf("%s, meanwhile: %v", p, o)
		}
	}
	for i, c := range open {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			t.Fatalf("connection %d of %d stays open", i, len(open))
		}
	}
	for _, listener := range []string{"plain", "public"} {
		eventually(t, "none is open on "+listener, func() bool { return w.gauge(listener, "gatehouse_connections_open") == 0 })
	}
}

// Told to stop, the gateway says so to clients with streams open, answers those
// streams, and begins no more on the connection.
func TestStreamsAtTheEnd(t *testing.T) {
	w := open(t)
	begun, finish := make(chan string, 10), make(chan struct{})
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
		begun <- r.URL.Path
		<-finish
		_, _ = io.WriteString(rw, "whole")
	})
	w.start(plain, "")
	f := w.frames()
	get := func(stream uint32, target string) {
		if err := f.open(stream, f.head(raw{method: "GET", host: "localhost", target: target}.fields()...), true); err != nil {
			t.Fatal(err)
		}
	}
	get(1, "/plain/1")
	get(3, "/plain/3")
	<-begun
	<-begun
	w.stop()
	for said := false; !said; {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("no GOAWAY: %v", err)
		}
		switch x := frame.(type) {
		case *http2.GoAwayFrame:
			said = true
			if x.ErrCode != http2.ErrCodeNo || x.LastStreamID < 3 {
				t.Errorf("told %v, %d", x.ErrCode, x.LastStreamID)
			}
		case *http2.SettingsFrame:
			if !x.IsAck() {
				_ = f.WriteSettingsAck()
			}
		}
	}
	get(5, "/plain/5")
	if err := f.WritePing(false, [8]byte{1}); err != nil { // behind it, all of the above was read
		t.Fatal(err)
	}
	for pong := false; !pong; {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		p, ok := frame.(*http2.PingFrame)
		pong = ok && p.IsAck()
	}
	close(finish)
	answers := map[uint32]string{}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			break
		}
		if d, ok := frame.(*http2.DataFrame); ok {
			answers[d.StreamID] += string(d.Data())
		}
	}
	if fmt.Sprint(answers) != "map[1:whole 3:whole]" {
		t.Errorf("answered %v", answers)
	}
	if err := <-w.done; err != nil {
		t.Error(err)
	}
	w.done <- nil // for close
	if len(begun) > 0 {
		t.Errorf("the backend was asked for %s", <-begun)
	}
}
