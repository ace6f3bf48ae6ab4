package oracle

import (
	"iter"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// isCut reports whether words end at r.
func isCut(r rune) bool {
	return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
}

// words cuts a text at everything that is neither letter, digit, '_' nor '-'.
func words(s string) iter.Seq[string] { return strings.FieldsFuncSeq(s, isCut) }

// joined is a text without all that is between its words, folded.
func joined(name string) string {
	if isWord(name) {
		return redact.Fold(name)
	}
	var b strings.Builder
	for word := range words(name) {
		b.WriteString(redact.Fold(word))
	}
	return b.String()
}

// isWord reports whether a text is one word of ASCII letters and digits, '_' and '-',
// as the names of most parameters are.
func isWord(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != ""
}

// parts cuts a word where two or more of '_' and '-' follow each other.
func parts(word string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start := 0
		for i := 0; i < len(word); i++ {
			n := 0
			for i+n < len(word) && (word[i+n] == '_' || word[i+n] == '-') {
				n++
			}
			if n < 2 {
				continue
			}
			if i > start && !yield(word[start:i]) {
				return
			}
			start = i + n
			i = start - 1
		}
		if start < len(word) {
			yield(word[start:])
		}
	}
}

// humps cuts a part at '_' and '-', and in front of a capital behind a letter
// or digit that is none.
func humps(part string) []string {
	var out []string
	start, small := 0, false
	for i, r := range part {
		sign := r == '_' || r == '-'
		if sign || small && unicode.IsUpper(r) {
			if i > start {
				out = append(out, part[start:i])
			}
			start = i
			if sign {
				start++
			}
		}
		small = !sign && !unicode.IsUpper(r)
	}
	if start < len(part) {
		out = append(out, part[start:])
	}
	return out
}

// readings calls refuses with the ways in which backends read a decoded text,
// until it says yes: as it is, decoded once more, and with escapes of JSON
// strings resolved.
func readings(s string, refuses func(string) bool) bool {
	if refuses(s) {
		return true
	}
	again := unpercent(s)
	if again != s && refuses(again) {
		return true
	}
	for _, t := range []string{s, again} {
		if plain := unescape(t); plain != t && refuses(plain) {
			return true
		}
		if again == s {
			break
		}
	}
	return false
}

// unpercent decodes what is percent-encoded and leaves the rest.
func unpercent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unescape resolves the escapes of RFC 8259, section 7, and takes the backslash
// from in front of anything else.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'b', 'f', 'n', 'r', 't':
			b.WriteByte(' ')
		case 'u':
			if i+4 < len(s) {
				if r, err := strconv.ParseUint(s[i+1:i+5], 16, 16); err == nil {
					b.WriteString(string(utf8.AppendRune(nil, rune(r))))
					i += 4
					continue
				}
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
