package h1

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
)

// other is net/http's server, for what is not served here: connections that
// have negotiated HTTP/2, and on systems where sockets cannot be looked at, all.
type other struct {
	http.Server
	queue *queue
	done  sync.WaitGroup
}

// newOther starts it with the settings of s.
func newOther(s *Server, address net.Addr) *other {
	o := &other{queue: &queue{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}}
	o.Server = http.Server{
		Handler: s.Handler, ReadHeaderTimeout: s.ReadHeaderTimeout, IdleTimeout: s.IdleTimeout, WriteTimeout: s.WriteTimeout,
		MaxHeaderBytes: s.MaxHeaderBytes, ErrorLog: s.ErrorLog, HTTP2: s.HTTP2, DisableGeneralOptionsHandler: true,
	}
	if !native {
		o.TLSConfig = s.TLSConfig
		return o
	}
	if s.HTTP2 != nil { // connections see to that themselves
		h := *s.HTTP2
		h.WriteByteTimeout = 0
		o.HTTP2 = &h
	}
	o.done.Go(func() {
		if err := o.Serve(o.queue); !errors.Is(err, http.ErrServerClosed) {
			s.logf("http: HTTP/2 is not served: %v", err)
		}
	})
	return o
}

// take serves a connection whose handshake is done.
func (o *other) take(c *tls.Conn) { o.queue.put(c) }

// serveAll serves a listener with nothing of ours.
func (o *other) serveAll(l net.Listener) error {
	if o.TLSConfig != nil {
		return o.ServeTLS(l, "", "")
	}
	return o.Serve(l)
}

func (o *other) shutdown(ctx context.Context) error {
	err := o.Shutdown(ctx)
	o.done.Wait()
	return err
}

func (o *other) close() error {
	err := o.Close()
	o.done.Wait()
	return err
}

// queue is a listener whose connections come from elsewhere.
type queue struct {
	address net.Addr
	conns   chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

// put hands a connection to whoever accepts, or closes it where nobody does any
// more.
func (q *queue) put(c net.Conn) {
	select {
	case q.conns <- c:
	case <-q.closed:
		_ = c.Close()
	}
}

// Accept gives the next connection.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (q *queue) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

// Addr gives the address of the listener in front.
func (q *queue) Addr() net.Addr { return q.address }
