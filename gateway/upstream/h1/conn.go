package h1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// readBuffer holds what was read ahead: a head, and a small body with it.
const readBuffer = 4 << 10

// A conn is a connection that never lets what is left over from one answer
// become the next one.
//
// An application that counts its own Content-Length wrongly, or gives HEAD a
// body, leaves something behind. A request that takes the connection after it
// would be answered with that, and in it may be what was meant for another
// caller. So a connection is kept only if nothing was read beyond an answer, and
// taken only if nothing has come since: not to its buffer, not to what TLS has
// read ahead, not even a part of a record, and not to the socket (see
// [conn.quiet]). What an upstream sends later than that cannot be told from an
// answer. That is how HTTP/1.1 is made.
//
// It belongs to one call at a time, and its fields to the goroutine of that; only
// its deadlines and its end are for others as well, under the lock of the call.
type conn struct {
	net.Conn          // TLS, or raw
	raw      *counted // below TLS; nil without
	socket   net.Conn
	peek     peeker // at the socket
	in       *bufio.Reader

	used  bool          // it was kept before
	since time.Time     // when it was kept
	idle  time.Duration // bound of each read, 0: as the deadline says
	got   int           // bytes of the answer that came, those of what was before it included
	put   int           // bytes of the request that went out, of TLS where it is TLS
}

// dial makes a connection.
func (c *Client) dial(ctx context.Context) (*conn, error) {
	raw, err := c.set.Dial(ctx)
	if err != nil {
		return nil, err
	}
	cn := &conn{Conn: raw, socket: raw}
	cn.peek.init(raw)
	if c.set.TLS != nil {
		if err := c.handshake(ctx, cn); err != nil {
			_ = raw.Close()
			return nil, err
		}
	}
	cn.in = bufio.NewReaderSize(reader{cn}, readBuffer)
	return cn, nil
}

func (c *Client) handshake(ctx context.Context, cn *conn) error {
	ctx, cancel := context.WithTimeout(ctx, c.set.Handshake)
	defer cancel()
	cn.raw = &counted{Conn: cn.socket}
	t := tls.Client(cn.raw, c.set.TLS)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	if t.ConnectionState().NegotiatedProtocol == "h2" {
		return ErrHTTP2
	}
	cn.Conn = t
	return nil
}

// reader is what the buffer of a connection is filled from.
type reader struct{ c *conn }

// Read bounds each read, where one is to be bounded by itself.
func (r reader) Read(p []byte) (int, error) {
	c := r.c
	if c.idle > 0 {
		_ = c.SetReadDeadline(time.Now().Add(c.idle))
	}
	n, err := c.Conn.Read(p)
	c.got += n
	return n, err
}

// write sends what begins a request, and counts what went out.
func (c *conn) write(b []byte) error {
	c.got, c.put = 0, 0
	if c.raw == nil {
		n, err := c.Write(b)
		c.put = n
		return err
	}
	before := c.raw.out
	n, err := c.Write(b)
	c.put = max(n, int(c.raw.out-before))
	return err
}

// quiet reports whether nothing has come that nobody has asked for, nor the end
// of the connection. It does not wait, and is asked right before a request is
// written.
func (c *conn) quiet() bool {
	come := c.peek.arrived()
	switch {
	case c.in.Buffered() > 0:
		return false
	case c.raw == nil:
		return !come
	case come && c.used:
		return false
	}
	// What TLS has read ahead: records that are whole are found by reading without
	// waiting, one that is not by counting. Before the first request tickets may
	// come, which are read with it.
	c.raw.peek = &c.peek
	var one [1]byte
	n, err := c.Conn.Read(one[:])
	c.raw.peek = nil
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.raw.whole()
}

// spoken reports whether something has come. It does not wait.
func (c *conn) spoken() bool { return c.in.Buffered() > 0 || c.peek.arrived() }

// arrived reports whether something has come that is not buffered, and can be read
// without waiting.
func (c *conn) arrived() bool { return c.raw == nil && c.peek.arrived() }

// cut ends a connection at once, from any goroutine. Whoever reads from it or
// writes to it is let go.
func (c *conn) cut() { _ = c.socket.Close() }

// close ends a connection. Over TLS the other side is told, if that can be done
// without waiting.
func (c *conn) close() {
	if c.raw != nil {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_ = c.Conn.Close()
	}
	_ = c.socket.Close()
}

// counted is a connection below TLS. It counts what goes out, and follows the
// records that come in (RFC 8446, section 5.1): type, version, two bytes of
// length, and as many of content.
type counted struct {
	net.Conn
	peek *peeker // not nil: reads do not wait
	out  int64
	head int // bytes of the header of a record that have come, 0 to 4
	left int // bytes of content that have not come yet
}

// Read is called by one goroutine at a time.
func (c *counted) Read(p []byte) (int, error) {
	if c.peek != nil && !c.peek.arrived() {
		return 0, os.ErrDeadlineExceeded // after which TLS may be read again
	}
	n, err := c.Conn.Read(p)
	c.follow(p[:n])
	return n, err
}

func (c *counted) follow(p []byte) {
	for len(p) > 0 {
		if c.left > 0 && c.head == 0 {
			skip := min(c.left, len(p))
			c.left -= skip
			p = p[skip:]
			continue
		}
		switch c.head {
		case 3:
			c.left = int(p[0]) << 8
		case 4:
			c.left |= int(p[0])
		}
		c.head = (c.head + 1) % 5
		p = p[1:]
	}
}

// whole reports whether the last record has come to its end.
func (c *counted) whole() bool { return c.head == 0 && c.left == 0 }

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out += int64(n)
	return n, err
}
