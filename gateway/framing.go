package gateway

import (
	"errors"
	"net/http"
	"strconv"
)

// twofold reports whether a request may have said its length in two ways, after
// which nothing more may be read from the connection (RFC 9112, sections 6.1 and
// 6.3): chunks beside a Content-Length, or chunks in HTTP/1.0. The server keeps
// the one that counts and does not tell of the other, so that all are meant
// which could have had one.
func twofold(r *http.Request) bool {
	return r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0)
}

// errLength tells of a length that the frames of HTTP/2 do not bear out.
var errLength = errors.New("the length of the body is not what content-length says")

// checkLength refuses what net/http lets pass over HTTP/2, where content-length
// frames nothing: several lengths that differ, and a length without a body (RFC
// 9113, section 8.1.1). It is verified against the frames themselves by
// net/http where there is a body.
func checkLength(r *http.Request) error {
	for _, v := range r.Header["Content-Length"] {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || r.ProtoMajor > 1 && n != r.ContentLength {
			return errLength
		}
	}
	return nil
}
