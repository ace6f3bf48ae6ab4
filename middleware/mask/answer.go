package mask

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// Why answers are withheld.
var (
	errStatus    = errors.New("status has no body that could be masked whole")
	errMediaType = errors.New("media type is not one that can be masked")
	errTooLarge  = errors.New("answer is larger than the route holds")
	errShort     = errors.New("answer is not as long as it says")
	errNoMemory  = errors.New("the memory for bodies is used up")
)

// Prefetched is how much of a masked answer is held before its head is sent. A
// fault within is a clean refusal, and an answer that is no longer is sent with
// its length: for small answers chunks cost more than masks.
const prefetched = 64 << 10

// Gathered is how much of it may be held: beyond prefetched as long as more of the
// upstream's answer is there already, so that nobody waits for it.
const gathered = 128 << 10

// masker is a body as the decision lets it pass: what the engines have in
// common.
type masker interface {
	io.ReadCloser
	// Prefetch reads on until n bytes are there, or all, and gives them: what
	// Read gives next.
	Prefetch(n int) (head []byte, complete bool, err error)
	Report() redact.Report
}

// roomFor is how many masks there mostly are at the most.
const roomFor = 8

// room is for what outlives an answer, with its header or on the record of the
// exchange: a piece of memory of its own, so that the plan does not live as long.
type room struct {
	values [4]string // of headers
	used   int       // how many of them are
	found  [roomFor]middleware.Finding
	paths  [roomFor]string
}

// field gives the one value of a header.
func (r *room) field(v string) []string {
	if r.used == len(r.values) {
		return []string{v}
	}
	i := r.used
	r.used++
	r.values[i] = v
	return r.values[i : i+1 : i+1]
}

// answer is a response on its way to being masked, with all that it takes.
type answer struct {
	*demand
	x    *middleware.Exchange
	res  *http.Response
	rest memory

	room   *room
	byRule [roomFor]int
	reader redact.Reader

	gathers bool // what has arrived of the body is known, and is all that is needed to go on

	counted counted
	stream  stream
	out     http.Response
}

// mask gives the response that is sent instead, or says why there is none. The
// body that was there is closed with the new one, or by the caller.
func (a *answer) mask() (*http.Response, error) {
	res := a.res
	switch c := res.StatusCode; {
	case c < 200, c == http.StatusPartialContent, c == http.StatusNotModified, c == http.StatusRequestedRangeNotSatisfiable:
		return nil, fmt.Errorf("%w: %d", errStatus, c)
	case c == http.StatusNoContent, c == http.StatusResetContent, a.x.Request.Method == http.MethodHead && len(a.spec.Rows) == 0:
		return a.empty(), nil
	}
	f := formatOf(res.Header)
	body, err := a.begin(f)
	if err != nil {
		return nil, err
	}
	switch {
	case body == nil:
		return a.empty(), nil
	case f == unknown && a.passes(res.Header):
		a.x.Note("mask_passthrough", true)
		return a.pass(body), nil
	case !a.understands(f):
		return nil, errMediaType
	}
	m, err := a.open(f, body)
	if err != nil {
		return nil, err
	}
	out, err := a.send(f, m)
	if err != nil {
		_ = m.Close()
	}
	return out, err
}

// begin gives the body, or nil where there is none. Whether there is one
// decides the first byte where no length tells: an answer without a body may be
// of any type. A stream of events is not waited for, since its first event may
// be far away.
func (a *answer) begin(f format) (io.ReadCloser, error) {
	res := a.res
	if res.Body == nil || res.Body == http.NoBody || res.ContentLength == 0 {
		return nil, nil
	}
	a.counted = counted{body: res.Body, want: res.ContentLength}
	if res.ContentLength < 0 && f != events {
		_, err := io.ReadFull(res.Body, a.counted.first[:])
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errShort, err)
		}
		a.counted.ahead = true
	}
	return &a.counted, nil
}

// send makes the response of what the masker gives.
func (a *answer) send(f format, m masker) (*http.Response, error) {
	if err := a.reserve(f); err != nil {
		return nil, err
	}
	a.gathers = !packed(a.res.Header) // unpacking may ask for more than there is
	body := &a.stream
	*body = stream{masker: m, a: a, format: f}
	if a.counting != nil {
		body.list.Levels = a.counting.levels
	}
	out := a.response(body)
	switch {
	case f == events:
		a.headOnly(out)
		return out, nil
	case f == jsonLines && !a.whole():
		// A line is sent as soon as it is there.
		_, _, err := m.Prefetch(1)
		return out, unlessEnd(err)
	case a.whole():
		data, err := a.collect(m)
		if err != nil {
			return nil, err
		}
		body.held = bytes.NewReader(data)
		a.setLength(out, len(data))
		return out, nil
	}
	head, complete, err := m.Prefetch(prefetched)
	if err == nil && !complete {
		head, complete, err = a.gather(m, head)
	}
	if err != nil {
		return nil, err
	}
	if complete {
		a.setLength(out, len(head))
	}
	return out, nil
}

// gather goes on to prefetch where no more than the memory for it is needed.
func (a *answer) gather(m masker, head []byte) ([]byte, bool, error) {
	r, ok := m.(*redact.Reader)
	if !ok || !a.gathers || a.res.ContentLength > 2*gathered || !a.rest.take(gathered-prefetched) {
		return head, false, nil
	}
	r.Gather(gathered, a.arrived)
	return r.Prefetch(0)
}

// arrived reports whether more of the upstream's answer is there.
func (a *answer) arrived() bool { return middleware.Arrived(a.res.Body) }

func unlessEnd(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// whole reports whether nothing is sent before all is known to be fine: where
// the route wants it, where a client would not notice that an answer was cut
// (HTTP/1.0 knows the end of a body without a length from the end of the
// connection only), and where HEAD is answered in the place of GET.
func (a *answer) whole() bool {
	r := a.x.Request
	return a.full || !r.ProtoAtLeast(1, 1) || r.Method == http.MethodHead
}

// collect reads all of a masked answer within the limit of the route.
func (a *answer) collect(m masker) ([]byte, error) {
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			grow := min(max(int64(cap(buf)), 16<<10), a.limit+1-int64(cap(buf)))
			if grow <= 0 {
				return nil, errTooLarge
			}
			if !a.rest.take(grow) {
				return nil, errNoMemory
			}
			buf = append(make([]byte, 0, int64(cap(buf))+grow), buf...)
		}
		n, err := m.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > a.limit:
			return nil, errTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		}
	}
}

// response is the answer with another body. It is a copy: the transport sets
// the trailers of the one it gave when it has read its end, and they are not to
// be sent.
func (a *answer) response(body io.ReadCloser) *http.Response {
	a.out = *a.res
	out := &a.out
	middleware.DropValidators(out)
	out.TransferEncoding = nil
	out.Body = body
	a.protect(out)
	return out
}

func (a *answer) setLength(res *http.Response, n int) {
	res.ContentLength = int64(n)
	res.Header["Content-Length"] = a.room.field(strconv.Itoa(n))
	a.headOnly(res)
}

// headOnly leaves of the answer to a HEAD that was asked as a GET what GET would
// begin with. A stream of events may have no end.
func (a *answer) headOnly(res *http.Response) {
	if a.x.Request.Method == http.MethodHead {
		_ = res.Body.Close()
		res.Body = http.NoBody
	}
}

// empty makes the answer one without a body.
func (a *answer) empty() *http.Response {
	_ = a.res.Body.Close()
	out := a.response(http.NoBody)
	if a.x.Request.Method != http.MethodHead {
		out.ContentLength = 0
		if out.StatusCode != http.StatusNoContent {
			out.Header.Set("Content-Length", "0")
		}
	}
	return out
}

// pass lets an answer of a type that the route names through as it is. Its
// headers may not be what a cache lives by: the next caller's decision differs.
func (a *answer) pass(body io.ReadCloser) *http.Response {
	out := *a.res
	out.Body = body
	out.Trailer = nil
	a.protect(&out)
	a.headOnly(&out)
	return &out
}

// counted fails where the body is not as long as its header says: not every
// transport does.
type counted struct {
	body  io.ReadCloser
	n     int64
	want  int64   // negative: unknown
	first [1]byte // of the body
	ahead bool    // it has been read, and not given
}

func (c *counted) Read(p []byte) (int, error) {
	if c.ahead && len(p) > 0 {
		c.ahead = false
		c.n++
		return copy(p, c.first[:]), nil
	}
	n, err := c.body.Read(p)
	c.n += int64(n)
	if err == io.EOF && c.want >= 0 && c.n != c.want {
		return n, errShort
	}
	return n, err
}

func (c *counted) Close() error { return c.body.Close() }
