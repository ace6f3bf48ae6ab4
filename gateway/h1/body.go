package h1

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/gateway/wire"
)

// unread is how much of a body that nobody has read is read away, in bytes, to
// keep the connection.
const unread = 256 << 10

// body is the body of a request. It may be read in another goroutine than the
// handler's; nobody reads from the connection any more once it is closed.
type body struct {
	x *exchange

	mu      sync.Mutex
	left    int64 // by length
	chunked bool
	chunks  wire.Chunked
	ended   bool // all was read
	shut    bool
	early   bool // it was shut before all was read
}

// Read reads content. If the client waits to be told to go on, it is.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut {
		return 0, http.ErrBodyReadAfterClose
	}
	b.x.invite()
	return b.read(p)
}

// read reads content. The lock is held.
func (b *body) read(p []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	if b.chunked {
		n, err := b.chunks.Read(p)
		switch {
		case errors.Is(err, io.EOF):
			b.ended = true
			b.trailer()
		}
		return n, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.x.c.in.Read(p)
	b.left -= int64(n)
	switch {
	case b.left == 0:
		b.ended = true
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// trailer gives the handler what came behind the chunks.
func (b *body) trailer() {
	t := b.chunks.Trailer()
	if t == nil {
		return
	}
	if b.x.req.Trailer == nil {
		b.x.req.Trailer = http.Header{}
	}
	for name, values := range t {
		b.x.req.Trailer[name] = values
	}
}

// Close ends reading. What is left of a short body is read away, so that the
// connection can be kept.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut {
		return nil
	}
	var err error
	if !b.ended && !b.x.unkept {
		err = b.skip()
	}
	b.shut, b.early = true, b.early || !b.ended
	return err
}

// skip reads away what is left, if that is not much. The lock is held.
func (b *body) skip() error {
	if b.left > unread || b.x.waits() {
		return nil
	}
	b.x.c.bound()
	_, err := io.CopyN(io.Discard, skipped{b}, unread)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// skipped reads a body whose lock is held.
type skipped struct{ b *body }

func (s skipped) Read(p []byte) (int, error) { return s.b.read(p) }

// settle reads away what the handler has left before it answers: there are
// clients that read nothing before they have sent all. It reports whether the
// connection can be kept.
func (b *body) settle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return true
	}
	if b.shut {
		return false
	}
	err := b.skip()
	b.shut = b.ended
	return err == nil && b.ended
}

// abandon ends reading at once, whoever is at it.
func (b *body) abandon() {
	_ = b.x.c.came.SetReadDeadline(time.Unix(1, 0))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shut, b.early = true, !b.ended
}

// whole reports whether all of it was read.
func (b *body) whole() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}
