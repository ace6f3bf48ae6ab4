// Package upstream sends exchanges to a backend service: the innermost handler
// of the pipeline.
//
// A request goes to one endpoint and its answer comes back as it is, or not at
// all. Nothing is followed, unpacked or tried elsewhere. A request is sent again
// only by net/http itself, on another connection, where the kept one turned out
// to be dead: if nothing of the request was written, or if its method is safe
// (or the client says by Idempotency-Key that twice is once) and not a byte of
// an answer came. An answer is its own: what an upstream sends beyond one ends
// the connection (see [conn]), and a head that is ambiguous is refused (see
// [inspect]).
//
// The upstream is bounded by its own slowness and never by that of the client:
// the clock runs while the gateway waits for the head of an answer or for the
// next piece of its body, and stands while the client is the one to move (see
// [watch]).
//
// An [Upstream] knows nothing of routes. The plans of one configuration after
// the other share it, and with it its connections and what is known of the
// health of its endpoints.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
)

const (
	dialTimeout    = 5 * time.Second
	idleConnection = 30 * time.Second // shorter than what servers usually grant
	idlePerHost    = 256
	headerBytes    = 64 << 10
)

// Upstream is a backend service.
type Upstream struct {
	targets []*target
	next    atomic.Uint64
	shown   certs.Certificate // zero where none is

	stop   context.CancelFunc
	checks sync.WaitGroup
}

// Endpoint is what is known of one endpoint.
type Endpoint struct {
	URL  string `json:"url"`
	Well bool   `json:"well"`
}

// Open makes an upstream of its settings and starts its health checks. The
// errors are [certs.FileError]s, whose Field is relative to the settings: ca,
// endpoints[0]. Whoever opens an upstream closes it.
func Open(c *config.Upstream) (*Upstream, error) {
	u := &Upstream{}
	for i, text := range c.Endpoints {
		base, err := parse(text)
		if err != nil {
			return nil, &certs.FileError{Field: fmt.Sprintf("endpoints[%d]", i), Err: err}
		}
		u.targets = append(u.targets, &target{name: text, url: base})
	}
	if len(u.targets) == 0 {
		return nil, &certs.FileError{Field: "endpoints", Err: errors.New("at least one is needed")}
	}
	t, err := transport(c)
	if err != nil {
		return nil, err
	}
	for _, one := range u.targets {
		one.sender = speaker(c, one, t)
		one.well.Store(true)
	}
	u.shown, _ = certs.Shown(t.TLSClientConfig)
	ctx, stop := context.WithCancel(context.Background())
	u.stop = stop
	if c.Health != nil {
		for _, t := range u.targets {
			u.checks.Go(func() { u.check(ctx, t, c.Health) })
		}
	}
	return u, nil
}

// Close ends the health checks and waits for them, and closes the connections
// that are idle. Exchanges that still run finish.
func (u *Upstream) Close() error {
	u.stop()
	u.checks.Wait()
	for _, t := range u.targets {
		t.sender.CloseIdleConnections()
	}
	return nil
}

// Endpoints tells what is known of each endpoint, in the order of the
// configuration.
func (u *Upstream) Endpoints() []Endpoint {
	out := make([]Endpoint, len(u.targets))
	for i, t := range u.targets {
		out[i] = Endpoint{t.name, t.well.Load()}
	}
	return out
}

// Certificate tells of the certificate that the upstream is shown, if there is
// one.
func (u *Upstream) Certificate() (certs.Certificate, bool) {
	return u.shown, !u.shown.NotAfter.IsZero()
}

// parse reads a base address. What is not understood is refused: it would not
// be used, and its author thinks it is.
func parse(text string) (*url.URL, error) {
	target, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	switch {
	case target.Scheme != "http" && target.Scheme != "https":
		return nil, fmt.Errorf("%q begins with neither http:// nor https://", text)
	case target.Hostname() == "":
		return nil, fmt.Errorf("%q names no host", text)
	case target.Path != "" && target.Path != "/", target.RawQuery != "", target.Fragment != "", target.User != nil:
		return nil, fmt.Errorf("%q is more than scheme, host and port", text)
	}
	return target, nil
}

// dialer makes the connections of our own client to a target.
func dialer(u *url.URL) func(ctx context.Context) (net.Conn, error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	d := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	address := net.JoinHostPort(u.Hostname(), port)
	return func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", address) }
}

// transport makes the connections. It differs from http.DefaultTransport where
// a proxy must: bodies pass as they are encoded, the environment names no
// proxy, many connections are kept, and the head of an answer is bounded.
func transport(c *config.Upstream) (*http.Transport, error) {
	settings, err := certs.Client(c)
	if err != nil {
		return nil, err
	}
	if c.Protocol == "http2" {
		insist(settings)
	}
	return &http.Transport{
		DialContext:            dialing(c, &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}),
		TLSClientConfig:        settings,
		TLSHandshakeTimeout:    dialTimeout,
		Protocols:              protocols(c),
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second, MaxReceiveBufferPerStream: streamBuffer},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleConnection,
		MaxResponseHeaderBytes: headerBytes,
	}, nil
}
