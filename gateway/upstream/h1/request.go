package h1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/gateway/wire"
	"github.com/gatehouse-dev/gatehouse/middleware/field"
)

// small is up to which length, in bytes, a body is read before a connection is
// taken, and sent with the head in one piece. So a client that is slow to send
// it keeps nobody waiting, and it can be sent again.
const small = 16 << 10

// outgoing is a request as it is sent.
type outgoing struct {
	method     string
	upgrade    bool          // it asks for another protocol
	replayable bool          // twice is once, whatever the backend does: a key of the client's does not make it so
	head       []byte        // and a small body
	stream     io.ReadCloser // the body that goes out beside the answer, or nil
	length     int64         // of the body; -1: unknown, in chunks
}

// again gives the body as it was, if it was read from and nothing of it is lost;
// else nil.
func (o *outgoing) again() io.ReadCloser {
	if o.stream != nil {
		return o.stream
	}
	if o.length > 0 {
		return io.NopCloser(bytes.NewReader(bytes.Clone(o.head[len(o.head)-int(o.length):])))
	}
	return nil
}

var errBodyLength = fmt.Errorf("%w: its body is not as long as it says", ErrRequest)

// prepare makes what is sent of a request, in buf.
func (c *Client) prepare(k *Call, r *http.Request, host string, buf *[]byte) (*outgoing, error) {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	out := &k.body.out
	*out = outgoing{method: method, length: r.ContentLength}
	if r.Body == nil || r.Body == http.NoBody {
		out.length = 0
	} else if out.length <= 0 {
		out.length = -1
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace: // which are safe (RFC 9110, section 9.2.1)
		out.replayable = true
	}

	first, err := firstByte(r, out)
	if err != nil {
		return nil, err
	}
	b, err := appendHead((*buf)[:0], r, host, k.Via, out)
	*buf = b[:0]
	if err != nil {
		return nil, err
	}
	switch {
	case out.length == 0:
	case out.length > 0 && out.length <= small:
		b, err = appendBody(b, r.Body, int(out.length))
		*buf = b[:0]
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
	default:
		out.stream = r.Body
		if first != nil {
			out.stream = &begun{ReadCloser: r.Body, first: first}
		}
	}
	out.head = b
	return out, nil
}

// firstByte looks whether there is a body of unknown length to a request of a
// method that mostly has none. There are servers that do not expect one.
func firstByte(r *http.Request, out *outgoing) ([]byte, error) {
	if out.length >= 0 {
		return nil, nil
	}
	switch out.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete, "PROPFIND", "SEARCH":
	default:
		return nil, nil
	}
	var one [1]byte
	_, err := io.ReadFull(r.Body, one[:])
	switch {
	case errors.Is(err, io.EOF):
		out.length = 0
		return nil, r.Body.Close()
	case err != nil:
		return nil, &BodyError{err}
	}
	return one[:], nil
}

// begun is a body whose first byte was read.
type begun struct {
	io.ReadCloser
	first []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) > 0 && len(p) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.ReadCloser.Read(p)
}

// appendBody reads a small body to its end.
func appendBody(b []byte, body io.Reader, length int) ([]byte, error) {
	from := len(b)
	b = slices.Grow(b, length+1)
	for {
		n, err := body.Read(b[len(b) : from+length+1])
		b = b[:len(b)+n]
		switch {
		case len(b) > from+length, errors.Is(err, io.EOF) && len(b) < from+length:
			return b, errBodyLength
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return b, &BodyError{err}
		}
	}
}

// appendHead appends the head. Whatever could be read as more than one line, or
// as another request, is an error: nothing of that should have come this far.
func appendHead(b []byte, r *http.Request, host, via string, out *outgoing) ([]byte, error) {
	if !field.ValidName(out.method) || out.method == http.MethodConnect {
		return b, fmt.Errorf("%w: its method", ErrRequest)
	}
	if host == "" || !plain(host) {
		return b, fmt.Errorf("%w: its host", ErrRequest)
	}
	b = append(b, out.method...)
	b = append(b, ' ')
	b, ok := appendTarget(b, r.URL, out.method)
	if !ok {
		return b, fmt.Errorf("%w: its path or query", ErrRequest)
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, '\r', '\n')
	b, err := appendFields(b, r.Header, out)
	if err != nil {
		return b, err
	}
	if via != "" { // behind the request's own, in a line of its own, which is the same list (RFC 9110, section 5.3)
		if !field.ValidValue(via) {
			return b, fmt.Errorf("%w: the value of Via", ErrRequest)
		}
		b = wire.AppendField(b, "Via", via)
	}
	switch {
	case out.length > 0:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, out.length, 10)
		b = append(b, '\r', '\n')
	case out.length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case out.method == http.MethodPost || out.method == http.MethodPut || out.method == http.MethodPatch:
		b = append(b, "Content-Length: 0\r\n"...)
	}
	return append(b, '\r', '\n'), nil
}

// appendTarget appends path and query. Neither has blanks or control characters.
func appendTarget(b []byte, u *url.URL, method string) ([]byte, bool) {
	if u == nil || u.Opaque != "" {
		return b, false
	}
	path := u.EscapedPath()
	switch {
	case path == "":
		path = "/"
	case path == "*" && method == http.MethodOptions:
	case path[0] != '/':
		return b, false
	}
	if !plain(path) || !plain(u.RawQuery) {
		return b, false
	}
	b = append(b, path...)
	if u.ForceQuery || u.RawQuery != "" {
		b = append(b, '?')
		b = append(b, u.RawQuery...)
	}
	return b, true
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// appendFields appends what is for the upstream itself and does not frame.
func appendFields(b []byte, h http.Header, out *outgoing) ([]byte, error) {
	for name, values := range h {
		if ours(name) {
			continue
		}
		if !field.ValidName(name) {
			return b, fmt.Errorf("%w: a field has no proper name", ErrRequest)
		}
		for _, v := range values {
			if !field.ValidValue(v) {
				return b, fmt.Errorf("%w: the value of %s", ErrRequest, name)
			}
			b = wire.AppendField(b, name, v)
		}
	}
	if agent := h["User-Agent"]; len(agent) > 0 && agent[0] != "" {
		if !field.ValidValue(agent[0]) {
			return b, fmt.Errorf("%w: the value of User-Agent", ErrRequest)
		}
		b = wire.AppendField(b, "User-Agent", agent[0])
	}
	if te := h["Te"]; len(te) == 1 && te[0] == "trailers" {
		b = append(b, "TE: trailers\r\n"...)
	}
	protocols := h["Upgrade"]
	if len(protocols) == 0 || !names(h["Connection"], "upgrade") {
		return b, nil
	}
	if len(protocols) > 1 || !field.ValidValue(protocols[0]) || protocols[0] == "" {
		return b, fmt.Errorf("%w: the value of Upgrade", ErrRequest)
	}
	out.upgrade = true
	return append(wire.AppendField(b, "Upgrade", protocols[0]), "Connection: Upgrade\r\n"...), nil
}

// ours reports whether a field is for one connection, or written by itself.
func ours(name string) bool {
	switch len(name) {
	case len("TE"):
		return strings.EqualFold(name, "TE")
	case len("Host"):
		return strings.EqualFold(name, "Host")
	case len("Expect"):
		return strings.EqualFold(name, "Expect") // the gateway has answered it already
	case len("Trailer"):
		return strings.EqualFold(name, "Trailer") || strings.EqualFold(name, "Upgrade")
	case len("Connection"):
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive") || strings.EqualFold(name, "User-Agent")
	case len("Content-Length"):
		return strings.EqualFold(name, "Content-Length")
	case len("Proxy-Connection"):
		return strings.EqualFold(name, "Proxy-Connection")
	case len("Transfer-Encoding"):
		return strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

// names reports whether a list in the values of a field has a token.
func names(values []string, token string) bool {
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(one, " \t"), token) {
				return true
			}
		}
	}
	return false
}
