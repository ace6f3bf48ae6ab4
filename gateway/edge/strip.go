package edge

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
	judged   map[string]bool // names that pass, but not in a second spelling
}

// forwarding are the headers by which proxies tell of clients, paths, methods
// and protocols; an upstream behind the gateway believes them.
func forwarding() []string {
	return []string{
		"Forwarded", "X-Forwarded-*", "X-Original-*", "X-Envoy-*",
		"X-Real-Ip", "X-Client-Ip", "Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Cluster-Client-Ip",
		"Fastly-Client-Ip", "Fly-Client-Ip", "X-Originating-Ip", "X-Remote-Ip", "X-Remote-Addr", "X-Azure-Clientip", "X-Azure-Socketip",
		"X-Rewrite-Url", "X-Host", "X-Scheme", "X-Url-Scheme", "Front-End-Https",
		"X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Request-Id",
		"Host", "Upgrade", "Http2-Settings", "Proxy-Authorization", "Proxy-Connection",
	}
}

// newStrip joins the names that the gateway keeps to itself with those that it
// is given. What decides something, or is shown to policies, is judged.
func newStrip(identity, policy, shown []string) *strip {
	s := &strip{exact: map[string]bool{}, judged: map[string]bool{}}
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
	for _, list := range [][]string{once(), shown, {"Content-Length", "Transfer-Encoding"}} {
		for _, name := range list {
			s.judged[textproto.CanonicalMIMEHeaderKey(name)] = true
		}
	}
	return s
}

// clean removes from h what the client may not send: the names that s knows,
// and whatever Connection lists. That is what a proxy must do (RFC 9110,
// section 7.6.1), and it is done before anything is judged by these headers.
//
// Names with an underscore go too: CGI and WSGI servers take them for their
// twins with a hyphen. Some do so with any character that is neither letter nor
// digit, so X.User-Id goes where X-User-Id does.
func (s *strip) clean(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = textproto.TrimString(name); name != "" {
				h.Del(name)
			}
		}
	}
	delete(h, "Connection")
	for name := range h {
		if s.removes(name) {
			delete(h, name)
		}
	}
}

func (s *strip) removes(name string) bool {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	if s.known(canonical) {
		return true
	}
	if !odd(name) {
		return false
	}
	twin := hyphens(name)
	return strings.Contains(name, "_") || s.known(twin) || s.judged[twin]
}

func (s *strip) known(name string) bool {
	if s.exact[name] {
		return true
	}
	for _, p := range s.prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// odd reports whether a name has other characters than letters, digits and
// hyphens.
func odd(name string) bool {
	for i := range len(name) {
		if !usual(name[i]) {
			return true
		}
	}
	return false
}

func usual(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-'
}

// hyphens gives the canonical name with a hyphen for every odd character.
func hyphens(name string) string {
	b := []byte(name)
	for i, c := range b {
		if !usual(c) {
			b[i] = '-'
		}
	}
	return textproto.CanonicalMIMEHeaderKey(string(b))
}
