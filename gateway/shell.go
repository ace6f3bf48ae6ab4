package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/cors"
	"github.com/gatehouse-dev/gatehouse/middleware/headers"
	"github.com/gatehouse-dev/gatehouse/middleware/problem"
)

// passage is one request inside the proxy shell. The shell is the standard
// library's reverse proxy: it owns hop-by-hop headers, flushing, cancellation
// and the copying of bodies. Its transport is the pipeline, so that everything
// of ours deals with responses as values.
type passage struct {
	g       *Gateway
	p       *Plan
	x       *middleware.Exchange
	handler middleware.Handler
	in      *http.Request
	control *http.ResponseController
	escaped string // the path to send upstream, percent-encoded
	cut     atomic.Bool
	answer  *pacedBody // nil before there is an answer
	flow    *flow      // nil unless it is a call of gRPC
}

// Cut ends what is being written to the client, and what would be: the answer is
// over, though its client may not read and so keep a write waiting.
func (s *passage) Cut() {
	s.cut.Store(true)
	_ = s.control.SetWriteDeadline(time.Unix(1, 0))
}

// serve answers one request.
func (p *Plan) serve(g *Gateway, w http.ResponseWriter, r *http.Request, listener string) {
	s := &passage{g: g, p: p, in: r, control: http.NewResponseController(w)}
	s.x = &middleware.Exchange{
		ID: newID(), Start: time.Now(), Client: clientAddress(r, p.config.TrustedProxies),
		Listener: listener, TLS: tlsVersion(r.TLS), Secure: r.TLS != nil || p.balanced(listener), Request: r, Memory: p.memory, Spool: p.spool, Cutter: s,
	}
	defer s.x.Release()
	defer s.end()
	s.handler = p.handlerFor(s, r, listener)
	g.deps.Metrics.Enter()
	defer g.deps.Metrics.Leave()
	s.bound()
	w.Header()["Content-Type"] = nil // net/http would guess one, and browsers believe it
	proxy := httputil.ReverseProxy{
		Rewrite: s.rewrite, Transport: s, BufferPool: &g.buffers, ModifyResponse: s.finish,
		ErrorHandler: s.broken, ErrorLog: p.errorLog,
	}
	proxy.ServeHTTP(w, r)
}

// balanced reports whether a plain listener stands behind a load balancer that
// speaks TLS with clients.
func (p *Plan) balanced(listener string) bool {
	l := p.config.Listeners[listener]
	return l != nil && l.Insecure
}

// handlerFor finds what a request is answered by: its route's pipeline, or the
// bare list that ends in a refusal.
func (p *Plan) handlerFor(s *passage, r *http.Request, listener string) middleware.Handler {
	refuse := func(f *middleware.Refusal) middleware.Handler {
		return middleware.Chain(func(*middleware.Exchange) (*http.Response, error) { return nil, f }, p.bare...)
	}
	if err := checkLength(r); err != nil {
		return refuse(middleware.Refuse("router", middleware.HeaderInvalid, err.Error()))
	}
	if f := crowded(r.Header, p.config.Limits); f != nil {
		return refuse(f)
	}
	head, err := p.door.Read(r)
	s.x.Host, s.x.Path, r.Host = head.Host, head.Path, head.Authority
	if head.Claims {
		s.x.Suspect(middleware.IdentityHeader)
	}
	if err != nil {
		return refuse(p.atDoor(err, head))
	}
	s.x.Forward, s.escaped = head.Path, head.Escaped
	if refusal := p.admit(s.x, r.TLS); refusal != nil {
		return refuse(refusal)
	}
	if l := p.config.Listeners[listener]; l != nil && l.RedirectToHTTPS {
		if h := p.challenge(s, r); h != nil {
			return middleware.Chain(h, p.bare...)
		}
		return middleware.Chain(p.redirect(head), p.bare...)
	}
	if l := p.logout[s.x.Path]; l != nil {
		return l.handler(p, s.g)
	}
	m, refusal := p.router.match(s.x.Host, s.x.Path, r, cors.Preflight(r))
	if refusal != nil {
		return refuse(refusal)
	}
	if refusal := hidesName(m.pipeline.route, head.Escaped); refusal != nil {
		return refuse(refusal)
	}
	s.x.Route, s.x.Params = m.pipeline.route, m.params
	if prefix := s.x.Route.Rewrite.StripPrefix; prefix != "" {
		t, err := head.Without(prefix)
		if err != nil {
			return refuse(p.atDoor(err, head))
		}
		s.x.Forward, s.escaped = t.Path, t.Escaped
	}
	return m.pipeline.handler
}

// rewrite makes the request that goes down the pipeline. The shell has removed
// hop-by-hop headers and whatever Connection lists before it calls this, so a
// client cannot make it drop what is set here.
func (s *passage) rewrite(pr *httputil.ProxyRequest) {
	out, x := pr.Out, s.x
	out.Trailer = nil // some servers take trailers for headers, which are judged here and now
	out.Header.Set("X-Request-Id", x.ID)
	if s.in.Host != "" {
		out.Header.Set("X-Forwarded-Host", s.in.Host)
	}
	out.Header.Set("X-Forwarded-Proto", "https")
	if x.TLS == "" {
		out.Header.Set("X-Forwarded-Proto", "http")
	}
	if x.Client.IsValid() {
		out.Header.Set("X-Forwarded-For", x.Client.String())
	}
	if s.escaped != "" {
		out.URL.Path, out.URL.RawPath = x.Forward, s.escaped
	}
	out.URL.Scheme, out.URL.Host, out.URL.User, out.URL.Fragment = "http", s.in.Host, nil, ""
	// The upstream must see the query the client sent, not a cleaned copy.
	out.URL.RawQuery = s.in.URL.RawQuery
	if out.Body != nil && out.Body != http.NoBody {
		out.Body = &timedBody{ReadCloser: out.Body, control: s.control, begin: s.invite, flow: s.flow}
	}
}

func (s *passage) timeouts() config.Timeouts {
	if s.x.Route != nil {
		return s.x.Route.Timeouts
	}
	return s.p.config.Timeouts
}

// timedBody lifts the time bound of a request body once it has been read.
// Otherwise the deadline would later end the wait for the upstream's answer.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	begin   func() // before the first read; nil after it
	flow    *flow  // nil unless it is a call of gRPC
}

func (b *timedBody) Read(p []byte) (int, error) {
	if b.begin != nil {
		b.begin()
		b.begin = nil
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF) && b.flow != nil:
		b.flow.end()
	case errors.Is(err, io.EOF):
		_ = b.control.SetReadDeadline(time.Time{})
	case err == nil:
		b.flow.moved()
	}
	return n, err
}

// RoundTrip sends the request down the pipeline. Its context is the client's
// own: 1xx answers of an upstream have no trace to be reported to and end here.
func (s *passage) RoundTrip(out *http.Request) (*http.Response, error) {
	name := "none"
	if s.x.Route != nil {
		name = s.x.Route.Name
	}
	ctx, end := s.p.tracing.Start(s.in.Context(), s.in.Header, out.Method+" "+name)
	s.x.Request = out.WithContext(ctx)
	s.p.tracing.Inject(ctx, s.x.Request.Header)
	res, err := s.handler(s.x)
	if err != nil {
		end(s.x, 0)
		return nil, err
	}
	middleware.OnClose(res, func(int64, error) { end(s.x, res.StatusCode) })
	fault := func(value any, stack []byte) {
		s.g.deps.Metrics.Panic()
		s.p.log.panicked(s.x.ID, value, stack)
	}
	s.last(res)
	s.answer = &pacedBody{ReadCloser: res.Body, passage: s, idle: s.timeouts().Idle.D(), fault: fault}
	res.Body = s.answer
	return res, nil
}

// end closes the answer where a panic has kept the proxy shell from it: else
// nothing would be on record, and the places that the exchange has would be lost
// for good.
func (s *passage) end() {
	if s.answer != nil && !s.answer.closed {
		_ = s.answer.Close()
	}
}

// errFault ends an answer in the middle of which something of ours panicked.
var errFault = errors.New("the gateway met a fault of its own")

// pacedBody bounds the time in which a client must take each piece of the
// answer, by moving the write deadline with every piece that is read. Until the
// next one comes the upstream may be idle, and the client has as long again: to
// HTTP/2 the deadline is the end of the stream, even while nothing is written.
type pacedBody struct {
	io.ReadCloser
	passage *passage
	idle    time.Duration
	set     time.Time
	fault   func(value any, stack []byte)
	closed  bool
}

func (b *pacedBody) Close() error {
	b.closed = true
	return b.ReadCloser.Close()
}

// Read turns a panic into an error, so that the proxy shell cuts the answer and
// closes it: else nothing would be on record and what it holds would be lost.
func (b *pacedBody) Read(p []byte) (n int, err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if e, ok := v.(error); ok && errors.Is(e, http.ErrAbortHandler) {
			panic(v)
		}
		b.fault(v, debug.Stack())
		n, err = 0, errFault
	}()
	n, err = b.ReadCloser.Read(p)
	b.extend()
	b.passage.flow.moved()
	return n, err
}

func (b *pacedBody) extend() {
	now := time.Now()
	if b.idle <= 0 || now.Sub(b.set) < b.idle/4 {
		return
	}
	b.set = now
	_ = b.passage.control.SetWriteDeadline(now.Add(2 * b.idle))
	if b.passage.cut.Load() { // meanwhile
		b.passage.Cut()
	}
}

// finish closes the connection after refusals that ask for it, and after
// requests that somebody in front of the gateway may have framed otherwise; the
// shell has removed all Connection headers by now. Over HTTP/2 the rest of a request body
// is stopped by ending its stream: closing the connection as well would make
// clients that are still sending drop the answer. After a fault of our own it is
// closed there too, and so is a connection that is no longer good for anything.
func (s *passage) finish(res *http.Response) error {
	r := s.x.Refusal
	closes := r != nil && r.Close && (s.in.ProtoMajor == 1 || r.Status >= http.StatusInternalServerError || r.Status == http.StatusMisdirectedRequest)
	if closes || twofold(s.in) {
		res.Header.Set("Connection", "close")
	}
	return nil
}

// broken answers where the shell itself cannot go on, which the pipeline
// leaves no room for but a client that went away.
func (s *passage) broken(w http.ResponseWriter, _ *http.Request, err error) {
	if errors.Is(err, context.Canceled) {
		panic(http.ErrAbortHandler)
	}
	r := middleware.Refuse("shell", middleware.InternalError, "the gateway met a fault of its own").With(err)
	res := problem.Response(s.x, r)
	defer res.Body.Close()
	s.pace()
	res.Header.Set("X-Request-Id", s.x.ID)
	res.Header.Set("X-Content-Type-Options", "nosniff")
	if s.x.TLS != "" {
		res.Header.Set("Strict-Transport-Security", headers.HSTS)
	}
	_ = s.finish(res)
	for k, v := range res.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}
