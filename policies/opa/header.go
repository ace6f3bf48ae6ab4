package opa

import (
	"fmt"
	"net/textproto"
	"strings"
)

// ownHeaders are names that the protocol, the gateway or the client's request
// own; a name that ends in * stands for all that begin so. A policy that set
// one could reroute a request, break its framing, forge where it came from or
// undo what masking relies on.
func ownHeaders() []string {
	return []string{
		"Host", "Authorization", "Cookie", "Forwarded", "X-Forwarded-*", // identity and origin
		"Connection", "Keep-Alive", "Proxy-*", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", // hop by hop
		"Content-*", "Expect", // framing and meaning of the body
		"Accept-Encoding", "Range", "If-*", // whole, readable answers
		"X-Http-Method*", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url", // method and path
		"X-Request-Id", "Traceparent", "Tracestate",
	}
}

// checkHeaderName reports whether a policy may set the header.
func checkHeaderName(s string) error {
	if s == "" || strings.ContainsFunc(s, func(c rune) bool { return !tokenRune(c) }) {
		return fmt.Errorf("%q is not a header name", s)
	}
	if strings.Contains(s, "_") {
		return fmt.Errorf("header name %q has an underscore: many servers cannot tell it from -", s)
	}
	name := textproto.CanonicalMIMEHeaderKey(s)
	for _, own := range ownHeaders() {
		stem, all := strings.CutSuffix(own, "*")
		if name == own || all && strings.HasPrefix(name, stem) {
			return fmt.Errorf("header %s is not a policy's to set", name)
		}
	}
	return nil
}

// tokenRune reports the characters of a token (RFC 9110 section 5.6.2).
func tokenRune(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

// badHeaderByte gives the position of the first byte that makes s no field
// value (RFC 9110 section 5.5, without its obsolete text): a control
// character, one beyond ASCII, or a space at an end. A tab is one of them: the
// gateway sends none. -1 where there is none.
func badHeaderByte(s string) int {
	for i := range len(s) {
		if s[i] > 0x7e || s[i] < ' ' || s[i] == ' ' && (i == 0 || i == len(s)-1) {
			return i
		}
	}
	return -1
}
