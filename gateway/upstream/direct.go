package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/upstream/h1"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Senders that speak HTTP/1.1 give the client that does, so that an exchange
// needs no request of its own, and no timers.
type direct interface {
	sender
	// client gives the client, nil where the other side speaks HTTP/2. To learn which
	// it is may take as long as an answer.
	client(ctx context.Context, answer time.Duration) (*h1.Client, error)
	// learned tells with which version of HTTP a call was answered, 0 where there was
	// no connection.
	learned(version int)
}

// plain is a sender without TLS.
type plain struct{ *h1.Client }

func (p plain) client(context.Context, time.Duration) (*h1.Client, error) { return p.Client, nil }

func (p plain) learned(int) {}

// agreed is a sender over TLS, where both sides agree on a protocol with the first
// connection (ALPN). If that is HTTP/2, it is what is spoken from then on, by
// net/http. If not, no other is offered. It is learned anew after a connection that
// was not made, or that has surprised net/http: servers change.
type agreed struct {
	one    *h1.Client // offers HTTP/1.1
	asking *h1.Client // offers both
	two    *http.Transport
	spoken atomic.Int32 // what they speak: 1 or 2; 0: not known yet
}

func (a *agreed) client(ctx context.Context, answer time.Duration) (*h1.Client, error) {
	spoken := a.spoken.Load()
	if spoken == 0 {
		var err error
		if spoken, err = a.agree(ctx, answer); err != nil {
			return nil, err
		}
		a.spoken.Store(spoken)
	}
	if spoken == 2 {
		return nil, nil
	}
	return a.one, nil
}

// agree makes a connection to see what the other side speaks.
func (a *agreed) agree(ctx context.Context, answer time.Duration) (int32, error) {
	if answer > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, answer, errNoAnswer)
		defer cancel()
	}
	err := a.asking.Connect(ctx)
	switch {
	case errors.Is(err, h1.ErrHTTP2):
		return 2, nil
	case err != nil && ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		return 0, &h1.DialError{Err: err}
	}
	a.asking.CloseIdleConnections()
	return 1, nil
}

func (a *agreed) learned(version int) {
	if spoken := a.spoken.Load(); int(spoken) != version {
		a.spoken.CompareAndSwap(spoken, 0)
	}
}

func (a *agreed) RoundTrip(r *http.Request) (*http.Response, error) {
	c, err := a.client(r.Context(), 0)
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
func senderOf(t *target, other *http.Transport) sender {
	host := t.url.Host
	if !ascii(host) { // net/http knows how such a name is written
		return other
	}
	settings := h1.Settings{
		Host: host, Dial: func(ctx context.Context) (net.Conn, error) { return t.dial(ctx, "tcp", "") }, Idle: other.MaxIdleConnsPerHost, Max: other.MaxConnsPerHost,
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

// ask sends a request outside of any exchange. The error is [h1.ErrBusy] where no
// connection became free until its context had ended.
func (t *target) ask(r *http.Request) (*http.Response, error) {
	d, able := t.sender.(direct)
	if !able {
		return t.sender.RoundTrip(r)
	}
	c, err := d.client(r.Context(), 0)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return t.sender.RoundTrip(r)
	}
	call := &h1.Call{}
	res, err := c.Do(call, r)
	if err != nil && call.Queued() {
		return nil, h1.ErrBusy
	}
	return res, err
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
func directly(x *middleware.Exchange, d direct, c *h1.Client, answer, idle time.Duration) (*http.Response, *failure) {
	call := &h1.Call{Answer: answer, Idle: idle, Room: added(x.Route), Via: x.Via, Once: x.Upgrade != ""}
	x.Cancel = call.Cancel
	res, err := c.Do(call, x.Request)
	if err != nil {
		if dialed := (*h1.DialError)(nil); errors.As(err, &dialed) {
			d.learned(0)
		}
		return nil, refused(x.Request.Context(), call.Sent(), err)
	}
	res.Request = x.Request
	if res.StatusCode == http.StatusSwitchingProtocols {
		if err := directTunnel(x, res, call.Cancel, answer, idle); err != nil {
			_ = res.Body.Close()
			return nil, twofold(err)
		}
	}
	// The client has refused what inspect would, and its answer has one length.
	hopByHop(res.Header)
	if err := oneLength(res); err != nil {
		_ = res.Body.Close()
		return nil, twofold(err)
	}
	x.Answered = res.StatusCode
	return res, nil
}

// added is about how many fields the gateway puts into the answers of a route: its id
// and what every browser is told, what is said about caches where there are callers,
// and about limits where there are some.
func added(r *config.Route) int {
	n := 3
	if r != nil && r.Authn != nil {
		n += 2
	}
	if r != nil && len(r.RateLimits) > 0 {
		n += 2
	}
	return n
}

// twofold is the failure of an answer that means more than one thing.
func twofold(err error) *failure {
	return &failure{garbled, unavailable("the backend answered in a way that can be read in more than one", err)}
}

// refused says why there is no answer over HTTP/1.1; sent, whether something of
// the request may have left. The order matters: a client that goes away makes
// everything else fail too.
func refused(client context.Context, sent bool, err error) *failure {
	var body *h1.BodyError
	switch mine := errors.As(err, &body); {
	case mine && (client.Err() == nil || errors.Is(body.Err, os.ErrDeadlineExceeded)):
		return &failure{ours, middleware.BodyRefusal(stage, body.Err)}
	case client.Err() != nil:
		return &failure{ours, unavailable("the request was given up", fmt.Errorf("%w: %w", client.Err(), err))}
	case errors.Is(err, h1.ErrBusy):
		return &failure{busy, middleware.Refuse(stage, middleware.Overloaded, "all connections to the backend are in use").With(err).Set("Retry-After", "1")}
	case errors.Is(err, h1.ErrNoAnswer):
		return &failure{sentOr(sent, late), middleware.Refuse(stage, middleware.UpstreamTimeout, "the backend did not answer in time").With(err)}
	case stranger(err):
		return &failure{garbled, unavailable("the backend cannot be reached", err)} // why is for the record
	case undialed(err):
		return &failure{unsent, unavailable("the backend cannot be reached", err)}
	}
	k := garbled
	switch {
	case errors.Is(err, middleware.ErrEnded), errors.Is(err, h1.ErrRequest):
		k = ours
	case errors.Is(err, h1.ErrAnswer):
	case !sent || ended(err):
		k = sentOr(sent, broken)
	}
	return &failure{k, unavailable("the backend broke off or did not speak HTTP", unquoted(err))}
}

// sentOr is what a failure is where something of the request has left, and unsent
// where nothing has.
func sentOr(sent bool, k kind) kind {
	if sent {
		return k
	}
	return unsent
}
