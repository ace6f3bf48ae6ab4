package h1

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"
)

// A Call is one request and its answer. It is used once, and not copied.
//
// Its bounds hold for the upstream and not for the client: Answer is counted from
// the last byte of the request that the client gave, and stands while the client
// is read from. Idle is counted for each read of the answer that has to wait.
type Call struct {
	Answer time.Duration // for the head of the answer; making a connection counts. 0: no bound
	Idle   time.Duration // for each piece of its body. 0: no bound
	Room   int           // how many fields the caller will add to the answer, about
	Via    string        // is added to the request's own field Via, which stays; "": nothing
	Once   bool          // the connection is for this call alone: what is asked may turn it into something else

	client *Client
	ctx    context.Context //nolint:containedctx // of the request
	stop   func() bool     // ends watching ctx; nil where it cannot end
	sent   *sending        // nil where no body is sent beside the answer
	res    http.Response
	body   body
	waited time.Duration // for a connection to become free
	wrote  bool          // something of the request
	queued bool          // it ended before there was a connection, or a place for one

	mu       sync.Mutex
	cause    error                   // why it was ended; the first one
	conn     *conn                   // that it has; nil before and after
	making   context.CancelCauseFunc // ends the making of a connection, and the wait for one
	due      time.Time               // when the head of the answer is to be there; zero: whenever
	answered bool                    // the head is there
	over     bool                    // it has no connection any more and gets none
}

// Cancel ends the call with a cause, which reading the answer then fails with.
// It may be called from any goroutine at any time. The first cause stays.
func (k *Call) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return
	}
	if k.cause == nil {
		k.cause = cause
	}
	if k.making != nil {
		k.making(cause)
	}
	if k.conn != nil {
		k.conn.cut()
	}
}

// An afterFuncer is a context that calls back by itself when it ends. Asked by way of
// package context, it would have to make one of that package's first.
type afterFuncer interface {
	AfterFunc(f func()) (stop func() bool)
}

// begin starts the clock and watches the context.
func (k *Call) begin(c *Client, ctx context.Context) {
	k.client, k.ctx = c, ctx
	if k.Answer > 0 {
		k.due = time.Now().Add(k.Answer)
	}
	if own, ok := ctx.(afterFuncer); ok {
		k.stop = own.AfterFunc(k.given)
	} else if ctx.Done() != nil {
		k.stop = context.AfterFunc(ctx, k.given)
	}
}

// given ends the call because its request was given up.
func (k *Call) given() { k.Cancel(context.Cause(k.ctx)) }

// context is for making a connection. Its end is that of the call, at the latest
// when the head of the answer is due.
func (k *Call) context() (context.Context, func(), error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cause != nil {
		return nil, nil, k.cause
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(k.ctx))
	k.making = cancel
	free := func() {}
	if !k.due.IsZero() {
		ctx, free = context.WithDeadlineCause(ctx, k.due, ErrNoAnswer)
	}
	return ctx, func() {
		k.mu.Lock()
		k.making = nil
		k.mu.Unlock()
		free()
		cancel(nil)
	}, nil
}

// attach gives the call its connection.
func (k *Call) attach(cn *conn) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conn = cn
	if k.cause != nil {
		return k.cause
	}
	_ = cn.SetDeadline(k.due)
	return nil
}

// detach takes the connection away, and gives it to the caller alone.
func (k *Call) detach() *conn {
	k.mu.Lock()
	defer k.mu.Unlock()
	cn := k.conn
	k.conn = nil
	return cn
}

func (k *Call) ended() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cause != nil
}

// Sent reports whether something of the request may have left. It is for when the
// call has come back.
func (k *Call) Sent() bool { return k.wrote }

// Queued reports whether the call ended before there was a connection for it or a
// place for one, whatever ended it: the upstream was not asked. It is for when the
// call has come back.
func (k *Call) Queued() bool { return k.queued }

// pause stops the clock while the client is read from. Once the answer has begun
// there is none to stop.
func (k *Call) pause() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn != nil && !k.answered && k.Answer > 0 {
		_ = k.conn.SetReadDeadline(time.Time{})
	}
}

// resume starts the clock anew.
func (k *Call) resume() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn != nil && !k.answered && k.Answer > 0 {
		_ = k.conn.SetDeadline(time.Now().Add(k.Answer))
	}
}

// headed ends the first phase: from now on each read is bounded by itself, and
// what is still sent is not.
func (k *Call) headed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answered = true
	if k.conn == nil {
		return
	}
	k.conn.idle = k.Idle
	switch {
	case k.sent != nil:
		_ = k.conn.SetDeadline(time.Time{})
	case k.Idle <= 0 && k.Answer > 0:
		_ = k.conn.SetReadDeadline(time.Time{})
	}
}

// finish ends the call after the whole of the answer. The connection is given
// back if all of the request was sent and keep says that it is good.
func (k *Call) finish(keep bool) {
	whole := k.sent == nil || k.sent.settled()
	cn := k.end()
	switch {
	case cn == nil: // ended by somebody else
	case keep && whole && cn.in.Buffered() == 0:
		k.client.give(cn)
	default:
		k.client.drop(cn)
	}
}

// end makes the call have no connection any more, and gives what it had, or nil
// where that was cut.
func (k *Call) end() *conn {
	if k.stop != nil {
		k.stop()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	cn := k.conn
	k.conn = nil
	if k.cause != nil && cn != nil {
		k.client.drop(cn)
		return nil
	}
	return cn
}

// close ends the call wherever it is, and waits for the body of the request to be
// let go.
func (k *Call) close() {
	if cn := k.end(); cn != nil {
		k.client.drop(cn)
	}
	if k.sent != nil {
		k.sent.end()
	}
}

// fail ends a call that has no answer and tells why. A request body that could
// not be read comes first: it makes everything else fail too. Its time may run
// out with the context of the request, which ends a moment before the read that
// is under way, and then the read does not last.
func (k *Call) fail(err error) error {
	if cn := k.end(); cn != nil {
		k.client.drop(cn)
	}
	if k.sent != nil {
		if failed := k.sent.failed(k.ctx.Err() != nil); failed != nil {
			return failed
		}
	}
	if k.cause != nil { // nobody writes it any more
		return k.cause
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if k.sent == nil && k.waited > k.Answer/2 { // the clock was not set anew by a body
			return errBusy
		}
		return ErrNoAnswer
	}
	return err
}
