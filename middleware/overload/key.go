package overload

import (
	"net/netip"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// key is whom a place belongs to. It refers to texts that are there already, so
// that making one costs nothing.
type key struct {
	tenant  string
	issuer  string // with id, of a subject without a tenant
	id      string
	network netip.Addr // of one that nobody knows; the zero value where it has none
}

// keyOf says whose place the exchange takes.
func keyOf(x *middleware.Exchange) key {
	switch s := x.Subject; {
	case s == nil:
		return key{network: network(x.Client)}
	case s.Tenant != "":
		return key{tenant: s.Tenant}
	default:
		return key{issuer: s.Issuer, id: s.ID}
	}
}

// network is an IPv4 address or the first of an IPv6 /64, which one subscriber
// has all of.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if !a.Is6() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
