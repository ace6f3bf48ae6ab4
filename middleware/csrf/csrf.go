// Package csrf refuses requests that a browser sends on behalf of another
// site and that would change something.
//
// A browser sends cookies for whoever asks, and an Authorization header for
// nobody but the scripts of a site that was let in. So the stage is about
// cookies: it is on where a cookie carries the token (authn.cookie), for the
// requests in which it did, and where a route asks for it because its upstream
// knows users by a cookie of its own. There are three layers, all of which
// must hold:
//
//   - What the browser says about itself: Sec-Fetch-Site, as net/http's
//     CrossOriginProtection reads it (origin.go). A script cannot write it.
//   - Where a browser is too old to say it, the Origin.
//   - Where a cookie carried the token, a value that only pages of the
//     application can know: a cookie of ours that must be repeated in a header
//     (token.go). It does not depend on browsers at all. A page cannot repeat
//     it where it opens a WebSocket: there an Origin must be told.
//
// Requests that read pass. There is nothing to remember, and requests that do
// not come from browsers pass the first two.
package csrf

import (
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/internal/cookies"
)

const name = "csrf"

// Stage refuses cross-site requests that change something.
type Stage struct {
	protection *http.CrossOriginProtection
	trusted    []string
	tokens     *tokens // nil where no cookie carries the token
	byCookie   bool    // only requests whose token a cookie carried are judged
}

// New makes the stage of a route, nil where its mode is off, or auto (which ""
// is too) without a cookie that carries tokens.
//
// The origins that the route's CORS lets in with credentials are trusted, each
// as it is written; "*" trusts none, because it names nobody, and one that is
// let in without credentials may read what is public and nothing else.
func New(route *config.Route, c config.CSRFToken) middleware.Stage {
	mode := route.CSRF.Mode
	auto := mode == "" || mode == "auto"
	carried := route.Authn != nil && route.Authn.Cookie != ""
	if mode == "off" || auto && !carried {
		return nil
	}
	s := &Stage{protection: http.NewCrossOriginProtection(), byCookie: auto}
	if carried {
		s.tokens = &tokens{secret: []byte(c.Secret.Reveal()), cookie: c.Cookie, header: c.Header, canonical: http.CanonicalHeaderKey(c.Header)}
	}
	if route.CORS == nil || !route.CORS.Credentials {
		return s
	}
	for _, o := range route.CORS.Origins {
		if s.protection.AddTrustedOrigin(o) == nil {
			s.trusted = append(s.trusted, o)
		}
	}
	return s
}

// Name is "csrf".
func (*Stage) Name() string { return name }

// Describe lists the origins that may send what changes something, and what
// they must repeat.
func (s *Stage) Describe() string {
	text := "from " + strings.Join(append([]string{"same origin"}, s.trusted...), ", ")
	if s.tokens == nil {
		return text
	}
	repeat := s.tokens.header + " repeats the cookie " + s.tokens.cookie
	if s.byCookie {
		return "where a cookie carried the token: " + text + "; " + repeat
	}
	return text + "; where a cookie carried the token: " + repeat
}

// Handle refuses with 403 csrf_failed.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if s.byCookie && !x.ByCookie {
		return next(s.hide(x))
	}
	if err := s.checkOrigin(x); err != nil {
		return nil, middleware.Refuse(name, middleware.CSRFFailed, "a request from another site may not change anything here").With(err)
	}
	if s.tokens == nil || !x.ByCookie {
		return next(s.hide(x))
	}
	value, held := s.tokens.of(x)
	if changes(x) && (!held || !s.tokens.repeated(x, value)) && !opened(x) {
		r := middleware.Refuse(name, middleware.CSRFFailed, "the header "+s.tokens.header+" must repeat the cookie "+s.tokens.cookie)
		r.Set(s.tokens.header, value) // pages that CORS lets in cannot read our cookies
		if !held {
			r.Set("Set-Cookie", s.tokens.setCookie(value))
		}
		return nil, r
	}
	res, err := next(s.hide(x))
	if err == nil && !held {
		res.Header.Add("Set-Cookie", s.tokens.setCookie(value))
	}
	return res, err
}

// hide keeps the value to ourselves: the upstream has no use for it.
func (s *Stage) hide(x *middleware.Exchange) *middleware.Exchange {
	if s.tokens != nil {
		delete(x.Request.Header, s.tokens.canonical)
		cookies.Remove(x.Request.Header, s.tokens.cookie)
	}
	return x
}

// opened reports whether a page of a browser asks for an upgrade: it cannot add
// headers to that, so nothing can be repeated. Its Origin stands for it, which
// browsers always send then (RFC 6455, section 10.2) and which was judged before.
func opened(x *middleware.Exchange) bool {
	return x.Upgrade != "" && x.Request.Header.Get("Origin") != ""
}

// changes reports whether a request may change something. A protocol upgrade
// counts whatever its method: nothing that is sent over the connection later
// will be checked.
func changes(x *middleware.Exchange) bool {
	switch x.Request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return x.Request.Header.Get("Upgrade") != ""
	}
	return true
}
