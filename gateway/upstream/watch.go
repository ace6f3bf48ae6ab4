package upstream

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/gateway/upstream/h1"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Why a call was ended.
var (
	errNoAnswer = h1.ErrNoAnswer
	errIdle     = h1.ErrIdle
)

// A watch ends a call to an upstream that keeps the gateway waiting: for the
// head of its answer, counted from the last byte of the request that was taken
// to be sent, and then for each piece of the body. One timer serves both.
type watch struct {
	cancel       context.CancelCauseFunc
	answer, idle time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	waiting bool // the upstream is the one to move
	headed  bool // the head of the answer is there
}

func newWatch(cancel context.CancelCauseFunc, answer, idle time.Duration) *watch {
	w := &watch{cancel: cancel, answer: answer, idle: idle, waiting: true}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(answer, w.expire)
	return w
}

func (w *watch) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.waiting: // it moved while the timer went off
	case w.headed:
		w.cancel(errIdle)
	default:
		w.cancel(errNoAnswer)
	}
}

// set starts or stops the clock, in one phase of the call only: reading the
// request body may go on after the answer has begun, and does not count then.
func (w *watch) set(headed, waiting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.headed != headed {
		return
	}
	w.waiting = waiting
	switch {
	case !waiting:
		w.timer.Stop()
	case headed:
		w.timer.Reset(w.idle)
	default:
		w.timer.Reset(w.answer)
	}
}

// moved gives the upstream the idle time anew: it may be silent in the middle of
// its answer while the client goes on speaking.
func (w *watch) moved() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.headed && w.waiting {
		w.timer.Reset(w.idle)
	}
}

// answered ends the first phase.
func (w *watch) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.headed, w.waiting = true, false
	w.timer.Stop()
}

// requestBody is the client's body on its way. It remembers how reading it
// failed, to tell that from a failure of the upstream.
type requestBody struct {
	io.ReadCloser
	watch *watch
	begun atomic.Bool // something was read, or wanted to be

	reading sync.Mutex // held while the client is read from
	mu      sync.Mutex // net/http reads it in a goroutine of its own
	err     error
	fault   any // what its reader panicked with
}

// errFault is the failure of a body whose reader panicked, in a goroutine where that
// would end the program.
var errFault = errors.New("the reader of the request body met a fault")

func (b *requestBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	b.begun.Store(true)
	b.watch.set(false, false)
	n, err := b.read(p)
	b.watch.set(false, true)
	if n > 0 {
		b.watch.moved()
	}
	if err != nil && err != io.EOF {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.err = err
	}
	return n, err
}

func (b *requestBody) read(p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.fault = v
			n, err = 0, errFault
		}
	}()
	return b.ReadCloser.Read(p)
}

// Close leaves a body open of which nothing was read: it may go to another
// endpoint. Whoever has it of the client closes it.
func (b *requestBody) Close() error {
	if !b.begun.Load() {
		return nil
	}
	return b.ReadCloser.Close()
}

// failure tells how reading has failed. A panic goes on here, in the goroutine of the
// exchange.
func (b *requestBody) failure() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault != nil {
		panic(b.fault)
	}
	return b.err
}

// tooSlow reports whether the client's time to send the body has run out, which
// ends its context a moment before it ends the read that is under way. It waits
// for that read, and is for when the client's context is done: then the read
// does not last.
func (b *requestBody) tooSlow() bool {
	if b == nil {
		return false
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	return errors.Is(b.failure(), os.ErrDeadlineExceeded)
}

// responseBody is the upstream's body on its way.
type responseBody struct {
	io.ReadCloser
	watch  *watch
	ctx    context.Context // of the call
	stop   func() bool     // of what ends a tunnel with ctx; nil without one
	flight flight          // ends when it is closed
}

func (b *responseBody) Read(p []byte) (int, error) {
	b.watch.set(true, true)
	n, err := b.ReadCloser.Read(p)
	b.watch.set(true, false)
	if err != nil && err != io.EOF {
		if cause := context.Cause(b.ctx); errors.Is(cause, errIdle) || errors.Is(cause, middleware.ErrEnded) {
			err = cause
		}
	}
	return n, err
}

func (b *responseBody) Close() error {
	if b.flight.over.Load() {
		return nil
	}
	defer b.flight.land()
	b.watch.set(true, false)
	if b.stop != nil {
		b.stop()
	}
	err := b.ReadCloser.Close()
	b.watch.cancel(nil)
	return err
}
