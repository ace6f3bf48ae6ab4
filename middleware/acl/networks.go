package acl

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// networks is a set of addresses: networks in the order of their first
// addresses, none of which lies in another. Networks either nest or have nothing
// in common, so the only one that can hold an address is the last that does not
// begin behind it.
type networks []netip.Prefix

// newNetworks makes the set. Prefixes are canonical, as the configuration has
// them: no host bits, no IPv4 in IPv6.
func newNetworks(list []netip.Prefix) networks {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits())) // the wider first
	})
	var out networks
	for _, p := range sorted {
		if len(out) == 0 || !out[len(out)-1].Contains(p.Addr()) {
			out = append(out, p)
		}
	}
	return out
}

// contain reports whether an address lies in one of the networks.
func (n networks) contain(a netip.Addr) bool {
	i, found := slices.BinarySearchFunc(n, a, func(p netip.Prefix, a netip.Addr) int { return p.Addr().Compare(a) })
	return found || i > 0 && n[i-1].Contains(a)
}

// shown is how many networks are worth a line in `explain`.
const shown = 4

func (n networks) String() string {
	var out []string
	for _, p := range n[:min(len(n), shown)] {
		out = append(out, p.String())
	}
	text := strings.Join(out, " ")
	if more := len(n) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
