package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	http1 "github.com/gatehouse-dev/gatehouse/gateway/h1"
)

// Server is a gateway with its listeners open.
type Server struct {
	g       *Gateway
	drain   time.Duration
	servers []*http1.Server
	open    []net.Listener
	names   []string
}

// Listen opens the listeners of the gateway's current plan. Nothing is
// answered before [Server.Serve].
func Listen(g *Gateway) (*Server, error) {
	p := g.Plan()
	s := &Server{g: g, drain: p.config.Timeouts.Drain.D()}
	names := make([]string, 0, len(p.config.Listeners))
	for name := range p.config.Listeners {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		l, err := net.Listen("tcp", p.config.Listeners[name].Address)
		if err != nil {
			s.Close()
			return nil, p.config.Mistake("listeners."+name+".address", "%v", err)
		}
		s.names, s.open = append(s.names, name), append(s.open, g.listen(name, l))
		s.servers = append(s.servers, g.server(p, name))
	}
	return s, nil
}

// server makes the HTTP server of one listener. Its TLS settings are taken
// from the plan that is current when a client connects. OPTIONS * is answered and
// recorded as everything else is.
func (g *Gateway) server(p *Plan, name string) *http1.Server {
	c := p.config
	srv := &http1.Server{
		Handler: g.Handler(name), ReadHeaderTimeout: c.Timeouts.Header.D(), IdleTimeout: c.Timeouts.Idle.D(),
		// For what the server writes by itself, and for short exchanges over
		// HTTP/2. Everything else moves it: see passage.await and pacedBody.
		WriteTimeout:   2 * c.Timeouts.Idle.D(),
		MaxHeaderBytes: int(c.Limits.HeaderBytes), ErrorLog: g.ErrorLog(),
		HTTP2:  http2Bounds(c),
		Refuse: g.unread(name),
	}
	if c.Listeners[name].TLS != nil {
		srv.TLSConfig = g.tls(name)
	}
	return srv
}

// tls gives the TLS settings of a listener. A handshake by which an authority
// looks whether a name is served here is answered before they are asked: it
// needs no certificate of the client, and gets no further than the handshake.
func (g *Gateway) tls(name string) *tls.Config {
	t := certs.Listener(func() *certs.Server { return g.Plan().tls[name] })
	usual := t.GetConfigForClient
	t.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if proof := g.Plan().proof(hello); proof != nil {
			return proof, nil
		}
		return usual(hello)
	}
	return t
}

// connectionBuffer is what one HTTP/2 connection, with all of its streams, may make
// the gateway hold of request bodies that nobody has read yet. Memory is taken as
// bytes arrive. It is also how much a client may send ahead: less would slow
// uploads over long ways.
const connectionBuffer = 1 << 20

// http2Bounds is what one HTTP/2 connection may cost. Beyond it the standard
// library ends the connection by itself: over heads (header_bytes, decoded),
// over CONTINUATION frames past them, over 10,000 answers to control frames that
// nobody reads, and over four times as many requests in wait as may be open,
// which is what is left of resetting them in turn.
func http2Bounds(c *config.Config) *http.HTTP2Config {
	idle := c.Timeouts.Idle.D()
	return &http.HTTP2Config{
		MaxConcurrentStreams: c.Limits.Streams,
		// The least that RFC 9113 allows. The buffer of the largest frame seen
		// stays with a connection for as long as it is open.
		MaxReadFrameSize:              16 << 10,
		MaxReceiveBufferPerConnection: connectionBuffer,
		MaxReceiveBufferPerStream:     connectionBuffer,
		MaxDecoderHeaderTableSize:     4 << 10,
		MaxEncoderHeaderTableSize:     4 << 10,
		// A client that has vanished with streams open, and one that does not
		// take what is sent to it. The deadline of a stream does not help there:
		// its end would have to be written to the same connection.
		SendPingTimeout: idle, PingTimeout: idle,
		WriteByteTimeout: 2 * idle,
	}
}

// Addresses tells where each listener listens, by its name.
func (s *Server) Addresses() map[string]net.Addr {
	out := map[string]net.Addr{}
	for i, l := range s.open {
		out[s.names[i]] = l.Addr()
	}
	return out
}

// Serve answers requests until ctx is done, then stops accepting and gives
// running requests the drain time to finish.
func (s *Server) Serve(ctx context.Context) error {
	s.g.Plan().begin()
	var wg sync.WaitGroup
	failed := make(chan error, len(s.servers))
	for i, srv := range s.servers {
		wg.Go(func() {
			if err := srv.Serve(s.open[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("listener %s: %w", s.names[i], err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.shutdown()
	wg.Wait()
	return err
}

func (s *Server) shutdown() {
	s.g.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), s.drain)
	defer cancel()
	var wg sync.WaitGroup
	for _, srv := range s.servers {
		wg.Go(func() {
			if err := srv.Shutdown(ctx); err != nil {
				s.g.Plan().log.Warn("requests were cut off by the drain timeout", zap.Error(err))
				_ = srv.Close()
			}
		})
	}
	wg.Go(func() { s.g.splices.drain(ctx) })
	wg.Wait()
}

// Close closes the listeners of a server that never served.
func (s *Server) Close() {
	for _, l := range s.open {
		_ = l.Close()
	}
}

// fixed lists what cannot change while the gateway runs, because it belongs to
// open sockets, or because it is where what must not be forgotten is kept.
func fixed(old, next *config.Config) config.Mistakes {
	const why = "cannot change while the gateway runs; restart it to apply this"
	var out config.Mistakes
	add := func(path string) { out = append(out, next.Mistake(path, "%s "+why, path)) }
	for name, l := range next.Listeners {
		o := old.Listeners[name]
		if o == nil || o.Address != l.Address || (o.TLS == nil) != (l.TLS == nil) {
			add("listeners." + name)
		}
	}
	for name := range old.Listeners {
		if next.Listeners[name] == nil {
			add("listeners")
		}
	}
	if old.Timeouts.Header != next.Timeouts.Header {
		add("timeouts.header")
	}
	if old.Timeouts.Drain != next.Timeouts.Drain {
		add("timeouts.drain")
	}
	if old.Limits.HeaderBytes != next.Limits.HeaderBytes {
		add("limits.header_bytes")
	}
	if old.Limits.Streams != next.Limits.Streams {
		add("limits.streams")
	}
	if old.Admin.Address != next.Admin.Address || (len(old.Admin.Certificates) == 0) != (len(next.Admin.Certificates) == 0) {
		add("admin.address")
	}
	if old.Store.Folder != next.Store.Folder {
		add("store.folder")
	}
	return out
}
