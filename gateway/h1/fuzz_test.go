package h1

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpguts"

	"github.com/gatehouse-dev/gatehouse/gateway/wire"
)

// theirs reads a head as net/http's server does: with its reader, and what the
// server verifies besides. nil where it is refused.
func theirs(head string) *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		return nil
	}
	two := r.Method == "PRI" && r.RequestURI == "*" && r.ProtoMajor == 2 && r.ProtoMinor == 0
	if r.ProtoMajor != 1 && !two {
		return nil
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return nil
			}
		}
	}
	if two && (len(r.Header) > 0 || r.Host != "") { // here it is one of HTTP/1.1, and the last of its connection
		r.Proto, r.ProtoMajor, r.ProtoMinor, r.Close = "HTTP/1.1", 1, 1, true
	}
	return r
}

// FuzzRequest holds the reading of heads against that of net/http: what is taken
// here is taken there, and is the same request. What is refused here alone is for
// its Host, which net/http's reader does not judge by itself.
func FuzzRequest(f *testing.F) {
	for _, cases := range [][]sent{targets(), fields(), bodies()} {
		for _, s := range cases {
			f.Add(s.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := wire.Head([]byte(text), 0)
		if n == 0 || n > 64<<10 {
			return
		}
		x, err := probe().request([]byte(text[:n]))
		want := theirs(text[:n])
		if err != nil {
			return // whatever is refused is sound; what must be taken is in TestRequestsAreReadAlike
		}
		if want == nil {
			t.Fatalf("%q is taken", text[:n])
		}
		got := x.req
		if d := cmp.Diff(seen(want), seen(got)); d != "" {
			t.Fatalf("%q: %s", text[:n], d)
		}
	})
}

// probe is a connection that nobody serves.
func probe() *conn {
	c := newConn(&Server{}, nowhere{})
	c.in = bufio.NewReader(strings.NewReader(""))
	return c
}

// nowhere is a connection to nobody.
type nowhere struct{ net.Conn }

func (nowhere) LocalAddr() net.Addr             { return nil }
func (nowhere) SetReadDeadline(time.Time) error { return nil }

// seen is what of a request must be alike.
func seen(r *http.Request) []any {
	return []any{r.Method, r.RequestURI, r.URL.String(), r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.URL.Host, r.Host, r.Proto, r.ProtoMajor, r.ProtoMinor, r.Close, r.ContentLength, r.TransferEncoding, r.Header, r.Trailer, r.Body == http.NoBody}
}
