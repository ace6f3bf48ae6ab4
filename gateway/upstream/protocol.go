package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
)

// streamBuffer is how much of one answer an upstream may send ahead over HTTP/2.
// What a client does not take is held here, and there may be many such clients.
const streamBuffer = 256 << 10

// errNotHTTP2 is told where an endpoint does not agree to what must be spoken.
var errNotHTTP2 = errors.New("the endpoint does not agree to HTTP/2")

// protocols gives what is spoken with the endpoints of an upstream. Without
// HTTP/1.1 beside it, HTTP/2 without TLS is spoken without asking first (RFC
// 9113, section 3.3).
func protocols(spoken string) *http.Protocols {
	var p http.Protocols
	switch spoken {
	case "http1":
		p.SetHTTP1(true)
	case "http2":
		p.SetHTTP2(true)
	case "h2c":
		p.SetUnencryptedHTTP2(true)
	default: // over TLS they choose
		p.SetHTTP1(true)
		p.SetHTTP2(true)
	}
	return &p
}

// insist makes a handshake fail that has not ended in HTTP/2, before anything is
// sent: net/http would go on in HTTP/1.1 with servers that choose nothing.
func insist(t *tls.Config) {
	others := t.VerifyConnection
	t.VerifyConnection = func(s tls.ConnectionState) error {
		if s.NegotiatedProtocol != "h2" {
			return errNotHTTP2
		}
		if others != nil {
			return others(s)
		}
		return nil
	}
}

// dialing makes the connections of net/http to a target. HTTP/2 numbers its answers,
// so that nothing left over from one becomes another: it needs no guard.
func dialing(spoken string, t *target) func(ctx context.Context, network, address string) (net.Conn, error) {
	if spoken == "h2c" {
		return t.dial
	}
	return guarded(t.dial)
}

// speaker makes the sender of a target by what is spoken with it.
func speaker(spoken string, t *target, other *http.Transport) sender {
	if spoken == "http2" || spoken == "h2c" {
		return other
	}
	s := senderOf(t, other)
	if a, ok := s.(*agreed); ok && spoken == "http1" {
		a.asking = a.one // whenever it is learned anew
		a.spoken.Store(1)
	}
	return s
}
