// Package cookies reads one cookie of a request and takes cookies out, byte by
// byte.
//
// Servers do not agree on how a Cookie header is to be read: some split it at
// commas too, some look into quoted values, some take names in any case or a
// dot for an underscore, and of two cookies of one name some take the first and
// some the last. What is read here must be what the upstream reads. So a cookie
// is read only where nobody can find another one of its name, nor one where
// none is read (RFC 6265, section 5.4, has one spelling: name=value pairs with
// "; " between them).
package cookies

import (
	"errors"
	"net/http"
	"strings"
)

// ErrAmbiguous is the error of a request in which a cookie stands more than
// once, or in which some server might find it where it is not read here.
var ErrAmbiguous = errors.New("the cookie can be found more than once, or by some only")

// Find gives the value of the cookie called name, "" where there is none or
// where it is empty.
func Find(h http.Header, name string) (string, error) {
	value, found, read := "", 0, 0
	for _, line := range h["Cookie"] {
		found += mentions(line, name)
		for pair := range strings.SplitSeq(line, ";") {
			if n, v, ok := strings.Cut(pair, "="); ok && trim(n) == name {
				value = trim(v)
				read++
			}
		}
	}
	if found > 1 || found > read {
		return "", ErrAmbiguous
	}
	return value, nil
}

// Remove takes every cookie called name out of h. What is left stays byte for
// byte as it was; a header with nothing left goes.
func Remove(h http.Header, name string) {
	lines, left := h["Cookie"], 0
	for _, line := range lines {
		if strings.Contains(line, name) {
			if line = without(line, name); line == "" {
				continue
			}
		}
		lines[left] = line
		left++
	}
	if left == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = lines[:left]
}

// without gives a line without the pairs called name.
func without(line, name string) string {
	var kept []string
	for i, pair := range strings.Split(line, ";") {
		if n, _, ok := strings.Cut(pair, "="); ok && trim(n) == name {
			continue
		}
		if i > 0 && len(kept) == 0 {
			pair = strings.TrimLeft(pair, " \t") // it stands first now
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, ";")
}

// mentions counts the places where somebody might see the beginning of a
// cookie called name: the name in any case and as [alike] has it, not as the
// end of a longer name, with a = behind it.
func mentions(line, name string) int {
	count := 0
	for i := 0; i+len(name) < len(line); i++ {
		if !alike(line[i:i+len(name)], name) || i > 0 && isNameByte(line[i-1]) {
			continue
		}
		if rest := strings.TrimLeft(line[i+len(name):], " \t"); strings.HasPrefix(rest, "=") {
			count++
		}
	}
	return count
}

// alike reports whether some server takes s for name, which is as long. To PHP a
// dot, a blank and a bracket in a name are underscores. Browsers do not know
// ..Host-session for a name with a prefix that they guard, so that any site
// beside this one may set it.
func alike(s, name string) bool {
	for i := range len(s) {
		a, b := s[i], name[i]
		if b == '_' && (a == '.' || a == ' ' || a == '[') || lower(a) == lower(b) {
			continue
		}
		return false
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// isNameByte accepts the bytes of a token (RFC 9110, section 5.6.2), which the
// name of a cookie is.
func isNameByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func trim(s string) string { return strings.Trim(s, " \t") }
