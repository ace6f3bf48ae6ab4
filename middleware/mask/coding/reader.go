package coding

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decoder undoes one coding. Read gives io.EOF when the text is whole and the
// packed body has ended there; it may give nothing without an error.
type decoder interface {
	io.Reader
	// start begins with a body. It does not read.
	start(body io.Reader)
	// release lets go of the body. The decoder is not used behind that; again
	// says whether another body may be read with it.
	release(again bool)
}

// reader is a text that is being unpacked.
type reader struct {
	dec    decoder
	packed packed
	opts   Options
	given  int64
	err    error
}

var errClosed = errors.New("read after close")

func (r *reader) Read(p []byte) (int, error) {
	if r.dec == nil {
		return 0, errClosed
	}
	if len(p) == 0 {
		return 0, nil
	}
	for r.err == nil {
		n, err := r.dec.Read(p)
		if err != nil {
			r.err = r.reason(err)
		}
		r.given += int64(n)
		if r.tooLarge() {
			r.err = ErrExpansion
			break
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, r.err
}

// tooLarge compares what was given with what was read. The division is one that
// cannot overflow: it rounds up.
func (r *reader) tooLarge() bool {
	return r.given > r.opts.Free && (r.given-1)/r.opts.Ratio >= r.packed.n
}

// reason makes an error of what a decoder has ended with. Decoders tell about
// the body in words of their own, which may hold something of it; some take
// every end of the body for that of the text.
func (r *reader) reason(err error) error {
	if r.packed.err != nil && r.packed.err != io.EOF {
		return r.packed.err
	}
	reason := "corrupt"
	switch {
	case err == io.EOF && r.packed.err == io.EOF && r.packed.n > 0:
		return io.EOF
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		reason = "not whole"
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, zstd.ErrCRCMismatch):
		reason = "checksum does not match"
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		reason = "window is too large"
	}
	return fmt.Errorf("%w: %s", ErrCoding, reason)
}

// Close ends the reading. Only a decoder that has come to the end of a sound
// body is used again: what state another one is in, nobody has tested.
func (r *reader) Close() error {
	if r.dec == nil {
		return nil
	}
	r.dec.release(r.err == io.EOF)
	r.dec = nil
	return closeBody(r.packed.body)
}

// packed counts what is read of a body, and keeps how it has ended.
type packed struct {
	body io.Reader
	n    int64
	err  error
}

// maxEmpty is how often in a row a body may give nothing.
const maxEmpty = 100

func (p *packed) Read(b []byte) (int, error) {
	for range maxEmpty {
		if p.err != nil {
			return 0, p.err
		}
		n, err := p.body.Read(b)
		p.n += int64(n)
		p.err = err
		if n > 0 {
			return n, nil
		}
	}
	p.err = io.ErrNoProgress
	return 0, p.err
}

// nothing is what a decoder reads that has no body.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
