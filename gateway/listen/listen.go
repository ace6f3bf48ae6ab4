// Package listen stands between the operating system and the HTTP server: it
// bounds how many connections are open, and reads who the client is where a
// load balancer says so by the PROXY protocol.
//
// Both belong here, below TLS and HTTP. A connection that is too many costs
// nothing but its acceptance: nothing is read of it, no handshake is begun. And
// what the PROXY protocol says must be known before anything else looks at the
// address, so that every list, limit, log and policy sees the same one.
//
// No goroutine is started and none waits in Accept for a client: what a
// connection still has to say is read by whoever serves it, with its first look
// at the connection.
package listen

import (
	"net"
	"net/netip"
	"time"

	"github.com/gatehouse-dev/gatehouse/gateway/edge"
)

// Settings are asked for anew with every connection, so they may change while
// the listener is open. What is open stays open.
type Settings struct {
	Total      int // connections at once; 0: no bound
	PerAddress int // of one address (IPv6: one /64) at once; 0: no bound

	// Balancers are the networks whose connections must begin with a PROXY
	// protocol v2 header.
	Balancers []netip.Prefix
	// HeaderTimeout is how long that header may take; 0: 10 seconds.
	HeaderTimeout time.Duration
}

// Reason is why a connection was closed without being served.
type Reason string

// The reasons there are.
const (
	TooMany      Reason = "total"
	TooManyOfOne Reason = "per_address"
	BadHeader    Reason = "proxy_header"
)

// Reasons lists them all.
func Reasons() []Reason { return []Reason{TooMany, TooManyOfOne, BadHeader} }

// Watch is told what happens to connections. It is called from many goroutines
// and must not wait.
type Watch interface {
	// Opened and Closed are called once for each connection that counts.
	Opened()
	Closed()
	// Refused is called with the address that a connection came from, or said
	// it came from; err says more, where there is more to say.
	Refused(reason Reason, from netip.Addr, err error)
}

// Listener hands out connections within bounds. It is a [net.Listener], to be
// given to an HTTP server with or without TLS. All of its methods, and those of
// its connections, may be called from many goroutines, but for reading from one
// connection.
type Listener struct {
	net.Listener
	settings func() Settings
	watch    Watch
	count    counter
}

// New wraps a listener of TCP connections, which it owns from now on.
func New(inner net.Listener, settings func() Settings, watch Watch) *Listener {
	return &Listener{Listener: inner, settings: settings, watch: watch, count: counter{by: map[netip.Addr]int{}}}
}

// Accept waits for the next connection that is within the bounds. Those that
// are too many are closed meanwhile.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.admit(inner); c != nil {
			return c, nil
		}
	}
}

// admit counts a connection in, or closes it and gives nil. Behind a load
// balancer the client is not known yet, so there it counts as one of all only.
func (l *Listener) admit(inner net.Conn) net.Conn {
	s, peer := l.settings(), edge.AddressOf(inner.RemoteAddr())
	if !l.count.enter(s.Total) {
		l.refuse(inner, TooMany, peer, nil)
		return nil
	}
	l.watch.Opened()
	c := conn{Conn: inner, l: l}
	if edge.Contains(s.Balancers, peer) {
		return newProxied(c, peer, s)
	}
	if !l.count.join(&c, peer, s.PerAddress) {
		l.refuse(&c, TooManyOfOne, peer, nil)
		return nil
	}
	return &c
}

// refuse tells why a connection is refused and closes it for good, in this order:
// whoever sees the end finds it counted. It is reset rather than closed in good
// order: what the client has sent is not read, and a flood leaves nothing behind.
func (l *Listener) refuse(c net.Conn, why Reason, from netip.Addr, err error) {
	if t, ok := c.(interface{ SetLinger(sec int) error }); ok {
		_ = t.SetLinger(0)
	}
	l.watch.Refused(why, from, err)
	_ = c.Close()
}
