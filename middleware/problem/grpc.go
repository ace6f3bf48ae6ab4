package problem

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// call renders a refusal to a call of gRPC, whose clients take any other status
// than 200 for a fault of the way: an answer that is nothing but its trailers,
// which then stand in its head ("Trailers-Only" in gRPC over HTTP/2). Retry-After
// and the like stay beside them.
func call(x *middleware.Exchange, r *middleware.Refusal) *http.Response {
	h := http.Header{}
	for k, v := range r.Header {
		h[k] = v
	}
	h.Set("Content-Type", "application/grpc")
	h.Set("Cache-Control", "no-store")
	h.Set("Grpc-Status", strconv.Itoa(callStatus(r.Status)))
	h.Set("Grpc-Message", percent(r.Code+": "+r.Detail))
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: h, Body: http.NoBody, Request: x.Request,
	}
}

// callStatus gives the status of gRPC for one of HTTP, as gRPC's own table has
// it (doc/http-grpc-status-mapping.md), by which clients would read it.
func callStatus(status int) int {
	const unknown, denied, unimplemented, internal, unavailable, unauthenticated = 2, 7, 12, 13, 14, 16
	switch status {
	case http.StatusBadRequest:
		return internal
	case http.StatusUnauthorized:
		return unauthenticated
	case http.StatusForbidden:
		return denied
	case http.StatusNotFound:
		return unimplemented
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return unavailable
	}
	return unknown
}

// percent writes a message as gRPC has it in a header: what is not visible ASCII
// or a blank, and the percent sign, as bytes in hexadecimal.
func percent(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}
