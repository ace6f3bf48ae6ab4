package ratelimit

import (
	"crypto/sha256"
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// longKey is the length beyond which a key is replaced by its digest: headers
// and claims can be long, and keys are kept.
const longKey = 128

// keyPart is one part of a rule's key. Its kind is a constant and not a function,
// so that the compiler sees what becomes of a key and it needs no memory of its
// own.
type keyPart struct {
	name string // as configured
	kind keyKind
	arg  string // the name of a claim, or of a header in canonical form
}

type keyKind uint8

const (
	byAddress keyKind = iota
	byRoute
	byHeader
	byID // this and the others need to know who asks
	byTenant
	byRole
	byClaim
)

// parsePart reads a part of `key`.
func parsePart(name string) (keyPart, error) {
	kind, arg, named := strings.Cut(name, ":")
	switch {
	case name == "client.address":
		return keyPart{name: name, kind: byAddress}, nil
	case name == "route":
		return keyPart{name: name, kind: byRoute}, nil
	case name == "subject.id":
		return keyPart{name: name, kind: byID}, nil
	case name == "subject.tenant":
		return keyPart{name: name, kind: byTenant}, nil
	case name == "subject.role":
		return keyPart{name: name, kind: byRole}, nil
	case named && kind == "claim" && arg != "":
		return keyPart{name: name, kind: byClaim, arg: arg}, nil
	case named && kind == "header" && arg != "":
		return keyPart{name: name, kind: byHeader, arg: textproto.CanonicalMIMEHeaderKey(arg)}, nil
	}
	return keyPart{}, fmt.Errorf("%q is not something to count by; there are client.address, subject.id, subject.tenant, "+
		"subject.role, route, claim:NAME and header:NAME", name)
}

// subject reports whether the part needs to know who asks.
func (p *keyPart) subject() bool { return p.kind >= byID }

// hidden reports whether values may be secrets, which are shown as digests.
func (p *keyPart) hidden() bool { return p.kind == byClaim || p.kind == byHeader }

// write appends the value to b and reports whether there is one. Of several roles
// it is the first: one that a caller has besides opens no count of its own.
func (p *keyPart) write(b []byte, x *middleware.Exchange) ([]byte, bool) {
	s := x.Subject
	switch {
	case p.kind == byAddress:
		return appendAddress(b, x), true
	case p.kind == byRoute:
		if x.Route == nil {
			return b, false
		}
		return append(b, x.Route.Name...), true
	case p.kind == byHeader:
		return appendHeader(b, x.Request.Header[p.arg])
	case s == nil:
		return b, false
	case p.kind == byID:
		return appendID(b, s)
	case p.kind == byTenant:
		return append(b, s.Tenant...), s.Tenant != ""
	case p.kind == byRole:
		return append(b, s.Role...), s.Role != ""
	}
	text, ok := claimText(s.Claims[p.arg])
	return append(b, text...), ok
}

// appendAddress writes the client's network: an IPv4 address, or the /64 of an
// IPv6 one, because a single subscriber has all of it. An address that is not
// known is one caller.
func appendAddress(b []byte, x *middleware.Exchange) []byte {
	a := x.Client.Unmap()
	if !a.Is6() {
		return a.AppendTo(b)
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return b
	}
	return p.AppendTo(b)
}

// appendID writes the subject with its issuer: two issuers may use one id for
// two people.
func appendID(b []byte, s *policies.Subject) ([]byte, bool) {
	if s.ID == "" {
		return b, false
	}
	b = strconv.AppendInt(b, int64(len(s.Issuer)), 10)
	b = append(append(b, ':'), s.Issuer...)
	return append(b, s.ID...), true
}

// appendHeader writes a digest of a header, since headers carry secrets (the key
// of an API) and keys are kept, in Redis for others to see. All fields of the
// name count, each for itself, so what is sent twice is neither of the two.
// Fields with nothing in them are none.
func appendHeader(b []byte, fields []string) ([]byte, bool) {
	start, some := len(b), false
	for _, s := range fields {
		b = strconv.AppendInt(b, int64(len(s)), 10)
		b = append(append(b, ':'), s...)
		some = some || s != ""
	}
	sum := sha256.Sum256(b[start:])
	return append(b[:start], sum[:16]...), some
}

// key joins the parts, each behind its length, so that no two lists of values
// are one key. In place of a part that has no value stands the client's
// address, marked as such, so that nobody escapes a limit by lacking what it
// counts by.
func (r *Rule) key(x *middleware.Exchange) string {
	var array [longKey + 64]byte
	b := array[:0]
	for i := range r.parts {
		start, mark := len(b), byte(':')
		var ok bool
		if b, ok = r.parts[i].write(b, x); !ok {
			b = appendAddress(b[:start], x)
			mark = '@'
		}
		b = frame(b, start, mark)
	}
	if len(b) > longKey {
		sum := sha256.Sum256(b)
		return "#" + string(sum[:])
	}
	return string(b)
}

// frame puts length and mark before what was written from start.
func frame(b []byte, start int, mark byte) []byte {
	var head [21]byte
	h := append(strconv.AppendInt(head[:0], int64(len(b)-start), 10), mark)
	return slices.Insert(b, start, h...)
}
