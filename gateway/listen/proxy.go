package listen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/gatehouse-dev/gatehouse/gateway/edge"
)

const (
	// defaultTimeout is for headers where the settings give none.
	defaultTimeout = 10 * time.Second
	// bufferSize holds a header with what balancers commonly add to it. Longer
	// ones are read in pieces; beyond 4 KiB they are refused.
	bufferSize = 256
)

// proxied is a connection of a load balancer. It begins with a PROXY protocol
// v2 header (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt), which
// is read by whoever first asks for the address, reads or writes. If there is
// none, or the client has too many connections, the connection is closed, and
// is at its end for the server.
//
// The library's own connection would take version 1 as well, names Unix sockets
// and datagrams as clients, and gives the server what it could not read.
type proxied struct {
	conn
	peer     netip.Addr // the balancer
	settings Settings

	once   sync.Once
	err    error    // why there is nothing to read
	client net.Addr // nil where it is the balancer itself

	r *bufio.Reader // nil when what it held was read

	mu     sync.Mutex
	wanted time.Time // the server's own read deadline
	until  time.Time // the header's, while it is read
}

func newProxied(c conn, peer netip.Addr, s Settings) *proxied {
	if s.HeaderTimeout <= 0 {
		s.HeaderTimeout = defaultTimeout
	}
	return &proxied{conn: c, peer: peer, settings: s, r: bufio.NewReaderSize(c.Conn, bufferSize)}
}

// ready reads the header, once.
func (c *proxied) ready() error {
	c.once.Do(c.begin)
	return c.err
}

func (c *proxied) begin() {
	c.bound(time.Now().Add(c.settings.HeaderTimeout))
	from, err := c.header()
	c.bound(time.Time{})
	client := c.peer
	if from != nil {
		client = edge.AddressOf(from)
	}
	switch {
	case errors.Is(err, errNothing):
		// Balancers look whether anybody listens by opening a connection.
		_ = c.Close()
	case err != nil:
		c.l.refuse(c, BadHeader, c.peer, err)
	case !c.l.count.join(&c.conn, client, c.settings.PerAddress):
		c.l.refuse(c, TooManyOfOne, client, nil)
	default:
		c.client = from
		return
	}
	c.err = io.EOF
}

// errNothing says that a connection ended before its first byte.
var errNothing = errors.New("nothing was sent")

// header gives the client's address; nil where the balancer speaks for itself
// (LOCAL), as it does to look whether the gateway is well. What else the header
// may tell is not read.
func (c *proxied) header() (net.Addr, error) {
	if _, err := c.r.Peek(1); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, errors.New("there is none in time")
		}
		return nil, errNothing
	}
	h, err := proxyproto.Read(c.r)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errors.New("it is not whole in time")
	case err != nil:
		return nil, err
	case h.Version != 2:
		return nil, fmt.Errorf("version %d of the protocol; only version 2 is read", h.Version)
	case h.Command.IsLocal():
		return nil, nil
	}
	from, ok := h.SourceAddr.(*net.TCPAddr)
	if !ok {
		return nil, errors.New("it does not name a TCP client")
	}
	return from, nil
}

// RemoteAddr gives the client's address, and waits for it. The HTTP server asks
// in the goroutine of the connection; who accepts connections must not ask.
func (c *proxied) RemoteAddr() net.Addr {
	if c.ready() != nil || c.client == nil {
		return c.Conn.RemoteAddr()
	}
	return c.client
}

// Read reads what the client sent.
func (c *proxied) Read(p []byte) (int, error) {
	if err := c.ready(); err != nil {
		return 0, err
	}
	if c.r != nil && c.r.Buffered() > 0 {
		return c.r.Read(p)
	}
	c.r = nil
	return c.Conn.Read(p)
}

// Write sends to the client. Nothing is sent before its address is known.
func (c *proxied) Write(p []byte) (int, error) {
	if c.ready() != nil {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// Direct is false: more than the header may have been read from below.
func (c *proxied) Direct() bool { return false }

// SetDeadline bounds reading and writing.
func (c *proxied) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline bounds reading. It cannot give the header more time.
func (c *proxied) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = t
	return c.Conn.SetReadDeadline(earlier(c.wanted, c.until))
}

// bound sets the time by which the header must be there; zero when it is.
func (c *proxied) bound(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = t
	_ = c.Conn.SetReadDeadline(earlier(c.wanted, c.until))
}

// earlier gives the earlier of two deadlines, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
