package gateway

import (
	"net/http"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// unread answers for a listener what its server could make no request of, or none
// that can be served: it is refused and on record as what comes in by a request is.
func (g *Gateway) unread(listener string) func(status int, detail string) http.Handler {
	count := g.deps.Metrics.Unread(listener)
	return func(status int, detail string) http.Handler {
		count(status)
		return g.handler(listener, notRead(status, detail))
	}
}

// notRead is the refusal for a status of the server, with what it says of a
// request that is malformed.
func notRead(status int, detail string) *middleware.Refusal {
	code, why := middleware.RequestMalformed, "this is no request of HTTP/1.1, or can be read as more than one"
	switch status {
	case http.StatusExpectationFailed:
		code, why = middleware.ExpectationFailed, "nothing but 100-continue can be expected"
	case http.StatusRequestHeaderFieldsTooLarge:
		code, why = middleware.HeaderTooLarge, "the head of the request is longer than the gateway reads"
	case http.StatusNotImplemented:
		code, why = middleware.CodingUnknown, "no transfer coding but chunked is known"
	case http.StatusHTTPVersionNotSupported:
		code, why = middleware.VersionUnknown, "this version of HTTP is not spoken here"
	}
	if status == http.StatusBadRequest && detail != "" {
		why = detail
	}
	return middleware.Refuse("server", code, why)
}
