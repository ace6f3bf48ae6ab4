package authn

import (
	"strings"
	"unicode/utf8"
)

// member gives the text that a JSON object has under a name, "" where it has none.
// It is for what nobody has vouched for yet: it builds nothing, takes no longer
// than the text is long, and does not judge what it passes over. What it finds is
// to be found again by [Claims].
func member(object, name string) (string, error) {
	if !utf8.ValidString(object) {
		return "", errUTF8
	}
	r := reader{text: object}
	if r.next() != '{' {
		return "", errJSON
	}
	for depth := 1; depth > 0; {
		switch r.next() {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case 0: // the end, or what stands nowhere in JSON
			return "", errJSON
		case '"':
			start := r.at
			r.pass()
			if depth > 1 || !r.named(start, name) {
				continue
			}
			if r.next() != '"' {
				return "", nil
			}
			return r.string()
		}
	}
	return "", nil
}

// pass skips the rest of a text whose quote has been taken.
func (r *reader) pass() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case '"':
			r.at++
			return
		case '\\':
			r.at++
		}
		r.at++
	}
	r.at = len(r.text) // where a backslash was the last byte
}

// named reports whether the text that began at start and has been passed is the
// name of a member, and this one. Its colon is taken then.
func (r *reader) named(start int, name string) bool {
	text := r.text[start:r.at]
	if !strings.HasPrefix(text, name) || text[len(name):] != `"` {
		if len(text) > 6*len(name)+1 || strings.IndexByte(text, '\\') < 0 {
			return false
		}
		inner := reader{text: text} // it may be spelled with escapes
		if s, err := inner.string(); err != nil || s != name {
			return false
		}
	}
	r.blanks()
	return r.take(':')
}
