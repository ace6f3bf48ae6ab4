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
	inner  context.Context //nolint:containedctx // what package context knows how to wait for
	cancel context.CancelFunc
}

// Deadline tells that there is none.
func (l *life) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done is closed when the request is over.
func (l *life) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner == nil {
		l.inner, l.cancel = context.WithCancel(context.Background())
		if l.err != nil {
			l.cancel()
		}
	}
	return l.inner.Done()
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
	cancel := l.cancel
	l.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}
