package csrf

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// checkOrigin asks net/http about the request as the client sent it.
func (s *Stage) checkOrigin(x *middleware.Exchange) error {
	if !changes(x) {
		return nil
	}
	h := x.Request.Header
	for _, n := range []string{"Origin", "Sec-Fetch-Site"} {
		if len(h.Values(n)) > 1 {
			return errors.New("more than one " + n + " header")
		}
	}
	// POST stands for whatever changes something, upgrades included.
	r := &http.Request{Method: http.MethodPost, Header: h, Host: host(x), URL: x.Request.URL}
	origin := h.Get("Origin")
	if r.Host == "" && origin != "" {
		return errors.New("an Origin header and no host to compare it with")
	}
	if h.Get("Sec-Fetch-Site") == "" && x.Secure && strings.HasPrefix(origin, "http:") && !slices.Contains(s.trusted, origin) {
		// net/http compares hosts only. A page that came in plain text may have
		// been written by whoever was on the way.
		return errors.New("a page in plain text asks for a change over TLS")
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
