package ratelimit

import (
	"crypto/sha256"
	"encoding/json"
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

// keyPart writes one part of the key of an exchange behind b and reports
// whether there is a value.
type keyPart func(b []byte, x *middleware.Exchange) ([]byte, bool)

// parsePart reads a part of `key`. subject tells whether it needs to know who
// asks.
func parsePart(name string) (part keyPart, subject bool, err error) {
	kind, arg, named := strings.Cut(name, ":")
	switch {
	case name == "client.address":
		return appendAddress, false, nil
	case name == "route":
		return func(b []byte, x *middleware.Exchange) ([]byte, bool) {
			if x.Route == nil {
				return b, false
			}
			return append(b, x.Route.Name...), true
		}, false, nil
	case name == "subject.id":
		return appendID, true, nil
	case name == "subject.tenant":
		return func(b []byte, x *middleware.Exchange) ([]byte, bool) {
			if x.Subject == nil {
				return b, false
			}
			return append(b, x.Subject.Tenant...), x.Subject.Tenant != ""
		}, true, nil
	case name == "subject.role":
		return func(b []byte, x *middleware.Exchange) ([]byte, bool) {
			if x.Subject == nil {
				return b, false
			}
			return append(b, x.Subject.Role...), x.Subject.Role != ""
		}, true, nil
	case named && kind == "claim" && arg != "":
		return claimPart(arg), true, nil
	case named && kind == "header" && arg != "":
		return headerPart(textproto.CanonicalMIMEHeaderKey(arg)), false, nil
	}
	return nil, false, fmt.Errorf("%q is not something to count by; there are client.address, subject.id, subject.tenant, "+
		"subject.role, route, claim:NAME and header:NAME", name)
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
func claimPart(name string) keyPart {
	return func(b []byte, x *middleware.Exchange) ([]byte, bool) {
		if x.Subject == nil {
			return b, false
		}
		switch v := x.Subject.Claims[name].(type) {
		case string:
			return append(b, v...), v != ""
		case json.Number:
			return append(b, v...), v != ""
		case bool:
			return strconv.AppendBool(b, v), true
		}
		return b, false
	}
}

func headerPart(name string) keyPart {
	return func(b []byte, x *middleware.Exchange) ([]byte, bool) {
		v := x.Request.Header[name]
		for _, s := range v {
			b = strconv.AppendInt(b, int64(len(s)), 10)
			b = append(append(b, ':'), s...)
		}
		return b, len(v) > 0
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
		if b, ok = part(b, x); !ok {
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
