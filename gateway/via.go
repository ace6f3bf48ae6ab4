package gateway

import (
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware/field"
)

// A mark is the name by which this process finds its own requests again: each that
// it sends to a backend carries it in Via (RFC 9110, section 7.6.3), and one that
// comes in with it has been here before. It is made once and stays over reloads. It
// is a pseudonym, which tells of no machine. Backends see it, and whoever learns it
// can get requests refused that he sends himself; it is random so that nobody can
// write it into what others send without having seen it.
type mark struct {
	name             string
	ten, eleven, two string // what is added to Via, by the version of the request
}

// newMark makes a mark that no other process has.
func newMark() mark {
	name := "gatehouse-" + strings.ToLower(rand.Text()[:16]) // 80 random bits
	return mark{name, "1.0 " + name, "1.1 " + name, "2 " + name}
}

// via gives what the gateway adds to the Via of a request that it has received.
func (m *mark) via(r *http.Request) string {
	switch {
	case r.ProtoMajor > 1:
		return m.two
	case r.ProtoMinor == 0:
		return m.ten
	}
	return m.eleven
}

// on reports whether a request carries the mark: as a whole token, wherever in Via it
// stands, in comments too. To look for no more than that is what nobody on the way
// can spoil by another idea of lists and comments.
func (m *mark) on(h http.Header) bool {
	for _, line := range h["Via"] {
		for from := 0; ; {
			at := strings.Index(line[from:], m.name)
			if at < 0 {
				break
			}
			at, from = from+at, from+at+len(m.name)
			if (at == 0 || !field.TokenByte(line[at-1])) && (from == len(line) || !field.TokenByte(line[from])) {
				return true
			}
		}
	}
	return false
}
