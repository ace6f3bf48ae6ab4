package coding

import (
	"bufio"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// gunzip reads the members of a gzip body one by one. The library would read
// the header of the next before it gives the end of the last: a sender that
// makes a member of every event would be an event behind.
type gunzip struct {
	src  *bufio.Reader
	z    gzip.Reader
	open bool // within a member
	read bool // a member has been read
}

// spareGzip, spareZstd and spareBrotli are decoders that are kept for the
// memory they have, until the garbage collector has come by twice.
var spareGzip sync.Pool

func newGzip() *gunzip {
	if g, ok := spareGzip.Get().(*gunzip); ok {
		return g
	}
	return &gunzip{src: bufio.NewReader(nil)}
}

func (g *gunzip) start(body io.Reader) {
	g.src.Reset(body)
	g.open, g.read = false, false
}

func (g *gunzip) Read(p []byte) (int, error) {
	if !g.open {
		if err := g.next(); err != nil {
			return 0, err
		}
	}
	n, err := g.z.Read(p)
	if err == io.EOF {
		g.open, g.read, err = false, true, nil
	}
	return n, err
}

// next begins the next member. There has to be one, and what is behind the last
// has to be one too (RFC 1952, section 2.2).
func (g *gunzip) next() error {
	_, err := g.src.Peek(1)
	switch {
	case err == io.EOF && !g.read:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	}
	if err := g.z.Reset(g.src); err != nil {
		if err == io.EOF { // in the name or the comment
			return io.ErrUnexpectedEOF
		}
		return err
	}
	g.z.Multistream(false)
	g.open = true
	return nil
}

func (g *gunzip) release(again bool) {
	if !again {
		return
	}
	g.src.Reset(nothing{})
	g.z.Header = gzip.Header{} // which a body may have filled
	spareGzip.Put(g)
}
