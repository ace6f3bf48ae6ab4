package gateway

import (
	"context"
	"sync"
	"time"
)

// patience is for how long, at most, an exchange over HTTP/2 may go on whose client
// has left, before it is noticed. Later on it is noticed at once.
const patience = 50 * time.Millisecond

// presence is the context of an exchange over HTTP/2: that of its stream, which ends
// when the client leaves. Who asks it to be called then is only written down at first.
// Most exchanges are over soon, and to have package context watch makes a map, a
// channel and two objects for each. Those that last are watched.
//
// It is what the server of HTTP/1.1 has: see life of gateway/h1.
type presence struct {
	context.Context // of the stream

	mu      sync.Mutex
	then    func()      // is to be called when it ends
	asked   int         // how often somebody has asked for that
	watched bool        // package context calls it
	stop    func() bool // tells package context not to
}

// AfterFunc is [context.AfterFunc].
func (c *presence) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watched || c.then != nil || c.Err() != nil {
		return context.AfterFunc(c.Context, f)
	}
	c.then = f
	c.asked++
	nth := c.asked
	return func() bool { return c.forget(nth) }
}

// forget takes back what was to be called for the nth who asked, and reports
// whether it will not be.
func (c *presence) forget(nth int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked != nth || c.then == nil {
		return false
	}
	c.then = nil
	return c.stop == nil || c.stop()
}

// watch has package context watch from here on. Where the client has left before,
// it calls at once.
func (c *presence) watch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watched {
		return
	}
	c.watched = true
	if c.then != nil {
		c.stop = context.AfterFunc(c.Context, c.then)
	}
}
