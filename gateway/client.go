package gateway

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress gives the address of the caller: the peer, or, where the peer
// is a trusted proxy, the first address of X-Forwarded-For from the right that
// is not. A header that cannot be read there ends the search at the last
// trusted address: what a client wrote further left is never believed.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap().WithZone("")
	if !contains(trusted, addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return addr
		}
		addr = hop.Unmap().WithZone("")
		if !contains(trusted, addr) {
			return addr
		}
	}
	return addr
}

func contains(nets []netip.Prefix, a netip.Addr) bool {
	for _, n := range nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// newID makes a request id that cannot be guessed. A client's own id is not
// taken over: it could be chosen to blur the record.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// tlsVersion gives "1.2", "1.3", or "" for a plain connection.
func tlsVersion(s *tls.ConnectionState) string {
	switch {
	case s == nil:
		return ""
	case s.Version >= tls.VersionTLS13:
		return "1.3"
	}
	return "1.2"
}

// clientCertificate gives the certificate that the client has proven to be its
// own and that the listener's authorities vouch for.
func clientCertificate(s *tls.ConnectionState) *x509.Certificate {
	if s == nil || len(s.VerifiedChains) == 0 {
		return nil
	}
	return s.VerifiedChains[0][0]
}
