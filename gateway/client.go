package gateway

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"net/netip"

	"github.com/gatehouse-dev/gatehouse/gateway/edge"
)

// clientAddress gives the canonical address of the caller, trusted proxies
// peeled off. It is the one that lists, limits, blocks, logs and policies see.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	return edge.ClientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), trusted)
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
