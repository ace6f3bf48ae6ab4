package edge

import (
	"net"
	"net/netip"
	"strings"
)

// maxHops is how many hops of X-Forwarded-For are followed. Each of them is a
// proxy of ours, and nobody has that many in a row.
const maxHops = 32

// Canonical gives the one form in which addresses are compared, counted and
// logged: IPv4 that comes as IPv6 (::ffff:192.0.2.1) is IPv4, and a zone, which
// means something on one machine only, is dropped. The zero Addr stays what it
// is: an address that is not known.
func Canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// AddressOf gives the canonical address of one end of a TCP connection. It is
// not valid where the connection is of another kind.
func AddressOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return Canonical(t.AddrPort().Addr())
	}
	return netip.Addr{}
}

// ClientAddress gives the canonical address of who sent a request. remote is
// the other end of the connection, as host:port. Where that is a trusted proxy,
// the fields of X-Forwarded-For are read from right to left, and the first
// address that is not trusted is the client: what stands further left was
// written by it or by strangers, and is never looked at.
//
// The result is not valid where the address is not known: remote is none, or a
// trusted proxy names something else than an address ("unknown", "_hidden", an
// empty element), or there is no end of trusted proxies. Whoever judges by
// addresses must take that for nobody, not for the proxy.
func ClientAddress(remote string, forwarded []string, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr, hops := Canonical(peer.Addr()), hops{lines: forwarded}
	for range maxHops {
		if !Contains(trusted, addr) {
			return addr
		}
		hop, ok := hops.next()
		if !ok {
			return addr // all of them are trusted, the first as well
		}
		if addr = parseHop(hop); !addr.IsValid() {
			return addr
		}
	}
	return netip.Addr{}
}

// Contains reports whether one of the networks holds a canonical address. They
// hold none that is not valid.
func Contains(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// hops goes through the elements of a header from its end, across its lines
// (RFC 9110, section 5.3), without reading more than it is asked for.
type hops struct {
	lines []string
	rest  string // of the line that has been begun
	begun bool
}

func (h *hops) next() (hop string, ok bool) {
	if !h.begun {
		if len(h.lines) == 0 {
			return "", false
		}
		last := len(h.lines) - 1
		h.rest, h.lines, h.begun = h.lines[last], h.lines[:last], true
	}
	i := strings.LastIndexByte(h.rest, ',')
	hop, h.begun = h.rest[i+1:], i >= 0
	h.rest = h.rest[:max(i, 0)]
	return strings.Trim(hop, " \t"), true
}

// parseHop reads 192.0.2.1, 192.0.2.1:4711, 2001:db8::1, [2001:db8::1] and
// [2001:db8::1]:4711: proxies write all of these. There is one way to write each
// number; octal, hexadecimal and short forms, which some take for addresses and
// others for names, are none here.
func parseHop(text string) netip.Addr {
	if a, err := netip.ParseAddr(text); err == nil {
		return Canonical(a)
	}
	if inner, ok := strings.CutSuffix(text, "]"); ok && strings.HasPrefix(inner, "[") {
		if a, err := netip.ParseAddr(inner[1:]); err == nil && a.Is6() {
			return Canonical(a)
		}
		return netip.Addr{}
	}
	if a, err := netip.ParseAddrPort(text); err == nil {
		return Canonical(a.Addr())
	}
	return netip.Addr{}
}
