package gateway

import (
	"net/http"
	"net/textproto"
	"strings"
)

// strip knows which request headers clients may not send. They are removed on
// every route, public ones too, before any stage sees the request: whatever
// reaches an upstream under these names was put there by the gateway.
type strip struct {
	exact    map[string]bool
	prefixes []string
}

// forwarding are the headers by which proxies tell of clients, paths and
// methods; an upstream behind the gateway believes them.
func forwarding() []string {
	return []string{
		"Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Cluster-Client-Ip",
		"Fastly-Client-Ip", "X-Original-Url", "X-Rewrite-Url", "X-Original-Host", "X-Host",
		"X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Request-Id",
		"Upgrade", "Http2-Settings", "Proxy-Authorization", "Proxy-Connection",
	}
}

// newStrip joins the names of the configuration with those that policies set.
func newStrip(identity, policy []string) *strip {
	s := &strip{exact: map[string]bool{}, prefixes: []string{"X-Forwarded-"}}
	for _, list := range [][]string{forwarding(), identity, policy} {
		for _, name := range list {
			name = textproto.CanonicalMIMEHeaderKey(name)
			if stem, ok := strings.CutSuffix(name, "*"); ok {
				s.prefixes = append(s.prefixes, stem)
				// Whoever does not want X-User-Anything means X-User too.
				s.exact[strings.TrimSuffix(stem, "-")] = true
				continue
			}
			s.exact[name] = true
		}
	}
	return s
}

// clean removes the headers from h. Names with an underscore go too: CGI and
// WSGI servers take them for their twins with a hyphen.
func (s *strip) clean(h http.Header) {
	for name := range h {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if s.exact[canonical] || strings.Contains(name, "_") || s.prefixed(canonical) {
			delete(h, name)
		}
	}
}

func (s *strip) prefixed(name string) bool {
	for _, p := range s.prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
