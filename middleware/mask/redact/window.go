package redact

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// errMore says that the engine needs more of the text than the window holds.
var errMore = errors.New("more")

// window is the part of the text that is being read.
type window struct {
	source io.Reader
	text   []byte // or, where there is no source, what is left of the text

	buf    []byte // text up to filled, and zeros
	filled int
	end    int  // end of what is to be read now: of the line, or filled
	last   bool // nothing comes behind end
	over   bool // the text has ended
	base   int  // offset of buf in the text

	lines bool // the text is documents on lines of their own
	cut   bool // end is the end of a line in the middle of buf
	after byte // where it is, the byte at end, in whose place there is a zero

	p     int // where the text is read
	span  int // end of what has been copied
	token int // start of a token that is needed whole, or -1
}

func (w *window) reset(size int) {
	buf := w.buf
	if len(buf) != size+padding {
		buf = make([]byte, size+padding)
	}
	clear(buf[:padding])
	*w = window{buf: buf, token: -1}
}

// fill reads on. The window moves on to what is still needed, from keep on; if
// that is much of it, it grows: only for tokens, whose size is limited.
func (w *window) fill(keep int) error {
	if w.over {
		return nil
	}
	if keep > 0 {
		copy(w.buf, w.buf[keep:w.filled])
		w.filled -= keep
		w.end -= keep
		w.p -= keep
		w.span -= keep
		w.token = max(w.token-keep, -1)
		w.base += keep
	}
	if w.crowded() {
		w.buf = append(w.buf, make([]byte, len(w.buf))...)
	}
	n, err := w.read(w.buf[w.filled : len(w.buf)-padding])
	w.filled += n
	clear(w.buf[w.filled : w.filled+padding])
	if err == io.EOF {
		w.over, err = true, nil
	}
	w.delimit(w.end)
	return err
}

// crowded reports whether there is less room for more than there is text.
func (w *window) crowded() bool { return 2*w.filled > len(w.buf)-padding }

// maxEmpty is how often in a row a source may give nothing.
const maxEmpty = 100

func (w *window) read(b []byte) (int, error) {
	if w.source == nil {
		n := copy(b, w.text)
		if w.text = w.text[n:]; len(w.text) == 0 {
			return n, io.EOF
		}
		return n, nil
	}
	for range maxEmpty {
		if n, err := w.source.Read(b); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// delimit finds the end of what is to be read, from i on.
func (w *window) delimit(i int) {
	w.end, w.last = w.filled, w.over
	if !w.lines {
		return
	}
	if n := bytes.IndexByte(w.buf[i:w.filled], '\n'); n >= 0 {
		w.end, w.last, w.cut = i+n+1, true, true
		w.after = w.buf[w.end]
		w.buf[w.end] = 0
	}
}

// nextLine goes on behind the end of a line.
func (w *window) nextLine() {
	if w.cut {
		w.buf[w.end] = w.after
		w.cut = false
	}
	w.delimit(w.p)
}

// fail gives the error at i, or errMore if it may be none once more of the
// text is known: ahead is how far behind i the reason for it lies.
func (w *window) fail(reason error, i, ahead int) error {
	if i+ahead >= w.end && !w.last {
		return errMore
	}
	return &Error{reason, w.base + i}
}

// broken gives the error where a scanner of strings has stopped, or errMore.
func (w *window) broken(p int, why stop) error {
	switch {
	case why == stopEscape:
		return w.fail(ErrSyntax, p, len(`\u0000`))
	case why == stopControl:
		return w.fail(ErrSyntax, p, 0)
	case !w.last && !utf8.FullRune(w.buf[p:w.end]):
		return errMore
	}
	return &Error{ErrUTF8, w.base + p}
}
