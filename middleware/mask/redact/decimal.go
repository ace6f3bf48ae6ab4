package redact

import (
	"bytes"
	"strconv"
	"strings"
)

// decimal is a number exactly as it was written: 0.d1d2d3… × 10^exp, without
// zeros at either end of the digits. Zero has no digits.
type decimal struct {
	neg    bool
	digits []byte
	exp    int64
}

// parseDecimal reads a JSON number; the digits are stored in buf if they fit.
// It reports false where the exponent is so large that it cannot be told apart
// from another.
func parseDecimal(buf, text []byte) (decimal, bool) {
	var d decimal
	mantissa, exponent := text, []byte(nil)
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i+1:]
	}
	if len(exponent) > 0 {
		e, err := strconv.ParseInt(string(exponent), 10, 64)
		if err != nil || e > 1<<40 || e < -1<<40 {
			return d, false
		}
		d.exp = e
	}
	mantissa, d.neg = bytes.CutPrefix(mantissa, []byte("-"))
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	d.digits = append(append(buf[:0], whole...), fraction...)
	d.exp += int64(len(whole))
	n := len(d.digits)
	d.digits = bytes.TrimLeft(d.digits, "0")
	d.exp -= int64(n - len(d.digits))
	d.digits = bytes.TrimRight(d.digits, "0")
	if len(d.digits) == 0 {
		return decimal{}, true
	}
	return d, true
}

func (d decimal) sign() int {
	switch {
	case len(d.digits) == 0:
		return 0
	case d.neg:
		return -1
	}
	return 1
}

// compare orders a before b (-1), after it (1), or beside it (0).
func (d decimal) compare(o decimal) int {
	s, t := d.sign(), o.sign()
	switch {
	case s < t:
		return -1
	case s > t:
		return 1
	case s == 0:
		return 0
	case d.exp < o.exp:
		return -s
	case d.exp > o.exp:
		return s
	}
	return s * bytes.Compare(d.digits, o.digits) // a prefix is less: 0.12 < 0.123
}

// canonical is one spelling for all spellings of a number.
func (d decimal) canonical() string {
	var b strings.Builder
	if d.neg {
		b.WriteByte('-')
	}
	b.Write(d.digits)
	b.WriteByte('e')
	b.WriteString(strconv.FormatInt(d.exp, 10))
	return b.String()
}
