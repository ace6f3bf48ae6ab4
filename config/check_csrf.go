package config

import (
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// csrf checks what routes share whose token comes in a cookie.
func (k *checker) csrf() {
	c := k.c.CSRF
	if n := len(c.Secret); n > 0 && n < 32 {
		k.mistake("csrf.secret", "the secret has %d characters; it needs at least 32", n)
	}
	k.hostCookie("csrf.cookie", c.Cookie)
	if strings.HasPrefix(strings.ToLower(c.Cookie), "__host-http-") {
		k.mistake("csrf.cookie", "scripts cannot read a cookie that begins with __Host-Http-; this one they must")
	}
	used := slices.ContainsFunc(k.c.Routes, func(r *Route) bool { return r.Authn != nil && r.Authn.Cookie != "" })
	if why := k.wrongCSRFHeader(c.Header); why != "" && (used || k.written("csrf.header")) {
		k.mistake("csrf.header", "%q %s", c.Header, why)
	}
}

// hostCookie checks the name of a cookie that no other host may set, not even
// a subdomain: browsers see to that where it begins with __Host- (RFC 6265bis,
// section 4.1.3.2).
func (k *checker) hostCookie(path, name string) {
	const prefix = "__Host-"
	if !isToken(name) || name == prefix {
		k.mistake(path, "%q is not the name of a cookie; write it like __Host-session", name)
		return
	}
	if strings.HasPrefix(name, prefix) {
		return
	}
	rest := name
	for _, wrong := range []string{prefix, "__Secure-"} {
		if len(rest) >= len(wrong) && strings.EqualFold(rest[:len(wrong)], wrong) {
			rest = rest[len(wrong):]
		}
	}
	right := prefix + strings.TrimLeft(rest, "_-")
	if right == prefix {
		right = prefix + "session"
	}
	k.mistake(path, "%q does not begin with __Host-, so other hosts could set it; did you mean %q?", name, right)
}

// wrongCSRFHeader says why a header cannot carry what is to be repeated, or "".
func (k *checker) wrongCSRFHeader(name string) string {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case !isToken(name):
		return "is not the name of a header"
	case strings.Contains(name, "_"):
		return "is removed from requests, as every header with _ is; write it with -"
	case slices.Contains(takenHeaders(), canonical), strings.HasPrefix(canonical, "Sec-"), strings.HasPrefix(canonical, "Proxy-"),
		strings.HasPrefix(canonical, "Access-Control-"), strings.HasPrefix(canonical, "If-"):
		return "has a meaning of its own; write it like X-CSRF-Token"
	}
	for _, identity := range k.c.IdentityHeaders {
		identity = textproto.CanonicalMIMEHeaderKey(identity)
		stem, wild := strings.CutSuffix(identity, "*")
		if canonical == identity || wild && (strings.HasPrefix(canonical, stem) || canonical == strings.TrimSuffix(stem, "-")) {
			return "is one of identity_headers, which are removed from requests"
		}
	}
	return ""
}

// takenHeaders are request headers that scripts cannot set (Fetch standard,
// section 2.2.2), may set for any site, or that mean something else here. Those
// that the gateway takes away from clients it knows itself.
func takenHeaders() []string {
	return []string{
		"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control",
		"Connection", "Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "Cookie", "Cookie2", "Date", "Dnt",
		"Expect", "Keep-Alive", "Last-Event-Id", "Origin", "Pragma", "Range", "Referer",
		"Set-Cookie", "Te", "Traceparent", "Tracestate", "Trailer", "Transfer-Encoding", "User-Agent", "Via",
	}
}

// cookieToken checks a route whose token may come in a cookie.
func (k *checker) cookieToken(r *Route, path string) {
	if r.Authn == nil || r.Authn.Cookie == "" {
		return
	}
	at := join(path, "authn.cookie")
	k.hostCookie(at, r.Authn.Cookie)
	if strings.EqualFold(r.Authn.Cookie, k.c.CSRF.Cookie) {
		k.mistake(at, "%q is csrf.cookie already, which scripts can read; the token needs one of its own", r.Authn.Cookie)
	}
	if r.CSRF.Mode != "off" && k.c.CSRF.Secret == "" && !k.unread("csrf.secret") {
		k.mistake(at, "a cookie that carries the token needs csrf.secret, or any site could make changes")
	}
	for name, l := range k.c.Listeners {
		if l.TLS != nil || l.Insecure || k.unread(join("listeners", name)) {
			return
		}
	}
	if !k.unread("listeners") {
		k.mistake(at, "browsers send this cookie over TLS only; give a listener tls, or insecure: true behind a load balancer that has it")
	}
}

// originWarnings tells what a route lets other origins do and had better not.
func (r *report) originWarnings(c *Config, route *Route, path string) {
	carried := route.Authn != nil && route.Authn.Cookie != ""
	if carried && route.CSRF.Mode == "off" {
		r.mistake(join(path, "csrf"), "a cookie carries the token and csrf is off: any site can make changes in the name of its visitors")
	}
	if route.CORS == nil || !route.CORS.Credentials {
		return
	}
	at := join(path, "cors")
	for i, o := range route.CORS.Origins {
		if u, err := url.Parse(o); err == nil && plain(u) {
			r.mistake(index(join(at, "origins"), i), "%q comes in plain text: whoever is on the way can write its pages, and read with its users' credentials", o)
		}
	}
	repeats := func(name string) bool { return strings.EqualFold(name, c.CSRF.Header) }
	if carried && route.CSRF.Mode != "off" && !(slices.ContainsFunc(route.CORS.Headers, repeats) && slices.ContainsFunc(route.CORS.ExposeHeaders, repeats)) {
		r.mistake(at, "pages of other origins can change nothing by cookie unless headers and expose_headers list %s", c.CSRF.Header)
	}
}
