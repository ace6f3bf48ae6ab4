// Package h1 serves HTTP/1.1 and 1.0 (RFC 9112) for an [http.Handler], with or
// without TLS. HTTP/2 stays net/http's: once a handshake has negotiated it, its
// connection is handed on.
//
// To handlers and to clients it is net/http's server, but for what is listed in
// its tests: it takes nothing that net/http refuses, and each difference has its
// reason there. What it saves is what net/http does for every request again: a
// goroutine that waits for the client to go away, half a dozen deadlines, copies
// of headers, and small pieces of memory.
//
// A connection is served by one goroutine. Who has gone away is found by one
// more, which looks at the sockets of requests that take long. Buffers belong to
// a connection while it has something to read or to write; one that is idle has
// none. What a handler gets of a request is its own and may be kept.
package h1

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves connections of listeners. Its fields are those of [http.Server]
// and must not be changed once it serves.
type Server struct {
	// Handler answers requests.
	Handler http.Handler
	// TLSConfig are the settings of TLS; nil: connections are plain. Where they
	// allow h2, so is HTTP/2 served.
	TLSConfig *tls.Config
	// ReadHeaderTimeout is how long a handshake may take, the first head from
	// there on, and any other head from its first byte. 0: for ever.
	ReadHeaderTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request. 0: for
	// ever.
	IdleTimeout time.Duration
	// WriteTimeout is how long a write may wait for the client, where the handler
	// sets no deadline: this at most, and half of it at least. 0: for ever.
	WriteTimeout time.Duration
	// MaxHeaderBytes is how long the head of a request may be, give or take 4
	// KiB. Default: [http.DefaultMaxHeaderBytes].
	MaxHeaderBytes int
	// ErrorLog is told of what goes wrong with single connections. Default: that
	// of package log.
	ErrorLog *log.Logger
	// HTTP2 are the settings of HTTP/2; nil: those of net/http. As for
	// WriteByteTimeout, a write has half of it at least.
	HTTP2 *http.HTTP2Config
	// Refuse gives who answers what is no request, or none that can be served, with
	// a status of 400, 417, 431, 501 or 505 and a detail that quotes nothing of what
	// was sent, or "". The request that it gets is empty but for whose it is, and the
	// connection ends with its answer. What net/http refuses, which serves HTTP/2, it
	// is not asked about. nil: the server answers by itself, in plain text.
	Refuse func(status int, detail string) http.Handler

	pools
	date    atomic.Pointer[stamp]
	lingers time.Duration  // 0: lingerFor
	closing atomic.Bool    // no further request is begun
	serving sync.WaitGroup // who accepts
	watcher sync.WaitGroup // and who says goodbye

	mu        sync.Mutex
	listeners map[net.Listener]bool
	conns     map[*conn]bool
	watched   bool          // the watcher runs
	gone      chan struct{} // closed when the watcher is to end; nil before there is one
	other     *other        // serves HTTP/2; nil without TLS
	shown     *http.Server  // what handlers are shown for the server; it serves nothing
}

// Serve answers the requests of a listener's connections until the server is
// shut down, and then returns [http.ErrServerClosed]. It closes the listener.
func (s *Server) Serve(l net.Listener) error {
	other, ok := s.open(l)
	if !ok {
		_ = l.Close()
		return http.ErrServerClosed
	}
	defer s.serving.Done()
	defer s.leave(l)
	if !native {
		return other.serveAll(l)
	}
	for pause := time.Duration(0); ; {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.begin(c)
		case s.closing.Load():
			return http.ErrServerClosed
		case passing(err):
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.logf("http: Accept error: %v; retrying in %v", err, pause)
			time.Sleep(pause)
		default:
			return err
		}
	}
}

// passing reports whether accepting may succeed again, as when there are too
// many open files.
func passing(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// open takes a listener in, unless the server is closed.
func (s *Server) open(l net.Listener) (*other, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return nil, false
	}
	if s.listeners == nil {
		s.shown = &http.Server{Handler: s.Handler, ErrorLog: s.ErrorLog}
		s.listeners, s.conns, s.gone = map[net.Listener]bool{}, map[*conn]bool{}, make(chan struct{})
	}
	if s.other == nil && (s.TLSConfig != nil || !native) {
		s.other = newOther(s, l.Addr())
	}
	s.listeners[l] = true
	s.serving.Add(1)
	return s.other, true
}

func (s *Server) leave(l net.Listener) {
	_ = l.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// begin serves a connection in a goroutine of its own.
func (s *Server) begin(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = true
	if !s.watched {
		s.watched = true
		s.watcher.Go(s.watch)
	}
	go c.serve()
}

// forget takes out a connection that is closed, or belongs to somebody else.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Shutdown closes the listeners and the connections on which nothing is asked,
// and waits for the others. It gives up with ctx, and its error then.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.stop()
	over := make(chan error, 1)
	if s.other != nil {
		go func() { over <- s.other.shutdown(ctx) }()
	} else {
		over <- nil
	}
	wait := time.Millisecond
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for !s.quiet() {
		select {
		case <-ctx.Done():
			<-over
			return ctx.Err()
		case <-timer.C:
			wait = min(2*wait, 100*time.Millisecond)
			timer.Reset(wait)
		}
	}
	s.unwatch()
	return errors.Join(err, <-over)
}

// stop closes the listeners and waits until nobody accepts any more.
func (s *Server) stop() error {
	var errs []error
	s.mu.Lock()
	s.closing.Store(true)
	for l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	s.mu.Unlock()
	s.serving.Wait()
	return errors.Join(errs...)
}

// newFor is how long a connection on which nothing was asked yet counts as one
// that is about to ask.
const newFor = 5 * time.Second

// quiet closes the connections on which nothing is asked, and reports whether
// there are no others.
func (s *Server) quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		switch {
		case c.state.CompareAndSwap(idle, closed):
			s.watcher.Go(c.hangUp) // TLS says goodbye, and may have to wait for it
		case time.Since(c.since) > newFor && c.state.CompareAndSwap(fresh, closed):
			_ = c.came.Close()
		default:
			continue
		}
		delete(s.conns, c)
	}
	return len(s.conns) == 0
}

// Close closes everything at once. Running handlers see their contexts done.
func (s *Server) Close() error {
	err := s.stop()
	s.mu.Lock()
	for c := range s.conns {
		delete(s.conns, c)
		c.state.Store(closed)
		_ = c.came.Close() // first: what was cancelled would be answered
		c.cancel()
	}
	s.mu.Unlock()
	if s.other != nil {
		err = errors.Join(err, s.other.close())
	}
	s.unwatch()
	return err
}

// unwatch ends the watcher and waits for it.
func (s *Server) unwatch() {
	s.mu.Lock()
	if s.gone != nil {
		select {
		case <-s.gone:
		default:
			close(s.gone)
		}
	}
	s.mu.Unlock()
	s.watcher.Wait()
}

func (s *Server) logf(format string, args ...any) {
	if s.ErrorLog != nil {
		s.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}
