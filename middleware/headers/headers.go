// Package headers is the stage that gives every answer, refusals included, the
// headers a browser needs to stay safe, and takes away what an upstream should
// not say to strangers: what it is made of, where else it can be reached, and
// what the proxies in front of it are to do.
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
	for name := range h {
		if withheld(name) || s.private && undoesPrivate(name) {
			delete(h, name)
		}
	}
	cleanTrailers(res)
	// The values have one array between them; none has room for another one.
	v := &[5]string{x.ID, "nosniff", HSTS}
	h["X-Request-Id"], h["X-Content-Type-Options"] = v[0:1:1], v[1:2:2]
	if x.TLS != "" {
		h["Strict-Transport-Security"] = v[2:3:3]
	}
	if s.private {
		v[3] = Private(h["Cache-Control"])
		h["Cache-Control"] = v[3:4:4]
		if len(h["Vary"]) == 0 {
			v[4] = "Authorization, Cookie"
			h["Vary"] = v[4:5:5]
		} else {
			middleware.AddVary(h, "Authorization", "Cookie")
		}
	}
	return res, nil
}

// withheld reports whether a header of an upstream is not for clients. The name
// is in canonical form. The list is short on purpose: what applications call
// their own is theirs.
func withheld(name string) bool {
	switch name {
	// What the backend is made of, and which of its machines answered: a list
	// of what to attack it with.
	case "Server", "Via", "X-Powered-By", "X-Aspnet-Version", "X-Aspnetmvc-Version", "X-Runtime",
		"X-Generator", "X-Backend-Server", "X-Served-By":
		return true
	// Where else it can be reached: browsers would go there from now on, past
	// the gateway (RFC 7838).
	case "Alt-Svc", "Alternate-Protocol":
		return true
	// What browsers are to hold against this host: that is the gateway's word.
	case "Strict-Transport-Security", "Public-Key-Pins", "Public-Key-Pins-Report-Only":
		return true
	// What a proxy is to do with the answer. The gateway does none of it, and a
	// proxy in front of it would do it to its own files and addresses. Status
	// is CGI's way to choose another status.
	case "X-Sendfile", "X-Lighttpd-Send-File", "Status":
		return true
	}
	switch name[:min(2, len(name))] {
	case "X-":
		return strings.HasPrefix(name, "X-Accel-") || strings.HasPrefix(name, "X-Reproxy-")
	case "Pr":
		return strings.HasPrefix(name, "Proxy-")
	}
	return false
}

// undoesPrivate reports whether a header speaks to shared caches alone, which
// would follow it rather than Cache-Control (RFC 9213).
func undoesPrivate(name string) bool {
	return name == "Surrogate-Control" || name == "Edge-Control" || strings.HasSuffix(name, "-Cache-Control")
}

// Private rewrites Cache-Control values (RFC 9111) so that only the caller's
// own cache may keep the answer; everything else that was said stays.
func Private(values []string) string {
	const masked = "private, no-store"
	switch {
	case len(values) == 0:
		return "private"
	case len(values) == 1 && values[0] == masked: // as it is
		return masked
	}
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
