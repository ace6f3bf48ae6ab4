package h1

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// life is the context of a request. It ends with the handler, or when the client
// goes away. What others need to wait for it is made when the first one does.
type life struct {
	local  net.Addr
	server *http.Server

	mu     sync.Mutex
	err    error
	then   func()          // is to be called when it ends
	asked  int             // how often somebody has asked for that
	inner  context.Context //nolint:containedctx // what package context knows how to wait for
	cancel context.CancelFunc
}

// AfterFunc is [context.AfterFunc], for who asks it of the context itself: the first
// who does so costs next to nothing.
func (l *life) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.then != nil || l.err != nil {
		return context.AfterFunc(l.waitable(), f)
	}
	l.then = f
	l.asked++
	nth := l.asked
	return func() bool { return l.forget(nth) }
}

// forget takes back what was to be called for the nth who asked, and reports
// whether it will not be.
func (l *life) forget(nth int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked != nth || l.then == nil {
		return false
	}
	l.then = nil
	return true
}

// Deadline tells that there is none.
func (l *life) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done is closed when the request is over.
func (l *life) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waitable().Done()
}

// waitable gives what package context knows how to wait for. The lock is held.
func (l *life) waitable() context.Context {
	if l.inner == nil {
		l.inner, l.cancel = context.WithCancel(context.Background())
		if l.err != nil {
			l.cancel()
		}
	}
	return l.inner
}

// Err is [context.Canceled] once the request is over.
func (l *life) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Value gives the address that the connection came to, and a server: by that,
// others know that a panic ends the answer and nothing else. Package context asks for
// a key of its own, by which contexts made of this one are told without a
// goroutine.
func (l *life) Value(key any) any {
	switch key {
	case http.LocalAddrContextKey:
		return l.local
	case http.ServerContextKey:
		return l.server
	}
	l.mu.Lock()
	inner := l.inner
	l.mu.Unlock()
	if inner == nil {
		return nil
	}
	return inner.Value(key)
}

// end ends it; again does nothing.
func (l *life) end() {
	l.mu.Lock()
	l.err = context.Canceled
	cancel, then := l.cancel, l.then
	l.then = nil
	l.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if then != nil {
		go then()
	}
}
