package eventstream

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// advance takes one line, or as much of it as is there, or reads on.
func (r *Reader) advance() error {
	if len(r.unread) == 0 {
		return r.fill()
	}
	if r.afterCR {
		r.afterCR = false
		if r.unread[0] == '\n' {
			r.unread = r.unread[1:]
			return nil
		}
	}
	n := bytes.IndexAny(r.unread, "\r\n")
	if n < 0 {
		part := r.unread
		r.unread = nil
		return r.extend(part)
	}
	if err := r.extend(r.unread[:n]); err != nil {
		return err
	}
	// A CR ends the line by itself. To wait for its LF would be to hold an
	// event back until the next one.
	r.afterCR = r.unread[n] == '\r'
	r.unread = r.unread[n+1:]
	return r.endLine()
}

// fill reads on.
func (r *Reader) fill() error {
	if r.in == nil {
		r.in = make([]byte, window)
	}
	for range maxEmpty {
		if r.bodyErr != nil {
			return r.bodyErr
		}
		var n int
		n, r.bodyErr = r.body.Read(r.in)
		if r.unread = r.in[:n]; n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

const mark = "\xef\xbb\xbf"

// extend adds to the line at hand. Of a comment nothing is kept but that it is
// one.
func (r *Reader) extend(part []byte) error {
	r.line = append(r.line, part...)
	if !r.begun && len(r.line) >= len(mark) {
		r.begun = true
		r.line = bytes.TrimPrefix(r.line, []byte(mark))
	}
	if len(r.line) > 0 && r.line[0] == ':' {
		r.line = r.line[:1]
		return nil
	}
	if r.event.size+len(r.line) > r.max {
		return r.fail(ErrTooLarge)
	}
	return nil
}

// endLine settles the line at hand.
func (r *Reader) endLine() error {
	line := r.line
	r.line, r.begun = keep(line), true
	switch {
	case len(line) == 0:
		return r.dispatch()
	case line[0] == ':':
		r.out = append(r.out, ":\n"...)
	case !utf8.Valid(line):
		return r.fail(ErrUTF8)
	default:
		r.event.add(line)
	}
	return nil
}

// fail gives an error about the event at hand.
func (r *Reader) fail(err error) error { return &Error{Err: err, Event: r.events + 1} }

// done is what passes without being JSON.
const done = "[DONE]"

// dispatch writes the event at hand, if anything of it is to be sent, and makes
// room for the next.
func (r *Reader) dispatch() error {
	if r.event.size == 0 {
		return nil // blank lines may follow each other
	}
	text, ok := r.event.text()
	var err error
	switch {
	case !ok:
		r.writeState()
	case string(text) == done:
		r.write(text)
	default:
		if err = r.mask(text); err == nil {
			r.write(r.masked)
		}
	}
	if errors.Is(err, redact.ErrRowDenied) {
		r.report.Dropped++
		err = nil
	}
	if err != nil {
		return r.fail(err)
	}
	r.events++
	r.event.reset()
	r.masked = keep(r.masked)
	return nil
}

// write writes the event at hand with that data.
func (r *Reader) write(text []byte) {
	r.out = r.event.appendState(r.out)
	r.out = appendField(r.out, "event", &r.event.name)
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		r.out = appendLine(r.out, "data", line)
	}
	r.out = append(r.out, '\n')
}

// writeState writes the event at hand, which has no data.
func (r *Reader) writeState() {
	if r.event.id.set || r.event.retry.set {
		r.out = append(r.event.appendState(r.out), '\n')
	}
}

// mask applies the plan to the data of an event.
func (r *Reader) mask(text []byte) error {
	limits := r.limits
	limits.Pointers = r.places - len(r.report.Pointers)
	if limits.Pointers == 0 {
		limits.Pointers = -1 // 0 would be the default
	}
	out, report, err := redact.Append(r.masked[:0], text, r.plan, limits)
	if err != nil {
		return err
	}
	r.masked = out
	r.report.Masked += report.Masked
	r.report.Dropped += report.Dropped
	r.report.Hidden += report.Hidden
	r.report.Pointers = append(r.report.Pointers, report.Pointers...)
	return nil
}
