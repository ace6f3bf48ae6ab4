package upstream

import (
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// endpoint is what the configuration says of one. Its name may stand for several
// targets.
type endpoint struct {
	name   string // as configured, for the record
	url    *url.URL
	region string // "" where it has none
	weight int

	ejections atomic.Uint64 // of its targets so far
}

// target is one address that serves: what is picked, asked how it is, and sent
// to.
type target struct {
	*endpoint
	address string // host:port to connect to; of a name that nobody has looked up yet, the name
	seed    uint64 // of its place in rendezvous hashing, the same on every replica
	sender  sender

	inFlight atomic.Int64
	failures atomic.Int64 // in a row, as ejection counts them
	gone     atomic.Bool  // it gets no more requests

	links links

	// What follows is held by the mutex of the upstream.
	well    bool
	row     int       // answers to checks in a row that say otherwise
	ejected time.Time // until when; zero where it is not
	back    time.Time // when the last ejection ended
	times   int       // ejections in a row
	since   time.Time // when its slow start began; zero where it has its whole share
	stop    func()    // ends its checks
}

// sender makes the connections of a target and sends requests over them. A
// context that ends, ends the call.
type sender interface {
	http.RoundTripper
	CloseIdleConnections()
}

// begin counts an exchange in. Whoever begins one ends it, once.
func (t *target) begin() { t.inFlight.Add(1) }

// end counts an exchange out. The last one of a target that is gone closes its
// connection, which may have become idle since the others were closed.
func (t *target) end() {
	if t.inFlight.Add(-1) == 0 && t.gone.Load() {
		t.sender.CloseIdleConnections()
	}
}

// retire takes a target out of use. It is in no view any more.
func (t *target) retire() {
	t.gone.Store(true)
	t.stop()
	t.sender.CloseIdleConnections()
}

// flight is a body that is its exchange's last sign of life: the exchange is
// under way at its target until it is closed.
type flight struct {
	target *target
	over   atomic.Bool
}

// land ends the flight, once. A body that has none lands as well.
func (f *flight) land() {
	if f.target != nil && !f.over.Swap(true) {
		f.target.end()
	}
}

// links are the open connections of a target.
type links struct {
	mu  sync.Mutex
	cut bool // there are to be none any more
	all map[io.Closer]struct{}
}

// add takes a connection in, or closes it where there are to be none.
func (l *links) add(c io.Closer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		_ = c.Close()
		return false
	}
	if l.all == nil {
		l.all = map[io.Closer]struct{}{}
	}
	l.all[c] = struct{}{}
	return true
}

func (l *links) remove(c io.Closer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, c)
}

// reopen lets there be connections again.
func (l *links) reopen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

// close ends every connection, and with it what is under way on it.
func (l *links) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for c := range l.all {
		_ = c.Close()
	}
	l.all = nil
}
