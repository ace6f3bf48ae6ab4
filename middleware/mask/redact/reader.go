package redact

import (
	"errors"
	"io"
	"slices"
)

// Reader is a text as a plan lets it pass, read while the text itself is read.
// It holds a window of the text and that much of the result of which it is not
// yet known whether it may be sent, never the whole.
//
// Nothing that Read gives is taken back later. But a text that turns out not to
// be JSON, or not to hold the rows that are to be filtered, is an error only
// when that is read: what came before it is masked as it should be, and the
// receiver must be able to tell that it is not all.
type Reader struct {
	e      *engine
	body   io.Reader
	report Report
	err    error // what Read gives when the output is used up
	given  int   // bytes of the engine's output that Read has given
	safe   int   // bytes of it that it may give
}

var errClosed = errors.New("read after close")

// NewReader gives the JSON text body as plan lets it pass. One UTF-8 byte order
// mark in front is removed. Errors about the text are an [*Error]; those of
// body are passed on. The Reader has to be closed, which closes body, if it can
// be closed.
func NewReader(plan *Plan, body io.Reader, limits Limits) *Reader {
	return newReader(plan, body, limits, false)
}

// NewLineReader is [NewReader] for what [AppendLines] reads.
func NewLineReader(plan *Plan, body io.Reader, limits Limits) *Reader {
	return newReader(plan, body, limits, true)
}

func newReader(plan *Plan, body io.Reader, limits Limits, lines bool) *Reader {
	r := &Reader{e: newEngine(plan, limits, lines), body: body}
	r.e.source = body
	return r
}

// Reset makes r, which has been closed or is new, what [NewReader] gives.
func (r *Reader) Reset(plan *Plan, body io.Reader, limits Limits) {
	*r = Reader{e: newEngine(plan, limits, false), body: body}
	r.e.source = body
}

// Read implements [io.Reader].
func (r *Reader) Read(p []byte) (int, error) {
	if r.e == nil {
		return 0, errClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	for r.ready() == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.advance()
	}
	n := copy(p, r.e.out[r.given:r.safe])
	r.given += n
	return n, nil
}

// Prefetch reads on until at least n bytes of the result are there, or all, and
// gives what is there: what Read gives next, valid until then. An error is one
// that Read would give behind it; where there is none, complete says that head
// is all that is left to read.
func (r *Reader) Prefetch(n int) (head []byte, complete bool, err error) {
	if r.e == nil {
		return nil, false, errClosed
	}
	for r.ready() < n && r.err == nil {
		r.advance()
	}
	head = r.e.out[r.given:r.safe]
	if r.err == io.EOF {
		return head, true, nil
	}
	return head, false, r.err
}

// Gather reads on while less than n bytes of the result are there and more of the
// text is, which arrived tells: so it does not wait. What comes of it is told by
// what is asked next.
func (r *Reader) Gather(n int, arrived func() bool) {
	for r.e != nil && r.ready() < n && r.err == nil && arrived() {
		r.advance()
	}
}

// Take gives what is there of the result, as Read would, and without copying it:
// it is good until the next call. End says that nothing comes behind it.
func (r *Reader) Take() (p []byte, end bool) {
	if r.e == nil {
		return nil, false
	}
	p = r.e.out[r.given:r.safe:r.safe]
	r.given = r.safe
	return p, r.err == io.EOF
}

// Report tells what was changed. It is complete once Read has given io.EOF.
func (r *Reader) Report() Report {
	if r.e != nil {
		return r.e.report()
	}
	return r.report
}

// Close ends the reading.
func (r *Reader) Close() error {
	if r.e == nil {
		return nil
	}
	r.report = r.e.report()
	r.e.release()
	r.e = nil
	if c, ok := r.body.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// ready is how much of the output can be given away.
func (r *Reader) ready() int { return r.safe - r.given }

func (r *Reader) advance() {
	there := r.ready()
	if r.given > 0 {
		r.e.consume(r.given)
		r.given = 0
	}
	switch err := r.e.advance(); err {
	case errMore:
		r.safe = r.e.safe() - r.e.done
	case nil:
		r.err, r.safe = io.EOF, len(r.e.out)
	default:
		// What was held back is not sent, nor what was read last.
		r.err, r.safe = err, there
	}
}

// consume removes n bytes of the output that have been given away.
func (e *engine) consume(n int) {
	e.out = slices.Delete(e.out, 0, n)
	e.done += n
}
