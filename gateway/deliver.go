package gateway

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// deliver writes the answer to the client. Where it breaks off in the middle the
// handler is aborted, so that the client sees that it has not got all of it.
func (s *passage) deliver(w http.ResponseWriter, res *http.Response) {
	if res.StatusCode == http.StatusSwitchingProtocols {
		s.upgrade(w, res)
		return
	}
	if res.Header == nil {
		res.Header = http.Header{}
	}
	dropHopByHop(res.Header)
	announced := announce(res)
	if s.overtaken() { // or the server would read the rest away before it writes
		_ = s.control.EnableFullDuplex()
	}
	s.answer.extend()
	s.head(w, res)
	if err := s.copy(w, res); err != nil {
		_ = res.Body.Close()
		panic(http.ErrAbortHandler)
	}
	if err := res.Body.Close(); errors.Is(err, errFault) { // now, which completes the trailers
		panic(http.ErrAbortHandler) // or does not: nobody may take them for complete
	}
	s.trailers(w, res.Trailer, announced)
}

// adopter is a ResponseWriter that takes a header as it is: h becomes the header
// of the answer. It is for the time before WriteHeader.
type adopter interface{ Adopt(h http.Header) }

// head writes the head of an answer. Its header must not be used for anything
// else from then on.
func (s *passage) head(w http.ResponseWriter, res *http.Response) {
	h := res.Header
	if s.closes() {
		h["Connection"] = []string{"close"}
	}
	if _, said := h["Content-Type"]; !said {
		h["Content-Type"] = nil // net/http would guess one, and browsers believe it
	}
	if a, ok := w.(adopter); ok {
		a.Adopt(h)
	} else {
		own := w.Header()
		for name, values := range h {
			own[name] = values
		}
	}
	w.WriteHeader(res.StatusCode)
}

// announce lists the trailers that an answer says it will have, and gives how many
// they are.
func announce(res *http.Response) int {
	if len(res.Trailer) == 0 {
		return 0
	}
	names := make([]string, 0, len(res.Trailer))
	for name := range res.Trailer {
		names = append(names, name)
	}
	slices.Sort(names)
	res.Header["Trailer"] = []string{strings.Join(names, ", ")}
	return len(names)
}

// trailers writes those that came, announced or not.
func (s *passage) trailers(w http.ResponseWriter, trailers http.Header, announced int) {
	if len(trailers) == 0 {
		return
	}
	// A short answer would get a length instead of chunks, and trailers nowhere.
	_ = s.control.Flush()
	prefix := ""
	if len(trailers) != announced {
		prefix = http.TrailerPrefix
	}
	h := w.Header()
	for name, values := range trailers {
		delete(h, name) // of the head, which has left: servers would take it for the trailer
		if len(values) > 0 {
			h[prefix+name] = values
		}
	}
}

// How an answer is written.
const (
	buffered  = iota // as it fills the buffers of the server: it is known to end
	piecewise        // each piece at once, and the head before the first unless that is there
	live             // each piece and the head at once
)

// pacing tells how an answer is written. One of no known length may last, and
// its client waits for what there is of it.
func pacing(method string, res *http.Response) int {
	if method == http.MethodHead || res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified {
		return buffered
	}
	if v := res.Header["Content-Type"]; len(v) > 0 && strings.Contains(strings.ToLower(v[0]), "event-stream") {
		if media, _, _ := mime.ParseMediaType(v[0]); media == "text/event-stream" {
			return live
		}
	}
	if res.ContentLength < 0 {
		return piecewise
	}
	return buffered
}

// copy writes the body of an answer.
func (s *passage) copy(w http.ResponseWriter, res *http.Response) error {
	buffer := s.g.buffers.get()
	defer s.g.buffers.put(buffer)
	to := io.Writer(w)
	var f *flusher
	if how := pacing(s.in.Method, res); how != buffered {
		f = &flusher{to: w, control: &s.control}
		if how == live {
			f.flush()
		} else {
			f.soon()
		}
		defer f.stop()
		to = f
	}
	for {
		p, end := s.answer.Take()
		if end && f != nil {
			f.stop() // the end of the answer flushes
			to = w
		}
		if len(p) > 0 {
			if _, err := to.Write(p); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
		if len(p) > 0 {
			continue
		}
		n, err := res.Body.Read(buffer[:])
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				s.p.errorLog.Printf("an answer broke off: %v", err)
			}
			return err
		}
	}
}

// headWait is how long the head of an answer waits for the first piece of its
// body, so that both leave at once.
const headWait = time.Millisecond

// flusher writes pieces that are to leave at once.
type flusher struct {
	to      io.Writer
	control *http.ResponseController

	mu    sync.Mutex
	timer *time.Timer
	over  bool // the head has left, or must be left alone
}

// soon flushes the head if nothing else does.
func (f *flusher) soon() { f.timer = time.AfterFunc(headWait, f.flush) }

func (f *flusher) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		f.over = true
		_ = f.control.Flush()
	}
}

// Write writes a piece. A server that cannot flush fails by the next write.
func (f *flusher) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	n, err := f.to.Write(p)
	if err == nil {
		_ = f.control.Flush()
	}
	return n, err
}

// stop waits for a flush that is under way; there is none after it.
func (f *flusher) stop() {
	if f.timer != nil {
		f.timer.Stop()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
}

// bufferSize is what one copy step moves at most.
const bufferSize = 32 << 10

// buffers lends the copy buffers of the proxy shell.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[bufferSize]byte {
	if p, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return p
	}
	return new([bufferSize]byte)
}

func (b *buffers) put(p *[bufferSize]byte) { b.pool.Put(p) }

// pacer is a ResponseWriter that bounds each write by itself, unless a write deadline
// was set.
type pacer interface{ WritePace() time.Duration }

// paced puts the answer's body behind the client's pace.
func (s *passage) paced(w http.ResponseWriter, res *http.Response) {
	s.answer.from, s.answer.passage, s.answer.idle, s.answer.status = res.Body, s, s.timeouts().Idle.D(), res.StatusCode
	p, able := w.(pacer)
	s.answer.free = able && p.WritePace() == 2*s.answer.idle
	s.answered = true
	res.Body = &s.answer
}

// errFault ends an answer in the middle of which something of ours panicked.
var errFault = errors.New("the gateway met a fault of its own")

// pacedBody bounds the time in which a client must take each piece of the
// answer, by moving the write deadline with every piece that is read. Until the
// next one comes the upstream may be idle, and the client has as long again: to
// HTTP/2 the deadline is the end of the stream, even while nothing is written.
type pacedBody struct {
	from    io.ReadCloser
	passage *passage
	idle    time.Duration
	set     time.Time
	free    bool // the server does it, where nothing else has set a deadline
	status  int
	closed  bool
}

// Close ends the exchange: it is on record then, and its span ends. A panic of
// whoever closes something there becomes an error.
func (b *pacedBody) Close() (err error) {
	b.closed = true
	defer func() {
		if end := b.passage.ended; end != nil {
			b.passage.ended = nil
			end(b.passage.x, b.status)
		}
	}()
	defer func() {
		if v := recover(); v != nil {
			err = b.fault(v)
		}
	}()
	return b.from.Close()
}

// fault counts and logs a panic, and gives the error that it becomes.
func (b *pacedBody) fault(v any) error {
	if e, ok := v.(error); ok && errors.Is(e, http.ErrAbortHandler) {
		panic(v)
	}
	b.passage.g.deps.Metrics.Panic()
	b.passage.p.log.panicked(b.passage.x.ID, v, debug.Stack())
	return errFault
}

// Read turns a panic into an error, so that the proxy shell cuts the answer and
// closes it: else nothing would be on record and what it holds would be lost.
func (b *pacedBody) Read(p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, b.fault(v)
		}
	}()
	n, err = b.from.Read(p)
	if n > 0 {
		b.extend()
	}
	b.passage.flow.moved()
	return n, err
}

// Take gives what there is of the answer without a copy of it. A panic is the error
// of the Read that comes behind it.
func (b *pacedBody) Take() (p []byte, end bool) {
	t, ok := b.from.(middleware.Taker)
	if !ok {
		return nil, false
	}
	defer func() {
		if v := recover(); v != nil {
			p, end, b.from = nil, false, &faulty{b.from, b.fault(v)}
		}
	}()
	if p, end = t.Take(); len(p) > 0 {
		b.extend()
		b.passage.flow.moved()
	}
	return p, end
}

// faulty is a body that is not read any more, but has to be closed.
type faulty struct {
	io.ReadCloser
	err error
}

func (b *faulty) Read([]byte) (int, error) { return 0, b.err }

func (b *pacedBody) extend() {
	if b.free && !b.passage.timed.Load() {
		return
	}
	now := time.Now()
	if b.set.IsZero() {
		b.set = b.passage.awaited(b.idle)
	}
	if b.idle <= 0 || now.Sub(b.set) < b.idle/4 || b.passage.splice.Load() != nil {
		return // a splice has its own pace
	}
	b.set = now
	_ = b.passage.control.SetWriteDeadline(now.Add(2 * b.idle))
	if b.passage.cut.Load() { // meanwhile
		b.passage.Cut()
	}
}
