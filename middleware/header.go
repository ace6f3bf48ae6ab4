package middleware

import (
	"net/http"
	"strings"
)

// AddVary adds names to Vary without repeating any (RFC 9110, section 12.5.5).
func AddVary(h http.Header, names ...string) {
	have := strings.Join(h.Values("Vary"), ", ")
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
		have += n
	}
	h.Set("Vary", have)
}
