package gateway

import (
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// crowded refuses a head with more fields or cookies than the gateway reads, nil
// where it has fewer. It is asked before anything else looks at a field: the
// bytes of a head are bounded by the server, and what is made of them here, by
// policies and by upstreams grows with the number of things in it. Host and the
// fields of HTTP/2 whose names begin with a colon are not counted.
func crowded(h http.Header, l config.Limits) *middleware.Refusal {
	fields := 0
	for _, values := range h {
		fields += len(values)
	}
	if fields > l.HeaderFields {
		return middleware.Refuse("router", middleware.HeaderTooLarge, "the request has too many header fields")
	}
	if cookies(h) > l.Cookies {
		return middleware.Refuse("router", middleware.HeaderTooLarge, "the request has too many cookies")
	}
	return nil
}

// cookies counts pairs by what is between them, so that an empty one counts as
// well: it is work for whoever reads them (RFC 6265, section 4.2.1). A semicolon
// at the end begins none. The fields into which HTTP/2 may split cookies have
// been joined by now (RFC 9113, section 8.2.3).
func cookies(h http.Header) (n int) {
	for _, v := range h["Cookie"] {
		v = strings.TrimRight(v, " \t")
		n += strings.Count(v, ";")
		if v != "" && v[len(v)-1] != ';' {
			n++
		}
	}
	return n
}
