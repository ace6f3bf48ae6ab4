package edge

import (
	"net/http"
	"unicode/utf8"
)

// once are the headers that something is decided by and that have one value.
// Where one stands twice, one program takes the first, another the last, a
// third both. Browsers send each once; HTTP/2 may split Cookie, and net/http
// has joined it again by now.
func once() []string {
	return []string{
		"Authorization", "Cookie", "Content-Type", "Content-Encoding", "Content-Range", "Host", "Origin", "Range",
		"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-User", "Access-Control-Request-Method",
	}
}

// checkOnce looks at what is left of a head in which something stands more than
// once, and at the fields named Host, which are never left.
func checkOnce(h http.Header, hosts, names []string) error {
	for _, name := range names {
		if len(h[name]) > 1 || name == "Host" && len(hosts) > 1 {
			return &Error{HeaderInvalid, "the header " + name + " stands more than once"}
		}
	}
	return nil
}

// errPadded refuses what HTTP/2 does not allow and net/http lets pass (RFC 9113,
// section 8.2.1). HTTP/1.1 has blanks around a value that are no part of it, so
// what is judged here would not be what the upstream reads.
var errPadded = &Error{HeaderInvalid, "the value of a header begins or ends with a blank"}

// padded reports whether a blank stands at an end of a value.
func padded(v string) bool {
	return v != "" && (blank(v[0]) || blank(v[len(v)-1]))
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// checkShown refuses headers that policies are shown and that cannot be shown
// as they are: the question to a policy is text, and a value that is not UTF-8
// would be judged as another one than is forwarded.
func checkShown(h http.Header, names []string) error {
	for _, name := range names {
		for _, v := range h[name] {
			if !utf8.ValidString(v) {
				return &Error{HeaderInvalid, "the header " + name + " is not UTF-8"}
			}
		}
	}
	return nil
}
