package wire

import "net/http"

// canonical gives the form of a name that maps of headers have, which is a
// token. Names that are sent all the time cost no memory.
func canonical(name string) string {
	var room [64]byte
	if len(name) > len(room) {
		return http.CanonicalHeaderKey(name)
	}
	b := room[:len(name)]
	upper := true
	for i := range b {
		c := name[i]
		switch {
		case upper && 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		case !upper && 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		b[i], upper = c, c == '-'
	}
	if known := common(b); known != "" {
		return known
	}
	return string(b)
}

// common gives a name of the list without making a string of it, "" for others.
//
//nolint:cyclop // a list
func common(b []byte) string {
	switch string(b) {
	case "Accept":
		return "Accept"
	case "Accept-Encoding":
		return "Accept-Encoding"
	case "Accept-Language":
		return "Accept-Language"
	case "Accept-Ranges":
		return "Accept-Ranges"
	case "Access-Control-Request-Headers":
		return "Access-Control-Request-Headers"
	case "Access-Control-Request-Method":
		return "Access-Control-Request-Method"
	case "Age":
		return "Age"
	case "Authorization":
		return "Authorization"
	case "Cache-Control":
		return "Cache-Control"
	case "Connection":
		return "Connection"
	case "Content-Encoding":
		return "Content-Encoding"
	case "Content-Language":
		return "Content-Language"
	case "Content-Length":
		return "Content-Length"
	case "Content-Security-Policy":
		return "Content-Security-Policy"
	case "Content-Type":
		return "Content-Type"
	case "Cookie":
		return "Cookie"
	case "Date":
		return "Date"
	case "Dpop":
		return "Dpop"
	case "Etag":
		return "Etag"
	case "Expect":
		return "Expect"
	case "Expires":
		return "Expires"
	case "Forwarded":
		return "Forwarded"
	case "Host":
		return "Host"
	case "If-Match":
		return "If-Match"
	case "If-Modified-Since":
		return "If-Modified-Since"
	case "If-None-Match":
		return "If-None-Match"
	case "If-Unmodified-Since":
		return "If-Unmodified-Since"
	case "Keep-Alive":
		return "Keep-Alive"
	case "Last-Modified":
		return "Last-Modified"
	case "Link":
		return "Link"
	case "Location":
		return "Location"
	case "Origin":
		return "Origin"
	case "Pragma":
		return "Pragma"
	case "Priority":
		return "Priority"
	case "Range":
		return "Range"
	case "Referer":
		return "Referer"
	case "Referrer-Policy":
		return "Referrer-Policy"
	case "Sec-Ch-Ua":
		return "Sec-Ch-Ua"
	case "Sec-Ch-Ua-Mobile":
		return "Sec-Ch-Ua-Mobile"
	case "Sec-Ch-Ua-Platform":
		return "Sec-Ch-Ua-Platform"
	case "Sec-Fetch-Dest":
		return "Sec-Fetch-Dest"
	case "Sec-Fetch-Mode":
		return "Sec-Fetch-Mode"
	case "Sec-Fetch-Site":
		return "Sec-Fetch-Site"
	case "Sec-Fetch-User":
		return "Sec-Fetch-User"
	case "Server":
		return "Server"
	case "Set-Cookie":
		return "Set-Cookie"
	case "Strict-Transport-Security":
		return "Strict-Transport-Security"
	case "Te":
		return "Te"
	case "Traceparent":
		return "Traceparent"
	case "Tracestate":
		return "Tracestate"
	case "Trailer":
		return "Trailer"
	case "Transfer-Encoding":
		return "Transfer-Encoding"
	case "Upgrade":
		return "Upgrade"
	case "Upgrade-Insecure-Requests":
		return "Upgrade-Insecure-Requests"
	case "User-Agent":
		return "User-Agent"
	case "Vary":
		return "Vary"
	case "Via":
		return "Via"
	case "X-Content-Type-Options":
		return "X-Content-Type-Options"
	case "X-Forwarded-For":
		return "X-Forwarded-For"
	case "X-Forwarded-Proto":
		return "X-Forwarded-Proto"
	case "X-Frame-Options":
		return "X-Frame-Options"
	case "X-Request-Id":
		return "X-Request-Id"
	case "X-Requested-With":
		return "X-Requested-With"
	}
	return ""
}
