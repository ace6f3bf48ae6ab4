package gateway

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // RFC 6455
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chat is a backend that becomes a WebSocket and sends back what it gets. What
// is in the frames is nobody's business on the way, so here there are none.
type chat struct {
	asked chan http.Header // a handshake has come, with this
	gone  chan int64       // a connection has ended, after so many bytes
	// answer is what the backend says to a handshake; "" for what RFC 6455 wants.
	answer string
	silent bool // it ends its side at once, and goes on reading
}

const key = "dGhlIHNhbXBsZSBub25jZQ=="

// accept gives Sec-WebSocket-Accept for a key.
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455
	return base64.StdEncoding.EncodeToString(sum[:])
}

func newChat(w *world, secure bool) *chat {
	w.t.Helper()
	b := &chat{asked: make(chan http.Header, 100), gone: make(chan int64, 100)}
	s := httptest.NewUnstartedServer(http.HandlerFunc(b.serve))
	if secure {
		pair, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "certs/gateway.pem"), filepath.Join(w.dir, "certs/gateway-key.pem"))
		if err != nil {
			w.t.Fatal(err)
		}
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		s.StartTLS()
	} else {
		s.Start()
	}
	w.t.Cleanup(s.Close)
	w.vars["CHAT"] = s.URL
	return b
}

func (b *chat) serve(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		fmt.Fprint(w, "no upgrade")
		return
	}
	b.asked <- r.Header.Clone()
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	answer := b.answer
	if answer == "" {
		answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nServer: secret\r\n" +
			"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: " + accept(r.Header.Get("Sec-Websocket-Key")) + "\r\n\r\n"
	}
	_, _ = io.WriteString(c, answer)
	if b.silent {
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
		n, _ := io.Copy(io.Discard, rw)
		b.gone <- n
		return
	}
	n, _ := io.Copy(c, rw)
	b.gone <- n
}

const chatRoutes = `
csrf: {secret: 0123456789abcdef0123456789abcdef}
upstreams: {chat: {endpoints: ["{CHAT}"]}}
routes:
  - {name: open, match: {path: /open}, upstream: chat, public: true, policy: off, upgrade: [websocket]}
  - {name: none, match: {path: /none}, upstream: chat, public: true, policy: off}
  - {name: judged, match: {path: /judged}, upstream: chat, authn: {issuers: [auth]}, upgrade: [websocket]}
  - {name: session, match: {path: /session}, upstream: chat, authn: {issuers: [auth]}, policy: off, upgrade: [websocket]}
  - {name: idle, match: {path: /idle}, upstream: chat, public: true, policy: off, upgrade: [websocket], timeouts: {idle: 5s}}
  - {name: short, match: {path: /short}, upstream: chat, public: true, policy: off, upgrade: [websocket], timeouts: {stream: 5s}}
  - name: cookie
    match: {path: /cookie}
    upstream: chat
    authn: {issuers: [auth], cookie: __Host-token}
    cors: {origins: ["https://app.example.com"], credentials: true}
    policy: off
    upgrade: [websocket]
`

const chatPolicy = `
allow if input.subject.role in {"staff", "clerk"}
mask contains {"path": "$..salary", "action": "redact"} if input.subject.role == "clerk"
`

// opening gives the head of a handshake; more are lines "Name: value", and one
// that begins with "-" takes a line away.
func opening(path string, more ...string) string {
	lines := []string{"Host: localhost", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key}
	for _, l := range more {
		name, _, _ := strings.Cut(strings.TrimPrefix(l, "-"), ":")
		if l[0] != '-' {
			lines = append(lines, l)
			continue
		}
		for i, have := range lines {
			if strings.HasPrefix(have, name+":") {
				lines = append(lines[:i], lines[i+1:]...)
				break
			}
		}
	}
	return "GET " + path + " HTTP/1.1\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// talk is a client's connection.
type talk struct {
	net.Conn
	r *bufio.Reader
}

// ring sends a head and reads the head of the answer, whose body is left unread.
func (w *world) ring(p proto, head string) (*talk, *http.Response) {
	w.t.Helper()
	c := w.wire(p)
	if _, err := io.WriteString(c, head); err != nil {
		w.t.Fatal(err)
	}
	t := &talk{c, bufio.NewReader(c)}
	res, err := http.ReadResponse(t.r, &http.Request{Method: "GET"})
	if err != nil {
		w.t.Fatal(err)
	}
	return t, res
}

// opened opens a WebSocket, or fails.
func (w *world) opened(p proto, path string, more ...string) *talk {
	w.t.Helper()
	t, res := w.ring(p, opening(path, more...))
	if res.StatusCode != http.StatusSwitchingProtocols {
		b, _ := io.ReadAll(res.Body)
		w.t.Fatalf("%s: %s %s", path, res.Status, b)
	}
	return t
}

// says sends a text and waits for it to come back.
func (c *talk) says(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c.r, got); err != nil || string(got) != text {
		t.Fatalf("came back: %.40q, %v", got, err)
	}
}

// over waits until the gateway has ended the connection.
func (c *talk) over(t testing.TB) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c.r); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("the connection stays open")
	}
}

// left waits until the backend's connection has ended.
func (b *chat) left(t testing.TB) (n int64) {
	t.Helper()
	select {
	case n = <-b.gone:
	case <-time.After(20 * time.Second):
		t.Fatal("the backend's connection stays open")
	}
	return n
}
