package h1

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-dev/gatehouse/gateway/wire"
)

// framing reports whether a field says how an answer is framed, which is not for
// handlers to say.
func framing(name string) bool { return name == "Content-Length" || name == "Transfer-Encoding" }

// trailing reports whether a field is to come behind the answer.
func trailing(name string) bool { return strings.HasPrefix(name, http.TrailerPrefix) }

// announce notes the trailers that the handler has announced.
func (x *exchange) announce(values []string) {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			name = http.CanonicalHeaderKey(strings.Trim(name, " \t"))
			if name != "" && httpguts.ValidTrailerHeader(name) {
				x.announced = append(x.announced, name)
			}
		}
	}
}

// trailer gives the fields behind the answer.
func (x *exchange) trailer() http.Header {
	var t http.Header
	set := func(name string, values []string) {
		if t == nil {
			t = http.Header{}
		}
		t[name] = append(t[name], values...)
	}
	for name, values := range x.header {
		if under, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			set(under, values)
		}
	}
	for _, name := range x.announced {
		set(name, x.header[name])
	}
	return t
}

// content sends a piece of the answer, or puts it where it is sent with the next
// one.
func (x *exchange) content(p []byte) error {
	if len(p) == 0 || x.err != nil {
		return x.err
	}
	x.buffer()
	if len(x.out)+len(p)+wire.ChunkRoom+2 <= writeSize {
		if x.chunked {
			x.out = wire.AppendChunk(x.out, p)
		} else {
			x.out = append(x.out, p...)
		}
		return nil
	}
	if !x.chunked {
		return x.send(p, "")
	}
	x.out = append(strconv.AppendInt(x.out, int64(len(p)), 16), '\r', '\n')
	return x.send(p, "\r\n")
}

// send sends what there is, and p, without copying much of it. Tail comes behind
// it some time.
func (x *exchange) send(p []byte, tail string) error {
	c := x.c
	if c.direct {
		c.vec = [3][]byte{x.out, p, c.tail[:len(tail)]}
		copy(c.tail[:], tail)
		c.parts = c.vec[:]
		c.pace()
		_, err := c.parts.WriteTo(c.tcp)
		c.vec = [3][]byte{}
		return x.wroteAll(err)
	}
	// A record of TLS holds 16 KiB. The first is filled up.
	n := min(len(p), max(0, writeSize-len(x.out)))
	x.out = append(x.out, p[:n]...)
	if err := x.wroteAll(c.write(x.out)); err != nil {
		return err
	}
	if n < len(p) {
		if err := x.wroteAll(c.write(p[n:])); err != nil {
			return err
		}
	}
	x.out = append(x.out, tail...)
	return nil
}

// wroteAll notes how a write has ended.
func (x *exchange) wroteAll(err error) error {
	if x.out = nil; x.room != nil {
		x.out = x.room[:0]
	}
	x.sent = true
	if err != nil && x.err == nil {
		x.err = err
		x.life.end()
	}
	return x.err
}

// flush sends what there is, and needs no buffer any more.
func (x *exchange) flush() error {
	if len(x.out) > 0 && x.err == nil {
		_ = x.wroteAll(x.c.write(x.out))
	}
	x.release()
	return x.err
}

// buffer takes one for what is to be sent.
func (x *exchange) buffer() {
	if x.room == nil {
		x.room = x.c.s.write()
		x.out = x.room[:0]
	}
}

// release gives back the buffer.
func (x *exchange) release() {
	if x.room != nil {
		x.c.s.writes.Put(x.room)
		x.room, x.out = nil, nil
	}
}

// write writes to the connection.
func (c *conn) write(p []byte) error {
	c.pace()
	n, err := c.net.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}
