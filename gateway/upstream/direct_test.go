package upstream

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// speaking runs a server over TLS that offers some protocols, at an address or
// any, and counts its connections.
func speaking(t *testing.T, dir, at string, conns *atomic.Int64, protocols ...string) *httptest.Server {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(dir+"/gateway.pem", dir+"/gateway-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.Proto, b)
	}))
	if at != "" {
		_ = s.Listener.Close()
		if s.Listener, err = net.Listen("tcp", at); err != nil {
			t.Fatal(err)
		}
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: protocols}
	s.EnableHTTP2 = len(protocols) > 0 && protocols[0] == "h2"
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// What is spoken over TLS is agreed on with the first connection, and anew when a
// server has changed.
func TestProtocolIsAgreedOn(t *testing.T) {
	dir := t.TempDir()
	const ours = "127.0.42.1" // where nobody else takes a port that is free for a moment
	if err := certs.Dev(dir, []string{ours}, time.Now()); err != nil {
		t.Fatal(err)
	}
	var conns atomic.Int64
	post := func(u *Upstream) string {
		_, body, err := handle(t, u, middlewaretest.Exchange(t, "POST", "/", strings.NewReader("hello")))
		if err != nil {
			return middlewaretest.Code(err)
		}
		return body
	}
	s := speaking(t, dir, ours+":0", &conns, "http/1.1")
	u := open(t, &config.Upstream{CA: dir + "/ca.pem"}, s.URL)
	for range 5 {
		if got := post(u); got != "HTTP/1.1 hello" {
			t.Fatalf("got %q", got)
		}
	}
	if n := conns.Load(); n != 2 { // one to learn it by
		t.Errorf("%d connections", n)
	}
	at := s.Listener.Addr().String()
	s.Close()
	for range 2 { // the connection that died, where that is not known yet
		if got := post(u); got != "upstream_unavailable" {
			t.Errorf("nobody there: %q", got)
		}
	}
	s = speaking(t, dir, at, &conns, "h2")
	if got := post(u); got != "HTTP/2.0 hello" {
		t.Errorf("it has changed to HTTP/2: %q", got)
	}
	s.Close()
	_ = speaking(t, dir, at, &conns, "http/1.1")
	var got string
	for range 3 { // the connection that died, and the first surprise
		got = post(u)
	}
	if got != "HTTP/1.1 hello" {
		t.Errorf("it has changed back: %q", got)
	}
	if d := u.targets[0].sender.(*agreed); d.spoken.Load() != 1 {
		t.Errorf("HTTP/%d is spoken", d.spoken.Load())
	}
}

// A handshake that does not end is bounded as an answer is.
func TestSilentHandshake(t *testing.T) {
	silent := raw(t, func(_ net.Conn, r *bufio.Reader) { until(r) })
	u := open(t, nil, "https"+strings.TrimPrefix(silent, "http"))
	for range 2 {
		_, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil, timeouts(short, 0)))
		if middlewaretest.Code(err) != "upstream_timeout" {
			t.Errorf("got %v", err)
		}
	}
}

// Who ends an exchange from outside is told in what its answer fails with.
func TestEndedFromOutside(t *testing.T) {
	u := open(t, nil, raw(t, func(c net.Conn, r *bufio.Reader) {
		answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")(c, r)
		until(r)
	}))
	x := middlewaretest.Exchange(t, "GET", "/", nil)
	res, err := u.Handle(x)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	go x.Cancel(middleware.ErrEnded)
	if _, err := io.ReadAll(res.Body); !errors.Is(err, middleware.ErrEnded) {
		t.Errorf("got %v", err)
	}
}

// Nothing of an answer is in the reason why there is none: it may be part of a
// body that belongs into no record.
func TestReasonsQuoteNothing(t *testing.T) {
	for _, answer := range []string{
		"secret\r\n\r\n", "HTTP/1.1 200 OK\r\nsecret\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: secret\x00\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: secret\r\n\r\n", "HTTP/1.1 secret\r\n\r\n",
	} {
		u := open(t, nil, raw(t, answering(answer)))
		_, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil))
		var r *middleware.Refusal
		if !errors.As(err, &r) || r.Code != "upstream_unavailable" || r.Err == nil || strings.Contains(r.Err.Error()+r.Detail, "secret") {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// What was meant for the gateway alone goes no further, and neither does what it is
// named by.
func TestHopByHopOfOurClient(t *testing.T) {
	u := open(t, nil, raw(t, answering("HTTP/1.1 200 OK\r\nConnection: X-Inner, close\r\nX-Inner: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nX-Outer: 1\r\nContent-Length: 0\r\n\r\n")))
	res, err := u.Handle(middlewaretest.Exchange(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if len(res.Header) != 2 || res.Header.Get("X-Outer") != "1" || res.Header.Get("Content-Length") != "0" {
		t.Errorf("got %v", res.Header)
	}
}

// Where time runs out before there is a connection, nothing was sent: that is told
// apart from an answer that does not come.
func TestTimeOutBeforeAnythingIsSent(t *testing.T) {
	silent := func() string {
		return "https" + strings.TrimPrefix(raw(t, func(_ net.Conn, r *bufio.Reader) { until(r) }), "http")
	}
	r := twice()
	r.On, r.PerTry = nil, config.Duration(short)
	u := open(t, &config.Upstream{Protocol: "http1", Retries: r}, silent(), silent())
	x := middlewaretest.Exchange(t, "GET", "/", nil, timeouts(time.Minute, 0))
	if _, _, err := handle(t, u, x); middlewaretest.Code(err) != "upstream_timeout" {
		t.Errorf("got %v", err)
	}
	if why, _ := noted(x, "tried_again").([]string); len(why) == 0 || why[0] != "connect" {
		t.Errorf("on record: %v", x.Notes())
	}
}
