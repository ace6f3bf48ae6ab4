package redact

import (
	"bytes"
	"unicode/utf8"
)

func naiveSpace(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\n' || src[i] == '\r' || src[i] == '\t') {
		i++
	}
	return i
}

// naiveString checks the string whose opening quote is at i and gives the
// offset behind its closing quote.
func naiveString(src []byte, i int) (int, error) {
	for i++; i < len(src); {
		switch c := src[i]; {
		case c == '"':
			return i + 1, nil
		case c < 0x20:
			return i, &Error{ErrSyntax, i}
		case c == '\\':
			n := escapeLen(src[i:])
			if n == 0 {
				return i, &Error{ErrSyntax, i}
			}
			i += n
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(src[i:])
			if r == utf8.RuneError && n == 1 {
				return i, &Error{ErrUTF8, i}
			}
			i += n
		}
	}
	return i, &Error{ErrSyntax, i}
}

// naiveNumber checks the number at i and gives the offset behind it.
func naiveNumber(src []byte, i int) (int, error) {
	if at(src, i) == '-' {
		i++
	}
	end := skipDigits(src, i)
	if end == i || src[i] == '0' && end > i+1 {
		return i, &Error{ErrSyntax, i}
	}
	i = end
	if at(src, i) == '.' {
		if end = skipDigits(src, i+1); end == i+1 {
			return end, &Error{ErrSyntax, end}
		}
		i = end
	}
	if c := at(src, i); c == 'e' || c == 'E' {
		i++
		if c := at(src, i); c == '+' || c == '-' {
			i++
		}
		if end = skipDigits(src, i); end == i {
			return i, &Error{ErrSyntax, i}
		}
		i = end
	}
	return i, nil
}

// naiveScalar checks the string, number or literal at i.
func naiveScalar(src []byte, i int) (int, error) {
	switch c := at(src, i); {
	case c == '"':
		return naiveString(src, i)
	case c == '-' || '0' <= c && c <= '9':
		return naiveNumber(src, i)
	}
	for _, lit := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(src[min(i, len(src)):], []byte(lit)) {
			return i + len(lit), nil
		}
	}
	return i, &Error{ErrSyntax, i}
}
