package overload

import (
	"hash/maphash"
	"net/netip"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// caller is whom a place belongs to.
type caller struct {
	tenant  string
	issuer  string // with id, of a subject without a tenant
	id      string
	network netip.Addr // of one that nobody knows; the zero value where it has none
}

// callerOf says whose place the exchange takes.
func callerOf(x *middleware.Exchange) caller {
	switch s := x.Subject; {
	case s == nil:
		return caller{network: network(x.Client)}
	case s.Tenant != "":
		return caller{tenant: s.Tenant}
	default:
		return caller{issuer: s.Issuer, id: s.ID}
	}
}

// key stands for a caller in the pools: a hash whose seed nobody knows, so that
// nobody can choose whose share to use up, and nothing of a token is kept.
type key uint64

func (g *Gate) keyOf(x *middleware.Exchange) key {
	return key(maphash.Comparable(g.seed, callerOf(x)))
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
