package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/edge"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// atDoor is the refusal of a request that is not let in. One for its method
// tells what the path serves, as far as it could be read.
func (p *Plan) atDoor(err error, h edge.Head) *middleware.Refusal {
	var e *edge.Error
	if !errors.As(err, &e) {
		return middleware.Refuse("edge", middleware.PathInvalid, "the request cannot be read").With(err)
	}
	r := middleware.Refuse("edge", middleware.Code(e.Code), e.Detail)
	if allow := p.router.methods(h.Host, h.Path); e.Code == edge.MethodNotAllowed && allow != "" {
		r.Set("Allow", allow)
	}
	return r
}

// hidesName refuses a path with a bare semicolon where a policy would judge its
// segments: what stands behind one is no part of the name to some servers.
func hidesName(r *config.Route, escaped string) *middleware.Refusal {
	if r.Policy.Off || r.Match.Semicolons || !strings.Contains(escaped, ";") {
		return nil
	}
	return middleware.Refuse("router", middleware.PathInvalid, "what stands behind a semicolon may be no part of the path to the backend")
}

// redirect answers with the same address over https, if it is one that is
// served there. Any other host would make of the gateway a signpost to wherever
// the sender of a request wants others to go.
func (p *Plan) redirect(h edge.Head) middleware.Handler {
	return func(x *middleware.Exchange) (*http.Response, error) {
		if !p.served(h.Host) {
			return nil, middleware.Refuse("router", middleware.HostUnknown, "no route serves this host")
		}
		location := "https://" + bracketed(h.Host) + p.httpsPort + h.Escaped
		if h.Query != "" {
			location += "?" + h.Query
		}
		return &http.Response{
			StatusCode: http.StatusPermanentRedirect, Status: "308 Permanent Redirect", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Location": {location}}, Body: http.NoBody, Request: x.Request,
		}, nil
	}
}

// served reports whether requests for a host are answered over TLS: a route
// names it, or routes are for any host and a listener has a certificate for it.
func (p *Plan) served(host string) bool {
	switch {
	case host == "":
		return false
	case p.router.names(host):
		return true
	case p.router.any.empty():
		return false
	}
	for _, t := range p.tls {
		if certified(t.Config(), host) {
			return true
		}
	}
	return false
}

// certified reports whether the certificate that a client of host is shown is
// good for it. Clients send no server name where the host is an address.
func certified(t *tls.Config, host string) bool {
	hello := &tls.ClientHelloInfo{ServerName: host}
	if _, err := netip.ParseAddr(host); err == nil {
		hello.ServerName = ""
	}
	if t.GetConfigForClient != nil {
		var err error
		if t, err = t.GetConfigForClient(hello); err != nil || t == nil {
			return false
		}
	}
	c, err := t.GetCertificate(hello)
	return err == nil && c != nil && c.Leaf != nil && c.Leaf.VerifyHostname(host) == nil
}

// bracketed writes a canonical host as URLs do.
func bracketed(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		return "[" + host + "]"
	}
	return host
}

// checkHosts reports hosts of routes that no request is ever for.
func (b *builder) checkHosts(r *config.Route) {
	for i, host := range r.Match.Hosts {
		at := routePath(b.config, r) + ".match.hosts[" + strconv.Itoa(i) + "]"
		switch canonical, err := edge.Name(host); {
		case err != nil:
			b.mistakes = append(b.mistakes, b.config.Mistake(at, "%q: %v", host, err))
		case canonical != host:
			b.mistakes = append(b.mistakes, b.config.Mistake(at, "%q must be written as %q", host, canonical))
		}
	}
}

// checkCSRF reports a header that pages are to repeat a value in and that is
// taken away at the door: nobody could ever make a change by cookie.
func (b *builder) checkCSRF() {
	name := b.config.CSRF.Header
	for _, r := range b.config.Routes {
		if r.Authn != nil && r.Authn.Cookie != "" && r.CSRF.Mode != "off" && b.plan.door.Removes(name) {
			b.mistake("csrf.header", fmt.Errorf("%q is removed from requests, as what proxies or policies set; write it like X-CSRF-Token", name))
			return
		}
	}
}

// checkRedirects reports listeners that redirect where nothing could be
// redirected to.
func (b *builder) checkRedirects() {
	for _, r := range b.config.Routes {
		if len(r.Match.Hosts) > 0 {
			return
		}
	}
	for name, l := range b.config.Listeners {
		if l.RedirectToHTTPS && len(b.plan.tls) == 0 {
			b.mistake("listeners."+name+".redirect_to_https",
				errors.New("there is nowhere to redirect to: no route names a host, and no listener has a certificate"))
		}
	}
}
