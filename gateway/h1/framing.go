package h1

import (
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// frame finds how long the body of a request is, and whether the connection ends
// with it (RFC 9112, sections 6 and 9.3).
func frame(r *http.Request) error {
	h := r.Header
	r.Close = closes(r)
	chunked, err := coding(r)
	if err != nil {
		return err
	}
	n, err := length(h)
	if err != nil {
		return err
	}
	switch {
	case chunked:
		delete(h, "Content-Length") // it does not count, and says nothing that may go on
		r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
		return trailers(r)
	case n >= 0:
		r.ContentLength = n
	}
	return nil
}

// closes reports whether the connection ends with the answer.
func closes(r *http.Request) bool {
	names := r.Header["Connection"]
	if r.ProtoMajor == 1 && r.ProtoMinor == 0 {
		return httpguts.HeaderValuesContainsToken(names, "close") || !httpguts.HeaderValuesContainsToken(names, "keep-alive")
	}
	return len(names) > 0 && httpguts.HeaderValuesContainsToken(names, "close")
}

// coding reports whether the body is in chunks. There is no other coding, and
// one spelling of this one. HTTP/1.0 knows none.
func coding(r *http.Request) (chunked bool, err error) {
	codings, ok := r.Header["Transfer-Encoding"]
	if !ok {
		return false, nil
	}
	delete(r.Header, "Transfer-Encoding")
	if r.ProtoMajor == 1 && r.ProtoMinor == 0 {
		return false, nil
	}
	if len(codings) != 1 || !same(codings[0], "chunked") {
		return false, &refusal{http.StatusNotImplemented, "Unsupported transfer encoding"}
	}
	return true, nil
}

// length gives the Content-Length, -1 where there is none. It may be said more
// than once, in the same way, and is left as one.
func length(h http.Header) (int64, error) {
	values := h["Content-Length"]
	if len(values) == 0 {
		return -1, nil
	}
	for _, v := range values[1:] {
		if v != values[0] {
			return 0, badRequest("")
		}
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil {
		return 0, badRequest("")
	}
	h["Content-Length"] = values[:1:1]
	return int64(n), nil //nolint:gosec // of 63 bits
}

// trailers notes what is announced to come behind the chunks.
func trailers(r *http.Request) error {
	announced := r.Header["Trailer"]
	if announced == nil {
		return nil
	}
	delete(r.Header, "Trailer")
	for _, v := range announced {
		for name := range strings.SplitSeq(v, ",") {
			switch name = http.CanonicalHeaderKey(strings.Trim(name, " \t")); name {
			case "":
				continue
			case "Transfer-Encoding", "Trailer", "Content-Length":
				return badRequest("")
			}
			if r.Trailer == nil {
				r.Trailer = http.Header{}
			}
			r.Trailer[name] = nil
		}
	}
	return nil
}

// same compares ASCII without regard to case. Other letters are like none.
func same(a, lower string) bool {
	if len(a) != len(lower) {
		return false
	}
	for i := range len(a) {
		c := a[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// has reports whether a word, in lower case, is one of a list in a field.
func has(field, word string) bool {
	for field != "" {
		i := strings.IndexAny(field, " ,\t")
		if i < 0 {
			return same(field, word)
		}
		if same(field[:i], word) {
			return true
		}
		field = field[i+1:]
	}
	return false
}

// expected reads all that a client expects, in however many lines (RFC 9110, section
// 10.1.1): to be told to go on, and anything else, which nobody here can promise.
func expected(lines []string) (waits, other bool) {
	for _, line := range lines {
		for one := range strings.SplitSeq(line, ",") {
			switch one = strings.Trim(one, " \t"); {
			case same(one, "100-continue"):
				waits = true
			case one != "":
				other = true
			}
		}
	}
	return waits, other
}

// first gives the first value of a field, whose name is in the form of maps.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}
