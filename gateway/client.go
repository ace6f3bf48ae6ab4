package gateway

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"net/netip"
	"sync"

	"github.com/gatehouse-dev/gatehouse/gateway/edge"
)

// clientAddress gives the canonical address of the caller, trusted proxies
// peeled off. It is the one that lists, limits, blocks, logs and policies see.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	return edge.ClientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), trusted)
}

// ids makes ids from random bytes that are fetched for some dozens of requests at a
// time.
type ids struct{ pool sync.Pool }

// randomness is what is left of some random bytes.
type randomness struct {
	room [32 * idBytes]byte
	used int
}

// idBytes is how many random bytes the ids of a request take: of its own, of its
// trace, of its span.
const idBytes = 16 + 16 + 8

// make gives a request id that cannot be guessed, and the traceparent of a trace
// that begins here and is not sampled (W3C Trace Context, section 3.2). A client's
// own id is not taken over: it could be chosen to blur the record.
func (i *ids) make() (id, parent string) {
	r, ok := i.pool.Get().(*randomness)
	if !ok {
		r = &randomness{used: len(randomness{}.room)}
	}
	if r.used == len(r.room) {
		rand.Read(r.room[:])
		r.used = 0
	}
	random := r.room[r.used : r.used+idBytes]
	r.used += idBytes
	var text [32 + 55]byte
	hex.Encode(text[:32], random[:16])
	copy(text[32:], "00-")
	hex.Encode(text[35:67], random[16:32])
	text[67] = '-'
	hex.Encode(text[68:84], random[32:])
	copy(text[84:], "-00")
	i.pool.Put(r)
	both := string(text[:])
	return both[:32], both[32:]
}

// traceOf gives the id of the trace that a traceparent of ours names.
func traceOf(parent string) string { return parent[3:35] }

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
