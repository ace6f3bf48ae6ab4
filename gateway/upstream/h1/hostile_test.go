package h1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What speaks before it is asked has answered nobody: taken for an answer, the
// true one would be what the next request gets.
func TestServerThatSpeaksFirst(t *testing.T) {
	server, ours := certificate(t)
	server.SessionTicketsDisabled = true // what comes is what it says
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			var conns atomic.Int64
			c := client(t, raw(t, func(c net.Conn, _ *bufio.Reader) {
				if secure {
					s := tls.Server(c, server)
					if s.Handshake() != nil {
						return
					}
					c = s
				}
				if conns.Add(1) == 1 {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
				}
				r := bufio.NewReader(c)
				for {
					q, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"+q.URL.Path)
				}
			}), func(s *Settings) {
				if secure {
					s.TLS = ours
				}
			})
			if err := c.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			kept(c, spoken)
			for _, path := range []string{"/1", "/2", "/3"} {
				if _, body, err := whole(c.Do(&Call{Answer: time.Minute}, ask(t, "GET", path, nil))); err != nil || body != path {
					t.Errorf("to %s came %q %v", path, body, err)
				}
			}
		})
	}
}

// So it is where the connection was made for this very request: nothing is sent.
func TestServerThatAlwaysSpeaksFirst(t *testing.T) {
	c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) {
		_, _ = io.WriteString(c, okAnswer)
		_, _ = r.Peek(1)
	}), func(s *Settings) {
		dial := s.Dial
		s.Dial = func(ctx context.Context) (net.Conn, error) {
			c, err := dial(ctx)
			if err == nil {
				for p := (&conn{Conn: c, in: bufio.NewReader(c)}); !p.spoken(); time.Sleep(time.Millisecond) {
					p.peek.init(c)
				}
			}
			return c, err
		}
	})
	for range 3 {
		var dialed *DialError
		k := &Call{Answer: time.Minute}
		if _, err := c.Do(k, ask(t, "POST", "/", strings.NewReader("pay"))); !errors.As(err, &dialed) || k.Sent() {
			t.Errorf("got %v, sent %v", err, k.Sent())
		}
	}
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("left behind: %+v", s)
	}
}

// A connection that TLS sends tickets over, as it does, has not spoken.
func TestTicketsAreNotAnswers(t *testing.T) {
	server, ours := certificate(t)
	ours.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	var conns atomic.Int64
	c := client(t, raw(t, counting(&conns, func(c net.Conn, _ *bufio.Reader) {
		s := tls.Server(c, server)
		always(okAnswer)(s, bufio.NewReader(s))
	})), func(s *Settings) { s.TLS = ours })
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !kept(c, spoken) {
		t.Fatal("no tickets came")
	}
	for range 3 {
		if _, body, err := whole(c.Do(&Call{Answer: time.Minute}, ask(t, "GET", "/", nil))); err != nil || body != "ok" {
			t.Errorf("got %q %v", body, err)
		}
	}
	if conns.Load() != 1 {
		t.Errorf("%d connections", conns.Load())
	}
}

// Nothing becomes of a switch of protocols in HTTP/1.0, which knows none, nor of one
// that nobody has asked for.
func TestSwitchesThatAreNone(t *testing.T) {
	for answer, asked := range map[string]bool{"HTTP/1.0 101 Switching": true, "HTTP/1.1 101 Switching": false} {
		c := client(t, raw(t, answering(answer+"\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")))
		r := ask(t, "GET", "/", nil)
		if asked {
			r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}}
		}
		if _, err := c.Do(&Call{Once: true}, r); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", answer, err)
		}
		if s := c.Stats(); s != (Stats{}) {
			t.Errorf("left behind: %+v", s)
		}
	}
}

// Chunks beside a length are read as chunks, and others may read it otherwise:
// what follows is nobody's.
func TestLengthBesideChunks(t *testing.T) {
	var conns atomic.Int64
	c := client(t, raw(t, counting(&conns, always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))))
	for range 3 {
		if _, body, err := whole(c.Do(&Call{}, ask(t, "GET", "/", nil))); err != nil || body != "ok" {
			t.Fatalf("got %q %v", body, err)
		}
	}
	if conns.Load() != 3 {
		t.Errorf("%d connections", conns.Load())
	}
}

// A body that ends early ends the call: the upstream would be waited for, and
// blamed, for bytes that never come.
func TestBodyShorterThanItSays(t *testing.T) {
	c := client(t, raw(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) }))
	r := ask(t, "POST", "/", io.NopCloser(strings.NewReader(strings.Repeat("x", 50_000))))
	r.ContentLength = 100_000
	if _, err := c.Do(&Call{Answer: time.Minute}, r); !errors.Is(err, ErrRequest) {
		t.Errorf("got %v", err)
	}
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("left behind: %+v", s)
	}
}

type faulty struct{ io.Reader }

func (f *faulty) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil {
		panic("a fault")
	}
	return n, nil
}

// A fault of whoever makes the body is told to the exchange that it is of, and not
// the end of all: the body is read in a goroutine where nobody would catch it.
func TestFaultInTheBody(t *testing.T) {
	c := client(t, raw(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) }))
	r := ask(t, "POST", "/", io.NopCloser(&faulty{strings.NewReader(strings.Repeat("x", 50_000))}))
	r.ContentLength = 100_000
	func() {
		defer func() {
			if v := recover(); v != "a fault" {
				t.Errorf("got %v", v)
			}
		}()
		_, err := c.Do(&Call{Answer: time.Minute}, r)
		t.Errorf("got %v", err)
	}()
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("left behind: %+v", s)
	}
}

// Whoever wants to know what the other side speaks waits for its turn: that all
// connections are in use says nothing of it.
func TestConnectWaitsForItsTurn(t *testing.T) {
	server, ours := certificate(t)
	server.NextProtos = []string{"h2"}
	ours.NextProtos = []string{"h2", "http/1.1"}
	c := client(t, raw(t, func(c net.Conn, _ *bufio.Reader) {
		time.Sleep(20 * time.Millisecond)
		_ = tls.Server(c, server).Handshake()
	}), func(s *Settings) { s.TLS, s.Max = ours, 1 })
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := c.Connect(t.Context()); !errors.Is(err, ErrHTTP2) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("left behind: %+v", s)
	}
}

// Interim answers are no answer: however many come, the time for one goes on.
func TestInterimAnswersBuyNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		c := New(Settings{Host: "a", Dial: func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer close(gone)
				defer theirs.Close()
				if _, err := http.ReadRequest(bufio.NewReader(theirs)); err != nil {
					return
				}
				for {
					if _, err := io.WriteString(theirs, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			return ours, nil
		}})
		begin := time.Now()
		_, err := c.Do(&Call{Answer: 5500 * time.Millisecond, Idle: time.Minute}, ask(t, "GET", "/", nil))
		if took := time.Since(begin); !errors.Is(err, ErrNoAnswer) || took != 5500*time.Millisecond {
			t.Errorf("after %v: %v", took, err)
		}
		<-gone
	})
}
