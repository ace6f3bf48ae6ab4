package h1

import "time"

const (
	// lookEvery is how often the sockets of requests that take long are looked
	// at, and how long a request may take before it is one of them.
	lookEvery = 50 * time.Millisecond
	// lookAtMost is how long it takes at most until a socket is looked at again,
	// however long the request takes.
	lookAtMost = time.Second
	// lookPause is how much longer is waited between two looks for each connection
	// there is: to find those that are due all are gone through, which takes about a
	// tenth of a microsecond for each.
	lookPause = 10 * time.Microsecond
)

// watch finds clients that have gone away while they are answered, and ends
// their requests. It looks at the sockets of those that take long, so that short
// ones cost nothing, and less and less often. It ends when there is no connection
// left.
func (s *Server) watch() {
	tick := time.NewTimer(lookEvery)
	defer tick.Stop()
	var due []*conn
	for {
		select {
		case <-s.gone:
			return
		case <-tick.C:
		}
		var all int
		if due, all = s.due(due[:0]); all == 0 {
			return
		}
		tick.Reset(lookEvery + time.Duration(all)*lookPause)
		for _, c := range due {
			c.look()
		}
		clear(due)
	}
}

// due gives the connections to look at, and how many there are at all.
func (s *Server) due(out []*conn) (due []*conn, all int) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 {
		s.watched = false
		return nil, 0
	}
	for c := range s.conns {
		if x := c.current.Load(); x != nil && x.due(now) {
			out = append(out, c)
		}
	}
	return out, len(s.conns)
}

// due reports whether it is time to look whether the client is still there. It
// is for the watcher only.
func (x *exchange) due(now time.Time) bool {
	age := now.Sub(x.begun)
	if age < lookEvery || now.Sub(x.looked) < min(age/8, lookAtMost) {
		return false
	}
	x.looked = now
	return true
}

// look ends the request of a client that has gone away.
func (c *conn) look() {
	x := c.current.Load()
	if x == nil || c.raw == nil {
		return
	}
	gone := false
	_ = c.raw.Control(func(fd uintptr) { gone = hungUp(int(fd), c.tls != nil) })
	if gone {
		x.life.end()
	}
}
