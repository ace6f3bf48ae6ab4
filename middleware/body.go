package middleware

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
)

// Budget is memory that bodies held whole share. It never goes below zero: a
// taker that finds too little is refused.
type Budget struct{ left atomic.Int64 }

// NewBudget makes a budget of n bytes.
func NewBudget(n int64) *Budget {
	b := &Budget{}
	b.left.Store(n)
	return b
}

// Take reserves n bytes and reports whether there were as many. Who asks for more
// than there is keeps nobody else from the rest. A nil budget is without bound.
func (b *Budget) Take(n int64) bool {
	if b == nil {
		return true
	}
	for {
		left := b.left.Load()
		if left < n {
			return false
		}
		if b.left.CompareAndSwap(left, left-n) {
			return true
		}
	}
}

// Left tells how many bytes there are; of a nil budget [math.MaxInt64].
func (b *Budget) Left() int64 {
	if b == nil {
		return math.MaxInt64
	}
	return b.left.Load()
}

// Give returns n bytes.
func (b *Budget) Give(n int64) {
	if b != nil {
		b.left.Add(n)
	}
}

type body struct {
	data  []byte
	taken int64
	err   error // why it could not be read
}

// HasBody reports whether the request carries a body.
func (x *Exchange) HasBody() bool {
	return x.body != nil && (len(x.body.data) > 0 || x.body.err != nil) ||
		x.body == nil && x.Request.Body != nil && x.Request.Body != http.NoBody
}

// Body reads the whole request body, once, and leaves the request able to send
// it on. The bytes belong to the exchange and must not be changed in place;
// see [Exchange.SetBody]. Errors are refusals: too large for the route, broken
// off, or no memory left.
func (x *Exchange) Body(stage string) ([]byte, error) {
	if x.body != nil {
		return x.body.data, x.body.err
	}
	if !x.HasBody() {
		return nil, nil
	}
	limit := int64(10 << 20)
	if x.Route != nil && x.Route.Limits.BodyBytes > 0 {
		limit = int64(x.Route.Limits.BodyBytes)
	}
	b := &body{}
	x.body = b // so that what was taken is given back even if reading fails
	data, err := x.readAll(x.Request.Body, limit, &b.taken)
	if err != nil {
		b.err = BodyRefusal(stage, err)
		return nil, b.err
	}
	_ = x.Request.Body.Close()
	b.data = data
	x.install(data)
	return data, nil
}

// errTooLarge and errNoMemory are what reading a body can fail with besides
// the connection's own errors.
var (
	errTooLarge = errors.New("the body is larger than allowed")
	errNoMemory = errors.New("the memory for bodies is used up")
)

func (x *Exchange) readAll(r io.Reader, limit int64, taken *int64) ([]byte, error) {
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			grow := max(4096, int64(cap(buf)))
			if !x.Memory.Take(grow) {
				return nil, errNoMemory
			}
			*taken += grow
			next := make([]byte, len(buf), int64(cap(buf))+grow)
			copy(next, buf)
			buf = next
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, errTooLarge
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// BodyRefusal says why the request body could not be read, to whoever reads it
// without [Exchange.Body]: too large for the route, too slow, or broken off. The
// connection cannot be used any more after that.
func BodyRefusal(stage string, err error) *Refusal {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errTooLarge), errors.As(err, &tooLarge):
		r := Refuse(stage, BodyTooLarge, "the request body is larger than this route allows").With(err)
		r.Close = true
		return r
	case errors.Is(err, errNoMemory):
		return Refuse(stage, Overloaded, "too many large requests at once").With(err).Set("Retry-After", "1")
	case errors.Is(err, os.ErrDeadlineExceeded):
		r := Refuse(stage, BodyTimeout, "the request body did not arrive in time").With(err)
		r.Close = true
		return r
	}
	r := Refuse(stage, BodyMalformed, "the request body broke off").With(err)
	r.Close = true
	return r
}

// SetBody replaces the request body with data, which is what is judged from
// now on and sent upstream. A form or file that was read before is no more.
func (x *Exchange) SetBody(data []byte) {
	if x.form != nil {
		x.form.close(x.Memory)
		x.form = nil
	}
	if x.file != nil {
		x.file.Close()
		x.file = nil
	}
	if x.body == nil {
		x.body = &body{}
	}
	x.body.data, x.body.err = data, nil
	dropDigests(x.Request.Header)
	x.install(data)
}

// dropDigests removes what was computed over a body that is sent on changed (RFC
// 9530): whoever verifies it would take the body for damaged.
func dropDigests(h http.Header) {
	for _, name := range [...]string{"Content-Md5", "Content-Digest", "Repr-Digest", "Digest"} {
		delete(h, name)
	}
}

func (x *Exchange) install(data []byte) {
	r := x.Request
	r.ContentLength = int64(len(data))
	r.TransferEncoding = nil
	r.Trailer = nil
	r.Header.Set("Content-Length", strconv.Itoa(len(data)))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	r.Body, _ = r.GetBody()
	if len(data) == 0 {
		r.Body = http.NoBody
	}
}

// Release gives back what the request body takes, of memory and disk. The
// gateway calls it when the exchange is over.
func (x *Exchange) Release() {
	if x.body != nil {
		x.Memory.Give(x.body.taken)
		x.body.taken = 0
	}
	if x.form != nil {
		x.form.close(x.Memory)
	}
	if x.file != nil {
		x.file.Close()
	}
}

// Arrived reports whether reading a body would give something, or its end, without
// waiting. A body that does not know may be one that waits.
func Arrived(body io.Reader) bool {
	b, ok := body.(interface{ Arrived() bool })
	return ok && b.Arrived()
}

// Taker is a body that may hold some of itself in memory.
type Taker interface {
	// Take gives what Read would give next without copying it, as far as it is
	// there, and has it read. It does not wait, and what it gives is good until the
	// next call. End says that nothing comes behind it. Where there is nothing, Read
	// tells why.
	Take() (p []byte, end bool)
}

// errCut is told where a body was closed before its end had been read.
var errCut = errors.New("the body was closed before its end")

// OnClose makes f run once, when the body of the response is closed, with the
// number of bytes that were read from it and an error where it was not read to
// its end.
func OnClose(res *http.Response, f func(n int64, err error)) {
	WhenClosed(res, &closer{f: f})
}

type closer struct {
	Watched
	f func(int64, error)
}

func (c *closer) Closed(n int64, err error) { c.f(n, err) }

// WhenClosed is [OnClose] for who has something of its own around each body: w
// becomes the response's body, and its method Closed is what runs.
func WhenClosed(res *http.Response, w interface {
	io.ReadCloser
	watcher
},
) {
	*w.watched() = Watched{body: res.Body, then: w, err: errCut}
	res.Body = w
}

type watcher interface {
	Closed(n int64, err error)
	watched() *Watched
}

// Watched is what such a body embeds, for [WhenClosed]. One with a Read of its own
// needs a Take of its own as well: by that of Watched it would be passed by.
type Watched struct {
	body io.ReadCloser
	then watcher
	n    int64
	err  error
	done atomic.Bool
}

func (c *Watched) watched() *Watched { return c }

// Read reads the body that was there before.
func (c *Watched) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	c.n += int64(n)
	switch err {
	case nil:
	case io.EOF:
		c.err = nil
	default:
		c.err = err
	}
	return n, err
}

// Take is that of the body that was there before, if it has one.
func (c *Watched) Take() (p []byte, end bool) {
	t, ok := c.body.(Taker)
	if !ok {
		return nil, false
	}
	if p, end = t.Take(); end {
		c.err = nil
	}
	c.n += int64(len(p))
	return p, end
}

// Close closes it. Where that panics the answer is one that was cut, and whoever
// waits for its end is told of it all the same.
func (c *Watched) Close() error {
	closed := false
	defer func() {
		if !closed {
			c.err = errCut
		}
		if c.done.CompareAndSwap(false, true) {
			c.then.Closed(c.n, c.err)
		}
	}()
	err := c.body.Close()
	closed = true
	return err
}

// ReplaceBody puts data in place of the response's body, which it closes, and
// makes the headers agree.
func ReplaceBody(res *http.Response, data []byte) {
	if res.Body != nil {
		_ = res.Body.Close()
	}
	DropValidators(res)
	res.Body = io.NopCloser(bytes.NewReader(data))
	res.ContentLength = int64(len(data))
	res.TransferEncoding = nil
	res.Header.Set("Content-Length", strconv.Itoa(len(data)))
}

// DropValidators removes what was computed over a body that is about to
// change: length, entity tag, digests, encoding, ranges and trailers.
func DropValidators(res *http.Response) {
	for _, name := range [...]string{ // in canonical form
		"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Accept-Ranges", "Content-Range", "Signature", "Signature-Input", "Trailer",
	} {
		delete(res.Header, name)
	}
	dropDigests(res.Header)
	res.ContentLength = -1
	res.Trailer = nil
}
