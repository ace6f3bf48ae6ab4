package formdata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Reader splits a body at its boundary while it arrives, and holds no more of it
// than a window. It refuses what the package comment says; a body is well-formed
// only once Next has given io.EOF.
type Reader struct {
	src   io.Reader
	delim []byte // "--" and the boundary
	buf   []byte // what was read and not given out yet is buf[at:end]
	at    int
	end   int
	eof   bool
	parts int
	state state
	err   error // what ended it, for good
}

type state int

const (
	atStart   state = iota // before the first delimiter
	inContent              // of a part
	behind                 // a delimiter was read, and what follows it was not
)

// window is how much is held: a head and a delimiter fit in several times.
const window = 32 << 10

// NewReader reads a body from src that is split at a boundary, which is a
// parameter of the media type.
func NewReader(src io.Reader, boundary string) (*Reader, error) {
	if !validBoundary(boundary) {
		return nil, errBoundary
	}
	return &Reader{src: src, delim: []byte("--" + boundary), buf: make([]byte, window)}, nil
}

// Next goes on to the next part and gives its head; what is left of the content
// before is read over. The error is io.EOF behind the last part, where the body
// is whole.
func (r *Reader) Next() (*Part, error) {
	if r.err != nil {
		return nil, r.err
	}
	p, err := r.next()
	r.err = err
	return p, err
}

func (r *Reader) next() (*Part, error) {
	switch r.state {
	case atStart:
		if err := r.want(2 + len(r.delim)); err != nil {
			return nil, err
		}
		// Some clients send the line break that belongs to a delimiter before the
		// first one too.
		if bytes.HasPrefix(r.buf[r.at:r.end], []byte("\r\n")) {
			r.at += 2
		}
		if !bytes.HasPrefix(r.buf[r.at:r.end], r.delim) {
			return nil, errStart
		}
		r.at += len(r.delim)
		r.state = behind
	case inContent:
		if _, err := io.Copy(io.Discard, content{r}); err != nil {
			return nil, err
		}
	}
	if err := r.delimiter(); err != nil {
		return nil, err
	}
	if r.parts++; r.parts > maxParts {
		return nil, errTooMany
	}
	p, err := r.head()
	if err != nil && !errors.As(err, new(*sourceError)) {
		return nil, fmt.Errorf("part %d: %w", r.parts, err)
	}
	r.state = inContent
	return p, err
}

// delimiter reads what stands behind a boundary: a line break, or the end.
func (r *Reader) delimiter() error {
	if err := r.want(4); err != nil {
		return err
	}
	rest := r.buf[r.at:r.end]
	switch {
	case bytes.HasPrefix(rest, []byte("\r\n")):
		r.at += 2
		return nil
	case !bytes.HasPrefix(rest, []byte("--")):
		return errInside
	}
	if err := r.want(5); err != nil { // one more than there may be
		return err
	}
	switch rest := r.buf[r.at:r.end]; {
	case bytes.Equal(rest, []byte("--")), bytes.Equal(rest, []byte("--\r\n")):
		return io.EOF
	}
	return errEnd
}

// head reads the headers of a part, up to their blank line.
func (r *Reader) head() (*Part, error) {
	if err := r.want(maxHeaderBytes + 4); err != nil {
		return nil, err
	}
	rest := r.buf[r.at:min(r.end, r.at+maxHeaderBytes+4)]
	n := bytes.Index(rest, []byte("\r\n\r\n"))
	if n < 0 && len(rest) == maxHeaderBytes+4 {
		return nil, errors.New("its headers are too long")
	}
	if n < 0 {
		return nil, errNoHeaders
	}
	if bytes.Contains(rest[:n], r.delim) {
		return nil, errInside
	}
	p, err := parseHead(string(rest[:n]))
	if err != nil {
		return nil, err
	}
	r.at += n + 4
	return p, nil
}

// Read reads the content of the current part; io.EOF is its end.
func (r *Reader) Read(p []byte) (int, error) {
	switch {
	case r.state == behind:
		return 0, io.EOF
	case r.err != nil:
		return 0, r.err
	case r.state != inContent:
		return 0, errStart
	}
	n, err := r.read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // read gives io.EOF bare
		r.err = err
	}
	return n, err
}

// content reads without remembering an error, which Next does.
type content struct{ r *Reader }

func (c content) Read(p []byte) (int, error) {
	if c.r.state == behind {
		return 0, io.EOF
	}
	return c.r.read(p)
}

// read gives what is content beyond doubt: not what may be the beginning of a
// delimiter. Any occurrence of the boundary must be a delimiter, so that a
// parser that takes bare line feeds, or looks for a prefix, finds the same ones.
func (r *Reader) read(p []byte) (int, error) {
	for len(p) > 0 {
		keep := len(r.delim) + 1 // a line break and all of the boundary but a byte
		if i := bytes.Index(r.buf[r.at:r.end], r.delim); i >= 0 {
			// The line break before a delimiter belongs to it; that of an empty
			// part may not be the one its headers end with.
			if i < 2 || !bytes.Equal(r.buf[r.at+i-2:r.at+i], []byte("\r\n")) {
				return 0, errInside
			}
			if i > 2 {
				return r.give(p, i-2), nil
			}
			r.at += 2 + len(r.delim)
			r.state = behind
			return 0, io.EOF
		}
		if n := r.end - r.at - keep; n > 0 {
			return r.give(p, n), nil
		}
		if r.eof {
			return 0, errEnd
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func (r *Reader) give(p []byte, n int) int {
	n = copy(p, r.buf[r.at:r.at+n])
	r.at += n
	return n
}

// want has n bytes in the window, or all that there are.
func (r *Reader) want(n int) error {
	for r.end-r.at < n && !r.eof {
		if err := r.fill(); err != nil {
			return err
		}
	}
	return nil
}

// sourceError is an error of the body itself, not of what is in it.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

// Broken gives what reading the body failed with, and nil where err is about
// what the body holds.
func Broken(err error) error {
	if s := (*sourceError)(nil); errors.As(err, &s) {
		return s.error
	}
	return nil
}

// fill reads once more, behind what is held.
func (r *Reader) fill() error {
	if r.at > 0 {
		r.end = copy(r.buf, r.buf[r.at:r.end])
		r.at = 0
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		switch {
		case err == io.EOF: //nolint:errorlint // io.Reader gives it bare
			r.eof = true
			return nil
		case err != nil:
			return &sourceError{err}
		case n > 0:
			return nil
		}
	}
	return &sourceError{io.ErrNoProgress}
}
