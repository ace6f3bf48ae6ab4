package redact

// name is the name of a member, decoded.
type name struct {
	text []byte
	fold []byte // as it is compared loosely
	ok   bool   // false where half a surrogate pair keeps it from being text; it then equals no name
}

// foldString gives the form in which two loosely equal names are the same: for
// ASCII names the equivalence of case-insensitive matching in Go's json/v2.
func foldString(s string) string { return string(appendFold(nil, []byte(s))) }

func appendFold(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_' || c == '-':
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		case c == 0xc5 && i+1 < len(s) && s[i+1] == 0xbf: // U+017F, long s
			dst = append(dst, 's')
			i++
		case c == 0xe2 && i+2 < len(s) && s[i+1] == 0x84 && s[i+2] == 0xaa: // U+212A, kelvin sign
			dst = append(dst, 'k')
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
