package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// errSent says that a request cannot be sent again.
var errSent = errors.New("the body is on its way already")

// attempt sends the exchange to one target, once, and returns its answer, which
// has to begin within a time and may not pause for longer than idle.
func (u *Upstream) attempt(x *middleware.Exchange, t *target, answer, idle time.Duration) (*http.Response, *failure) {
	d, able := t.sender.(direct)
	if able {
		c, err := d.client(x.Request.Context(), answer)
		if err != nil {
			return nil, refused(x.Request.Context(), false, err)
		}
		if c != nil {
			return directly(x, d, c, answer, idle)
		}
	}
	ctx, cancel := context.WithCancelCause(x.Request.Context())
	x.Cancel = cancel
	w := newWatch(cancel, answer, idle)
	way := &lane{bounded: u.bounded}
	out, sent := request(way.watched(ctx), x.Request, x.Via, t, w)
	res, err := t.sender.RoundTrip(out)
	w.answered()
	if err != nil {
		defer cancel(nil)
		return nil, way.failure(ctx, x.Request.Context(), sent, err)
	}
	if able {
		d.learned(res.ProtoMajor)
	}
	res.Request = x.Request
	body := &responseBody{ReadCloser: res.Body, watch: w, ctx: ctx}
	res.Body = body
	if cause := context.Cause(ctx); errors.Is(cause, errNoAnswer) { // by a hair: the call is already cut
		_ = res.Body.Close()
		return nil, way.failure(ctx, x.Request.Context(), sent, cause)
	}
	if err := inspect(res, way.conn != nil); err != nil {
		_ = res.Body.Close()
		way.close()
		return nil, &failure{garbled, unavailable("the backend answered in a way that can be read in more than one", err)}
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		if err := openTunnel(ctx, x, body, way.under); err != nil {
			_ = res.Body.Close()
			return nil, &failure{garbled, unavailable("the backend cannot switch protocols", err)}
		}
	}
	x.Answered = res.StatusCode
	return res, nil
}

// request makes what is sent of what came through the pipeline. The client's
// request stays as it is, so that another try begins with the same one; headers are
// copied only where they must differ.
func request(ctx context.Context, in *http.Request, via string, t *target, w *watch) (*http.Request, *requestBody) {
	out := in.WithContext(ctx)
	target := *in.URL
	target.Scheme, target.Host = t.url.Scheme, t.url.Host
	out.URL, out.Host, out.RequestURI = &target, "", ""

	_, named := in.Header["User-Agent"]
	_, expects := in.Header["Expect"]
	if !named || expects || via != "" || keyed(in.Header) {
		out.Header = maps.Clone(in.Header) // its lists are shared, and stay as they are
		delete(out.Header, "Expect")       // the gateway has answered it already
		if !named {
			out.Header["User-Agent"] = []string{""} // or net/http would put in its own
		}
		if via != "" {
			out.Header["Via"] = append(slices.Clip(out.Header["Via"]), via)
		}
		hideKeys(out.Header)
	}
	if in.Body == nil || in.Body == http.NoBody {
		return out, nil
	}
	body := &requestBody{ReadCloser: in.Body, watch: w}
	out.Body = body
	if out.GetBody == nil {
		// Says to net/http that a body which nobody has read can go out on
		// another connection.
		out.GetBody = func() (io.ReadCloser, error) { return nil, errSent }
	}
	return out, body
}

// keys are the headers by which net/http takes a request for one that may be sent
// twice, as [http.Transport] documents.
func keys() [2]string { return [...]string{"Idempotency-Key", "X-Idempotency-Key"} }

func keyed(h http.Header) bool {
	for _, name := range keys() {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}

// hideKeys keeps net/http from sending a request again because of what a client
// has said in it: that is for the configuration to allow (see [retries.repeats]). A
// name in lower case is the same one to the backend, and no entry of the map to
// net/http.
func hideKeys(h http.Header) {
	for _, name := range keys() {
		if values, ok := h[name]; ok {
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
}

// failure says why there is no answer. The order matters: a client that goes
// away makes everything else fail too.
func (l *lane) failure(ctx, client context.Context, sent *requestBody, err error) *failure {
	if client.Err() != nil {
		if sent.tooSlow() {
			return &failure{ours, middleware.BodyRefusal(stage, sent.failure())}
		}
		return &failure{ours, unavailable("the request was given up", fmt.Errorf("%w: %w", client.Err(), err))}
	}
	if errors.Is(context.Cause(ctx), errNoAnswer) {
		return l.outOfTime(err)
	}
	if err := sent.failure(); err != nil {
		return &failure{ours, middleware.BodyRefusal(stage, err)}
	}
	if stranger(err) {
		return &failure{garbled, unavailable("the backend cannot be reached", err)} // why is for the record
	}
	if undialed(err) {
		return &failure{unsent, unavailable("the backend cannot be reached", err)}
	}
	k := garbled
	switch {
	case errors.Is(context.Cause(ctx), middleware.ErrEnded):
		k = ours
	case !l.used && l.connecting.Load():
		k = unsent // there was no connection, or its handshake broke off
	case ended(err):
		k = broken
	}
	return &failure{k, unavailable("the backend broke off or did not speak HTTP", unquoted(err))}
}

// outOfTime says what there was no time for.
func (l *lane) outOfTime(err error) *failure {
	if l.bounded && !l.used && !l.connecting.Load() {
		return &failure{busy, middleware.Refuse(stage, middleware.Overloaded, "all connections to the backend are in use").With(err).Set("Retry-After", "1")}
	}
	r := middleware.Refuse(stage, middleware.UpstreamTimeout, "the backend did not answer in time").With(err)
	if !l.used {
		return &failure{unsent, r}
	}
	return &failure{late, r}
}

// ended reports whether the connection ended, in whatever way.
func ended(err error) bool {
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed, errSurplus} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// stranger reports whether the other side is not who it has to be.
func stranger(err error) bool {
	var certificate *tls.CertificateVerificationError
	var names *certs.NameError
	return errors.As(err, &certificate) || errors.As(err, &names)
}

// undialed reports whether there was no connection.
func undialed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// unquoted is an error without what it quotes of an answer that is not HTTP:
// that may be a part of a body, which belongs into no record.
func unquoted(err error) error {
	var header textproto.ProtocolError
	if errors.As(err, &header) {
		return errors.New("the head of the answer is malformed")
	}
	if text, _, quotes := strings.Cut(err.Error(), `"`); quotes {
		return errors.New(strings.TrimRight(text, " :"))
	}
	return err
}

func unavailable(detail string, err error) *middleware.Refusal {
	return middleware.Refuse(stage, middleware.UpstreamUnavailable, detail).With(err)
}
