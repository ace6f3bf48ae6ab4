package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// errSurplus ends a connection on which something came that nobody had asked for.
var errSurplus = errors.New("the upstream sent more than its answer, or ended the connection")

// A conn is a connection to an endpoint that never lets what is left over from
// one answer become the next one.
//
// net/http puts a connection back among the idle ones when an answer is whole,
// and only then looks whether more has come: an application that counts its own
// Content-Length wrongly, or gives HEAD a body, leaves something behind. A
// request that takes the connection in between would be answered with that, and
// in it may be what was meant for another caller. So whoever takes a kept
// connection first waits until its reader has nothing left and waits for more
// (see [conn.ready]); the reader gives the connection up if there is something.
// What comes from then on, before the first byte of the request is written, is
// no answer either, whether the reader has seen it or it has only arrived.
//
// What an upstream sends later than that cannot be told from an answer. That is
// how HTTP/1.1 is made; HTTP/2 numbers its answers and needs none of this.
type conn struct {
	net.Conn

	mu      sync.Mutex
	reading bool          // a read waits for the upstream
	closed  bool          // there will be no more
	quiet   bool          // taken for a request of which nothing is written yet
	surplus bool          // bytes came while it was quiet
	settled chan struct{} // where somebody waits for reading or closed
}

// guarded makes the connections of dial guarded.
func guarded(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c}, nil
	}
}

// Read reads from the upstream. It is called where everything that came before
// has been used up, below TLS as well as without it.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	c.reading = true
	c.settle()
	c.mu.Unlock()

	n, err := c.Conn.Read(p)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if n > 0 && c.quiet {
		c.surplus = true
		return 0, errSurplus
	}
	return n, err
}

// Write writes to the upstream, unless that has spoken out of turn: then
// nothing is written, and net/http may take another connection.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.surplus || c.quiet && arrived(c.Conn) {
		c.surplus = true
		c.mu.Unlock()
		return 0, errSurplus
	}
	c.quiet = false
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// Close ends the connection.
func (c *conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.settle()
	c.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite ends the connection on this side, where it can be ended so.
func (c *conn) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errNoHalf
}

// settle wakes who waits. The lock is held.
func (c *conn) settle() {
	if c.settled != nil {
		close(c.settled)
		c.settled = nil
	}
}

// ready waits until the connection is at rest: its reader waits for the
// upstream, or it is closed. That is nearly always so already, and else a
// matter of the reader's next steps.
func (c *conn) ready(ctx context.Context) {
	c.mu.Lock()
	for !c.reading && !c.closed {
		settled := make(chan struct{})
		c.settled = settled
		c.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
			return // and net/http will not write a request either
		}
		c.mu.Lock()
	}
	c.quiet = true
	c.mu.Unlock()
}

// lane is the HTTP/1.1 connection of one call, where it has one.
type lane struct {
	ctx   context.Context //nolint:containedctx // of the call
	conn  *conn
	used  bool     // there was a connection, so that something may have been sent
	under net.Conn // what conn is under, or itself
	trace httptrace.ClientTrace

	bounded    bool        // there may be no place for a connection
	connecting atomic.Bool // one was begun to be made
}

// watched gives a context in which net/http tells the lane its connection.
func (l *lane) watched(ctx context.Context) context.Context {
	l.ctx = ctx
	l.trace.GotConn = l.got
	l.trace.ConnectStart = func(string, string) { l.connecting.Store(true) }
	l.trace.DNSStart = func(httptrace.DNSStartInfo) { l.connecting.Store(true) }
	return httptrace.WithClientTrace(ctx, &l.trace)
}

func (l *lane) got(info httptrace.GotConnInfo) {
	l.used, l.under = true, info.Conn
	under := info.Conn
	if t, ok := under.(*tls.Conn); ok {
		if t.ConnectionState().NegotiatedProtocol == "h2" {
			return
		}
		under = t.NetConn()
	}
	l.conn, _ = under.(*conn)
	if l.conn != nil && info.Reused {
		l.conn.ready(l.ctx)
	}
}

// close gives up the connection, which net/http may take to be idle already.
func (l *lane) close() {
	if l.conn != nil {
		_ = l.conn.Close()
	}
}
