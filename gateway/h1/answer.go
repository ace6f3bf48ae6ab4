package h1

import (
	"net/http"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/gateway/wire"
)

// guess is how much of an answer whose length nobody has said is held back, in
// bytes: if it ends within, its length is known after all.
const guess = 2 << 10

// answer is what there is of an answer, and what must be known of the request to
// frame it.
type answer struct {
	head, new            bool // asked by HEAD; by HTTP/1.1 or later
	keeps, unkept        bool // asked by HTTP/1.0 to keep the connection; not to
	duplex, closes       bool // read while written; the connection ends with the answer
	wrote, framed, done  bool // a status is chosen; the head is whole; the handler is back
	chunked, empty, sent bool // in chunks; without content, whatever is written; something has left

	header     http.Header
	connection string // the field of the answer, as the handler set it
	named      bool   // the handler set it
	status     int
	length     int64 // -1: not known
	written    int64
	announced  []string // trailers

	room *[writeSize]byte // of out
	out  []byte           // to be sent next
	held []byte           // content ahead of which the head is not whole
	err  error            // of writing; it stays
}

// Header gives the fields of the answer. After the status is written it is for
// trailers only.
func (x *exchange) Header() http.Header {
	if x.header == nil {
		x.header = make(http.Header, 8)
	}
	return x.header
}

// Adopt makes h the header of the answer, without copying it. It is the server's
// until the handler is back.
func (x *exchange) Adopt(h http.Header) { x.header = h }

// WriteHeader begins the answer. One of 1xx, but for 101, is sent at once and is
// not the answer yet.
func (x *exchange) WriteHeader(status int) {
	switch {
	case x.lost() != nil:
		x.c.s.logf("http: response.WriteHeader: %v", x.lost())
		return
	case x.wrote:
		x.c.s.logf("http: superfluous response.WriteHeader call")
		return
	case status < 100 || status > 999:
		panic("invalid WriteHeader code " + strconv.Itoa(status))
	}
	if status != http.StatusContinue && status/100 == 1 && status != http.StatusSwitchingProtocols {
		x.interim(status)
		return
	}
	x.uninvite()
	if status == http.StatusContinue {
		x.told.Store(true)
		x.interim(status)
		return
	}
	x.wrote, x.status = true, status
	x.empty = x.head || !contentAllowed(status)
	x.lay()
}

// Write sends content, or holds it back until there is more.
func (x *exchange) Write(p []byte) (int, error) {
	if err := x.lost(); err != nil {
		return 0, err
	}
	if !x.wrote {
		x.WriteHeader(http.StatusOK)
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case !contentAllowed(x.status):
		return 0, http.ErrBodyNotAllowed
	}
	x.written += int64(len(p))
	switch {
	case x.length >= 0 && x.written > x.length:
		return 0, http.ErrContentLength
	case x.head:
		return len(p), nil
	case !x.framed && x.length < 0 && len(x.held)+len(p) <= guess:
		x.held = append(x.held, p...)
		return len(p), x.err
	}
	if err := x.forward(); err != nil {
		return 0, err
	}
	if err := x.content(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString is Write.
func (x *exchange) WriteString(s string) (int, error) { return x.Write([]byte(s)) }

// forward makes the head whole, and lets go of what was held back.
func (x *exchange) forward() error {
	if x.framed {
		return x.err
	}
	x.frame()
	held := x.held
	x.held = nil
	return x.content(held)
}

// Flush sends what there is.
func (x *exchange) Flush() { _ = x.FlushError() }

// FlushError sends what there is.
func (x *exchange) FlushError() error {
	if err := x.lost(); err != nil {
		return err
	}
	if !x.wrote {
		x.WriteHeader(http.StatusOK)
	}
	if err := x.forward(); err != nil {
		return err
	}
	return x.flush()
}

// finish ends the answer when the handler is back, and reports whether another
// request may follow.
func (x *exchange) finish() bool {
	x.done = true
	if !x.wrote {
		x.WriteHeader(http.StatusOK)
	}
	_ = x.forward()
	if x.chunked {
		x.buffer()
		x.out = wire.AppendLastChunk(x.out, x.trailer())
	}
	_ = x.flush()
	x.leave()
	short := !x.head && x.length >= 0 && contentAllowed(x.status) && x.written != x.length
	left := false
	if x.body != nil {
		_ = x.body.Close()
		left = x.body.early
	}
	if f := x.req.MultipartForm; f != nil {
		_ = f.RemoveAll()
	}
	if x.closes || short || left || x.err != nil {
		x.c.end(x.err == nil && !short)
		return false
	}
	return true
}

// abort ends the answer where it is, so that nobody takes it for whole.
func (x *exchange) abort() {
	if x.sent { // else the client has no answer, and may ask again
		_ = x.flush()
	}
	x.release()
	x.leave()
	if x.framed && !x.chunked && x.length < 0 && !x.empty {
		x.c.reset() // its end would be that of the connection
	}
	if x.body != nil {
		x.body.abandon()
	}
}

// trailers reports whether there are fields to come behind the answer.
func (x *exchange) trailers() bool {
	for name := range x.header {
		if trailing(name) {
			return true
		}
	}
	return false
}

// contentAllowed reports whether an answer of a status may have content.
func contentAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
