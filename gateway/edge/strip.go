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
	// For most names that clients send nothing is left to be compared. Lists are
	// short, and what is in them differs in length.
	names
	proxies names           // those of them that proxies and CDNs in front of the gateway send
	claims  names           // those by which upstreams are told who asks
	judged  map[string]bool // names that pass, but not in a second spelling
}

// names are whole ones and beginnings, by their first byte.
type names struct{ exact, prefixes [256][]string }

// forwarding are the headers by which proxies tell of clients, their users and
// certificates (RFC 9440), paths, methods and protocols; an upstream behind the
// gateway believes them. Proxy is HTTP_PROXY to programs behind CGI, which then
// send what they ask others through it.
func forwarding() []string {
	return []string{
		"Forwarded", "X-Forwarded-*", "X-Original-*", "X-Envoy-*",
		"X-Real-Ip", "X-Client-Ip", "Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Cf-Connecting-Ipv6", "X-Cluster-Client-Ip",
		"Fastly-Client-Ip", "Fly-Client-Ip", "X-Originating-Ip", "X-Azure-Clientip", "X-Azure-Socketip", "Wl-Proxy-*", "X-Proxyuser-Ip",
		"Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email", "X-Remote-*", "Client-Cert", "Client-Cert-Chain", "X-Client-Cert", "Ssl-Client-*", "X-Ssl-*",
		"X-Rewrite-Url", "X-Host", "X-Scheme", "X-Url-Scheme", "Front-End-Https",
		"X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Request-Id",
		"Host", "Upgrade", "Http2-Settings", "Proxy", "Proxy-Authorization", "Proxy-Connection",
	}
}

// newStrip joins the names that the gateway keeps to itself with those that it
// is given. What decides something, or is shown to policies, is judged.
func newStrip(identity, policy, shown []string) *strip {
	s := &strip{judged: map[string]bool{}}
	for _, name := range forwarding() {
		s.add(name)
		s.proxies.add(name)
	}
	for _, list := range [][]string{identity, policy} {
		for _, name := range list {
			s.add(name)
			s.claims.add(name)
		}
	}
	for _, list := range [][]string{once(), shown, {"Content-Length", "Transfer-Encoding"}} {
		for _, name := range list {
			s.judged[textproto.CanonicalMIMEHeaderKey(name)] = true
		}
	}
	return s
}

// add files a name of a list, in any case; NAME-* is a beginning, and NAME too.
func (n *names) add(name string) {
	name = textproto.CanonicalMIMEHeaderKey(name)
	if stem, ok := strings.CutSuffix(name, "*"); ok {
		file(&n.prefixes, stem)
		// Whoever does not want X-User-Anything means X-User too.
		name = strings.TrimSuffix(stem, "-")
	}
	file(&n.exact, name)
}

// file puts a name among those with its first byte.
func file(lists *[256][]string, name string) {
	if name != "" {
		lists[name[0]] = append(lists[name[0]], name)
	}
}

// clean removes from h what the client may not send: the names that s knows,
// and whatever Connection lists. That is what a proxy must do (RFC 9110,
// section 7.6.1), and it is done before anything is judged by these headers.
//
// Names with an underscore go too: CGI and WSGI servers take them for their
// twins with a hyphen. Some do so with any character that is neither letter nor
// digit, so X.User-Id goes where X-User-Id does.
//
// It reports what it found.
func (s *strip) clean(h http.Header) (f found) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = textproto.TrimString(name); name != "" {
				f.claims = f.claims || len(h.Values(name)) > 0 && s.claimed(name)
				h.Del(name)
			}
		}
	}
	delete(h, "Connection")
	for name, values := range h {
		if s.removes(name) {
			f.claims = f.claims || s.claimed(name)
			delete(h, name)
			continue
		}
		f.repeated = f.repeated || len(values) > 1
		for _, v := range values {
			f.blanks = f.blanks || padded(v)
		}
	}
	return f
}

// found is what a head has that is told apart.
type found struct {
	repeated bool // something that is left stands more than once
	blanks   bool // a value that is left has blanks around it
	claims   bool // the client said who it is, as only the gateway may
}

// claimed reports whether a name that is removed is one by which upstreams are told
// who asks and that no proxy sends, in any spelling that they might take for it.
func (s *strip) claimed(name string) bool {
	name = hyphens(name)
	return s.claims.known(name) && !s.proxies.known(name)
}

func (s *strip) removes(name string) bool {
	if ordinary(name) {
		return s.known(name)
	}
	if s.known(textproto.CanonicalMIMEHeaderKey(name)) {
		return true
	}
	if !odd(name) {
		return false
	}
	twin := hyphens(name)
	return strings.Contains(name, "_") || s.known(twin) || s.judged[twin]
}

// known reports whether a canonical name is one of the names.
func (n *names) known(name string) bool {
	if name == "" {
		return false
	}
	for _, other := range n.exact[name[0]] {
		if other == name {
			return true
		}
	}
	for _, p := range n.prefixes[name[0]] {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// ordinary reports whether a name is canonical and has letters, digits and
// hyphens only, as nearly all have that net/http hands over.
func ordinary(name string) bool {
	begins := true // a word, with a capital
	for i := range len(name) {
		c := name[i]
		if begins && 'a' <= c && c <= 'z' || !begins && 'A' <= c && c <= 'Z' || !usual(c) {
			return false
		}
		begins = c == '-'
	}
	return true
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
