package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// errSent says that a request cannot be sent again.
var errSent = errors.New("the body is on its way already")

// attempt sends the exchange to one target, once, and returns its answer. Errors
// are refusals.
func (u *Upstream) attempt(x *middleware.Exchange, t *target) (*http.Response, error) {
	if d, ok := t.sender.(direct); ok {
		answer, _ := bounds(x)
		ctx, cancel := context.WithTimeoutCause(x.Request.Context(), answer, errNoAnswer)
		c, err := d.client(ctx)
		cancel()
		if err != nil {
			return nil, refused(x.Request.Context(), err)
		}
		if c != nil {
			return u.directly(x, c)
		}
	}
	answer, idle := bounds(x)
	ctx, cancel := context.WithCancelCause(x.Request.Context())
	x.Cancel = cancel
	w := newWatch(cancel, answer, idle)
	way := &lane{}
	out, sent := request(way.watched(ctx), x.Request, t, w)
	res, err := t.sender.RoundTrip(out)
	w.answered()
	if err != nil {
		defer cancel(nil)
		return nil, refusal(ctx, x.Request.Context(), sent, err)
	}
	res.Request = x.Request
	body := &responseBody{ReadCloser: res.Body, watch: w, ctx: ctx}
	res.Body = body
	if late := context.Cause(ctx); errors.Is(late, errNoAnswer) { // by a hair: the call is already cut
		_ = res.Body.Close()
		return nil, refusal(ctx, x.Request.Context(), sent, late)
	}
	if err := inspect(res, way.conn != nil); err != nil {
		_ = res.Body.Close()
		way.close()
		return nil, unavailable("the backend answered in a way that can be read in more than one", err)
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		if err := openTunnel(ctx, x, body, way.under); err != nil {
			_ = res.Body.Close()
			return nil, unavailable("the backend cannot switch protocols", err)
		}
	}
	x.Answered = res.StatusCode
	return res, nil
}

// request makes what is sent of what came through the pipeline. The client's
// request stays as it is; headers are copied only where they must differ.
func request(ctx context.Context, in *http.Request, t *target, w *watch) (*http.Request, *requestBody) {
	out := in.WithContext(ctx)
	target := *in.URL
	target.Scheme, target.Host = t.url.Scheme, t.url.Host
	out.URL, out.Host, out.RequestURI = &target, "", ""

	_, named := in.Header["User-Agent"]
	_, expects := in.Header["Expect"]
	if !named || expects {
		out.Header = in.Header.Clone()
		out.Header.Del("Expect") // the gateway has answered it already
		if !named {
			out.Header["User-Agent"] = []string{""} // or net/http would put in its own
		}
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

// refusal says why there is no answer. The order matters: a client that goes
// away makes everything else fail too.
func refusal(ctx, client context.Context, sent *requestBody, err error) error {
	if client.Err() != nil {
		if sent.tooSlow() {
			return middleware.BodyRefusal(stage, sent.failure())
		}
		return unavailable("the request was given up", fmt.Errorf("%w: %w", client.Err(), err))
	}
	if errors.Is(context.Cause(ctx), errNoAnswer) {
		return middleware.Refuse(stage, middleware.UpstreamTimeout, "the backend did not answer in time").With(err)
	}
	if failed := sent.failure(); failed != nil {
		return middleware.BodyRefusal(stage, failed)
	}
	if unreachable(err) {
		return unavailable("the backend cannot be reached", err) // why is for the record
	}
	return unavailable("the backend broke off or did not speak HTTP", unquoted(err))
}

// unreachable reports whether there was no connection, or one to a stranger.
func unreachable(err error) bool {
	var certificate *tls.CertificateVerificationError
	var names *certs.NameError
	var op *net.OpError
	return errors.As(err, &certificate) || errors.As(err, &names) || errors.As(err, &op) && op.Op == "dial"
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
