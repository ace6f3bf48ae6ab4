package h1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// ended reads to the end of a connection and tells whether the server ended it.
func ended(c net.Conn) bool {
	_, err := io.Copy(io.Discard, c)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// trickle writes a byte now and then until the connection takes none.
func trickle(c net.Conn) {
	for {
		if _, err := io.WriteString(c, "x"); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestStallingClients(t *testing.T) {
	hasty := limits{header: 200 * time.Millisecond, idle: 200 * time.Millisecond, write: 400 * time.Millisecond}
	failed := make(chan struct{}, 1) // a write
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			_, err := io.Copy(io.Discard, r.Body)
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("reading says %v", err)
			}
			return
		}
		if r.URL.Path == "/a" {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
		}
		if r.URL.Path == "/large" {
			if _, err := w.Write(make([]byte, 50<<20)); err != nil {
				failed <- struct{}{}
			}
		}
	})
	// unread asks for much and takes nothing until that was given up.
	unread := func(c net.Conn) {
		_, _ = io.WriteString(c, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
		select {
		case <-failed:
		case <-time.After(5 * time.Second): // it came too late, or the write goes on
		}
	}
	for _, secure := range []bool{false, true} {
		s := start(t, true, secure, hasty, handler)
		for name, tt := range map[string]struct {
			first string // is asked, and answered
			stall func(c net.Conn)
		}{
			"nothing": {"", func(net.Conn) {}},
			"a head":  {"", func(c net.Conn) { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\nX: "); go trickle(c) }},
			"a long head": {"", func(c net.Conn) {
				_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 9000))
				go trickle(c)
			}},
			"idle":            {get("Host: h\r\n"), func(net.Conn) {}},
			"the second head": {get("Host: h\r\n"), func(c net.Conn) { _, _ = io.WriteString(c, "G"); go trickle(c) }},
			"a piece of it":   {"", func(c net.Conn) { _, _ = io.WriteString(c, get("Host: h\r\n")+"GET"); go trickle(c) }},
			"a body":          {"", func(c net.Conn) { _, _ = io.WriteString(c, post("Content-Length: 99999\r\n", "")); go trickle(c) }},
			"a body in chunks": {"", func(c net.Conn) {
				_, _ = io.WriteString(c, post("Transfer-Encoding: chunked\r\n", "fffff\r\n"))
				go trickle(c)
			}},
			"no reading after a handler that waits": {get("Host: h\r\n"), unread},
			"no reading at all":                     {"", unread},
		} {
			c, _ := s.patiently(t, tt.first)
			tt.stall(c)
			n, err := io.Copy(io.Discard, c)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s (TLS %v): the connection stays open", name, secure)
			}
			if n >= 50<<20 {
				t.Errorf("%s (TLS %v): all was sent", name, secure)
			}
			_ = c.Close()
		}
	}
	// A handshake.
	s := start(t, true, true, hasty, handler)
	s.tls = nil
	if c := s.dial(t); !ended(c) {
		t.Error("a handshake: the connection stays open")
	}
}

// A connection lives on for as long as it is used, though its deadlines are not
// moved with every request; what a handler sets does not outlast its request.
func TestConnectionsInUse(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			t.Parallel()
			b := limits{header: 10 * time.Second, idle: 3 * time.Second, write: 3 * time.Second}
			s := start(t, true, secure, b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "2")
				_, _ = io.WriteString(w, "ok")
				control := http.NewResponseController(w)
				_ = control.Flush() // there is nothing left to write
				_ = control.SetReadDeadline(time.Now().Add(time.Millisecond))
				_ = control.SetWriteDeadline(time.Now().Add(time.Millisecond))
			}))
			c := s.dial(t)
			r := bufio.NewReader(c)
			for i := range 6 {
				_, _ = io.WriteString(c, get("Host: h\r\n"))
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				if b, err := io.ReadAll(res.Body); string(b) != "ok" || err != nil {
					t.Fatalf("request %d: %q %v", i, b, err)
				}
				time.Sleep(time.Second) // less than idle, more than the handler's
			}
		})
	}
}

// Deadlines that are set after the exchange are not those of the next one.
func TestLateDeadlines(t *testing.T) {
	var before http.ResponseWriter
	s := start(t, true, false, usual(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if before != nil {
			control := http.NewResponseController(before)
			if control.SetWriteDeadline(time.Unix(1, 0)) == nil || control.SetReadDeadline(time.Unix(1, 0)) == nil {
				t.Error("they were set")
			}
			if _, _, err := control.Hijack(); err == nil {
				t.Error("it was taken over")
			}
		}
		before = w
		_, _ = io.WriteString(w, "hello")
	}))
	c := s.dial(t)
	r := bufio.NewReader(c)
	for range 2 {
		_, _ = io.WriteString(c, get("Host: h\r\n"))
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); string(b) != "hello" || err != nil {
			t.Errorf("%q %v", b, err)
		}
	}
}

// A write that is under way ends when its deadline is moved to the past.
func TestCutting(t *testing.T) {
	writing := make(chan *http.ResponseController)
	over := make(chan error, 1)
	s := start(t, true, false, usual(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writing <- http.NewResponseController(w)
		_, err := w.Write(make([]byte, 50<<20))
		over <- err
	}))
	c := s.dial(t)
	_, _ = io.WriteString(c, get("Host: h\r\n"))
	control := <-writing
	time.Sleep(50 * time.Millisecond)
	_ = control.SetWriteDeadline(time.Unix(1, 0))
	if err := <-over; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("writing says %v", err)
	}
}

// The time of a head counts from its first byte, whatever came before and however
// the bytes of it are split: who has asked once may not keep the connection for
// the idle time with every piece.
func TestSecondHeadsInPieces(t *testing.T) {
	b := limits{header: 300 * time.Millisecond, idle: time.Minute, write: time.Minute}
	for _, secure := range []bool{false, true} {
		s := start(t, true, secure, b, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
		for name, c := range map[string]struct{ first, then string }{
			"as much as the buffer holds": {post("Content-Length: 1\r\n", "x"), "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", readSize-19)},
			"more than that":              {post("Content-Length: 1\r\n", "x"), "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 3*readSize)},
			"a piece behind a body":       {post("Content-Length: 1\r\n", "x"), "GE"},
			"line ends behind a body":     {post("Content-Length: 1\r\n", "x"), "\r\n"},
			"more line ends":              {post("Content-Length: 1\r\n", "x"), "\r\n\r\n"},
			"one byte":                    {get("Host: h\r\n"), "G"},
			"a piece":                     {get("Host: h\r\n"), "GET / HTTP/1.1\r\n"},
		} {
			nc, r := s.patiently(t, c.first)
			_, _ = io.WriteString(nc, c.then)
			if _, err := io.Copy(io.Discard, r); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s (TLS %v): half a head keeps the connection for the idle time", name, secure)
			}
			_ = nc.Close()
		}
	}
}
