package middleware

import (
	"net/http"
	"strings"
)

// IsGRPC reports whether a request is a call of gRPC: over HTTP/2, and of its
// media type, alone or with what messages are written in. gRPC-Web is another
// protocol.
func IsGRPC(r *http.Request) bool {
	if r.ProtoMajor != 2 {
		return false
	}
	t := r.Header.Get("Content-Type")
	const grpc = "application/grpc"
	if len(t) < len(grpc) || !strings.EqualFold(t[:len(grpc)], grpc) {
		return false
	}
	return len(t) == len(grpc) || t[len(grpc)] == '+' || t[len(grpc)] == ';'
}
