package gateway

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// canonical is a path in the two forms that matter.
type canonical struct {
	path    string // decoded: what is matched, judged and logged
	escaped string // percent-encoded: what is forwarded
}

// The ways in which a path can be read differently by two programs. None is
// repaired: a repair is a second opinion about what the client meant.
var (
	errNoSlash   = errors.New("the path does not begin with a slash")
	errDots      = errors.New("the path has a . or .. segment")
	errSlashes   = errors.New("the path has an empty segment")
	errBackslash = errors.New("the path has a backslash")
	errEncoded   = errors.New("the path encodes a slash, a dot or a percent sign")
	errEscape    = errors.New("the path has a broken percent-encoding")
	errControl   = errors.New("the path has a control character or is not UTF-8")
	errFragment  = errors.New("the path has a fragment")
	errQuery     = errors.New("the query cannot be read")
)

// canonicalPath reads the path of a request target as it came over the wire
// (RFC 3986): unreserved characters are decoded, all other escapes keep their
// meaning with upper-case digits. A path that cannot be read in exactly one way
// is an error.
func canonicalPath(raw string) (canonical, error) {
	if !strings.HasPrefix(raw, "/") {
		return canonical{}, errNoSlash
	}
	var plain, escaped strings.Builder
	for i := 0; i < len(raw); i++ {
		c, wasEscaped := raw[i], false
		if c == '%' {
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return canonical{}, errEscape
			}
			c, wasEscaped = unhex(raw[i+1])<<4|unhex(raw[i+2]), true
			i += 2
		}
		if err := checkByte(c, wasEscaped); err != nil {
			return canonical{}, err
		}
		plain.WriteByte(c)
		writeEscaped(&escaped, c, wasEscaped)
	}
	out := canonical{plain.String(), escaped.String()}
	if !utf8.ValidString(out.path) {
		return canonical{}, errControl
	}
	return out, checkSegments(out.path)
}

func checkByte(c byte, wasEscaped bool) error {
	switch {
	case c < 0x20 || c == 0x7f:
		return errControl
	case c == '\\':
		return errBackslash
	case c == '#' && !wasEscaped:
		return errFragment
	case wasEscaped && (c == '/' || c == '.' || c == '%'):
		return errEncoded
	case c == '?' && !wasEscaped:
		return errQuery // a query never belongs to the path
	}
	return nil
}

// checkSegments looks at the segments as servers do that take what stands
// behind a semicolon for a parameter: to them "..;x" is "..".
func checkSegments(path string) error {
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		name, _, parameters := strings.Cut(s, ";")
		switch {
		case name == "." || name == "..":
			return errDots
		case name == "" && (parameters || i < len(segments)-1):
			return errSlashes
		}
	}
	return nil
}

// writeEscaped keeps a reserved character as the client wrote it, since %3B and
// ; may mean different things to the upstream, and decodes or encodes all
// others into their one normal form (RFC 3986, section 6.2.2).
func writeEscaped(b *strings.Builder, c byte, wasEscaped bool) {
	reserved := strings.IndexByte("!$&'()*+,;=:@/[]?#", c) >= 0
	unreserved := c == '-' || c == '_' || c == '.' || c == '~' ||
		'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	if unreserved || reserved && !wasEscaped {
		b.WriteByte(c)
		return
	}
	const digits = "0123456789ABCDEF"
	b.Write([]byte{'%', digits[c>>4], digits[c&15]})
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// maxParameters is how many query parameters a request may have.
const maxParameters = 1000

// checkQuery refuses queries that do not parse or have too many parameters.
func checkQuery(raw string) error {
	if strings.Count(raw, "&") >= maxParameters {
		return errQuery
	}
	if _, err := url.ParseQuery(raw); err != nil {
		return errQuery
	}
	for i := range len(raw) {
		if raw[i] <= 0x20 || raw[i] == 0x7f || raw[i] == '#' {
			return errQuery
		}
	}
	return nil
}

// canonicalHost gives the host of an authority in the one form that routes are
// written in: lower case, no port, no brackets around an IPv6 address, no final dot.
func canonicalHost(authority string) string {
	host := authority
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
