package session

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// round is how often open answers are looked at.
const round = 250 * time.Millisecond

// small is a length up to which an answer is not watched: it has been sent as
// soon as it is there.
const small = 32 << 10

// Why an answer is ended, for the record.
const (
	endedRevoked      = "session_revoked"
	endedBlocked      = "subject_blocked"
	endedTokenExpired = "token_expired"
	endedIdle         = "session_idle"
	endedExpired      = "session_expired"
)

// live is the body of an answer that is still open. It is ended when its token is
// called back or its subject blocked and, where it is a stream, which would else go on for as long as
// its client likes, when the token or the session is over.
//
// Its reader is one goroutine, and so is the watcher, which ends what the reader
// may be waiting for: the upstream, and a client that does not read.
type live struct {
	io.ReadCloser
	x      *middleware.Exchange // for the reader alone
	stage  *Stage
	id     orders.Token
	token  token
	limits limits
	stream bool
	// expires is when the token does.
	expires time.Time
	cancel  context.CancelCauseFunc
	cutter  middleware.Cutter

	mu     sync.Mutex // held while it is ended
	closed bool
	reason atomic.Pointer[string] // why it is ended; nil: it is not

	room       *room
	prev, next *live // in the room
	seen       bool  // by the watcher, which alone asks
}

// Read fails once the answer is ended, whatever there still is to read: the
// client must see that it is not all.
func (l *live) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.reason.Load() != nil {
		return 0, middleware.ErrEnded
	}
	return n, err
}

// Close ends the watch, and waits for a watcher that is about to end the answer:
// from here on its client's connection may belong to another one.
func (l *live) Close() error {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if !again {
		l.room.remove(l)
		if why := l.reason.Load(); why != nil {
			l.x.Note("ended", *why)
		}
	}
	return l.ReadCloser.Close()
}

// end makes whatever the reader waits for fail.
func (l *live) end(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.reason.CompareAndSwap(nil, &why) {
		return
	}
	if l.cancel != nil {
		l.cancel(middleware.ErrEnded)
	}
	if l.cutter != nil {
		l.cutter.Cut()
	}
}

// endless reports whether an answer is a stream that has no end of its own. A
// long download is none: it was let in while the token was good.
func endless(h http.Header) bool {
	values := h["Content-Type"]
	if len(values) == 0 {
		return false
	}
	t, _, _ := strings.Cut(values[0], ";")
	t = strings.TrimSpace(t)
	return strings.EqualFold(t, "text/event-stream") || strings.EqualFold(t, "multipart/x-mixed-replace")
}

// watched reports whether there will be something to end.
func watched(res *http.Response, stream bool) bool {
	return res.Body != nil && res.Body != http.NoBody && (stream || res.ContentLength < 0 || res.ContentLength > small)
}

// A room holds some of the answers that are open.
type room struct {
	watcher *watcher
	mu      sync.Mutex
	first   *live
}

func (r *room) add(l *live) {
	l.room = r
	r.mu.Lock()
	if l.next = r.first; l.next != nil {
		l.next.prev = l
	}
	r.first = l
	r.mu.Unlock()
	if r.watcher.open.Add(1) == 1 {
		select {
		case r.watcher.wake <- struct{}{}:
		default: // it is being woken
		}
	}
}

func (r *room) remove(l *live) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.next != nil {
		l.next.prev = l.prev
	}
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		r.first = l.next
	}
	r.watcher.open.Add(-1)
}

// watcher looks at open answers again and again, in one goroutine, which sleeps
// where there are none.
type watcher struct {
	rooms [shards]room
	turn  atomic.Uint32 // whose turn it is to take the next one
	open  atomic.Int64
	wake  chan struct{}

	stop    context.CancelFunc
	stopped sync.WaitGroup
	heard   map[*orders.Book]<-chan struct{} // closed where orders have changed
	all     []*live                          // of one round

	patience time.Duration // how long a round may take over sessions
	from     int           // where it begins with them
}

func newWatcher(s *Store) *watcher {
	w := &watcher{wake: make(chan struct{}, 1), heard: map[*orders.Book]<-chan struct{}{}, patience: round}
	for i := range w.rooms {
		w.rooms[i].watcher = w
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.stopped.Go(func() { w.run(ctx, s) })
	return w
}

func (w *watcher) close() {
	w.stop()
	w.stopped.Wait()
}

func (w *watcher) add(l *live) { w.rooms[w.turn.Add(1)%shards].add(l) }

func (w *watcher) run(ctx context.Context, s *Store) {
	timer := time.NewTimer(round)
	defer timer.Stop()
	for {
		if w.open.Load() == 0 {
			select {
			case <-w.wake:
			case <-ctx.Done():
				return
			}
		}
		timer.Reset(round)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		w.look(ctx, s, time.Now())
	}
}

// look ends what is over. Orders go first, for nothing of that waits for Redis; what is left of the sessions when a round is over is what the next one
// begins with.
// An answer that is seen first is looked at without news as well: they may have
// come between its own look and the round that it missed.
func (w *watcher) look(ctx context.Context, s *Store, now time.Time) {
	w.gather()
	news := w.news()
	for _, l := range w.all {
		told := news[l.stage.book] || !l.seen
		switch {
		case told && l.stage.book.Revoked(&l.id) != nil:
			l.end(endedRevoked)
		case told && l.stage.book.BlockedSubject(l.id.Issuer, l.id.Subject, l.id.Authenticated) != nil:
			l.end(endedBlocked)
		case l.stream && !l.expires.IsZero() && !now.Before(l.expires):
			l.end(endedTokenExpired)
		}
		l.seen = true
	}
	for n := range w.all {
		at := (w.from + n) % len(w.all)
		w.judge(ctx, s, w.all[at], now)
		if time.Since(now) >= w.patience {
			w.from = at + 1
			break
		}
	}
	clear(w.all)
	w.all = w.all[:0]
}

// judge ends a stream whose session is over.
func (w *watcher) judge(ctx context.Context, s *Store, l *live, now time.Time) {
	if !l.stream || l.stage.bounds == nil || l.reason.Load() != nil {
		return
	}
	switch refused, _ := s.use(ctx, &l.token, l.limits, false, now); refused {
	case nil:
	case errExpired:
		l.end(endedExpired)
	default:
		l.end(endedIdle)
	}
}

func (w *watcher) gather() {
	for i := range w.rooms {
		r := &w.rooms[i]
		r.mu.Lock()
		for l := r.first; l != nil; l = l.next {
			w.all = append(w.all, l)
		}
		r.mu.Unlock()
	}
}

// news tells of which Books something has changed since the round before; of
// those that nobody asks any more nothing is kept.
func (w *watcher) news() map[*orders.Book]bool {
	out, heard := map[*orders.Book]bool{}, map[*orders.Book]<-chan struct{}{}
	for _, l := range w.all {
		b := l.stage.book
		if _, done := heard[b]; done {
			continue
		}
		last, known := w.heard[b]
		out[b], heard[b] = !known || closed(last), b.Changed()
	}
	w.heard = heard
	return out
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
