package gateway

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// TestWebSocket: bytes go both ways as they are, with TLS and without on either
// side; each side may end first; and all of it is one exchange on record.
func TestWebSocket(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, p := range []proto{plainH1, tlsH1} {
			t.Run(fmt.Sprintf("%s, backend with TLS: %t", p, secure), func(t *testing.T) {
				w := open(t)
				b := newChat(w, secure)
				settings := chatRoutes
				if secure {
					settings = strings.Replace(settings, `["{CHAT}"]`, `["{CHAT}"], ca: certs/ca.pem, server_name: localhost`, 1)
				}
				w.start(settings, chatPolicy)

				c, res := w.ring(p, opening("/open", "Sec-WebSocket-Protocol: chat, other", "Sec-WebSocket-Extensions: permessage-deflate", "X-User-Id: root"))
				h := res.Header
				if res.StatusCode != 101 || h.Get("Sec-Websocket-Accept") != accept(key) || h.Get("Sec-Websocket-Protocol") != "chat" ||
					h.Get("Upgrade") != "websocket" || h.Get("Connection") != "Upgrade" || h.Get("Server") != "" || h.Get("X-Request-Id") == "" || h.Get("Content-Length") != "" {
					t.Fatalf("%s %v", res.Status, h)
				}
				asked := <-b.asked
				if asked.Get("Sec-Websocket-Extensions") != "permessage-deflate" || asked.Get("Sec-Websocket-Protocol") != "chat, other" || asked.Get("X-User-Id") != "" ||
					asked.Get("Connection") != "Upgrade" || asked.Get("Upgrade") != "websocket" || asked.Get("X-Request-Id") != h.Get("X-Request-Id") {
					t.Errorf("the backend was asked %v", asked)
				}
				c.says(t, "hello")
				c.says(t, strings.Repeat("0123456789abcdef", 8<<10))
				if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
					t.Fatal(err)
				}
				c.over(t)
				if n := b.left(t); n != 5+128<<10 {
					t.Errorf("the backend got %d bytes", n)
				}
				line := w.exchanges(1)[0]
				if line["status"] != 101.0 || line["bytes"] != 5.0+128<<10 || line["received"] != 5.0+128<<10 || line["aborted"] != nil || line["route"] != "open" {
					t.Errorf("on record: %v", line)
				}

				b.silent = true // the backend ends first, and the client goes on
				c = w.opened(p, "/open")
				c.over(t)
				if _, err := io.WriteString(c, "still here"); err != nil {
					t.Fatal(err)
				}
				_ = c.Close()
				if n := b.left(t); n != 10 {
					t.Errorf("the backend got %d bytes", n)
				}
				w.exchanges(2)
			})
		}
	}
}

// TestHandshakeIsJudged: whoever may not send the request may not have the
// connection, and what must be masked has none. Connections that are refused are
// ordinary ones.
func TestHandshakeIsJudged(t *testing.T) {
	w := open(t)
	b := newChat(w, false)
	w.start(chatRoutes, chatPolicy)
	token := func(role string) string { return w.as("u7", role) }
	cookie := "Cookie: __Host-token=" + strings.TrimPrefix(token("staff"), "Authorization: Bearer ")
	for _, tt := range []struct {
		name string
		p    proto
		head string
		want string // status and code; 101 where the connection is a WebSocket
		gets bool   // the backend is asked for one
	}{
		{"no token", plainH1, opening("/judged"), "401 token_missing", false},
		{"not allowed", plainH1, opening("/judged", token("guest")), "403 forbidden", false},
		{"allowed", plainH1, opening("/judged", token("staff")), "101 ", true},
		{"masked", plainH1, opening("/judged", token("clerk")), "502 response_unmaskable", false},
		{"the route has none", plainH1, opening("/none"), "200 ", false},
		{"another protocol", plainH1, opening("/open", "-Upgrade:", "Upgrade: h2c"), "200 ", false},
		{"HTTP/1.0", plainH1, strings.Replace(opening("/open"), "HTTP/1.1", "HTTP/1.0", 1), "200 ", false},
		{"Connection does not say so", plainH1, opening("/open", "-Connection:"), "400 header_invalid", false},
		{"two protocols", plainH1, opening("/open", "-Upgrade:", "Upgrade: h2c, websocket"), "400 header_invalid", false},
		{"twice", plainH1, opening("/open", "Upgrade: websocket"), "400 header_invalid", false},
		{"POST", plainH1, strings.Replace(opening("/open", "Content-Length: 0"), "GET", "POST", 1), "400 header_invalid", false},
		{"a body", plainH1, opening("/open", "Content-Length: 4") + "body", "400 header_invalid", false},
		{"chunks", plainH1, opening("/open", "Transfer-Encoding: chunked") + "0\r\n\r\n", "400 header_invalid", false},
		{"another version", plainH1, opening("/open", "-Sec-WebSocket-Version:", "Sec-WebSocket-Version: 8"), "400 header_invalid", false},
		{"two versions", plainH1, opening("/open", "Sec-WebSocket-Version: 8"), "400 header_invalid", false},
		{"no key", plainH1, opening("/open", "-Sec-WebSocket-Key:"), "400 header_invalid", false},
		{"a short key", plainH1, opening("/open", "-Sec-WebSocket-Key:", "Sec-WebSocket-Key: dGhl"), "400 header_invalid", false},
		{"two keys", plainH1, opening("/open", "Sec-WebSocket-Key: "+key), "400 header_invalid", false},
		{"a cookie from another site", tlsH1, opening("/cookie", cookie, "Origin: https://evil.example"), "403 csrf_failed", false},
		{"and what the browser says of it", tlsH1, opening("/cookie", cookie, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"), "403 csrf_failed", false},
		{"a page without an origin", tlsH1, opening("/cookie", cookie, "Origin: null"), "403 csrf_failed", false},
		{"a page in plain text", tlsH1, opening("/cookie", cookie, "Origin: http://localhost"), "403 csrf_failed", false},
		{"a cookie and no Origin", tlsH1, opening("/cookie", cookie), "403 csrf_failed", false},
		{"a cookie of the same site", tlsH1, opening("/cookie", cookie, "Origin: https://localhost"), "101 ", true},
		{"a cookie of a site that is let in", tlsH1, opening("/cookie", cookie, "Origin: https://app.example.com", "Sec-Fetch-Site: cross-site"), "101 ", true},
		{"a header from another site", tlsH1, opening("/cookie", token("staff"), "Origin: https://evil.example"), "101 ", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, res := w.ring(tt.p, tt.head)
			o := outcome{status: res.StatusCode, header: res.Header}
			if res.StatusCode != 101 {
				text, err := io.ReadAll(res.Body)
				o.body, o.err = string(text), err
			} else {
				c.says(t, "hello")
			}
			if o.String() != tt.want {
				t.Errorf("got %v, want %s", o, tt.want)
			}
			if asked := len(b.asked) > 0; asked != tt.gets {
				t.Errorf("the backend was asked: %t", asked)
			}
			if res.StatusCode != 101 && !res.Close { // what follows is a request like any other
				_, _ = io.WriteString(c, "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n")
				if again := readH1(c.r, "GET"); again.status != 200 || again.body != "no upgrade" {
					t.Errorf("the next request: %v", again)
				}
			}
			_ = c.Close()
			if tt.gets {
				<-b.asked
				b.left(t)
			}
		})
	}
}

// TestNoFalseUpgrade: an upstream that has not understood the handshake gets no
// bytes that the client takes for a WebSocket's, and none of its own arrive.
func TestNoFalseUpgrade(t *testing.T) {
	const smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"
	ok := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept(key) + "\r\n"
	for name, answer := range map[string]string{
		"no accept":           strings.Replace(ok, "Sec-WebSocket-Accept", "X-Accept", 1) + "\r\n",
		"another accept":      strings.Replace(ok, accept(key), accept("x"), 1) + "\r\n",
		"two accepts":         ok + "Sec-WebSocket-Accept: " + accept(key) + "\r\n\r\n",
		"another protocol":    strings.Replace(ok, "Upgrade: websocket", "Upgrade: h2c", 1) + "\r\n",
		"two protocols":       strings.Replace(ok, "Upgrade: websocket", "Upgrade: websocket, h2c", 1) + "\r\n",
		"no protocol":         strings.Replace(ok, "Upgrade: websocket\r\n", "", 1) + "\r\n",
		"no Connection":       strings.Replace(ok, "Connection: Upgrade\r\n", "", 1) + "\r\n",
		"a length":            ok + "Content-Length: 5\r\n\r\nhello",
		"chunks":              ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"an old protocol":     strings.Replace(ok, "HTTP/1.1", "HTTP/1.0", 1) + "\r\n",
		"a header with a NUL": ok + "X-A: \x00\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			b := newChat(w, false)
			b.answer = answer + smuggled
			w.start(chatRoutes, chatPolicy)
			c := w.wire(plainH1)
			_, _ = io.WriteString(c, opening("/open")+"GET /none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			text, _ := io.ReadAll(io.LimitReader(c, 2000))
			got := string(text)
			if strings.Contains(got, "101 Switching") || strings.Contains(got, "secret") || !strings.Contains(got, "502 Bad Gateway") || !strings.Contains(got, "upstream_unavailable") {
				t.Errorf("got %q", got)
			}
			if n := b.left(t); n != 0 {
				t.Errorf("the backend got %d bytes behind the handshake", n)
			}
		})
	}
	t.Run("an ordinary answer", func(t *testing.T) {
		w := open(t)
		b := newChat(w, false)
		b.answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nno"
		w.start(chatRoutes, chatPolicy)
		c, res := w.ring(plainH1, opening("/open"))
		text, _ := io.ReadAll(res.Body)
		if res.StatusCode != 403 || string(text) != "no" || res.Header.Get("Upgrade") != "" {
			t.Errorf("got %s %v %s", res.Status, res.Header, text)
		}
		_, _ = io.WriteString(c, "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if again := readH1(c.r, "GET"); again.body != "no upgrade" {
			t.Errorf("the next request: %v", again)
		}
	})
}

// TestWebSocketEnds: a connection ends on both sides when its session is called
// back, when nothing moves, when it has lasted for too long, when one side has
// gone, when what let it in is replaced, and when the gateway stops.
func TestWebSocketEnds(t *testing.T) {
	t.Parallel() // it mostly waits
	for _, tt := range []struct {
		name, path, want string
		do               func(w *world, c *talk)
	}{
		{"revoked", "/session", "session_revoked", func(w *world, _ *talk) {
			o := orders.Order{Kind: orders.Revocation, Issuer: "auth", SID: "s1"}
			if _, _, err := w.g.Plan().orders.Give(w.t.Context(), o); err != nil {
				w.t.Fatal(err)
			}
		}},
		{"the token expires", "/session", "token_expired", nil},
		{"idle", "/idle", "", nil},
		{"too long", "/short", "stream_timeout", func(_ *world, c *talk) {
			for { // whatever moves
				if _, err := io.WriteString(c, "x"); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}},
		{"the client has gone", "/open", "", func(_ *world, c *talk) {
			under := c.Conn.(*tls.Conn).NetConn().(*net.TCPConn)
			_ = under.SetLinger(0) // or it would have ended well
			_ = under.Close()
		}},
		{"another plan", "/open", "plan_replaced", func(w *world, _ *talk) {
			w.write("gatehouse.yaml", strings.ReplaceAll(preamble+chatRoutes+"timeouts: {drain: 200ms}\npolicies: {path: rego, budget: 1m}\n", "name: none", "name: other"))
			if err := w.reloader.Reload(w.t.Context()); err != nil {
				w.t.Error(err)
			}
		}},
		{"the end", "/open", "drain", func(w *world, _ *talk) { w.stop() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			b := newChat(w, false)
			w.start(chatRoutes+"timeouts: {drain: 200ms}\n", chatPolicy)
			expires := time.Hour
			if tt.want == "token_expired" {
				expires = 8 * time.Second
			}
			c := w.opened(tlsH1, tt.path, w.session("s1", expires))
			c.says(t, "hello")
			if tt.do != nil {
				tt.do(w, c)
			}
			if tt.name != "the client has gone" {
				c.over(t)
			}
			b.left(t)
			line := w.exchanges(1)[0]
			if got, _ := line["ended"].(string); got != tt.want || line["status"] != 101.0 || line["aborted"] != true {
				t.Errorf("on record: %v", line)
			}
		})
	}
}

// TestWebSocketMoves: what moves in one direction keeps both alive.
func TestWebSocketMoves(t *testing.T) {
	t.Parallel() // it mostly waits
	w := open(t)
	b := newChat(w, false)
	w.start(chatRoutes, chatPolicy)
	b.answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept(key) + "\r\n\r\n"
	c := w.opened(plainH1, "/idle")
	for range 10 { // in all longer than a piece may take that is written, which is twice as long as nothing may move
		c.says(t, "still here")
		time.Sleep(1250 * time.Millisecond)
	}
	_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	c.over(t)
	if line := w.exchanges(1)[0]; line["aborted"] != nil {
		t.Errorf("on record: %v", line)
	}
	if res, err := http.Get(w.plain + "/none"); err != nil || res.StatusCode != 200 {
		t.Errorf("afterwards: %v", err)
	} else {
		_ = res.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
}
