package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/cors"
	"github.com/gatehouse-dev/gatehouse/middleware/headers"
	"github.com/gatehouse-dev/gatehouse/middleware/problem"
)

// passage is one request inside the proxy shell, which stands between the server
// and the pipeline: it makes the request that goes down (forward.go) and writes
// the answer that comes back (deliver.go), so that everything between the two
// deals with both as values.
//
// A passage is one object with all that an exchange always needs. It is not used
// again for another one: whoever keeps an exchange, its request or a value of its
// headers too long keeps what nobody writes to any more.
type passage struct {
	exchange middleware.Exchange
	g        *Gateway
	p        *Plan
	x        *middleware.Exchange // the one above
	handler  middleware.Handler
	in       *http.Request
	control  http.ResponseController
	unread   *middleware.Refusal // of what the server could make no request of; nil: in is one
	escaped  string              // the path to send upstream, percent-encoded
	parent   string              // the traceparent of a trace that begins here
	cut      atomic.Bool
	timed    atomic.Bool            // a write deadline was set
	reading  sync.Mutex             // holds off the end of the exchange
	bounded  bool                   // the request body has a deadline of its own
	first    time.Duration          // from the head to the write deadline that came with it; 0: it was moved
	late     *time.Timer            // of await; nil but over HTTP/2
	present  presence               // the context, where there is such a timer
	flow     *flow                  // nil unless it is a call of gRPC
	splice   atomic.Pointer[splice] // nil unless the connection was upgraded

	out      http.Request
	url      url.URL
	body     clientBody
	values   [8]string // of the headers that are set here
	set      int       // how many of them are
	answer   pacedBody
	answered bool // there is an answer
	ended    telemetry.End
}

// Cut ends what is being written to the client, and what would be: the answer is
// over, though its client may not read and so keep a write waiting.
func (s *passage) Cut() {
	s.cut.Store(true)
	if sp := s.splice.Load(); sp != nil {
		sp.cut()
		return
	}
	_ = s.control.SetWriteDeadline(time.Unix(1, 0))
}

// serve answers one request. Its header is the shell's own until serve returns:
// what is sent upstream is made of it and not of a copy.
func (p *Plan) serve(s *passage, g *Gateway, w http.ResponseWriter, r *http.Request, listener string) {
	s.g, s.p, s.in, s.control = g, p, r, *http.NewResponseController(w)
	var id string
	id, s.parent = g.ids.make()
	s.exchange = middleware.Exchange{
		ID: id, Start: time.Now(), Client: clientAddress(r, p.config.TrustedProxies),
		Listener: listener, TLS: tlsVersion(r.TLS), Secure: r.TLS != nil || p.balanced(listener), Request: r, Memory: p.memory, Spool: p.spool, Cutter: s,
		Via: g.mark.via(r),
	}
	s.x = &s.exchange
	defer s.x.Release()
	defer s.end()
	s.handler = p.handlerFor(s, r, listener)
	g.deps.Metrics.Enter()
	defer g.deps.Metrics.Leave()
	p.log.enter()
	defer p.log.leave()
	s.bound()
	s.forward()
	res, err := s.handler(s.x)
	if err != nil {
		s.broken(w, err)
		return
	}
	s.last(res)
	s.paced(w, res)
	s.deliver(w, res)
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
	if s.unread != nil {
		return refuse(s.unread)
	}
	if err := checkLength(r); err != nil {
		return refuse(middleware.Refuse("router", middleware.HeaderInvalid, err.Error()))
	}
	if f := crowded(r.Header, p.config.Limits); f != nil {
		return refuse(f)
	}
	looped := s.g.mark.on(r.Header) // before the door takes anything away
	asked := handshake(r)
	head, err := p.door.Read(r)
	s.x.Host, s.x.Path, r.Host = head.Host, head.Path, head.Authority
	if head.Claims {
		s.x.Suspect(middleware.IdentityHeader)
	}
	if err != nil {
		return refuse(p.atDoor(err, head))
	}
	if looped {
		return refuse(middleware.Refuse("router", middleware.LoopDetected, "the request has been here before: a backend leads back to this gateway"))
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
	if refusal := s.upgrades(m.pipeline.route, asked); refusal != nil {
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

func (s *passage) timeouts() config.Timeouts {
	if s.x.Route != nil {
		return s.x.Route.Timeouts
	}
	return s.p.config.Timeouts
}

// end is the last thing that happens, whatever happened before. It closes the
// answer where a panic has kept the shell from it, and what came of the upstream
// where one has kept a stage from it: else nothing would be on record, and the
// places and the connection that the exchange has would be lost for good. From then
// on nobody reads the request body, which an upstream that has answered early may
// still be about to: the connection is the next request's.
func (s *passage) end() {
	s.body.over.Store(true)
	defer s.unbind()
	if s.answered && !s.answer.closed {
		_ = s.answer.Close()
	}
	if s.x.Call != nil {
		_ = s.x.Call.Close()
	}
}

// closes reports whether the connection ends with the answer: after refusals that
// ask for it, after requests that somebody in front of the gateway may have framed
// otherwise, and where the answer is there before the end of the body. Over HTTP/2
// the rest of a request body is stopped by ending its stream: closing the connection
// as well would make clients that are still sending drop the answer. After a fault
// of our own it is closed there too, and so is a connection that is no longer good
// for anything.
func (s *passage) closes() bool {
	r := s.x.Refusal
	closes := r != nil && r.Close && (s.in.ProtoMajor == 1 || r.Status >= http.StatusInternalServerError || r.Status == http.StatusMisdirectedRequest)
	return closes || twofold(s.in) || s.in.ProtoMajor == 1 && s.overtaken()
}

// broken answers where the pipeline has no answer, for which it leaves no room but
// a client that went away.
func (s *passage) broken(w http.ResponseWriter, err error) {
	if s.ended != nil {
		s.ended(s.x, 0)
	}
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
	s.head(w, res)
	_, _ = io.Copy(w, res.Body)
}
