package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// options are what a connection must have to speak for a server name. Names
// with equal options share one value, so that two are equal where the pointers
// are.
type options struct {
	version  uint16
	clients  *x509.CertPool // nil: no client certificate is asked for
	required bool           // it is asked for and demanded
	config   *tls.Config

	authorities []*x509.Certificate // that are in clients

	mu    sync.Mutex
	until map[string]time.Time // how long clients vouch for a chain of another root
}

func (o *options) equal(p *options) bool {
	return o.version == p.version && (o.clients == p.clients || o.clients != nil && p.clients != nil && o.clients.Equal(p.clients))
}

// of gives the options of a canonical name. An exact name goes before a
// wildcard, which stands for one label.
func (s *Server) of(name string) *options {
	if s.refusing == nil {
		return s.own
	}
	if o := s.exact[name]; o != nil {
		return o
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		if o := s.wild[parent]; o != nil {
			return o
		}
	}
	return s.own
}

// Misdirected says why a request must not come over the connection that it
// came over. Its client should ask again over a new one.
type Misdirected struct {
	// Stale says that the connection was good when it was made, and is no
	// longer good for anything.
	Stale  bool
	reason string
}

func (m *Misdirected) Error() string { return m.reason }

// Admit judges a connection for a request to host, in canonical form and
// without port, by the options of today. It gives the certificate that the
// client has proven to be its own and that the authorities of host vouch for,
// nil where host has none. The error is [*Misdirected]: the options of host are
// not those of the server name that the connection was made with (RFC 9110,
// section 7.4), or the connection was made before they became what they are.
func (s *Server) Admit(c *tls.ConnectionState, host string) (*x509.Certificate, error) {
	o := s.of(host)
	if o != s.of(canonical(c.ServerName)) {
		return nil, &Misdirected{reason: "the TLS options of the host are not those of the server name"}
	}
	if c.Version < o.version {
		return nil, &Misdirected{Stale: true, reason: "the connection is of an older TLS version than the host takes by now"}
	}
	if o.clients == nil {
		return nil, nil
	}
	now := time.Now()
	for _, chain := range c.VerifiedChains {
		if o.vouches(chain, now) {
			return chain[0], nil
		}
	}
	if o.required {
		return nil, &Misdirected{Stale: true, reason: "the authorities of the host do not vouch for the client's certificate by now"}
	}
	return nil, nil
}

// vouches reports whether a chain that was verified once would be today. The
// signatures in it stay what they are: what can change is the time, and whether
// its root is believed. It is where it is still among the authorities.
func (o *options) vouches(chain []*x509.Certificate, now time.Time) bool {
	for _, c := range chain {
		if now.Before(c.NotBefore) || now.After(c.NotAfter) {
			return false
		}
	}
	if slices.ContainsFunc(o.authorities, chain[len(chain)-1].Equal) {
		return true
	}
	return o.verified(chain, now)
}

// verified reports whether the authorities vouch for the chain in another way:
// one that was renewed has another certificate and the same key. It is found
// out once for each chain. Only connections that were made before a reload come
// here, so there are no more of them than there were connections.
func (o *options) verified(chain []*x509.Certificate, now time.Time) bool {
	var key []byte
	for _, c := range chain {
		key = append(key, c.Raw...)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	until, known := o.until[string(key)]
	if !known {
		until = o.verify(chain, now)
		if o.until == nil {
			o.until = map[string]time.Time{}
		}
		o.until[string(key)] = until
	}
	return now.Before(until)
}

// verify tells how long the authorities vouch for a chain; the zero time: they
// do not.
func (o *options) verify(chain []*x509.Certificate, now time.Time) time.Time {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	found, err := chain[0].Verify(x509.VerifyOptions{
		Roots: o.clients, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return time.Time{}
	}
	var until time.Time
	for _, other := range found {
		end := other[0].NotAfter
		for _, c := range other[1:] {
			if c.NotAfter.Before(end) {
				end = c.NotAfter
			}
		}
		if end.After(until) {
			until = end
		}
	}
	return until
}

// reader reads the files of a listener and collects what is wrong.
type reader struct {
	demand tls.ClientAuthType
	known  []*options
	errs   FileErrors
}

func (r *reader) wrong(field, file string, err error) {
	r.errs = append(r.errs, &FileError{field, file, err})
}

func (r *reader) pairs(pairs []config.KeyPair, now time.Time) []*tls.Certificate {
	var out []*tls.Certificate
	for i, p := range pairs {
		pair, err := load(p, now)
		if err != nil {
			r.wrong(fmt.Sprintf("certificates[%d].%s", i, err.Field), err.File, err.Err)
			continue
		}
		out = append(out, pair)
	}
	return out
}

// options reads the options of a name; what is not written is as given.
func (r *reader) options(at, version, ca string, usual *options) *options {
	o := &options{version: usual.version, clients: usual.clients, authorities: usual.authorities, required: r.demand == tls.RequireAndVerifyClientCert}
	switch version {
	case "":
	case "1.2":
		o.version = tls.VersionTLS12
	case "1.3":
		o.version = tls.VersionTLS13
	default:
		r.wrong(at+"min_version", "", fmt.Errorf("%q is neither 1.2 nor 1.3", version))
	}
	if ca != "" {
		var err *FileError
		if o.authorities, err = authorities(ca); err != nil {
			r.wrong(at+"client_ca", err.File, err.Err)
		}
		o.clients = poolOf(o.authorities)
	}
	for _, other := range r.known {
		if other.equal(o) {
			return other
		}
	}
	r.known = append(r.known, o)
	return o
}
