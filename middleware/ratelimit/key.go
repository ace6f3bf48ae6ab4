package ratelimit

import (
	"crypto/sha256"
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// longKey is the length beyond which a key is replaced by its digest: headers
// and claims can be long, and keys are kept.
const longKey = 128

// keyPart is one part of a rule's key.
type keyPart struct {
	name    string // as configured
	subject bool   // it needs to know who asks
	hidden  bool   // its values may be secrets: they are shown as digests
	// write appends the value to b and reports whether there is one.
	write func(b []byte, x *middleware.Exchange) ([]byte, bool)
}

// parsePart reads a part of `key`.
func parsePart(name string) (keyPart, error) {
	kind, arg, named := strings.Cut(name, ":")
	switch {
	case name == "client.address":
		return keyPart{name: name, write: appendAddress}, nil
	case name == "route":
		return keyPart{name: name, write: appendRoute}, nil
	case name == "subject.id":
		return keyPart{name: name, subject: true, write: appendID}, nil
	case name == "subject.tenant":
		return keyPart{name: name, subject: true, write: appendTenant}, nil
	case name == "subject.role":
		return keyPart{name: name, subject: true, write: appendRole}, nil
	case named && kind == "claim" && arg != "":
		return keyPart{name: name, subject: true, hidden: true, write: claimPart(arg)}, nil
	case named && kind == "header" && arg != "":
		return keyPart{name: name, hidden: true, write: headerPart(textproto.CanonicalMIMEHeaderKey(arg))}, nil
	}
	return keyPart{}, fmt.Errorf("%q is not something to count by; there are client.address, subject.id, subject.tenant, "+
		"subject.role, route, claim:NAME and header:NAME", name)
}

func appendRoute(b []byte, x *middleware.Exchange) ([]byte, bool) {
	if x.Route == nil {
		return b, false
	}
	return append(b, x.Route.Name...), true
}

func appendTenant(b []byte, x *middleware.Exchange) ([]byte, bool) {
	if x.Subject == nil {
		return b, false
	}
	return append(b, x.Subject.Tenant...), x.Subject.Tenant != ""
}

// appendRole writes the first role: one that a caller has besides opens no
// count of its own.
func appendRole(b []byte, x *middleware.Exchange) ([]byte, bool) {
	if x.Subject == nil {
		return b, false
	}
	return append(b, x.Subject.Role...), x.Subject.Role != ""
}

// appendAddress writes the client's network: an IPv4 address, or the /64 of an
// IPv6 one, because a single subscriber has all of it. An address that is not
// known is one caller.
func appendAddress(b []byte, x *middleware.Exchange) ([]byte, bool) {
	a := x.Client.Unmap()
	if !a.Is6() {
		return a.AppendTo(b), true
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return b, true
	}
	return p.AppendTo(b), true
}

// appendID writes the subject with its issuer: two issuers may use one id for
// two people.
func appendID(b []byte, x *middleware.Exchange) ([]byte, bool) {
	if x.Subject == nil || x.Subject.ID == "" {
		return b, false
	}
	b = strconv.AppendInt(b, int64(len(x.Subject.Issuer)), 10)
	b = append(append(b, ':'), x.Subject.Issuer...)
	return append(b, x.Subject.ID...), true
}

// claimPart writes a claim that is one value; a list or an object is none.
func claimPart(name string) func([]byte, *middleware.Exchange) ([]byte, bool) {
	return func(b []byte, x *middleware.Exchange) ([]byte, bool) {
		if x.Subject == nil {
			return b, false
		}
		text, ok := claimText(x.Subject.Claims[name])
		return append(b, text...), ok
	}
}

// headerPart writes a digest of a header, since headers carry secrets (the key
// of an API) and keys are kept, in Redis for others to see. All fields of the
// name count, each for itself, so what is sent twice is neither of the two.
// Fields with nothing in them are none.
func headerPart(name string) func([]byte, *middleware.Exchange) ([]byte, bool) {
	return func(b []byte, x *middleware.Exchange) ([]byte, bool) {
		start, some := len(b), false
		for _, s := range x.Request.Header[name] {
			b = strconv.AppendInt(b, int64(len(s)), 10)
			b = append(append(b, ':'), s...)
			some = some || s != ""
		}
		sum := sha256.Sum256(b[start:])
		return append(b[:start], sum[:16]...), some
	}
}

// key joins the parts, each behind its length, so that no two lists of values
// are one key. In place of a part that has no value stands the client's
// address, marked as such, so that nobody escapes a limit by lacking what it
// counts by.
func (r *Rule) key(x *middleware.Exchange) string {
	var array [longKey + 64]byte
	b := array[:0]
	for _, part := range r.parts {
		start, mark := len(b), byte(':')
		var ok bool
		if b, ok = part.write(b, x); !ok {
			b, _ = appendAddress(b[:start], x)
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
