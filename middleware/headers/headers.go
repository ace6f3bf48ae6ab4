// Package headers is the stage that gives every answer, refusals included, the
// headers a browser needs to stay safe, and takes away what tells strangers
// about the backend.
package headers

import (
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// HSTS is the Strict-Transport-Security of every answer over TLS (RFC 6797).
const HSTS = "max-age=31536000; includeSubDomains; preload"

// Stage sets headers on the way out.
type Stage struct {
	private bool
}

// New makes the stage; route is nil for requests that match none.
func New(route *config.Route) middleware.Stage {
	return &Stage{private: route != nil && route.Authn != nil}
}

// Name of the stage.
func (s *Stage) Name() string { return "headers" }

// Handle sets the headers of whatever answer comes back.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	res, err := next(x)
	if err != nil {
		return nil, err
	}
	h := res.Header
	for _, reveals := range []string{"Server", "X-Powered-By", "Via", "X-Aspnet-Version", "X-Runtime"} {
		h.Del(reveals)
	}
	h.Set("X-Request-Id", x.ID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Del("Strict-Transport-Security")
	if x.TLS != "" {
		h.Set("Strict-Transport-Security", HSTS)
	}
	if s.private {
		h.Set("Cache-Control", Private(h.Values("Cache-Control")))
		middleware.AddVary(h, "Authorization", "Cookie")
	}
	return res, nil
}

// Private rewrites Cache-Control values (RFC 9111) so that only the caller's
// own cache may keep the answer; everything else that was said stays.
func Private(values []string) string {
	out := []string{"private"}
	for _, d := range strings.Split(strings.Join(values, ","), ",") {
		d = strings.TrimSpace(d)
		name, _, _ := strings.Cut(strings.ToLower(d), "=")
		switch strings.TrimSpace(name) {
		case "", "public", "private", "s-maxage":
		default:
			out = append(out, d)
		}
	}
	return strings.Join(out, ", ")
}
