package config

import (
	"slices"
	"strings"
)

// protocol checks that the endpoints of an upstream can speak what it says.
func (k *checker) protocol(path string, u *Upstream) {
	at := join(path, "protocol")
	if k.unread(at) || k.unread(join(path, "endpoints")) {
		return
	}
	want := map[string]string{"http2": "https:", "h2c": "http:"}[u.Protocol]
	for _, e := range u.Endpoints {
		if want != "" && !strings.HasPrefix(strings.ToLower(e.URL), want) {
			k.mistake(at, "%s is spoken over %s//, and %q is not; write auto, or other endpoints", u.Protocol, want, e.URL)
		}
	}
}

// upgrade checks that connections of a route can be upgraded, and that no other
// site can have that done by a browser.
func (k *checker) upgrade(r *Route, path string) {
	at := join(path, "upgrade")
	if len(r.Upgrade) == 0 {
		return
	}
	k.unique(at, r.Upgrade)
	if len(r.Match.Methods) > 0 && !slices.Contains(r.Match.Methods, "GET") && !k.unread(join(path, "match.methods")) {
		k.mistake(at, "a WebSocket begins with GET, which is not among the methods of the route")
	}
	if u := k.c.Upstreams[r.Upstream]; u != nil && (u.Protocol == "http2" || u.Protocol == "h2c") {
		k.mistake(at, "a WebSocket needs HTTP/1.1, and the upstream %q has protocol: %s", r.Upstream, u.Protocol)
	}
	if r.CSRF.Mode == "off" && r.Authn != nil && r.Authn.Cookie != "" {
		k.mistake(at, "a WebSocket whose token comes in a cookie needs csrf; else any site can open it in the name of who visits it")
	}
}
