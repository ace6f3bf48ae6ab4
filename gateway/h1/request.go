package h1

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-dev/gatehouse/gateway/wire"
	"github.com/gatehouse-dev/gatehouse/middleware/field"
)

// line is the first line of a request.
type line struct {
	method, target, proto string
	major, minor          int
	url                   *url.URL
}

// partial looks at the beginning of a head, and gives the error that all of it
// would have: who speaks something else is told so at once. It reports whether
// the first line is there.
func (c *conn) partial(b []byte) (lined bool, err error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return false, nil
	}
	_, err = parseLine(b[:i])
	return true, err
}

// parseLine reads the first line of a request, without its LF.
func parseLine(b []byte) (l line, err error) {
	b = bytes.TrimSuffix(b, []byte("\r"))
	method, rest, ok := bytes.Cut(b, []byte(" "))
	target, proto, also := bytes.Cut(rest, []byte(" "))
	if !ok || !also {
		return l, badRequest("")
	}
	l.method, l.target = methodOf(method), string(target)
	if !field.ValidName(l.method) { // a method is a token, too
		return l, badRequest("")
	}
	if l.proto, l.major, l.minor, ok = version(proto); !ok {
		return l, badRequest("")
	}
	raw := l.target
	authority := l.method == http.MethodConnect && !strings.HasPrefix(raw, "/")
	if authority {
		raw = "http://" + raw
	}
	if l.url, err = url.ParseRequestURI(raw); err != nil {
		return l, badRequest("")
	}
	if authority {
		l.url.Scheme = ""
	}
	if l.major != 1 && !(l.major == 2 && l.minor == 0 && l.method == "PRI" && l.target == "*") {
		return l, &refusal{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
	}
	return l, nil
}

// methodOf gives the string of a method. Usual ones cost no memory.
func methodOf(b []byte) string {
	switch string(b) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPost:
		return http.MethodPost
	case http.MethodPut:
		return http.MethodPut
	case http.MethodPatch:
		return http.MethodPatch
	case http.MethodDelete:
		return http.MethodDelete
	case http.MethodOptions:
		return http.MethodOptions
	}
	return string(b)
}

// version reads the version of a first line.
func version(b []byte) (proto string, major, minor int, ok bool) {
	switch string(b) {
	case "HTTP/1.1":
		return "HTTP/1.1", 1, 1, true
	case "HTTP/1.0":
		return "HTTP/1.0", 1, 0, true
	}
	proto = string(b)
	major, minor, ok = http.ParseHTTPVersion(proto)
	return proto, major, minor, ok
}

// room is how many fields a proxy adds to a request, for the one that is taken out,
// Host.
const room = 5

// request makes a request of a whole head.
func (c *conn) request(head []byte) (*exchange, error) {
	i := bytes.IndexByte(head, '\n')
	l, err := parseLine(head[:i])
	if err != nil {
		return nil, err
	}
	end := len(head) - 1 // of the fields
	if end > 0 && head[end-1] == '\r' {
		end--
	}
	h, err := wire.Rules{Tolerant: true, Room: room}.Fields(head[min(i+1, end):end])
	if err != nil {
		return nil, badRequest("")
	}
	r := http.Request{
		Method: l.method, URL: l.url, Proto: l.proto, ProtoMajor: l.major, ProtoMinor: l.minor,
		Header: h, Host: l.url.Host, RequestURI: l.target, RemoteAddr: c.remote, TLS: c.tls,
	}
	two := preface(&r)
	named := l.major != 1 && !two
	if named { // to handlers it would be one over HTTP/2, which it is by its name only
		r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	}
	if err := host(&r, two); err != nil {
		return nil, err
	}
	if p := h["Pragma"]; len(p) > 0 && p[0] == "no-cache" && len(h["Cache-Control"]) == 0 {
		h["Cache-Control"] = []string{"no-cache"}
	}
	if err := frame(&r); err != nil {
		return nil, err
	}
	if two {
		r.ContentLength, r.Close = -1, true
	}
	r.Close = r.Close || named
	return c.begin(&r, two)
}

// preface reports whether a request is the first line of HTTP/2 and nothing
// else. It is the handler's to refuse.
func preface(r *http.Request) bool {
	return r.Method == "PRI" && len(r.Header) == 0 && r.URL.Path == "*" && r.Proto == "HTTP/2.0"
}

// host judges who a request is for: HTTP/1.1 must say it, nobody may twice (RFC
// 9112, section 3.2).
func host(r *http.Request, two bool) error {
	hosts := r.Header["Host"]
	switch {
	case len(hosts) > 1:
		return badRequest("")
	case len(hosts) == 0 && (r.ProtoMajor > 1 || r.ProtoMinor >= 1) && r.Method != http.MethodConnect && !two:
		return badRequest("missing required Host header")
	case len(hosts) == 1 && !httpguts.ValidHostHeader(hosts[0]):
		return badRequest("malformed Host header")
	case len(hosts) == 1:
		if r.Host == "" {
			r.Host = hosts[0]
		}
		delete(r.Header, "Host")
	}
	return nil
}
