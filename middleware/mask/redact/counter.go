package redact

import (
	"errors"
	"io"
)

// Counter reads a text that is sent as it is, on the side and in pieces as they
// come, and counts what [Report] tells. It holds a window of the text. It is for
// plans that change nothing: those of specs with no other parts than
// [Spec].Sensitive.
type Counter struct {
	e      *engine // nil when the text has ended, or is none
	pieces pieces
	report Report
}

// pieces is the source of an engine that is given its text from outside.
type pieces struct {
	text []byte
	over bool
}

// errDry says that the rest of the text has not come yet.
var errDry = errors.New("not yet")

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b, p.text)
	p.text = p.text[n:]
	switch {
	case n > 0:
		return n, nil
	case p.over:
		return 0, io.EOF
	}
	return 0, errDry
}

// NewCounter makes a counter; lines says that the text is a sequence of documents,
// each on a line of its own. It has to be closed.
func NewCounter(plan *Plan, limits Limits, lines bool) *Counter {
	c := &Counter{e: newEngine(plan, limits, lines)}
	c.e.source = &c.pieces
	return c
}

// Write counts what is in the next piece of the text, of which it keeps nothing but
// copies. A text that is not JSON is counted as far as it is.
func (c *Counter) Write(p []byte) {
	if c.e == nil {
		return
	}
	c.pieces.text = p
	c.advance()
	c.pieces.text = nil
}

func (c *Counter) advance() {
	for {
		err := c.e.advance()
		if err == errDry { //nolint:errorlint // it comes as it is
			return
		}
		if err != errMore { //nolint:errorlint // so does this
			c.end()
			return
		}
		c.e.consume(c.e.safe() - c.e.done)
	}
}

func (c *Counter) end() {
	c.report = c.e.report()
	c.e.release()
	c.e = nil
}

// Close ends the text, and gives the memory back.
func (c *Counter) Close() {
	if c.e == nil {
		return
	}
	c.pieces.over = true
	if c.advance(); c.e != nil {
		c.end()
	}
}

// Report tells what was counted. It is complete after Close.
func (c *Counter) Report() Report {
	if c.e != nil {
		return c.e.report()
	}
	return c.report
}
