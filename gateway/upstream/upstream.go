// Package upstream sends exchanges to a backend service: the innermost handler
// of the pipeline.
//
// A request goes to one endpoint (see [Upstream.pick]) and its answer comes back
// as it is, or not at all. Nothing is followed or unpacked. It goes to another
// endpoint where nothing of it has left the gateway, and is tried again otherwise
// only where the configuration says so and twice is once (see [course]). Below
// that, a request is sent again on another connection where the kept one turned
// out to be dead: if nothing of the request was written, or if its method is safe
// and not a byte of an answer came. An upstream that mostly fails is left alone
// for a while (see [breaker]). An answer is its own: what an upstream sends beyond
// one ends the connection, and a head that is ambiguous is refused.
//
// HTTP/1.1 is spoken by [h1], HTTP/2 by net/http (see [agreed]). Where that speaks
// HTTP/1.1 all the same, [conn] and [inspect] hold it to the same.
//
// The upstream is bounded by its own slowness and never by that of the client:
// the clock runs while the gateway waits for the head of an answer or for the
// next piece of its body, and stands while the client is the one to move (see
// [h1.Call] and [watch]).
//
// An [Upstream] knows nothing of routes. The plans of one configuration after
// the other share it, and with it its connections and what is known of the
// health of its endpoints.
package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
)

const (
	dialTimeout = 5 * time.Second
	headerBytes = 64 << 10
)

// Upstream is a backend service.
type Upstream struct {
	endpoints []*endpoint
	connect   func(t *target) sender
	shown     certs.Certificate // zero where none is
	drain     time.Duration     // what is under way at an address that is gone has so long to finish
	retries   *retries          // nil where nothing is tried again
	patience  time.Duration     // with an answer that is given up
	breaker   *breaker          // nil where there is none
	counts    counts
	bounded   bool // how many connections there may be is

	policy    policy
	otherwise policy // of policy hash, for what has no key
	bySubject bool   // of policy hash: the key is the subject, not the tenant
	panic     int    // percentage
	slowStart time.Duration
	health    *config.Health
	ejection  *config.Ejection
	turns     map[string]*atomic.Uint64 // by region

	view atomic.Pointer[view]

	mu      sync.Mutex
	targets []*target // as the view has them, and those that are not well
	leaving []leaving
	due     time.Time     // when the view is to be made anew; zero for never
	wake    chan struct{} // tells that due has changed; nil before it first has
	left    time.Time     // when what is under way is cut; zero while a plan in force is served
	cut     bool          // it was
	closed  bool

	ctx     context.Context //nolint:containedctx // of everything that runs beside exchanges
	stop    context.CancelFunc
	running sync.WaitGroup
}

// leaving is a target that is gone, and when its connections are closed.
type leaving struct {
	*target
	until time.Time
}

// Open makes an upstream of its settings and starts its health checks and
// look-ups. Exchanges under way at an address that a name has no more finish
// within drain. The errors are [certs.FileError]s, whose Field is relative to the
// settings: ca, endpoints[0]. Whoever opens an upstream closes it.
func Open(c *config.Upstream, drain time.Duration) (*Upstream, error) {
	settings, err := certs.Client(c)
	if err != nil {
		return nil, err
	}
	if c.Protocol == "http2" {
		insist(settings)
	}
	u, err := begin(c, drain, system, func(t *target) sender {
		return speaker(c.Protocol, t, transport(settings, c, t))
	})
	if err == nil {
		u.shown, _ = certs.Shown(settings)
	}
	return u, err
}

// begin is Open with the world around it: names, and what sends.
func begin(c *config.Upstream, drain time.Duration, look lookup, connect func(t *target) sender) (*Upstream, error) {
	u := &Upstream{
		connect: connect, drain: drain, policy: policyOf(c.Balance), panic: c.Panic, slowStart: c.SlowStart.D(),
		health: c.Health, ejection: c.Ejection,
		retries: newRetries(c.Retries), patience: drainTime, breaker: newBreaker(c.Breaker), bounded: c.Connections.Max > 0,
	}
	if c.Hash != nil {
		u.otherwise, u.bySubject = policyOf(c.Hash.Otherwise), c.Hash.By == "subject"
	}
	for i, e := range c.Endpoints {
		base, err := parse(e.URL)
		if err != nil {
			return nil, &certs.FileError{Field: fmt.Sprintf("endpoints[%d]", i), Err: err}
		}
		u.endpoints = append(u.endpoints, &endpoint{name: e.URL, url: base, region: e.Region, weight: max(e.Weight, 1)})
	}
	if len(u.endpoints) == 0 {
		return nil, &certs.FileError{Field: "endpoints", Err: errors.New("at least one is needed")}
	}
	u.turns = turnsOf(u.endpoints)
	u.ctx, u.stop = context.WithCancel(context.Background())
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range u.endpoints {
		u.targets = append(u.targets, u.open(e, e.byName()))
	}
	u.arrange(time.Now())
	interval := cmp.Or(c.Resolve.D(), defaultResolve)
	for _, e := range u.endpoints {
		if e.followed() {
			u.running.Go(func() { u.follow(e, interval, look) })
		}
	}
	return u, nil
}

// byName is where an endpoint is connected to as it is written.
func (e *endpoint) byName() string { return net.JoinHostPort(e.url.Hostname(), e.port()) }

// open makes a target of an endpoint and starts its checks. The mutex is held.
func (u *Upstream) open(e *endpoint, address string) *target {
	t := &target{endpoint: e, address: address, well: true, seed: digest(digest(offset, e.name), address)}
	t.sender = u.connect(t)
	var ctx context.Context
	ctx, t.stop = context.WithCancel(u.ctx)
	if u.health != nil {
		u.running.Go(func() { u.check(ctx, t) })
	}
	return t
}

// Close ends the health checks and look-ups and waits for them, and closes the
// connections that are idle. Exchanges that still run finish.
func (u *Upstream) Close() error {
	u.stop()
	u.mu.Lock()
	u.closed = true
	all := slices.Clone(u.targets)
	for _, l := range u.leaving {
		all = append(all, l.target)
	}
	u.mu.Unlock()
	u.running.Wait()
	for _, t := range all {
		t.retire()
	}
	return nil
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

// transport makes the connections of a target. It differs from
// http.DefaultTransport where a proxy must: bodies pass as they are encoded, the
// environment names no proxy, many connections are kept, and the head of an
// answer is bounded.
func transport(settings *tls.Config, c *config.Upstream, t *target) *http.Transport {
	pool := c.Connections
	return &http.Transport{
		DialContext:            dialing(c.Protocol, t),
		TLSClientConfig:        settings.Clone(), // net/http writes to it
		TLSHandshakeTimeout:    dialTimeout,
		Protocols:              protocols(c.Protocol),
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second, MaxReceiveBufferPerStream: streamBuffer},
		DisableCompression:     true,
		MaxConnsPerHost:        pool.Max,
		MaxIdleConnsPerHost:    cmp.Or(pool.Idle, config.IdleConnections),
		IdleConnTimeout:        cmp.Or(pool.IdleTimeout.D(), config.IdleConnection),
		MaxResponseHeaderBytes: headerBytes,
	}
}
