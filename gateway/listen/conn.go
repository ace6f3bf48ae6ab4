package listen

import (
	"net"
	"net/netip"
	"sync"
)

// conn is a connection that counts until it is closed, however that comes
// about: by the server, after a failed handshake, or by whoever took it over.
type conn struct {
	net.Conn
	l *Listener

	// Guarded by the counter's mutex.
	joined bool       // counts for key
	key    netip.Addr // see keyOf
	gone   bool       // counts no more
}

// Close closes the connection, and gives back its place the first time.
func (c *conn) Close() error {
	err := c.Conn.Close()
	if c.l.count.leave(c) {
		c.l.watch.Closed()
	}
	return err
}

// CloseWrite says that nothing more will be sent. The HTTP server ends a
// connection so after a refusal, for the client to read it before the reset that
// its own unread bytes cause.
func (c *conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// SetLinger says what becomes of unsent bytes at Close, as that of
// [net.TCPConn] does.
func (c *conn) SetLinger(seconds int) error {
	if t, ok := c.Conn.(interface{ SetLinger(sec int) error }); ok {
		return t.SetLinger(seconds)
	}
	return nil
}

// NetConn gives the connection below, for who wants to look at its socket.
func (c *conn) NetConn() net.Conn { return c.Conn }

// Direct reports whether reading from the connection below is the same as
// reading from this one.
func (c *conn) Direct() bool { return true }

// counter counts open connections: all, and those of each address. It knows of
// no address that has none open.
type counter struct {
	mu    sync.Mutex
	total int
	by    map[netip.Addr]int
}

// enter counts a connection as one of all, unless there are max of them. The
// bound may have been higher before.
func (n *counter) enter(limit int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if limit > 0 && n.total >= limit {
		return false
	}
	n.total++
	return true
}

// join counts a connection that has entered for its client as well, unless the
// client has as many as it may. One that was closed meanwhile does not count.
func (n *counter) join(c *conn, client netip.Addr, limit int) bool {
	key := keyOf(client)
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.gone {
		return true
	}
	if limit > 0 && n.by[key] >= limit {
		return false
	}
	n.by[key]++
	c.joined, c.key = true, key
	return true
}

// leave takes a connection out, and reports whether it was in.
func (n *counter) leave(c *conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.gone {
		return false
	}
	c.gone = true
	n.total--
	if c.joined {
		if n.by[c.key]--; n.by[c.key] == 0 {
			delete(n.by, c.key)
		}
	}
	return true
}

// keyOf gives what stands for a client: its IPv4 address, or the first of its
// IPv6 /64, because a single subscriber has all of it. Addresses that are not
// known are one.
func keyOf(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}
