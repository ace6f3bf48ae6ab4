package opa

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxSegments is the longest path the masking engine follows.
const maxSegments = 60

// checkPath reports whether s is a path: $, then any of .name, ['name'], .*,
// [*], ..name, ..['name'] and ..* (a subset of RFC 9535). Positions in a path
// (an index, a slice, a filter) are not part of it: what a policy says must
// hold for every element.
func checkPath(s string) error {
	rest, ok := strings.CutPrefix(s, "$")
	if !ok {
		return errors.New("begins with $")
	}
	for n := 0; rest != ""; n++ {
		if n == maxSegments {
			return fmt.Errorf("has more than %d segments", maxSegments)
		}
		var err error
		if rest, err = segment(rest); err != nil {
			return err
		}
	}
	return nil
}

// segment reads one segment of a path and gives the rest.
func segment(s string) (rest string, err error) {
	if after, ok := strings.CutPrefix(s, ".."); ok {
		if strings.HasPrefix(after, "[") {
			return bracket(after)
		}
		return nameOrStar(after)
	}
	if after, ok := strings.CutPrefix(s, "."); ok {
		return nameOrStar(after)
	}
	if after, ok := strings.CutPrefix(s, "[*]"); ok {
		return after, nil
	}
	if strings.HasPrefix(s, "[") {
		return bracket(s)
	}
	return "", fmt.Errorf("has %q where . or [ is expected", firstRune(s))
}

func nameOrStar(s string) (string, error) {
	if after, ok := strings.CutPrefix(s, "*"); ok {
		return after, nil
	}
	return name(s)
}

// name reads a member name that needs no quotes: letters, digits, _ and
// everything beyond ASCII, not beginning with a digit.
func name(s string) (rest string, err error) {
	i := 0
	for i < len(s) {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && n == 1:
			return "", errors.New("is not UTF-8")
		case c == '_', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c >= 0x80, '0' <= c && c <= '9' && i > 0:
			i += n
			continue
		}
		break
	}
	if i == 0 {
		if s == "" {
			return "", errors.New("ends where a name is expected")
		}
		return "", fmt.Errorf("has %q where a name is expected; names that are not plain words are written ['name']", firstRune(s))
	}
	return s[i:], nil
}

// bracket reads ['name'], with the escapes of RFC 9535.
func bracket(s string) (rest string, err error) {
	s, ok := strings.CutPrefix(s, "['")
	if !ok {
		return "", errors.New("has [ without * or a name in single quotes: [*] or ['name']")
	}
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && n == 1:
			return "", errors.New("is not UTF-8")
		case c < 0x20:
			return "", errors.New("has a control character in a name")
		case c == '\'':
			if after, ok := strings.CutPrefix(s[i+1:], "]"); ok {
				return after, nil
			}
			return "", errors.New("has a name in quotes that does not end in ']")
		case c == '\\':
			if n = escape(s[i:]); n == 0 {
				return "", errors.New(`has an unknown escape in a name; there are \' \\ \/ \b \f \n \r \t and \uXXXX`)
			}
		}
		i += n
	}
	return "", errors.New("has a name in quotes that does not end")
}

// escape gives the length of the escape that s begins with, 0 where there is
// none. A surrogate is one only in a pair.
func escape(s string) int {
	if len(s) < 2 {
		return 0
	}
	if strings.IndexByte(`'\/bfnrt`, s[1]) >= 0 {
		return 2
	}
	high, ok := hex4(s)
	switch {
	case !ok, 0xdc00 <= high && high < 0xe000:
		return 0
	case high < 0xd800 || high >= 0xe000:
		return 6
	}
	if low, ok := hex4(s[6:]); ok && 0xdc00 <= low && low < 0xe000 {
		return 12
	}
	return 0
}

// hex4 reads \uXXXX.
func hex4(s string) (uint64, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' || strings.ContainsAny(s[2:6], "_+-") {
		return 0, false
	}
	v, err := strconv.ParseUint(s[2:6], 16, 16)
	return v, err == nil
}

// checkField reports whether s is a path relative to a row: a.b or
// a['b c'].d. It names one value, so there are no wildcards in it.
func checkField(s string) (err error) {
	rest := s
	if strings.HasPrefix(s, "[") {
		rest, err = bracket(s)
	} else {
		rest, err = name(s)
	}
	for err == nil && rest != "" {
		after, dot := strings.CutPrefix(rest, ".")
		switch {
		case dot:
			rest, err = name(after)
		case strings.HasPrefix(rest, "["):
			rest, err = bracket(rest)
		default:
			err = fmt.Errorf("has %q where . or [ is expected", firstRune(rest))
		}
	}
	return err
}

func firstRune(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}
