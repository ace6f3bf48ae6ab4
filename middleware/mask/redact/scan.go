package redact

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The scanners read a window in which padding bytes of value 0 stand behind
// what has been read of the text. Zero is part of no token, so every loop
// stops there by itself and none asks where the window ends; the caller asks,
// once, when a scanner has stopped for another reason than the end of a token.

// padding is how far behind the end of the text a scanner may look.
const padding = 32

// stop is why a scanner of strings has stopped.
type stop uint8

const (
	stopEnd     stop = iota // behind the closing quote
	stopControl             // at a control character, or where the window ends
	stopEscape              // at what is no escape, or not all of one
	stopUTF8                // at what is not UTF-8, or not all of a character
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// load8 gives eight bytes as a number, the first lowest. Both ends of the slice
// are named so that the address of the load does not wait for its bounds check.
func load8(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8]) }

// special gives a mask of those of eight bytes of a string that are not passed
// over: quote, backslash, control characters and what is not ASCII. With its
// second bit flipped the quote stands next to the control characters, and one
// comparison serves both. The lowest bit of the mask is exact: a borrow can only
// come from a byte that is in the mask itself.
func special(x uint64) uint64 {
	return (((x ^ 0x02*ones) - 0x21*ones) | ((x ^ '\\'*ones) - ones) | x) & highs
}

// scanString goes on in a string at i, behind its opening quote or between two
// of its characters, eight bytes at a time.
func scanString(b []byte, i int) (int, stop) {
	for {
		m := special(load8(b, i))
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		switch c := b[i]; {
		case c == '"':
			return i + 1, stopEnd
		case c == '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				return i, stopEscape
			}
			i += n
		case c >= utf8.RuneSelf:
			end := scanText(b, i)
			if !utf8.Valid(b[i:end]) {
				return i + validPrefix(b[i:end]), stopUTF8
			}
			i = end
		default:
			return i, stopControl
		}
	}
}

// scanText gives the offset of the next quote, backslash or control character,
// passing over everything else in 7 and 8 bits. Bytes from 0x80 up are turned
// into 0x7f first, because a borrow from them would run into the next byte.
func scanText(b []byte, i int) int {
	for {
		x := load8(b, i)
		h := x & highs
		x = (x | (h - h>>7)) &^ highs
		m := ((x - 0x20*ones) | ((x ^ 0x22*ones) - ones) | ((x ^ 0x5c*ones) - ones)) & highs
		if m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
}

// validPrefix is the length of what is valid UTF-8 in front of what is not.
func validPrefix(s []byte) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(s)
}

// scanNumber gives the offset behind the number at i, or reports false and
// where it is none. Behind the end of the window it may yet become one.
func scanNumber(b []byte, i int) (int, bool) {
	if b[i] == '-' {
		i++
	}
	end := scanDigits(b, i)
	if end == i || b[i] == '0' && end > i+1 {
		return i, false
	}
	i = end
	if b[i] == '.' {
		if end = scanDigits(b, i+1); end == i+1 {
			return end, false
		}
		i = end
	}
	if c := b[i]; c == 'e' || c == 'E' {
		i++
		if c := b[i]; c == '+' || c == '-' {
			i++
		}
		if end = scanDigits(b, i); end == i {
			return i, false
		}
		i = end
	}
	return i, true
}

func scanDigits(b []byte, i int) int {
	for b[i]-'0' <= 9 {
		i++
	}
	return i
}

// skipSpace gives the offset of the first byte from i on that is not space.
func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t' {
		i++
	}
	return i
}

// scanLiteral gives the offset behind true, false or null at i, or 0.
func scanLiteral(b []byte, i int) int {
	switch x := load8(b, i); {
	case uint32(x) == 't'|'r'<<8|'u'<<16|'e'<<24, uint32(x) == 'n'|'u'<<8|'l'<<16|'l'<<24:
		return i + 4
	case b[i] == 'f' && uint32(x>>8) == 'a'|'l'<<8|'s'<<16|'e'<<24:
		return i + 5
	}
	return 0
}

// padded gives a copy of s as the scanners want it.
func padded[T string | []byte](s T) []byte {
	return append(append(make([]byte, 0, len(s)+padding), s...), make([]byte, padding)...)
}

// isNumber reports whether s is a JSON number.
func isNumber(s string) bool {
	end, ok := scanNumber(padded(s), 0)
	return ok && end == len(s)
}

// isString reports whether s, which starts with a quote, is a JSON string.
func isString(s []byte) bool {
	end, why := scanString(padded(s), 1)
	return why == stopEnd && end == len(s)
}
