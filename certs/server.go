package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// Server is how one listener speaks TLS: its certificates, and the options of
// each server name. It is immutable.
type Server struct {
	certificates *chooser
	own          *options            // of every name that has none of its own
	exact, wild  map[string]*options // by canonical name; wildcards without "*."
	refusing     *tls.Config         // for names that are not known; nil where there is no such thing
	shown        []Certificate       // those of files
}

// Open reads the certificates and authorities of a listener. The certificate is
// chosen by the server name that the client asks for ([config.TLS].Certificates;
// the first where no other matches), HTTP/2 and HTTP/1.1 are offered, and with
// client_ca a certificate of the client is required and verified. Names with
// options of their own are chosen in the same way, an exact name before a
// wildcard; where there are any, a name that no certificate carries is refused
// in the handshake.
//
// A certificate that has expired or is not valid yet is an error, and so are a
// key that is too weak to be accepted by clients and a name with options and no
// certificate. The error is [FileErrors].
//
// A name that none of the files carries by itself is served by what is issued
// for it. Until there is something, a file with a wildcard serves it, or nothing.
func Open(c *config.TLS, issued ...Issued) (*Server, error) {
	return open(c, tls.RequireAndVerifyClientCert, time.Now(), issued...)
}

// OpenAsking is [Open] for a listener that serves clients without a certificate
// too: one that is shown is verified, and an unknown one is refused.
func OpenAsking(c *config.TLS) (*Server, error) {
	return open(c, tls.VerifyClientCertIfGiven, time.Now())
}

func open(c *config.TLS, demand tls.ClientAuthType, now time.Time, issued ...Issued) (*Server, error) {
	r := &reader{demand: demand}
	s := &Server{exact: map[string]*options{}, wild: map[string]*options{}}
	s.own = r.options("", c.MinVersion, c.ClientCA, &options{version: tls.VersionTLS12})
	if len(c.Certificates) == 0 && len(issued) == 0 {
		r.wrong("certificates", "", errors.New("at least one is needed"))
	}
	pairs := r.pairs(c.Certificates, now)
	s.certificates = newChooser(pairs, issued, len(c.Names) > 0)
	for _, name := range slices.Sorted(maps.Keys(c.Names)) {
		n := c.Names[name]
		o := r.options("names."+name+".", n.MinVersion, n.ClientCA, s.own)
		if parent, ok := strings.CutPrefix(canonical(name), "*."); ok {
			s.wild[parent] = o
		} else {
			s.exact[canonical(name)] = o
		}
		// Where a certificate could not be read, nothing is known of its names.
		if len(pairs) == len(c.Certificates) && !s.certificates.serves(canonical(name)) {
			r.wrong("names."+name, "", fmt.Errorf("no certificate of the listener is for %q", name))
		}
	}
	if r.errs != nil {
		return nil, r.errs
	}
	for _, o := range r.known {
		o.config = settings(s.certificates, o, demand)
	}
	if len(c.Names) > 0 {
		// A session that was begun with another name would be resumed without
		// a look at the certificates.
		s.refusing = settings(s.certificates, s.own, demand)
		s.refusing.SessionTicketsDisabled = true
	}
	for _, p := range pairs {
		s.shown = append(s.shown, certificateOf(p.Leaf))
	}
	return s, nil
}

// settings are what crypto/tls needs to serve a client by some options.
func settings(c *chooser, o *options, demand tls.ClientAuthType) *tls.Config {
	t := &tls.Config{
		MinVersion: o.version, CipherSuites: suites(), CurvePreferences: curves(),
		NextProtos: []string{"h2", "http/1.1"}, GetCertificate: c.choose,
	}
	if o.clients != nil {
		t.ClientCAs, t.ClientAuth = o.clients, demand
	}
	return t
}

// forClient gives the settings for a client's hello.
func (s *Server) forClient(hello *tls.ClientHelloInfo) *tls.Config {
	name := canonical(hello.ServerName)
	if s.refusing != nil && name != "" {
		if _, known := s.certificates.find(name); !known {
			return s.refusing
		}
	}
	return s.of(name).config
}

// Config gives settings that serve by s for as long as they are used.
func (s *Server) Config() *tls.Config { return Listener(func() *Server { return s }) }

// Certificates lists what the server shows, in the order of its configuration,
// and what has been issued by now after the files.
func (s *Server) Certificates() []Certificate {
	out := slices.Clone(s.shown)
	for _, i := range s.certificates.issued {
		if p := i.TLS(); p != nil {
			c := certificateOf(p.Leaf)
			c.Issued = true
			out = append(out, c)
		}
	}
	return out
}

// Listener gives the settings of a listener that serves each new connection by
// what is current then; nil refuses it. The keys of session tickets belong to
// the listener, so that sessions outlive a change of certificates: crypto/tls
// makes a new one each day, and forgets each after seven. Whether a session may
// be resumed is judged by the current options all the same.
func Listener(current func() *Server) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if s := current(); s != nil {
				return s.forClient(hello), nil
			}
			return nil, errors.New("the listener has no TLS settings")
		},
	}
}

// Certificate is what is told of a certificate that is shown to others.
type Certificate struct {
	Name     string    // its first name
	NotAfter time.Time // when it expires
	Issued   bool      // by an authority that is asked for another one in time
}

func certificateOf(leaf *x509.Certificate) Certificate {
	c := Certificate{Name: leaf.Subject.CommonName, NotAfter: leaf.NotAfter}
	switch {
	case len(leaf.DNSNames) > 0:
		c.Name = canonical(leaf.DNSNames[0])
	case len(leaf.IPAddresses) > 0:
		c.Name = leaf.IPAddresses[0].String()
	case len(leaf.URIs) > 0:
		c.Name = leaf.URIs[0].String()
	}
	c.Name = strings.ToValidUTF8(c.Name, "?") // it goes into metrics
	return c
}

// suites are the TLS 1.2 cipher suites: ephemeral keys and AEAD only. Those of
// TLS 1.3 are all of that kind and are not chosen here.
func suites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// curves are the key exchanges, in the order in which crypto/tls prefers them.
// The first is a hybrid that a quantum computer does not break. P-521 is not
// among them: no client needs it, and it costs the server the most.
func curves() []tls.CurveID {
	return []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}
}
