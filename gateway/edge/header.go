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
