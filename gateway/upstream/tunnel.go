package upstream

import (
	"context"
	"crypto/sha1" //nolint:gosec // it proves that the handshake was read, and nothing else
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// accepted is what the key of a handshake is hashed with (RFC 6455, section
// 1.3).
const accepted = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// switched says why an answer 101 is none to its request. An upstream that has
// not understood what it was asked goes on to read requests, and the client
// would write them.
func switched(res *http.Response) error {
	if res.Request == nil || res.Request.Header.Get("Upgrade") != "websocket" {
		return errors.New("status 101, which nobody has asked for")
	}
	h := res.Header
	sum := sha1.Sum([]byte(res.Request.Header.Get("Sec-Websocket-Key") + accepted)) //nolint:gosec // see above
	switch accept := h["Sec-Websocket-Accept"]; {
	case !res.ProtoAtLeast(1, 1):
		return errors.New("status 101 in HTTP/1.0")
	case len(h["Upgrade"]) != 1 || !strings.EqualFold(h["Upgrade"][0], "websocket"):
		return errors.New("status 101 for another protocol")
	case !httpguts.HeaderValuesContainsToken(h["Connection"], "Upgrade"):
		return errors.New("status 101 without Connection: Upgrade")
	case len(accept) != 1 || accept[0] != base64.StdEncoding.EncodeToString(sum[:]):
		return errors.New("status 101 that does not accept the handshake")
	case len(h["Content-Length"]) > 0 || len(h["Transfer-Encoding"]) > 0 || len(res.TransferEncoding) > 0:
		return errors.New("status 101 with a body")
	}
	return nil
}

// tunnel is the way to an upstream that has switched protocols. The way back is
// the body of the answer.
type tunnel struct {
	to    io.Writer
	half  func() error // nil where it cannot be closed on one side only
	watch *watch
}

var errNoHalf = errors.New("the connection cannot be closed on one side only")

// openTunnel makes the tunnel of an answer 101, whose body is the connection. It
// ends with ctx: net/http does not see to that any more.
func openTunnel(ctx context.Context, x *middleware.Exchange, body *responseBody, under net.Conn) error {
	to, ok := body.ReadCloser.(io.ReadWriteCloser)
	if !ok {
		return errors.New("status 101 on a connection that cannot be written to")
	}
	t := &tunnel{to: to, watch: body.watch}
	for _, c := range []any{to, under} {
		if h, ok := c.(interface{ CloseWrite() error }); ok && t.half == nil {
			t.half = h.CloseWrite
		}
	}
	body.stop = context.AfterFunc(ctx, func() { _ = to.Close() })
	x.Tunnel = t
	return nil
}

// Write sends a piece. While the client speaks the upstream may be silent.
func (t *tunnel) Write(p []byte) (int, error) {
	n, err := t.to.Write(p)
	t.watch.moved()
	return n, err
}

// CloseWrite tells the upstream that nothing more will come.
func (t *tunnel) CloseWrite() error {
	if t.half == nil {
		return errNoHalf
	}
	return t.half()
}

// directTunnel makes the tunnel of an answer 101 of our own client, which leaves
// it to others how long nothing may move.
func directTunnel(x *middleware.Exchange, res *http.Response, cancel context.CancelCauseFunc, answer, idle time.Duration) error {
	if err := switched(res); err != nil {
		return err
	}
	w := newWatch(cancel, answer, idle)
	w.answered()
	ctx := x.Request.Context()
	body := &responseBody{ReadCloser: res.Body, watch: w, ctx: ctx}
	res.Body = body
	return openTunnel(ctx, x, body, nil)
}
