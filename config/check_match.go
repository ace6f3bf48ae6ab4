package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

func (k *checker) match(m Match, path string) {
	if m.Path != "" {
		if why := wrongPath(m.Path); why != "" {
			k.unreadable(join(path, "path"), k.closest(join(path, "path")), "%q %s", m.Path, why)
		}
	}
	k.unique(join(path, "methods"), m.Methods)
	k.unique(join(path, "hosts"), m.Hosts)
	for i, h := range m.Hosts {
		k.host(index(join(path, "hosts"), i), h)
	}
}

// host checks a host as the router compares it: lower case and without port.
func (k *checker) host(path, host string) {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	switch {
	case err == nil && a.String() == host:
	case err == nil:
		k.mistake(path, "%q must be written as %q", host, a)
	case strings.Contains(host, "*"):
		k.mistake(path, "%q: hosts match exactly; leave hosts out to match any", host)
	case strings.Contains(host, ":"):
		k.mistake(path, "%q is not a host name; write it without scheme and port", host)
	case strings.IndexFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) >= 0:
		// Written in another script: the gateway knows the form that clients send.
	case strings.HasSuffix(host, ".") || !isHost(host):
		k.mistake(path, "%q is not a host name", host)
	case host != strings.ToLower(host):
		k.mistake(path, "%q must be lower case: %q", host, strings.ToLower(host))
	}
}

// wrongPath says what is wrong with a route's path, or "". A path is written
// as normalized requests come: nothing encoded, nothing to resolve.
func wrongPath(path string) string {
	if path[0] != '/' {
		return "does not begin with /"
	}
	if i := strings.IndexFunc(path, strange); i >= 0 {
		return fmt.Sprintf("has %q, which no path has", []rune(path[i:])[0])
	}
	segments := strings.Split(path[1:], "/")
	seen := map[string]bool{}
	for i, s := range segments {
		switch {
		case s == "" && i < len(segments)-1:
			return "has an empty segment, //"
		case s == "." || s == "..":
			return fmt.Sprintf("has the segment %q, which is never requested", s)
		case !strings.ContainsAny(s, "{}"):
		case len(s) < 3 || s[0] != '{' || s[len(s)-1] != '}' || !isVariable(s[1:len(s)-1]):
			return fmt.Sprintf("has %q; {name} stands for one whole segment", s)
		case seen[s]:
			return fmt.Sprintf("has %s twice", s)
		default:
			seen[s] = true
		}
	}
	return ""
}

// strange tells whether a character cannot be in the path of a route: it is
// none of RFC 3986's pchar, or an escape, which normalized paths do not have.
func strange(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("/-._~!$&'()*+,;=:@{}", r)
}

// conflicts reports routes that would take the same requests with the same
// rank, where the order of the file would decide.
func (k *checker) conflicts() {
	before := map[string][]int{} // the routes above, by the shape of their path
	for i, b := range k.c.Routes {
		at := join(index("routes", i), "match.path")
		if b.Match.Path == "" || k.unread(at) {
			continue
		}
		same := shape(b.Match.Path)
		for _, j := range before[same] {
			a := k.c.Routes[j]
			if shared, ok := conflict(a.Match, b.Match); ok {
				line := k.closest(join(index("routes", j), "match.path")).line
				k.mistake(at, "route %q matches the same as route %q in line %d: %s", b.Name, a.Name, line, shared)
				break
			}
		}
		before[same] = append(before[same], i)
	}
}

// conflict tells whether two routes with paths of the same shape match the
// same, and gives an example.
func conflict(a, b Match) (string, bool) {
	method, ok := common(a.Methods, b.Methods)
	host, sameHost := common(a.Hosts, b.Hosts)
	if !ok || !sameHost {
		return "", false
	}
	return strings.TrimSpace(method + " " + host + b.Path), true
}

// common gives what two lists share. Two empty ones, which match anything, do;
// an empty and another do not, for the other one goes first.
func common(a, b []string) (string, bool) {
	if len(a) == 0 && len(b) == 0 {
		return "", true
	}
	for _, s := range a {
		if slices.Contains(b, s) {
			return s, true
		}
	}
	return "", false
}

// shape is a path without the names of its parameters.
func shape(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}
