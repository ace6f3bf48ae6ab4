package h1

import (
	"sync"
	"time"
)

// deadlines are those that the connection has. Setting one costs more than
// knowing that it need not be set.
type deadlines struct {
	mu          sync.Mutex
	read, write time.Time
	given       bool // the write deadline is that of the handler
}

// setRead sets the read deadline; zero: none.
func (c *conn) setRead(t time.Time) error {
	c.dl.mu.Lock()
	defer c.dl.mu.Unlock()
	if c.dl.read.Equal(t) {
		return nil
	}
	c.dl.read = t
	return c.net.SetReadDeadline(t)
}

// wakeBy sees to it that a read ends at t, or at some time before, which it says:
// whoever it wakes too early asks again. So a connection in use moves its
// deadline once in a while only.
func (c *conn) wakeBy(t time.Time) (early bool) {
	c.dl.mu.Lock()
	was := c.dl.read
	c.dl.mu.Unlock()
	if t.IsZero() || was.IsZero() || was.After(t) || !was.After(time.Now()) {
		_ = c.setRead(t)
		return false
	}
	return was.Before(t)
}

// bound sees to it that reads do not wait for ever: where no deadline is set, it
// is that of a head.
func (c *conn) bound() {
	c.dl.mu.Lock()
	unbound := c.dl.read.IsZero()
	c.dl.mu.Unlock()
	if unbound {
		c.hurry()
	}
}

// setWrite sets the write deadline for the handler.
func (c *conn) setWrite(t time.Time) error {
	c.dl.mu.Lock()
	defer c.dl.mu.Unlock()
	c.dl.given = true
	if c.dl.write.Equal(t) {
		return nil
	}
	c.dl.write = t
	return c.net.SetWriteDeadline(t)
}

// pace sees to it that a write which begins now ends within the server's time,
// unless the handler has set its own.
func (c *conn) pace() {
	c.dl.mu.Lock()
	defer c.dl.mu.Unlock()
	if c.dl.given {
		return
	}
	var t time.Time
	if d := c.s.WriteTimeout; d > 0 {
		now := time.Now()
		if left := c.dl.write.Sub(now); d/2 <= left && left <= d {
			return
		}
		t = now.Add(d)
	}
	if c.dl.write.Equal(t) {
		return
	}
	c.dl.write = t
	_ = c.net.SetWriteDeadline(t)
}

// WritePace is how long each write may wait for the client as long as the handler
// sets no write deadline: this at most, and half of it at least. 0: for ever.
func (x *exchange) WritePace() time.Duration { return x.c.s.WriteTimeout }

// ungiven forgets what the handler of the last request has set.
func (c *conn) ungiven() {
	c.dl.mu.Lock()
	defer c.dl.mu.Unlock()
	c.dl.given = false
}
