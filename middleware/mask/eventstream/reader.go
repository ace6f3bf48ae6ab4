package eventstream

import (
	"io"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// MaxEvent is the largest event, in bytes of its lines without their ends and
// without comments. [redact.Limits].Element stands in its place where that is
// smaller.
const MaxEvent = 256 << 10

const (
	window      = 4 << 10 // how much of the body is read at once
	maxPointers = 32      // the default of redact.Limits
	maxEmpty    = 100     // how often in a row the body may give nothing
)

// Reader is a stream as a plan lets it pass, read while the stream itself is
// read. It holds one event and what was made of it, never the stream.
type Reader struct {
	plan   *redact.Plan
	limits redact.Limits
	max    int // size of an event
	places int // how many places the report may list

	body    io.Reader
	bodyErr error  // what the body has ended with
	in      []byte // what is read into
	unread  []byte // what of it has not been looked at

	line    []byte // the line at hand, as far as it has arrived
	begun   bool   // a byte order mark is not to be expected any more
	afterCR bool   // the last line ended with CR, and an LF belongs to that
	event   event
	events  int

	masked []byte // data of the event at hand
	out    []byte // what may be sent
	given  int    // bytes of out that Read has given
	err    error  // what Read gives when out is used up
	report redact.Report
}

// NewReader gives the stream body as plan lets it pass. Errors about the stream
// are an [*Error], errors of body are passed on. Of limits, Element bounds the
// size of an event, see [MaxEvent], and Pointers the list of all events
// together. The Reader has to be closed, which closes body, if it can be
// closed.
func NewReader(plan *redact.Plan, body io.Reader, limits redact.Limits) *Reader {
	r := &Reader{plan: plan, body: body, limits: limits, max: MaxEvent, places: limits.Pointers}
	if limits.Element > 0 {
		r.max = min(r.max, limits.Element)
	}
	if r.places == 0 {
		r.places = maxPointers
	}
	return r
}

// Read implements [io.Reader]. It gives what can be sent before it reads on:
// an event is there as soon as its blank line is, whatever the body does then.
func (r *Reader) Read(p []byte) (int, error) {
	if r.body == nil {
		return 0, errClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	for r.ready() == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.out, r.given = keep(r.out), 0
		r.err = r.advance()
	}
	n := copy(p, r.out[r.given:])
	r.given += n
	return n, nil
}

// Prefetch reads on until at least n bytes of the result are there, or all, and
// gives what is there: what Read gives next, valid until then. With n = 1 it
// waits for the first event or comment only. An error is one that Read would
// give behind it; where there is none, complete says that head is all that is
// left to read.
func (r *Reader) Prefetch(n int) (head []byte, complete bool, err error) {
	if r.body == nil {
		return nil, false, errClosed
	}
	for r.ready() < n && r.err == nil {
		r.err = r.advance()
	}
	head = r.out[r.given:]
	if r.err == io.EOF {
		return head, true, nil
	}
	return head, false, r.err
}

// Report tells what was changed in the events that could be sent. An event that
// vanished is a row dropped. Pointers are those within the data of an event.
func (r *Reader) Report() redact.Report { return r.report }

// Held gives how much memory the reader has for what it holds, in bytes: some
// 64 KiB at most between events, and a few times the size of a large event while
// that is at hand.
func (r *Reader) Held() int {
	return len(r.in) + cap(r.line) + cap(r.event.data) + cap(r.masked) + cap(r.out)
}

// Close ends the reading.
func (r *Reader) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	*r = Reader{report: r.report}
	if c, ok := body.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// ready is how much of the output can be given away.
func (r *Reader) ready() int { return len(r.out) - r.given }
