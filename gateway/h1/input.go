package h1

import (
	"errors"
	"os"
	"time"

	"github.com/gatehouse-dev/gatehouse/gateway/wire"
)

// Read reads from the connection: what was read ahead, first. When it fails,
// the client has gone away, and the request is over. Where it was too slow, that
// is for who reads to tell: the answer may be there already.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
			c.used()
			n += c.decrypted(p[n:])
		}
		return n, nil
	}
	n, err := c.net.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.cancel()
	}
	return n, err
}

// decrypted reads what TLS has of a record whose first byte was read, without
// waiting for more: all of a head is usually in it.
func (c *conn) decrypted(p []byte) (n int) {
	if c.under == nil || len(p) == 0 {
		return 0
	}
	c.under.still = true
	n, _ = c.net.Read(p) // an error that is not of waiting stays, for the next read
	c.under.still = false
	return n
}

// await waits until there is something to read, for as long as a connection may
// be idle.
func (c *conn) await() error {
	if c.in != nil {
		if c.in.Buffered() > 0 {
			return nil
		}
		c.s.putReader(c.in)
		c.in = nil
	}
	if len(c.ahead) > 0 {
		return nil
	}
	var until time.Time
	if d := c.s.IdleTimeout; d > 0 {
		until = time.Now().Add(d)
	}
	for {
		early := c.wakeBy(until)
		err := c.more()
		if early && errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(until) {
			continue
		}
		return err
	}
}

// more reads something without a buffer to wait with: from a socket, once there
// is something; from TLS, a byte.
func (c *conn) more() error {
	if !c.direct {
		n, err := c.net.Read(c.one[:])
		c.ahead = c.one[:n]
		if n > 0 {
			return nil
		}
		return err
	}
	if err := c.raw.Read(c.wait); err != nil {
		return err
	}
	return c.waitErr
}

// next reads the head of a request. The first one has the time that was set
// when the connection was opened.
func (c *conn) next(first bool) (*exchange, error) {
	if c.in == nil {
		c.in = c.s.reader(c)
	}
	hurried := first // a deadline is set
	if c.posted {
		c.posted = false
		hurried = c.skipLineEnds() || hurried
	}
	limit := c.s.headBytes()
	var err error
	for looked, lined := 0, false; ; {
		b, _ := c.in.Peek(c.in.Buffered())
		if n := wire.Head(b, looked); n > 0 {
			if n > limit {
				return nil, tooLarge
			}
			x, err := c.request(b[:n])
			_, _ = c.in.Discard(n)
			return x, err
		}
		looked = len(b)
		if looked > 0 && !hurried { // all of a head is usually there at once
			hurried = true
			c.hurry()
		}
		if looked == readSize || looked > limit {
			return c.long(limit)
		}
		if !lined {
			if lined, err = c.partial(b); err != nil {
				return nil, err
			}
		}
		if _, err := c.in.Peek(looked + 1); err != nil {
			return nil, err
		}
		c.begun()
	}
}

// skipLineEnds takes away what there were clients that sent behind a body (RFC
// 9112, section 2.2). To know it, it may have to wait for more of a head, and
// whoever keeps it waiting has the time of a head: it reports whether that has
// begun.
func (c *conn) skipLineEnds() (hurried bool) {
	if b, _ := c.in.Peek(1); len(b) > 0 && c.in.Buffered() < 4 {
		hurried = true
		c.hurry()
	}
	b, _ := c.in.Peek(4)
	n := lineEnds(b)
	if n > 0 && !hurried {
		hurried = true
		c.hurry()
	}
	_, _ = c.in.Discard(n)
	return hurried
}

// begun notes that something of a request is there.
func (c *conn) begun() { c.state.CompareAndSwap(fresh, active) }

// hurry bounds the time in which the rest of a head must come.
func (c *conn) hurry() {
	var t time.Time
	if d := c.s.ReadHeaderTimeout; d > 0 {
		t = time.Now().Add(d)
	}
	_ = c.setRead(t)
}

// long reads a head that is longer than the buffer.
func (c *conn) long(limit int) (*exchange, error) {
	var head []byte
	for {
		b, _ := c.in.Peek(c.in.Buffered())
		looked := len(head)
		head = append(head, b...)
		if n := wire.Head(head, looked); n > 0 && n <= limit {
			_, _ = c.in.Discard(n - looked)
			return c.request(head[:n])
		}
		if len(head) > limit {
			return nil, tooLarge
		}
		if looked == 0 {
			if _, err := c.partial(head); err != nil {
				return nil, err
			}
		}
		_, _ = c.in.Discard(len(b))
		if _, err := c.in.Peek(1); err != nil {
			return nil, err
		}
	}
}

// headBytes is how long a head may be. The room beyond what is configured is
// that of net/http.
func (s *Server) headBytes() int {
	if s.MaxHeaderBytes > 0 {
		return s.MaxHeaderBytes + 4<<10
	}
	return 1<<20 + 4<<10
}

// lineEnds counts the CR and LF that b begins with.
func lineEnds(b []byte) (n int) {
	for n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	return n
}
