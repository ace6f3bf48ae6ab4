package h1

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"
)

// The states of a connection.
const (
	fresh  int32 = iota // nothing was asked yet
	active              // a request is read or answered
	idle                // between two requests
	closed              // over, for whoever serves it
)

// conn is a connection and, in serve, the one goroutine that serves it.
type conn struct {
	s       *Server
	came    net.Conn        // as it was accepted
	net     net.Conn        // what is read and written: with TLS, that
	tcp     *net.TCPConn    // what is below all, where it can be told
	raw     syscall.RawConn // of tcp
	direct  bool            // net is tcp, but for what it does at Close
	under   *below          // what TLS reads from, and writes to; nil without it
	since   time.Time
	remote  string
	tls     *tls.ConnectionState
	state   atomic.Int32
	current atomic.Pointer[exchange] // that is answered
	dl      deadlines

	in      *bufio.Reader // nil while nothing was read that is not used up
	ahead   []byte        // was read for in before there was one
	room    *[readSize]byte
	one     [1]byte
	vec     [3][]byte // for writing in one go
	parts   net.Buffers
	tail    [2]byte
	wait    func(fd uintptr) bool
	waitErr error
	posted  bool // the last request was a POST

	declined bool // what came last is no request; more of it may be on its way
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, came: nc, net: nc, since: time.Now()}
	c.wait = c.arrived
	return c
}

// below finds the TCP connection below all.
func (c *conn) below() {
	nc := c.net
	for {
		if t, ok := nc.(*net.TCPConn); ok {
			c.tcp = t
			break
		}
		u, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return
		}
		nc = u.NetConn()
	}
	if raw, err := c.tcp.SyscallConn(); err == nil {
		c.raw = raw
	}
	if d, ok := c.net.(interface{ Direct() bool }); ok {
		c.direct = d.Direct()
	} else {
		_, c.direct = c.net.(*net.TCPConn)
	}
	c.direct = c.direct && c.raw != nil
}

// serve serves the connection to its end.
func (c *conn) serve() {
	handed := false
	defer func() {
		if !handed {
			c.drop()
			c.hangUp()
		}
		c.state.Store(closed)
		c.s.forget(c)
	}()
	c.remote = c.net.RemoteAddr().String() // behind a load balancer, it is waited for
	if c.s.TLSConfig != nil {
		if handed = c.handshake(); handed || c.tls == nil {
			return
		}
	}
	c.below()
	if d := c.s.ReadHeaderTimeout; d > 0 {
		_ = c.setRead(time.Now().Add(d))
	}
	for first := true; ; first = false {
		x, err := c.next(first)
		if c.s.closing.Load() {
			return
		}
		if err != nil {
			c.decline(err)
			return
		}
		again := c.answer(x, c.s.Handler)
		if x.hijacked() {
			handed = true
			return
		}
		if !again || !c.rest() {
			return
		}
	}
}

// handshake does that of TLS, and hands the connection on where it is not for
// HTTP/1.1. c.tls is nil where it failed.
func (c *conn) handshake() (handed bool) {
	under := &below{Conn: c.net, pools: &c.s.pools}
	t := tls.Server(under, c.s.TLSConfig)
	c.net, c.under = t, under
	if d := c.s.handshakeTimeout(); d > 0 {
		_ = t.SetDeadline(time.Now().Add(d))
	}
	if err := t.Handshake(); err != nil {
		var plain tls.RecordHeaderError
		if !errors.As(err, &plain) || plain.Conn == nil || !looksLikeHTTP(plain.RecordHeader) {
			c.s.logf("http: TLS handshake error from %s: %v", c.remote, err)
			return false
		}
		c.s.logf("http: TLS handshake error from %s: client sent an HTTP request to an HTTPS server", c.remote)
		_, _ = io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
		_ = plain.Conn.Close()
		return false
	}
	_ = t.SetDeadline(time.Time{})
	state := t.ConnectionState()
	switch state.NegotiatedProtocol {
	case "", "http/1.1", "http/1.0":
		c.tls = &state
	case "h2":
		under.frames = true
		if h := c.s.HTTP2; h != nil {
			under.bound = h.WriteByteTimeout
		}
		c.s.other.take(t)
		return true
	}
	return false
}

// handshakeTimeout is the shorter of the times for a head and for a write.
func (s *Server) handshakeTimeout() time.Duration {
	if s.ReadHeaderTimeout <= 0 || s.WriteTimeout > 0 && s.WriteTimeout < s.ReadHeaderTimeout {
		return max(s.WriteTimeout, 0)
	}
	return s.ReadHeaderTimeout
}

// looksLikeHTTP reports whether a handshake begins as requests do.
func looksLikeHTTP(b [5]byte) bool {
	switch string(b[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}

// answer lets a handler answer a request, and reports whether another one may
// follow.
func (c *conn) answer(x *exchange, by http.Handler) (again bool) {
	c.current.Store(x)
	defer func() {
		v := recover()
		x.life.end()
		c.current.Store(nil)
		if v == nil {
			return
		}
		if e, ok := v.(error); !ok || !errors.Is(e, http.ErrAbortHandler) {
			c.s.logf("http: panic serving %v: %v\n%s", c.remote, v, debug.Stack())
		}
		again = false
		if !x.hijacked() {
			x.abort()
		}
	}()
	if x.body == nil && c.in.Buffered() == 0 {
		c.drop()
	}
	by.ServeHTTP(x, x.req)
	x.life.end()
	if x.hijacked() {
		return false
	}
	return x.finish()
}

// rest waits for the next request. Nothing but the connection itself is held
// meanwhile.
func (c *conn) rest() bool {
	c.ungiven()
	if !c.state.CompareAndSwap(active, idle) || c.s.closing.Load() {
		return false
	}
	if err := c.await(); err != nil {
		return false
	}
	return c.state.CompareAndSwap(idle, active)
}

// cancel ends the request that is being answered.
func (c *conn) cancel() {
	if x := c.current.Load(); x != nil {
		x.life.end()
	}
}

// hangUp closes the connection. Only who serves it may, or who has found it idle.
func (c *conn) hangUp() { _ = c.net.Close() }

// drop gives back the buffers.
func (c *conn) drop() {
	if c.in != nil {
		c.s.putReader(c.in)
		c.in = nil
	}
	c.used()
}

// used gives back what was read ahead.
func (c *conn) used() {
	c.ahead = nil
	if c.room != nil {
		c.s.reads.Put(c.room)
		c.room = nil
	}
}
