// Package csrf refuses requests that a browser sends on behalf of another
// site and that would change something.
//
// Where tokens come in the Authorization header only, as they do here, another
// site cannot make a browser send one, and the stage is off unless a route
// asks for it: for upstreams that know their users by a cookie. It then
// follows what browsers say about themselves (Sec-Fetch-Site, or Origin where
// that is missing), as net/http's CrossOriginProtection does. There is no
// token to hand out, nothing to remember, and requests that do not come from
// browsers pass.
package csrf

import (
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

const name = "csrf"

// Stage refuses cross-site requests that change something.
type Stage struct {
	protection *http.CrossOriginProtection
	trusted    []string
}

// New makes the stage of a route: nil for the modes off and auto (and "",
// which is auto). The origins that the route's CORS lets in are trusted, each
// as it is written; "*" trusts none, because it names nobody.
func New(c config.CSRF, cors *config.CORS) middleware.Stage {
	switch c.Mode {
	case "", "auto", "off":
		return nil
	}
	s := &Stage{protection: http.NewCrossOriginProtection()}
	if cors == nil {
		return s
	}
	for _, o := range cors.Origins {
		if s.protection.AddTrustedOrigin(o) == nil {
			s.trusted = append(s.trusted, o)
		}
	}
	return s
}

// Name is "csrf".
func (*Stage) Name() string { return name }

// Describe lists the origins that may send what changes something.
func (s *Stage) Describe() string {
	return strings.Join(append([]string{"same origin"}, s.trusted...), ", ")
}

// Handle refuses with 403 csrf_failed.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if err := s.check(x); err != nil {
		return nil, middleware.Refuse(name, middleware.CSRFFailed, "a request from another site may not change anything here").With(err)
	}
	return next(x)
}

// check asks net/http about the request as the client sent it. A protocol
// upgrade counts as a change whatever its method: nothing that is sent over
// the connection later will be checked.
func (s *Stage) check(x *middleware.Exchange) error {
	h := x.Request.Header
	for _, n := range []string{"Origin", "Sec-Fetch-Site"} {
		if len(h.Values(n)) > 1 {
			return errors.New("more than one " + n + " header")
		}
	}
	r := &http.Request{Method: x.Request.Method, Header: h, Host: host(x), URL: x.Request.URL}
	if h.Get("Upgrade") != "" {
		r.Method = http.MethodPost
	}
	if r.Host == "" && h.Get("Origin") != "" {
		return errors.New("an Origin header and no host to compare it with")
	}
	return s.protection.Check(r)
}

// host is the host the client asked for, with its port where the request
// still has it.
func host(x *middleware.Exchange) string {
	h := x.Request.Host
	bare, _, err := net.SplitHostPort(h)
	if err != nil {
		bare = h
	}
	if strings.EqualFold(strings.Trim(bare, "[]"), strings.Trim(x.Host, "[]")) {
		return strings.ToLower(h)
	}
	return x.Host
}
