package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/gatehouse-dev/gatehouse/gateway/upstream/h1"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Senders that speak HTTP/1.1 give the client that does, so that an exchange
// needs no request of its own, and no timers.
type direct interface {
	sender
	// client gives the client, nil where the other side does not speak HTTP/1.1.
	client(ctx context.Context) (*h1.Client, error)
}

// plain is a sender without TLS.
type plain struct{ *h1.Client }

func (p plain) client(context.Context) (*h1.Client, error) { return p.Client, nil }

// agreed is a sender over TLS, where both sides agree on a protocol with the first
// connection (ALPN). If that is HTTP/2, it is what is spoken from then on, by
// net/http. If not, no other is offered any more.
type agreed struct {
	one    *h1.Client // offers HTTP/1.1
	asking *h1.Client // offers both
	two    *http.Transport
	spoken atomic.Int32 // what they speak: 1 or 2; 0: not known yet
}

func (a *agreed) client(ctx context.Context) (*h1.Client, error) {
	if a.spoken.Load() == 0 {
		if err := a.agree(ctx); err != nil {
			return nil, err
		}
	}
	if a.spoken.Load() == 2 {
		return nil, nil
	}
	return a.one, nil
}

// agree makes a connection to see what the other side speaks.
func (a *agreed) agree(ctx context.Context) error {
	err := a.asking.Connect(ctx)
	defer a.asking.CloseIdleConnections()
	switch {
	case errors.Is(err, h1.ErrHTTP2):
		a.spoken.Store(2)
	case err != nil:
		return &h1.DialError{Err: err}
	default:
		a.spoken.Store(1)
	}
	return nil
}

func (a *agreed) RoundTrip(r *http.Request) (*http.Response, error) {
	c, err := a.client(r.Context())
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return a.two.RoundTrip(r)
	}
	return c.RoundTrip(r)
}

func (a *agreed) CloseIdleConnections() {
	a.one.CloseIdleConnections()
	a.two.CloseIdleConnections()
}

// senderOf makes the sender of a target: our own client where HTTP/1.1 is spoken,
// and net/http for the rest.
func senderOf(t *target, other *http.Transport, dial func(ctx context.Context) (net.Conn, error)) sender {
	host := t.url.Host
	if !ascii(host) { // net/http knows how such a name is written
		return other
	}
	settings := h1.Settings{
		Host: host, Dial: dial, Idle: other.MaxIdleConnsPerHost, Max: other.MaxConnsPerHost,
		IdleTimeout: other.IdleConnTimeout, Handshake: other.TLSHandshakeTimeout,
		HeadBytes: int(other.MaxResponseHeaderBytes), Fields: maxFields,
	}
	if t.url.Scheme == "http" {
		return plain{h1.New(settings)}
	}
	offering := func(protocols ...string) *h1.Client {
		settings.TLS = other.TLSClientConfig.Clone()
		settings.TLS.NextProtos = protocols
		if settings.TLS.ServerName == "" {
			settings.TLS.ServerName = t.url.Hostname()
		}
		return h1.New(settings)
	}
	return &agreed{one: offering("http/1.1"), asking: offering("h2", "http/1.1"), two: other}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] == '%' { // a zone is not for the field Host either
			return false
		}
	}
	return true
}

// directly sends the exchange to a target that speaks HTTP/1.1.
func (u *Upstream) directly(x *middleware.Exchange, c *h1.Client) (*http.Response, error) {
	answer, idle := bounds(x)
	call := &h1.Call{Answer: answer, Idle: idle, Once: x.Upgrade != ""}
	x.Cancel = call.Cancel
	res, err := c.Do(call, x.Request)
	if err != nil {
		return nil, refused(x.Request.Context(), err)
	}
	res.Request = x.Request
	if res.StatusCode == http.StatusSwitchingProtocols {
		if err := directTunnel(x, res, call.Cancel, answer, idle); err != nil {
			_ = res.Body.Close()
			return nil, unavailable("the backend answered in a way that can be read in more than one", err)
		}
	}
	// The client has refused what inspect would, and its answer has one length.
	hopByHop(res.Header)
	if err := oneLength(res); err != nil {
		_ = res.Body.Close()
		return nil, unavailable("the backend answered in a way that can be read in more than one", err)
	}
	x.Answered = res.StatusCode
	return res, nil
}

// refused says why there is no answer over HTTP/1.1. The order matters: a client
// that goes away makes everything else fail too.
func refused(client context.Context, err error) error {
	var body *h1.BodyError
	switch mine := errors.As(err, &body); {
	case mine && (client.Err() == nil || errors.Is(body.Err, os.ErrDeadlineExceeded)):
		return middleware.BodyRefusal(stage, body.Err)
	case client.Err() != nil:
		return unavailable("the request was given up", fmt.Errorf("%w: %w", client.Err(), err))
	case errors.Is(err, h1.ErrNoAnswer):
		return middleware.Refuse(stage, middleware.UpstreamTimeout, "the backend did not answer in time").With(err)
	case unreachable(err):
		return unavailable("the backend cannot be reached", err) // why is for the record
	}
	return unavailable("the backend broke off or did not speak HTTP", unquoted(err))
}
