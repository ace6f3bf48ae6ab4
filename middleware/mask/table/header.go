package table

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
)

// Bounds of the header, in bytes and columns.
const (
	maxHeader  = 64 << 10
	maxColumns = 4096
)

// header reads the names of the columns and finds out what becomes of each.
func (r *Reader) header() error {
	names := make([]string, len(r.ends))
	for i := range names {
		raw := r.span(i, i+1)
		names[i] = string(r.field(i))
		quoted := len(raw) > 0 && raw[0] == '"'
		if err := checkName(names[i], quoted); err != nil {
			return r.fail(err, r.start+r.ends[i]-len(raw))
		}
	}
	r.columns = r.plan.Columns(names, r.limits)
	r.plain = true
	for i := range names {
		r.plain = r.plain && r.columns.Action(i) == 0 && !r.columns.Watched(i)
		if r.columns.Counted(i) {
			r.counted = append(r.counted, i)
		}
	}
	r.prepare(len(names))
	r.max, r.width, r.excess = r.limits.Element, len(names), ErrFields
	if r.mark && len(r.steps) > 0 {
		r.out = append(r.out, mark...)
	}
	r.write(true)
	return nil
}

// checkName finds out whether a field of the first record may be the name of a
// column.
func checkName(name string, quoted bool) error {
	if !quoted && strings.ContainsAny(name, ";|\t") {
		return ErrDelimiter
	}
	name = strings.TrimSpace(name)
	if name == "" || strings.Contains(name, "@") || isNumber(name) || isDate(name) {
		return ErrHeader
	}
	return nil
}

// isNumber tells numbers, and everything else that has digits and no letters:
// times, amounts, numbers of telephones.
func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil || errors.Is(err, strconv.ErrRange) ||
		strings.ContainsFunc(s, unicode.IsDigit) && !strings.ContainsFunc(s, unicode.IsLetter)
}

// isDate tells what begins with YYYY-MM.
func isDate(s string) bool {
	const shape = "0000-00"
	if len(s) < len(shape) {
		return false
	}
	for i := range len(shape) {
		if digit := '0' <= s[i] && s[i] <= '9'; digit != (shape[i] == '0') || !digit && s[i] != '-' {
			return false
		}
	}
	return true
}
