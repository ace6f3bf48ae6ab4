package h1

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// exchange is one request and its answer. It is never used for another one: a
// handler may leave parts of it with others. It is the [http.ResponseWriter].
type exchange struct {
	c     *conn
	req   *http.Request
	life  life
	body  *body // nil: there is none
	begun time.Time

	looked time.Time // of the watcher

	expects bool        // the client asked whether to go on
	asked   atomic.Bool // and was not told yet
	told    atomic.Bool // it was told to
	telling sync.Mutex  // held while it is told

	mu    sync.Mutex
	taken bool // hijacked
	over  bool // the connection is no more its own

	answer
}

// begin makes an exchange of a request, or of the first line of HTTP/2.
func (c *conn) begin(r *http.Request, two bool) (*exchange, error) {
	x := &exchange{c: c, begun: time.Now()}
	x.life.local, x.life.server = c.net.LocalAddr(), c.s.shown
	x.length = -1
	r.Body = http.NoBody
	if r.ContentLength != 0 && !two {
		x.body = &body{x: x, left: r.ContentLength, chunked: r.ContentLength < 0}
		if x.body.chunked {
			x.body.chunks.Reset(c.in)
		}
		r.Body = x.body
		_ = c.setRead(time.Time{}) // what was set for the head
	}
	// What the handler may change is noted now.
	x.head, x.new = r.Method == http.MethodHead, r.ProtoMajor > 1 || r.ProtoMinor >= 1
	connection := first(r.Header, "Connection")
	x.keeps = r.ProtoMajor == 1 && r.ProtoMinor == 0 && has(connection, "keep-alive")
	x.closes = two
	x.unkept = r.Close || has(connection, "close")
	c.posted = r.Method == http.MethodPost
	x.req = r.WithContext(&x.life)
	waits, other := expected(r.Header["Expect"])
	if other {
		return nil, &refusal{http.StatusExpectationFailed, ""}
	}
	if waits {
		x.expects = x.new && r.ContentLength != 0 && r.Body != http.NoBody
		x.asked.Store(x.expects)
	}
	return x, nil
}

// invite tells a client that waits for it to go on.
func (x *exchange) invite() {
	if !x.asked.Load() {
		return
	}
	x.telling.Lock()
	defer x.telling.Unlock()
	if x.asked.Load() {
		_ = x.c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
		x.asked.Store(false)
		x.told.Store(true)
	}
}

// waits reports whether the client was not told to go on with the body that it
// asked about. It may never send one, whatever it was told instead.
func (x *exchange) waits() bool { return x.expects && !x.told.Load() }

// uninvite sees to it that the client is not told to go on any more: its answer
// is about to begin.
func (x *exchange) uninvite() {
	if !x.asked.Load() {
		return
	}
	x.telling.Lock()
	defer x.telling.Unlock()
	x.asked.Store(false)
}

// SetReadDeadline sets by when the body must be read; zero: no matter when.
func (x *exchange) SetReadDeadline(t time.Time) error {
	return x.own(func() error { return x.c.setRead(t) })
}

// SetWriteDeadline sets by when what is written must be taken; zero: no matter
// when. It may be called from any goroutine, and does nothing to a connection
// that is another exchange's by now.
func (x *exchange) SetWriteDeadline(t time.Time) error {
	return x.own(func() error { return x.c.setWrite(t) })
}

// EnableFullDuplex lets the handler read the body while it writes the answer.
func (x *exchange) EnableFullDuplex() error {
	x.duplex = true
	return nil
}

// own does something to the connection, if it is still that of the exchange.
func (x *exchange) own(do func() error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over || x.taken {
		return errOver
	}
	return do()
}

// errOver is for who comes too late.
var errOver = errors.New("the connection is no longer that of this exchange")

// leave gives up the connection, for the next exchange.
func (x *exchange) leave() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
}

func (x *exchange) hijacked() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.taken
}

// lost says why nothing more can be written: the connection is the handler's, or
// is already that of the next exchange, whose answer must stay its own.
func (x *exchange) lost() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.taken:
		return http.ErrHijacked
	case x.over:
		return errOver
	}
	return nil
}

// Hijack gives the connection to the handler, with what was read ahead. The
// server knows no more of it.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x.uninvite()
	if x.wrote {
		if err := x.FlushError(); err != nil {
			return nil, nil, err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.taken || x.over {
		return nil, nil, http.ErrHijacked
	}
	c := x.c
	if x.body != nil {
		x.body.abandon() // what of it is not read is the handler's to read
	}
	if c.in == nil {
		c.in = c.s.reader(c)
	}
	if err := c.net.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	x.taken = true
	c.s.forget(c)
	c.current.Store(nil)
	r := c.in
	c.in = nil
	return c.net, bufio.NewReadWriter(r, bufio.NewWriter(c.net)), nil
}
