package middleware

import (
	"net/http"
	"slices"
	"strings"
)

// AddVary adds names to Vary without repeating any (RFC 9110, section 12.5.5).
func AddVary(h http.Header, names ...string) {
	values := h["Vary"]
	if len(values) == 0 {
		h["Vary"] = []string{strings.Join(names, ", ")}
		return
	}
	have, added := strings.Join(values, ", "), len(values) > 1
	for _, n := range names {
		found := false
		for v := range strings.SplitSeq(have, ",") {
			v = strings.TrimSpace(v)
			found = found || v == "*" || strings.EqualFold(v, n)
		}
		if found {
			continue
		}
		if have != "" {
			have += ", "
		}
		have, added = have+n, true
	}
	if added {
		h["Vary"] = []string{have}
	}
}

// Encoded reports whether a body is said to have a Content-Encoding (RFC 9110,
// section 8.4): its bytes are not what they would be judged as. Only identity is
// none.
func Encoded(h http.Header) bool {
	return slices.ContainsFunc(h["Content-Encoding"], func(v string) bool {
		return !strings.EqualFold(strings.TrimSpace(v), "identity")
	})
}

// IsUTF8 reports whether texts in a charset are read as UTF-8, of which ASCII is
// a part. Where none is named ("") they are.
func IsUTF8(charset string) bool {
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8", "us-ascii":
		return true
	}
	return false
}
