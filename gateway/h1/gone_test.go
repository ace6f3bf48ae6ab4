package h1

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// A client that goes away while it is answered ends its request, in whatever way
// it goes; one that asks on does not.
func TestClientsThatGoAway(t *testing.T) {
	tcp := func(c net.Conn) *net.TCPConn {
		if s, ok := c.(*tls.Conn); ok {
			c = s.NetConn()
		}
		return c.(*net.TCPConn)
	}
	for name, tt := range map[string]struct {
		leave func(c net.Conn)
		stays bool
	}{
		"closes":           {leave: func(c net.Conn) { _ = c.Close() }},
		"resets":           {leave: func(c net.Conn) { _ = tcp(c).SetLinger(0); _ = tcp(c).Close() }},
		"closes its side":  {leave: func(c net.Conn) { _ = tcp(c).CloseWrite() }},
		"asks on":          {leave: func(c net.Conn) { _, _ = io.WriteString(c, last) }, stays: true},
		"asks on, a bit":   {leave: func(c net.Conn) { _, _ = io.WriteString(c, "GE") }, stays: true},
		"an empty line":    {leave: func(c net.Conn) { _, _ = io.WriteString(c, "\r\n") }, stays: true},
		"says nothing":     {leave: func(net.Conn) {}, stays: true},
		"asks on and goes": {leave: func(c net.Conn) { _, _ = io.WriteString(c, last); _ = tcp(c).CloseWrite() }, stays: true},
	} {
		for _, secure := range []bool{false, true} {
			for _, text := range []string{get("Host: h\r\n"), post("Content-Length: 3\r\n", "abc")} {
				t.Run(fmt.Sprintf("%s, TLS %v, %.4s", name, secure, text), func(t *testing.T) {
					t.Parallel()
					entered, ended := make(chan struct{}), make(chan error, 1)
					s := start(t, true, secure, usual(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/last" {
							return
						}
						_, _ = io.Copy(io.Discard, r.Body)
						close(entered)
						select {
						case <-r.Context().Done():
						case <-time.After(map[bool]time.Duration{true: 400 * time.Millisecond, false: 10 * time.Second}[tt.stays]):
						}
						ended <- r.Context().Err()
					}))
					c := s.dial(t)
					_, _ = io.WriteString(c, text)
					<-entered
					tt.leave(c)
					if err := <-ended; (err == nil) != tt.stays || err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("the context says %v", err)
					}
				})
			}
		}
	}
}

// A body that breaks off ends the request at once.
func TestBodyBreaksOff(t *testing.T) {
	for _, text := range []string{post("Content-Length: 30\r\n", "abc"), post("Transfer-Encoding: chunked\r\n", "5\r\nabc")} {
		ended := make(chan error, 2)
		s := start(t, true, false, usual(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			ended <- err
			ended <- r.Context().Err()
		}))
		c := s.dial(t)
		_, _ = io.WriteString(c, text)
		_ = c.Close()
		if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("reading says %v", err)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the context says %v", err)
		}
	}
}

// The watcher looks less and less often, and ends with the connections.
func TestLookingGetsRare(t *testing.T) {
	begun := time.Now()
	x := &exchange{begun: begun}
	looks := 0
	for at := time.Duration(0); at < time.Minute; at += lookEvery {
		if x.due(begun.Add(at)) {
			looks++
		}
	}
	if looks < 60 || looks > 120 {
		t.Errorf("%d looks in a minute", looks)
	}
}

// The context is what handlers and package context take it for.
func TestContext(t *testing.T) {
	type key struct{}
	seen := make(chan error, 1)
	s := start(t, true, false, usual(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if ctx.Value(http.ServerContextKey).(*http.Server) == nil || ctx.Value(http.LocalAddrContextKey).(net.Addr).String() == "" || ctx.Value(key{}) != nil {
			t.Error("values are missing")
		}
		if _, ok := ctx.Deadline(); ok || ctx.Err() != nil {
			t.Error("it is over")
		}
		child, cancel := context.WithTimeout(context.WithValue(ctx, key{}, 1), time.Hour)
		go func() { // after the handler
			defer cancel()
			<-child.Done()
			seen <- context.Cause(child)
		}()
		context.AfterFunc(ctx, func() { seen <- ctx.Err() })
	}))
	c := s.dial(t)
	_, _ = io.WriteString(c, get("Host: h\r\n"))
	for range 2 {
		if err := <-seen; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	l := &life{}
	l.end()
	l.end()
	select {
	case <-l.Done():
	default:
		t.Error("it is asked for too late")
	}
}
