package edge

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The ways in which a path can be read differently by two programs.
var (
	errNoSlash   = &Error{PathInvalid, "the path does not begin with a slash"}
	errDots      = &Error{PathInvalid, "the path has a . or .. segment"}
	errSlashes   = &Error{PathInvalid, "the path has an empty segment"}
	errBackslash = &Error{PathInvalid, "the path has a backslash"}
	errEncoded   = &Error{PathInvalid, "the path encodes a slash, a dot or a percent sign"}
	errEscape    = &Error{PathInvalid, "the path has a broken percent-encoding"}
	errControl   = &Error{PathInvalid, "the path has a control character or is not UTF-8"}
	errFragment  = &Error{PathInvalid, "the path has a fragment"}
	errLookalike = &Error{PathInvalid, "the path has a character that some programs take for a slash"}
	errQuestion  = &Error{PathInvalid, "the path has a question mark"}
)

// Path reads the path of a request target as it came over the wire (RFC 3986):
// unreserved characters are decoded, all other escapes keep their meaning with
// upper-case digits. Bytes beyond ASCII, which some clients send bare, are
// encoded. A path that cannot be read in exactly one way is an [*Error].
//
// The Query of the result is "".
func Path(raw string) (Target, error) {
	if !strings.HasPrefix(raw, "/") {
		return Target{}, errNoSlash
	}
	if !plain(raw) {
		return decodePath(raw)
	}
	return Target{Path: raw, Escaped: raw}, checkSegments(raw)
}

// plain reports whether a path has only characters that stand for themselves.
func plain(raw string) bool {
	for i := range len(raw) {
		if c := raw[i]; c != '/' && !unreserved(c) && !reserved(c) || c == '#' || c == '?' {
			return false
		}
	}
	return true
}

func decodePath(raw string) (Target, error) {
	var path, escaped strings.Builder
	path.Grow(len(raw))
	escaped.Grow(len(raw) + 8)
	for i := 0; i < len(raw); i++ {
		c, wasEscaped := raw[i], false
		if c == '%' {
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return Target{}, errEscape
			}
			c, wasEscaped = unhex(raw[i+1])<<4|unhex(raw[i+2]), true
			i += 2
		}
		if err := checkByte(c, wasEscaped); err != nil {
			return Target{}, err
		}
		path.WriteByte(c)
		writeEscaped(&escaped, c, wasEscaped)
	}
	t := Target{Path: path.String(), Escaped: escaped.String()}
	if err := checkRunes(t.Path); err != nil {
		return Target{}, err
	}
	if err := checkSegments(t.Path); err != nil {
		return Target{}, err
	}
	return t, nil
}

func checkByte(c byte, wasEscaped bool) error {
	switch {
	case c < 0x20 || c == 0x7f || c == ' ' && !wasEscaped:
		return errControl
	case c == '\\':
		return errBackslash
	case c == '#' && !wasEscaped:
		return errFragment
	case wasEscaped && (c == '/' || c == '.' || c == '%'):
		return errEncoded
	case c == '?' && !wasEscaped:
		return errQuestion // a query never belongs to the path
	}
	return nil
}

// checkRunes refuses what is not UTF-8, overlong forms included, control
// characters beyond ASCII, and characters that become a slash or a backslash
// where text is normalized (NFKC) or squeezed into a Windows code page.
func checkRunes(path string) error {
	if !utf8.ValidString(path) {
		return errControl
	}
	for _, r := range path {
		switch {
		case r < utf8.RuneSelf:
		case unicode.IsControl(r):
			return errControl
		case slashlike(r):
			return errLookalike
		}
	}
	return nil
}

func slashlike(r rune) bool {
	switch r {
	case '\u2044', '\u2215', '\uff0f', // fraction slash, division slash, fullwidth solidus
		'\u2216', '\ufe68', '\uff3c', // set minus, small and fullwidth reverse solidus
		'\u2100', '\u2101', '\u2105', '\u2106': // a/c, a/s, c/o, c/u
		return true
	}
	return false
}

// dots stands for characters that become dots where text is normalized (NFKC).
var dots = strings.NewReplacer("\u2024", ".", "\u2025", "..", "\ufe52", ".", "\uff0e", ".")

// checkSegments looks at the segments as servers do that take what stands
// behind a semicolon for a parameter, and as those that drop blanks at the end
// of a name: to them "..;x" and ".. " are "..".
func checkSegments(path string) error {
	for rest, more := path[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		name, _, parameters := strings.Cut(segment, ";")
		if name == "" && (parameters || more) {
			return errSlashes
		}
		name = strings.TrimRight(name, " ")
		if !ascii(name) && strings.ContainsAny(name, "\u2024\u2025\ufe52\uff0e") {
			name = dots.Replace(name)
		}
		if name == "." || name == ".." || name == "" && segment != "" {
			return errDots
		}
	}
	return nil
}

// writeEscaped keeps a reserved character as the client wrote it, since %3B and
// ; may mean different things to the upstream, and decodes or encodes all
// others into their one normal form (RFC 3986, section 6.2.2).
func writeEscaped(b *strings.Builder, c byte, wasEscaped bool) {
	if unreserved(c) || !wasEscaped && (c == '/' || reserved(c)) {
		b.WriteByte(c)
		return
	}
	const digits = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(digits[c>>4])
	b.WriteByte(digits[c&15])
}

// unreserved characters mean the same encoded or not (RFC 3986, section 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

// reserved characters may mean something else when they are encoded
// (RFC 3986, section 2.2). The slash, which is one, is looked at apart.
func reserved(c byte) bool {
	switch c {
	case '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '@', '[', ']', '?', '#':
		return true
	}
	return false
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
