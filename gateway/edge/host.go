package edge

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

var (
	errHost = &Error{PathInvalid, "the host is not a host name or address"}
	errPort = &Error{PathInvalid, "the host has an invalid port"}
)

// Host reads what a Host header, :authority or the authority of a URL names. It
// gives the host in the one form that routes are written in, and the same with
// the port, where one is named, as it is sent on. Nothing ("") is no error:
// HTTP/1.0 does not ask for a host, and health checks of load balancers name
// none.
//
// Letters become lower case and one final dot goes. Names in other scripts come
// as A-labels (RFC 5891); clients make those, and net/http takes nothing else
// over HTTP/1. An IPv4 address is four decimal numbers; what some programs take
// for one in other spellings (127.1, 0x7f.1, 017700000001) is no name either and
// an [*Error].
func Host(authority string) (host, canonical string, err error) {
	if authority == "" {
		return "", "", nil
	}
	host, port, err := splitPort(authority)
	if err != nil {
		return "", "", err
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, err = address6(inner); err != nil {
			return "", "", err
		}
		return host, "[" + host + "]" + port, nil
	}
	name, err := hostName(host)
	if err != nil {
		return "", "", err
	}
	if name == host { // as nearly always
		return name, authority, nil
	}
	return name, name + port, nil
}

// Name gives the form in which requests for a host come to the router. It reads
// what people write: without port, with or without brackets, in any script.
func Name(text string) (string, error) {
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")); err == nil && a.Is6() && a.Zone() == "" {
		return a.String(), nil
	}
	if !ascii(text) {
		a, err := idna.Lookup.ToASCII(text)
		if err != nil {
			return "", errHost
		}
		text = a
	}
	if text == "" || strings.Contains(text, ":") {
		return "", errHost
	}
	host, _, err := Host(text)
	return host, err
}

// splitPort takes the port off, and gives it with its colon.
func splitPort(authority string) (host, port string, err error) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.HasSuffix(authority, "]") {
		return authority, "", nil
	}
	host, port = authority[:i], authority[i+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
		return "", "", errPort
	}
	return host, authority[i:], nil
}

// address6 reads an IPv6 address behind its opening bracket. A zone means
// something to the client's own machine only.
func address6(s string) (string, error) {
	s, ok := strings.CutSuffix(s, "]")
	a, err := netip.ParseAddr(s)
	if !ok || err != nil || !a.Is6() || a.Zone() != "" {
		return "", errHost
	}
	return a.String(), nil
}

// hostName reads a name or an IPv4 address.
func hostName(s string) (string, error) {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return "", errHost
	}
	s = lower(s)
	label := ""
	for rest, more := s, true; more; {
		label, rest, more = strings.Cut(rest, ".")
		if !isLabel(label) {
			return "", errHost
		}
	}
	if numeric(label) {
		if a, err := netip.ParseAddr(s); err != nil || !a.Is4() {
			return "", errHost
		}
	}
	return s, nil
}

// isLabel accepts lower-case letters, digits, hyphens inside, and underscores,
// which names of containers have.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return !strings.HasPrefix(s, "xn--") || isALabel(s)
}

// isALabel reports whether a label spells something in another script, and is
// the one way to spell it.
func isALabel(s string) bool {
	u, err := idna.Lookup.ToUnicode(s)
	if err != nil || ascii(u) {
		return false
	}
	again, err := idna.Lookup.ToASCII(u)
	return err == nil && again == s
}

// lower is strings.ToLower for ASCII alone: to that, some letters beyond it are
// letters of ASCII, such as the sign of kelvin.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for j, c := range b {
				if 'A' <= c && c <= 'Z' {
					b[j] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// numeric reports whether the last label of a name makes it an address to some
// programs (WHATWG URL, section 3.5).
func numeric(label string) bool {
	if c := label[len(label)-1]; 'g' <= c && c <= 'w' || 'y' <= c { // as those of nearly all names
		return false
	}
	if strings.HasPrefix(label, "0x") {
		return strings.Trim(label[2:], "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}
