package sanitize

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads the string at pos, which is its opening quote, and gives what
// it means, and whether there is a "<" in it. What it means is a part of the
// source where nothing in it is escaped.
func (d *document) quoted() (text []byte, angle bool, err error) {
	d.pos++
	rest := d.src[d.pos:]
	end, angle, ascii := plain(rest)
	if end < len(rest) && rest[end] == '"' && (ascii || utf8.Valid(rest[:end])) {
		d.pos += end + 1
		return rest[:end], angle, nil
	}
	text, err = d.escaped()
	return text, bytes.IndexByte(text, '<') >= 0, err
}

const (
	ones  = 0x0101010101010101 // one in every byte
	highs = 0x8080808080808080 // the high bit of every byte
)

// plain gives how many bytes at the beginning of b are neither a quote, nor a
// backslash, nor a control character; whether there may be a "<" among them or
// right behind them; and whether they are ASCII. It looks at eight bytes at a
// time: x-ones borrows into the high bit of the lowest byte of x that is zero,
// and there first.
func plain(b []byte) (n int, angle, ascii bool) {
	var beyond, angles uint64
	for ; len(b)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, slash, less := w^(ones*'"'), w^(ones*'\\'), w^(ones*'<')
		angles |= (less - ones) &^ less & highs
		if stop := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & highs; stop != 0 {
			first := bits.TrailingZeros64(stop)
			beyond |= w & highs & (1<<first - 1)
			return n + first/8, angles != 0, beyond == 0
		}
		beyond |= w & highs
	}
	for ; n < len(b); n++ {
		switch c := b[n]; {
		case c == '"', c == '\\', c < 0x20:
			return n, angles != 0, beyond == 0
		case c == '<':
			angles = highs
		case c >= 0x80:
			beyond = highs
		}
	}
	return n, angles != 0, beyond == 0
}

// escaped reads a string byte by byte, from behind its opening quote.
func (d *document) escaped() ([]byte, error) {
	var out []byte
	for d.pos < len(d.src) {
		switch c := d.src[d.pos]; {
		case c == '"':
			d.pos++
			return out, nil
		case c < 0x20:
			return nil, d.fault("a control character stands in a text")
		case c == '\\':
			r, err := d.escape()
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
		default:
			r, size := utf8.DecodeRune(d.src[d.pos:])
			if r == utf8.RuneError && size == 1 {
				return nil, d.fault("a text is not UTF-8")
			}
			out = append(out, d.src[d.pos:d.pos+size]...)
			d.pos += size
		}
	}
	return nil, d.fault("a text does not end")
}

// escape reads one escape, and both halves of a surrogate pair.
func (d *document) escape() (rune, error) {
	d.pos++
	c := d.peek()
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), c); i >= 0 && c != 0 {
		d.pos++
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	r, ok := d.hex()
	if !ok {
		return 0, d.fault("an escape is not well-formed")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	// A half without the other is valid by the grammar, and every program
	// makes something else of it.
	if d.peek() == '\\' {
		d.pos++
		if low, ok := d.hex(); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, nil
			}
		}
	}
	return 0, d.fault("a surrogate stands alone")
}

// hex reads the u and four digits of an escape.
func (d *document) hex() (rune, bool) {
	if d.peek() != 'u' || len(d.src)-d.pos < 5 {
		return 0, false
	}
	var r rune
	for _, c := range d.src[d.pos+1 : d.pos+5] {
		v := unhex(c)
		if v < 0 {
			return 0, false
		}
		r = r<<4 | rune(v)
	}
	d.pos += 5
	return r, true
}

// unhex gives the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// appendQuoted writes s as a JSON string, escaping only what must be.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r < 0x20:
			dst = append(dst, `\u00`...)
			dst = append(dst, strconv.FormatInt(int64(r>>4), 16)...)
			dst = append(dst, strconv.FormatInt(int64(r&15), 16)...)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
