package h1

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// refusal is the answer to what is no request, or none that can be served.
type refusal struct {
	status int
	detail string // nothing of what was sent
}

// tooLarge is a head that goes on and on.
var tooLarge = &refusal{http.StatusRequestHeaderFieldsTooLarge, ""}

func badRequest(detail string) error { return &refusal{http.StatusBadRequest, detail} }

func (r *refusal) Error() string { return http.StatusText(r.status) + ": " + r.detail }

// text is what the client is told.
func (r *refusal) text() string {
	if r.detail == "" {
		return fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))
	}
	return fmt.Sprintf("%d %s: %s", r.status, http.StatusText(r.status), r.detail)
}

// decline ends the connection: with an answer, where what was sent is no good,
// and without one where nothing more comes.
func (c *conn) decline(err error) {
	var r *refusal
	if !errors.As(err, &r) {
		return
	}
	if c.s.Refuse != nil {
		c.refuse(c.s.Refuse(r.status, r.detail))
		return
	}
	text := r.text()
	b := appendStatus(nil, true, r.status)
	b = append(b, "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\nDate: "...)
	b = append(b, c.s.now()...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(text)), 10)
	b = append(b, "\r\n\r\n"...)
	b = append(b, text...)
	if c.write(b) == nil {
		c.linger()
	}
}

// refuse lets a handler say it. Nothing of what was sent is in the request.
func (c *conn) refuse(by http.Handler) {
	x, err := c.begin(&http.Request{
		URL: &url.URL{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, RemoteAddr: c.remote, TLS: c.tls, Close: true,
	}, false)
	if err != nil { // it expects nothing
		return
	}
	x.closes, c.declined = true, true
	c.answer(x, by)
}

const (
	// lingerFor is how long a connection that ends is kept for the client to
	// read its answer: what it is still sending would make its system drop it.
	lingerFor = 500 * time.Millisecond
	// lingerOver is how much of what it sends meanwhile is read, in bytes.
	lingerOver = 256 << 10
)

// end ends the connection after an answer. Where more has come, or is on its
// way, the client is given time to read the answer.
func (c *conn) end(whole bool) {
	if !whole {
		return
	}
	left := c.declined || c.in != nil && c.in.Buffered() > 0 || len(c.ahead) > 0
	if x := c.current.Load(); x != nil && x.body != nil && x.body.early {
		left = true
	}
	if left || c.pending() {
		c.linger()
	}
}

// pending reports whether something has come that nobody has read.
func (c *conn) pending() bool {
	there := false
	if c.raw != nil {
		_ = c.raw.Control(func(fd uintptr) { there = unreadIn(int(fd)) })
	}
	return there
}

// linger says that nothing more is sent, and reads on for a while.
func (c *conn) linger() {
	for _, nc := range []net.Conn{c.net, c.came} { // over TLS, the end of both
		if w, ok := nc.(interface{ CloseWrite() error }); ok {
			_ = w.CloseWrite()
		}
	}
	until := time.Now().Add(cmp.Or(c.s.lingers, lingerFor))
	_ = c.came.SetReadDeadline(until)
	room := c.s.read()
	defer c.s.reads.Put(room)
	for n, all := 0, 0; all < lingerOver; all += n {
		var err error
		if n, err = c.came.Read(room[:]); err != nil {
			return
		}
	}
	time.Sleep(time.Until(until)) // it is too much, but the answer is on its way
}

// reset lets the connection end in a way that cannot be taken for the end of an
// answer.
func (c *conn) reset() {
	if l, ok := c.came.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
}
