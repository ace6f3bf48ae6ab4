package h1

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/gateway/wire"
)

const (
	piece    = 32 << 10              // bytes of a body that are sent at once
	lastRead = time.Second           // for a read that is said to end
	lastMile = 50 * time.Millisecond // for the last piece of a request to be sent, once its answer is whole
)

// sending is the body of a request on its way, in a goroutine of its own: an
// answer may begin before its end, and be read beside it. Whoever ends the call
// waits for it.
type sending struct {
	call   *Call
	conn   *conn
	body   io.ReadCloser
	length int64 // -1: in chunks

	last atomic.Bool   // the last piece is being written
	done chan struct{} // what follows is read after it

	whole   bool  // all was sent
	failure error // how reading the body failed
	fault   any   // what its reader panicked with
	late    bool  // after the call had ended, which may be why
}

// send sends the body beside the answer.
func (k *Call) send(cn *conn, out *outgoing) {
	s := &sending{call: k, conn: cn, body: out.stream, length: out.length, done: make(chan struct{})}
	k.sent = s
	go s.run()
}

func (s *sending) run() {
	defer close(s.done)
	buf := s.call.client.piece()
	defer s.call.client.pieces.Put(buf)
	err := s.copy(*buf)
	_ = s.body.Close()
	var failed *BodyError
	switch {
	case errors.As(err, &failed):
		s.failure = failed.Err
	case errors.Is(err, ErrRequest): // the upstream would wait for the rest
	default:
		return // the upstream may have answered all the same
	}
	s.call.mu.Lock()
	s.late = s.call.over
	s.call.mu.Unlock()
	s.call.Cancel(err)
}

// copy sends the body to its end.
func (s *sending) copy(buf []byte) error {
	left := s.length
	for {
		room := buf[wire.ChunkRoom : len(buf)-len(lastChunk)]
		if left >= 0 {
			room = room[:min(int64(len(room)), left)]
		}
		n, err := s.read(room)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return &BodyError{err}
		}
		if left > 0 {
			left -= int64(n)
		}
		if end && left > 0 {
			return errBodyLength
		}
		if err := s.write(buf, n, end || left == 0); err != nil {
			return err
		}
		switch {
		case left == 0 && !end:
			return s.probe(buf)
		case end:
			s.whole = true
			return nil
		}
	}
}

// probe reads the end of a body whose length is reached.
func (s *sending) probe(buf []byte) error {
	n, err := s.read(buf[:1])
	for n == 0 && err == nil {
		n, err = s.read(buf[:1])
	}
	switch {
	case n > 0:
		return errBodyLength
	case !errors.Is(err, io.EOF):
		return &BodyError{err}
	}
	s.whole = true
	return nil
}

// errFault is the failure of a body whose reader panicked. Here that would end the
// program, so it is told to the goroutine of the exchange: see [sending.failed].
var errFault = errors.New("the reader of the request body met a fault")

// read reads from the client, whose time is not the upstream's.
func (s *sending) read(p []byte) (n int, err error) {
	s.call.pause()
	defer s.call.resume()
	defer func() {
		if v := recover(); v != nil {
			s.fault = v
			n, err = 0, errFault
		}
	}()
	return s.body.Read(p)
}

// lastChunk ends a body in chunks, without trailers.
const lastChunk = "\r\n0\r\n\r\n"

// write sends n bytes that stand in buf behind the room for a chunk.
func (s *sending) write(buf []byte, n int, last bool) error {
	b := buf[wire.ChunkRoom : wire.ChunkRoom+n]
	if s.length < 0 {
		b = b[:0]
		if n > 0 {
			b = wire.Chunk(buf, n)
		}
		if last {
			b = append(b, lastChunk[2:]...)
		}
	}
	if len(b) == 0 {
		return nil
	}
	if last {
		s.last.Store(true)
	}
	_, err := s.conn.Conn.Write(b)
	return err
}

// settled reports whether all was sent. An answer may overtake the last piece by
// a hair.
func (s *sending) settled() bool {
	select {
	case <-s.done:
		return s.whole
	default:
	}
	if !s.last.Load() {
		return false
	}
	patience := time.NewTimer(s.call.client.mile)
	defer patience.Stop()
	select {
	case <-s.done:
		return s.whole
	case <-patience.C:
		return false
	}
}

// failed waits for the body to be let go and gives how reading it failed, if the
// client is to blame. gone says that the context of the request is done. It may be
// so because the client's time has run out, a moment before that ends the read that
// is under way; then this read does not last, and its error is the client's as well.
func (s *sending) failed(gone bool) error {
	if gone {
		patience := time.NewTimer(lastRead)
		defer patience.Stop()
		select {
		case <-s.done:
		case <-patience.C:
		}
	}
	s.end()
	if s.fault != nil {
		panic(s.fault)
	}
	if s.failure != nil && (!s.late || gone && errors.Is(s.failure, os.ErrDeadlineExceeded)) {
		return &BodyError{s.failure}
	}
	return nil
}

// end lets the body go and waits until nobody reads it any more. The call has no
// connection by then.
func (s *sending) end() {
	select {
	case <-s.done:
		return
	default:
	}
	_ = s.body.Close()
	<-s.done
}

// head gives a buffer for a head.
func (c *Client) head() *[]byte {
	if b, ok := c.heads.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 2<<10)
	return &b
}

// piece gives a buffer for pieces of a body.
func (c *Client) piece() *[]byte {
	if b, ok := c.pieces.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, wire.ChunkRoom+piece+len(lastChunk))
	return &b
}
