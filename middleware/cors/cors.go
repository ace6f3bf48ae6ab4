// Package cors is the stage that owns cross-origin resource sharing (Fetch
// standard, section 3.2): it answers preflights, says which origins may read
// an answer, and removes whatever the upstream says about it.
package cors

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Stage speaks CORS for one route.
type Stage struct {
	c *config.CORS
}

// New makes the stage. It is on every route: without settings it only removes
// the upstream's Access-Control-* headers and lets no origin in.
func New(c *config.CORS) middleware.Stage { return &Stage{c} }

// Name of the stage.
func (s *Stage) Name() string { return "cors" }

// Describe tells the origins that are let in.
func (s *Stage) Describe() string {
	if s.c == nil {
		return "no other origin"
	}
	return strings.Join(s.c.Origins, " ")
}

// Preflight reports whether r asks for permission instead of for a resource.
func Preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// Handle answers preflights itself, without asking anybody inside: they carry
// no token. Any other answer gets the headers that let the origin read it.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	origin := x.Request.Header.Get("Origin")
	var res *http.Response
	if Preflight(x.Request) {
		res = s.preflight(x, origin)
	} else {
		var err error
		if res, err = next(x); err != nil {
			return nil, err
		}
		for name := range res.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				res.Header.Del(name)
			}
		}
	}
	if s.c == nil {
		return res, nil
	}
	middleware.AddVary(res.Header, "Origin")
	if !s.allowed(origin) {
		return res, nil
	}
	s.grant(res.Header, origin)
	if len(s.c.ExposeHeaders) > 0 {
		res.Header.Set("Access-Control-Expose-Headers", strings.Join(s.c.ExposeHeaders, ", "))
	}
	return res, nil
}

func (s *Stage) allowed(origin string) bool {
	return origin != "" && (slices.Contains(s.c.Origins, origin) || slices.Contains(s.c.Origins, "*"))
}

// grant names the origin rather than "*" where credentials are allowed, since
// browsers refuse the two together.
func (s *Stage) grant(h http.Header, origin string) {
	if slices.Contains(s.c.Origins, "*") && !s.c.Credentials {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if s.c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// preflight answers 204. What the origin may not do is simply not in the
// answer; the browser then keeps the request back.
func (s *Stage) preflight(x *middleware.Exchange, origin string) *http.Response {
	h := http.Header{}
	middleware.AddVary(h, "Access-Control-Request-Method", "Access-Control-Request-Headers")
	if s.c != nil && s.allowed(origin) {
		h.Set("Access-Control-Allow-Methods", strings.Join(s.c.Methods, ", "))
		if len(s.c.Headers) > 0 {
			h.Set("Access-Control-Allow-Headers", strings.Join(s.c.Headers, ", "))
		}
		if s.c.MaxAge > 0 {
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(s.c.MaxAge.D()/time.Second)))
		}
	}
	return &http.Response{
		StatusCode: http.StatusNoContent, Status: "204 No Content", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: http.NoBody, Request: x.Request,
	}
}
