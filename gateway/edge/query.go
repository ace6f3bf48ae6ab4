package edge

import (
	"strings"
	"unicode/utf8"
)

// maxParameters is how many parameters a query may have.
const maxParameters = 1000

var (
	errQuery      = &Error{PathInvalid, "the query cannot be read"}
	errParameters = &Error{PathInvalid, "the query has too many parameters"}
)

// checkQuery refuses queries that two programs may read differently: with an
// escape that is none, a bare semicolon (to some a separator), a control
// character, a NUL even when encoded, or values that are not UTF-8, which a
// policy could not be shown as they are. A query that passes parses with
// [net/url.ParseQuery]. It is never rewritten.
func checkQuery(raw string) error {
	if raw == "" {
		return nil
	}
	if strings.Count(raw, "&") >= maxParameters {
		return errParameters
	}
	ascii := true
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c <= 0x20 || c == 0x7f || c == '#' || c == ';':
			return errQuery
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '%':
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return errQuery
			}
			b := unhex(raw[i+1])<<4 | unhex(raw[i+2])
			if b == 0 {
				return errQuery
			}
			ascii = ascii && b < utf8.RuneSelf
			i += 2
		}
	}
	if !ascii && !utf8.Valid(decoded(raw)) {
		return errQuery
	}
	return nil
}

// decoded decodes all of a query whose escapes are whole. Separators and signs
// of equality are ASCII, so no character can reach across them.
func decoded(raw string) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			out = append(out, raw[i])
			continue
		}
		out = append(out, unhex(raw[i+1])<<4|unhex(raw[i+2]))
		i += 2
	}
	return out
}
