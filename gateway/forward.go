package gateway

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// forward makes the request that goes down the pipeline. It has the client's
// header, which is changed in place: what the client asked of the gateway alone is
// taken out before anything is put in, so that a client cannot make the gateway
// drop what it says itself.
func (s *passage) forward() {
	h, x := s.in.Header, s.x
	if h == nil {
		h = http.Header{}
	}
	trailers := httpguts.HeaderValuesContainsToken(h["Te"], "trailers")
	dropHopByHop(h)
	if trailers { // gRPC asks for them; they pass through the gateway
		s.put(h, "Te", "trailers")
	}
	if x.Upgrade != "" {
		s.put(h, "Connection", "Upgrade")
		s.put(h, "Upgrade", x.Upgrade)
	}
	s.put(h, "X-Request-Id", x.ID)
	if s.in.Host != "" {
		s.put(h, "X-Forwarded-Host", s.in.Host)
	} else {
		delete(h, "X-Forwarded-Host")
	}
	proto := "https"
	if x.TLS == "" {
		proto = "http"
	}
	s.put(h, "X-Forwarded-Proto", proto)
	if x.Client.IsValid() {
		s.put(h, "X-Forwarded-For", addressText(x.Client, s.in.RemoteAddr))
	} else {
		delete(h, "X-Forwarded-For")
	}
	delete(h, "Forwarded")
	if _, named := h["User-Agent"]; !named {
		s.put(h, "User-Agent", "") // or net/http would put in its own
	}
	s.request(h)
	s.trace()
}

// addressText writes an address. As nearly always, the connection's own has the text
// already.
func addressText(a netip.Addr, remote string) string {
	var room [46]byte
	text := a.AppendTo(room[:0])
	if host, rest := remote[:min(len(text), len(remote))], remote[min(len(text), len(remote)):]; host == string(text) && strings.HasPrefix(rest, ":") {
		return host
	}
	return string(text)
}

// put sets a header without allocating its list of values.
func (s *passage) put(h http.Header, name, value string) {
	if s.set == len(s.values) {
		h[name] = []string{value}
		return
	}
	s.values[s.set] = value
	s.set++
	h[name] = s.values[s.set-1 : s.set : s.set] // whoever adds to it gets a list of its own
}

// request makes the exchange's request of the client's. net/http goes on reading
// the client's own when the answer is written, so that one stays as it is.
func (s *passage) request(h http.Header) {
	s.out = *s.in
	if s.present.Context != nil {
		s.out = *s.in.WithContext(&s.present)
	}
	out := &s.out
	if s.in.URL != nil {
		s.url = *s.in.URL
	}
	out.URL, out.Header = &s.url, h
	// The upstream sees the query that the client sent, not a cleaned copy.
	if s.escaped != "" {
		s.url.Path, s.url.RawPath = s.x.Forward, s.escaped
	}
	s.url.Scheme, s.url.Host, s.url.User, s.url.Fragment, s.url.RawFragment = "http", s.in.Host, nil, "", ""
	out.Trailer = nil // some servers take trailers for headers, which are judged here and now
	out.Close = false
	out.Form, out.PostForm, out.MultipartForm = nil, nil, nil
	if out.ContentLength == 0 {
		out.Body = nil
	}
	if out.Body != nil && out.Body != http.NoBody {
		s.body.from, s.body.passage = out.Body, s
		out.Body = &s.body
	}
	s.x.Request = out
}

// trace gives the exchange its place in a trace, and tells the upstream of it. The
// context that it goes down with is the client's own: 1xx answers of an upstream
// have nobody to be reported to and end there.
func (s *passage) trace() {
	x, in, h := s.x, s.in.Context(), s.x.Request.Header
	if s.p.tracing.Begins(h) {
		x.Trace, x.Untraced = traceOf(s.parent), true
		delete(h, "Tracestate") // one without the traceparent it came with means nothing
		s.put(h, "Traceparent", s.parent)
		return
	}
	name := "none"
	if x.Route != nil {
		name = x.Route.Name
	}
	ctx, end := s.p.tracing.Start(in, h, x.Request.Method+" "+name)
	x.Request = x.Request.WithContext(ctx)
	x.Trace, x.Untraced = telemetry.TraceID(ctx), !telemetry.Recorded(ctx)
	s.ended = end
	s.p.tracing.Inject(ctx, h)
}

// dropHopByHop removes what is meant for the next hop alone (RFC 9110, section
// 7.6.1), and whatever Connection lists.
func dropHopByHop(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.Trim(name, " \t\r\n"); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range [...]string{
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade",
	} {
		delete(h, name)
	}
}

// clientBody is the body of the client's request on its way. Closing it does not
// close what it is read from: to net/http that would be to read on to its end,
// which for a client that waits to be invited never comes.
type clientBody struct {
	from    io.ReadCloser
	passage *passage
	begun   atomic.Bool // somebody has read from it
	reading atomic.Bool // somebody does
	ended   atomic.Bool // all of it was read
	over    atomic.Bool // it was closed, or the exchange is over
}

// errOver is the failure of whoever reads a request body after it was closed.
var errOver = errors.New("the request body was closed")

// Read lifts the time bound of the body once all of it has been read. Otherwise
// the deadline would later end the wait for the upstream's answer.
func (b *clientBody) Read(p []byte) (int, error) {
	b.reading.Store(true)
	defer b.reading.Store(false)
	if b.over.Load() {
		return 0, errOver
	}
	if !b.begun.Swap(true) {
		b.passage.invite()
	}
	n, err := b.from.Read(p)
	end := errors.Is(err, io.EOF)
	if end {
		b.ended.Store(true)
	}
	switch flow := b.passage.flow; {
	case end && flow != nil:
		flow.over(true)
	case end:
		b.passage.lift()
	case err == nil:
		flow.moved()
	}
	return n, err
}

// Close ends the reading. Whoever closes it may wait for a read that is under way,
// and the client for the answer, before it sends any more.
func (b *clientBody) Close() error {
	b.over.Store(true)
	if b.reading.Load() {
		b.passage.hurry()
	}
	return nil
}

// overtaken reports whether the upstream has answered before all of the request body
// was read: somebody still reads it, or is about to.
func (s *passage) overtaken() bool {
	b := &s.body
	return s.x.Answered != 0 && s.x.Refusal == nil && b.from != nil && !b.ended.Load() && !b.over.Load()
}
