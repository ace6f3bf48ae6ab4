package headers

import (
	"net/http"
	"net/textproto"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/field"
)

// cleanTrailers removes from the trailers of an answer what may stand in its
// head only, now as far as they are announced, and at the end of the body as
// far as they came. There are programs that mix the two, and what comes last
// would replace what was judged first (RFC 9110, section 6.5.1).
func cleanTrailers(res *http.Response) {
	if res.ProtoMajor == 1 && res.ContentLength >= 0 && res.Trailer == nil {
		return // there will be none
	}
	clean(res.Trailer)
	middleware.OnClose(res, func(int64, error) { clean(res.Trailer) })
}

func clean(t http.Header) {
	for name, values := range t {
		if !trails(textproto.CanonicalMIMEHeaderKey(name)) || !valid(name, values) {
			delete(t, name)
		}
	}
}

func valid(name string, values []string) bool {
	for _, v := range values {
		if !field.ValidValue(v) {
			return false
		}
	}
	return field.ValidName(name)
}

// trails reports whether a header may come after the body: one that neither
// frames, routes, authenticates nor controls anything, nor says how the body is
// to be read, and that is not the gateway's own.
func trails(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Host", // framing and routing
		"Expect", "Range", "Max-Forwards", "Cache-Control", "Pragma", "Vary", "Age", "Date", "Expires", // control
		"Location", "Refresh", "Retry-After", "Warning", "Allow", "Accept-Ranges", "Link", "Clear-Site-Data",
		"Authorization", "Authentication-Info", "Www-Authenticate", "Cookie", "Set-Cookie", "Set-Cookie2", // identity
		"X-Request-Id", "X-Content-Type-Options", "X-Frame-Options", "X-Xss-Protection",
		"Referrer-Policy", "Permissions-Policy", "Origin-Agent-Cluster":
		return false
	case "Content-Digest", "Repr-Digest": // made to come last (RFC 9530)
		return true
	}
	for _, prefix := range []string{"Content-", "If-", "Access-Control-", "Cross-Origin-", "X-Forwarded-"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return !withheld(name) && !undoesPrivate(name)
}
