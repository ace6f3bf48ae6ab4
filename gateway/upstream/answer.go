package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware/field"
)

// maxFields is how many fields the head of an answer may have. Applications
// send some dozens; thousands are a fault, and work for everybody behind us.
const maxFields = 1000

// inspect brings the head of an answer into a form that means one thing to
// everybody, or says why there is none. net/http has refused most of what is
// malformed over HTTP/1.1; what is left here it accepts, or accepts over HTTP/2.
// h1 says that the answer was read as HTTP/1.1, whatever it calls itself.
func inspect(res *http.Response, h1 bool) error {
	if h1 && res.ProtoMajor != 1 {
		return fmt.Errorf("the answer calls itself HTTP/%d.%d", res.ProtoMajor, res.ProtoMinor)
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		if err := switched(res); err != nil {
			return err
		}
	} else if res.StatusCode < http.StatusOK || res.StatusCode > 999 {
		// A number that is none (RFC 9110, section 15): HTTP/2 lets any through, and
		// the server panics over four digits.
		return fmt.Errorf("status %d", res.StatusCode)
	}
	fields := 0
	for name, values := range res.Header {
		if !field.ValidName(name) {
			return errors.New("a header has a name that is none")
		}
		for _, v := range values {
			if !field.ValidValue(v) {
				return fmt.Errorf("header %s has a control character", name)
			}
		}
		fields += len(values)
	}
	if fields > maxFields {
		return fmt.Errorf("%d header fields", fields)
	}
	hopByHop(res.Header)
	return oneLength(res)
}

// hopByHop removes what was meant for the gateway alone (RFC 9110, section
// 7.6.1). It is done here and not left to the proxy shell, which would do it to
// the finished answer: an upstream could then name in Connection what stages
// have set.
func hopByHop(h http.Header) {
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		delete(h, name)
	}
}

// oneLength makes Content-Length say in plain digits what the body is read by,
// or not stand there at all. HTTP/2 has its own framing, so that net/http lets
// any text and any number of them pass.
func oneLength(res *http.Response) error {
	values := res.Header["Content-Length"]
	switch {
	case len(values) == 0:
		return nil
	case res.StatusCode == http.StatusNoContent: // has no body and no length of one
		res.Header.Del("Content-Length")
		return nil
	}
	n, err := strconv.ParseInt(values[0], 10, 64)
	// To 304 it tells of a body that is not there.
	same := n == res.ContentLength || res.StatusCode == http.StatusNotModified
	if len(values) > 1 || err != nil || n < 0 || !same {
		return errors.New("the length of the answer can be read in more than one way")
	}
	if plain := strconv.FormatInt(n, 10); plain != values[0] {
		res.Header.Set("Content-Length", plain)
	}
	return nil
}
