package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

func (k *checker) cors(c *CORS, path string) {
	if c == nil {
		return
	}
	origins := join(path, "origins")
	k.unique(origins, c.Origins)
	for i, o := range c.Origins {
		at := index(origins, i)
		if o == "*" {
			if c.Credentials {
				k.mistake(at, `"*" cannot be combined with credentials; name the origins`)
			}
			continue
		}
		u, _ := url.Parse(o)
		if why := wrongOrigin(o); why != "" {
			k.mistake(at, "%q is not an origin as browsers send it; %s", redact(o, u), why)
		}
	}
	k.unique(join(path, "methods"), c.Methods)
	k.headerNames(join(path, "headers"), c.Headers, false)
	k.headerNames(join(path, "expose_headers"), c.ExposeHeaders, false)
}

// wrongOrigin says what to write instead of s, "" where s is the serialization
// of a tuple origin (Fetch standard): a scheme and host in lower case, and a
// port that is not the scheme's own.
func wrongOrigin(s string) string {
	const like = "write it like https://app.example.com"
	switch {
	case s == "null":
		return "sandboxed pages of every site are called so; name the origins"
	case strings.Contains(s, "*"):
		return "origins are compared whole; name each"
	case !isASCII(s):
		return "it has no letters beyond ASCII; write the host with xn--"
	}
	whole := s
	if !strings.Contains(s, "://") {
		whole = "https://" + s
	}
	u, err := url.Parse(whole)
	if err != nil {
		return like
	}
	right := serialized(u)
	switch {
	case right == "":
		return like
	case right != s:
		return fmt.Sprintf("did you mean %q?", right)
	}
	return ""
}

// serialized gives the origin of a URL as browsers send it, "" where it has
// none.
func serialized(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	switch scheme {
	case "ws", "wss": // the page that opens a WebSocket has an origin, not the WebSocket
		scheme = strings.Replace(scheme, "ws", "http", 1)
	case "file":
		return ""
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if host = addr.WithZone("").String(); addr.Is6() {
			host = "[" + host + "]"
		}
	} else if !isHost(host) || endsInNumber(host) {
		return ""
	}
	switch {
	case port == "" || scheme == "http" && port == "80" || scheme == "https" && port == "443":
		return scheme + "://" + host
	case !isPort(port) || port == "0":
		return ""
	}
	return scheme + "://" + host + ":" + port
}

// endsInNumber reports whether browsers take a host for an IPv4 address in a
// form of old, such as 127.1, and would send it in another.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.HasPrefix(last, "0x") || strings.Trim(last, "0123456789") == ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
