package h1

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// counting counts the connections to a server that answers everything alike.
func counting(n *atomic.Int64, talk func(net.Conn, *bufio.Reader)) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		n.Add(1)
		talk(c, r)
	}
}

// A connection is used again after an answer that is whole, and only then.
func TestConnectionsAreUsedAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		method string
		read   int // bytes of the answer that are read; -1: all
		kept   bool
	}{
		"length":            {okAnswer, "GET", -1, true},
		"chunks":            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "GET", -1, true},
		"no body":           {"HTTP/1.1 204 No Content\r\n\r\n", "GET", -1, true},
		"nobody reads it":   {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "GET", 0, true},
		"HEAD":              {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HEAD", -1, true},
		"HTTP/1.0, kept":    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "GET", -1, true},
		"HTTP/1.0":          {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "GET", -1, false},
		"close":             {"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok", "GET", -1, false},
		"read in part":      {okAnswer, "GET", 1, false},
		"not read":          {okAnswer, "GET", 0, false},
		"surplus":           {okAnswer + "x", "GET", -1, false},
		"HEAD with a body":  {okAnswer, "HEAD", -1, false},
		"204 with a length": {"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", "GET", -1, false},
		"malformed":         {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "GET", -1, false},
	} {
		t.Run(name, func(t *testing.T) {
			var conns atomic.Int64
			c := client(t, raw(t, counting(&conns, always(tt.answer))))
			for range 3 {
				res, err := c.Do(&Call{}, ask(t, tt.method, "/", nil))
				if err != nil {
					continue
				}
				if tt.read < 0 {
					_, _ = io.Copy(io.Discard, res.Body)
				} else {
					_, _ = io.ReadFull(res.Body, make([]byte, tt.read))
				}
				_ = res.Body.Close()
			}
			if got := conns.Load() == 1; got != tt.kept {
				t.Errorf("%d connections, kept is to be %v", conns.Load(), tt.kept)
			}
			if s := c.Stats(); s.Busy != 0 || s.Waiting != 0 {
				t.Errorf("left behind: %+v", s)
			}
		})
	}
}

// certificate makes one for 127.0.0.1, and a client's settings that trust it.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"upstream.test"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool, ServerName: "upstream.test", MinVersion: tls.VersionTLS12}
}

// gathering puts what is written together until it is told to send it, so that
// records come in one piece, or in none.
type gathering struct {
	net.Conn
	mu   sync.Mutex
	hold bool
	buf  []byte
}

func (g *gathering) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hold {
		g.buf = append(g.buf, p...)
		return len(p), nil
	}
	return g.Conn.Write(p)
}

// send sends all that was gathered but the last n bytes, and those later.
func (g *gathering) send(keep int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.buf) - keep
	_, _ = g.Conn.Write(g.buf[:n])
	g.buf = g.buf[n:]
}

// What TLS has read ahead is surplus as well, even where it is a part of a record
// only.
func TestSurplusOverTLS(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, tt := range map[string]struct {
			surplus string
			keep    int // bytes of the last record that come later
			kept    bool
		}{
			"none":                   {"", 0, true},
			"a record":               {"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned", 0, false},
			"a record but the end":   {"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned", 9, false},
			"the header of a record": {"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned", 60, false},
		} {
			t.Run(fmt.Sprintf("%x %s", version, name), func(t *testing.T) {
				server, ours := certificate(t)
				server.MaxVersion = version
				var conns atomic.Int64
				address := raw(t, counting(&conns, func(c net.Conn, _ *bufio.Reader) {
					g := &gathering{Conn: c}
					s := tls.Server(g, server)
					r := bufio.NewReader(s)
					for {
						if _, err := http.ReadRequest(r); err != nil {
							return
						}
						g.mu.Lock()
						g.hold = true
						g.mu.Unlock()
						_, _ = io.WriteString(s, okAnswer)
						if tt.surplus != "" {
							_, _ = io.WriteString(s, tt.surplus)
						}
						g.send(tt.keep)
						if tt.keep > 0 {
							if _, err := c.Read(make([]byte, 1)); err == nil {
								g.send(0) // a request came in spite of it: poison it
							}
							return
						}
					}
				}))
				c := client(t, address, func(s *Settings) { s.TLS = ours })
				for range 3 {
					if _, body, err := whole(c.Do(&Call{Answer: time.Minute}, ask(t, "GET", "/", nil))); err != nil || body != "ok" {
						t.Fatalf("got %q %v", body, err)
					}
				}
				if got := conns.Load() == 1; got != tt.kept {
					t.Errorf("%d connections, kept is to be %v", conns.Load(), tt.kept)
				}
			})
		}
	}
}

// What comes to a kept connection, or its end, is found before a request is
// written: whatever its method, it is sent over another one.
func TestKeptConnectionThatHasSpoken(t *testing.T) {
	for name, after := range map[string]func(c net.Conn){
		"an answer to nobody": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 408 X\r\nContent-Length: 0\r\n\r\n") },
		"its end":             func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() },
		"a reset":             func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			now, said := make(chan struct{}, 10), make(chan struct{}, 10)
			defer close(now)
			c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) {
				answering(okAnswer)(c, r)
				<-now
				after(c)
				said <- struct{}{}
				_, _ = r.Peek(1)
			}))
			for range 3 {
				if _, body, err := whole(c.Do(&Call{}, ask(t, "POST", "/", strings.NewReader("pay")))); err != nil || body != "ok" {
					t.Fatalf("got %q %v", body, err)
				}
				now <- struct{}{}
				<-said
				kept(c, ended) // until it has come
			}
		})
	}
}

// A request that met a connection which was just being closed is sent again, if
// that can do no harm; and over a new connection, once.
func TestRaceWithTheEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		method, key, body string
		again             bool
	}{
		"GET":                      {"GET", "", "", true},
		"HEAD":                     {"HEAD", "", "", true},
		"POST":                     {"POST", "", "pay", false},
		"DELETE":                   {"DELETE", "", "", false},
		"POST with a key":          {"POST", "Idempotency-Key", "pay", false},
		"POST with a key, no body": {"POST", "Idempotency-Key", "", false},
		"PATCH with another key":   {"PATCH", "X-Idempotency-Key", "pay", false},
		"GET with a key":           {"GET", "Idempotency-Key", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) {
				answering(okAnswer)(c, r)
				if _, err := http.ReadRequest(r); err == nil { // the next one gets none
					asked.Add(1)
				}
			}))
			if _, _, err := whole(c.Do(&Call{}, ask(t, "GET", "/", nil))); err != nil {
				t.Fatal(err)
			}
			r := ask(t, tt.method, "/", strings.NewReader(tt.body))
			if tt.key != "" {
				r.Header.Set(tt.key, "k1")
			}
			_, body, err := whole(c.Do(&Call{}, r))
			if (err == nil && (body == "ok" || tt.method == "HEAD")) != tt.again || asked.Load() != 1 {
				t.Errorf("got %q %v, asked in vain %d times", body, err, asked.Load())
			}
			if err != nil && tt.body != "" {
				if left, _ := io.ReadAll(r.Body); string(left) != tt.body {
					t.Errorf("the body is lost: %q", left)
				}
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	// Its port is taken, by who does not listen there.
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	nobody, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	c := client(t, nobody.LocalAddr().String())
	for _, length := range []int{5, 100_000} {
		k := &Call{Answer: time.Minute}
		r := ask(t, "POST", "/", strings.NewReader(strings.Repeat("x", length)))
		_, err = c.Do(k, r)
		var dialed *DialError
		var op *net.OpError
		if !errors.As(err, &dialed) || !errors.As(err, &op) || op.Op != "dial" || k.Sent() {
			t.Errorf("got %v, sent %v", err, k.Sent())
		}
		if b, _ := io.ReadAll(r.Body); len(b) != length {
			t.Errorf("of the body %d bytes are left, want %d", len(b), length)
		}
	}
	if s := c.Stats(); s.Busy != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

// With a bound, requests wait for their turn, the first one first; whoever gives
// up waits no more.
func TestMaxConnections(t *testing.T) {
	var now, most atomic.Int64
	c := client(t, raw(t, always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")), func(s *Settings) {
		s.Max = 3
		dial := s.Dial
		s.Dial = func(ctx context.Context) (net.Conn, error) {
			c, err := dial(ctx)
			if err != nil {
				return nil, err
			}
			for n := now.Add(1); n > most.Load(); {
				most.Store(n)
			}
			return &tallied{TCPConn: c.(*net.TCPConn), open: &now}, nil
		}
	})
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			res, err := c.Do(&Call{Answer: time.Minute}, ask(t, "GET", "/", nil))
			if err != nil {
				t.Error(err)
				return
			}
			if i%3 > 0 { // else the connection is not good any more
				_, _ = io.Copy(io.Discard, res.Body)
			}
			_ = res.Body.Close()
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Busy != 0 || s.Waiting != 0 || s.Idle > 3 {
		t.Errorf("left behind: %+v", s)
	}

	var held []*http.Response
	for range 3 {
		res, err := c.Do(&Call{Answer: time.Minute}, ask(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, res)
	}
	if _, err := c.Do(&Call{Answer: time.Millisecond}, ask(t, "GET", "/", nil)); !errors.Is(err, ErrBusy) || !errors.Is(err, ErrNoAnswer) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Do(&Call{}, ask(t, "GET", "/", nil).WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for _, res := range held {
		_ = res.Body.Close()
	}
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("left behind: %+v", s)
	}
	if most.Load() > 3 {
		t.Errorf("%d connections at once", most.Load())
	}
}

// tallied is a connection that is counted while it is open.
type tallied struct {
	*net.TCPConn
	open   *atomic.Int64
	closed atomic.Bool
}

func (c *tallied) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.TCPConn.Close()
}

// Connections that are not used are closed after their time, and those that
// become free after CloseIdleConnections at once.
func TestIdleConnectionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ends []net.Conn
		ended := make(chan struct{}, 10)
		c := New(Settings{Host: "a", IdleTimeout: 12 * time.Second, Dial: func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			ends = append(ends, theirs)
			go func() { always(okAnswer)(theirs, bufio.NewReader(theirs)); ended <- struct{}{} }()
			return ours, nil
		}})
		get := func() *http.Response {
			res, err := c.Do(&Call{}, ask(t, "GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			return res
		}
		if _, _, err := whole(get(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if s := c.Stats(); s.Idle != 1 {
			t.Errorf("ended too early: %+v", s)
		}
		time.Sleep(5 * time.Second)
		<-ended
		if s := c.Stats(); s != (Stats{}) {
			t.Errorf("not ended: %+v", s)
		}
		res := get()
		c.CloseIdleConnections()
		if _, body, err := whole(res, nil); err != nil || body != "ok" {
			t.Errorf("an exchange under way was ended: %q %v", body, err)
		}
		<-ended
		if len(ends) != 2 || c.Stats() != (Stats{}) {
			t.Errorf("%d connections, left behind %+v", len(ends), c.Stats())
		}
	})
}
