package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// Client builds the settings with which the gateway calls an upstream: whom it
// trusts, what it shows of itself, and the names that the other side must carry.
// The chain is always verified, and the name that was called. The error is a
// [*FileError] whose Field is under the settings given: ca,
// client_certificate.key.
func Client(c *config.Upstream) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CA != "" {
		list, err := authorities(c.CA)
		if err != nil {
			return nil, &FileError{"ca", c.CA, err.Err}
		}
		t.RootCAs = poolOf(list)
	}
	if c.ClientCertificate != nil {
		pair, err := load(*c.ClientCertificate, time.Now())
		if err != nil {
			return nil, &FileError{"client_certificate." + err.Field, err.File, err.Err}
		}
		t.Certificates = []tls.Certificate{*pair}
	}
	if len(c.SAN) > 0 {
		var names []string
		for _, n := range c.SAN {
			names = append(names, spelling(n))
		}
		// Not VerifyPeerCertificate, which resumed sessions do not see.
		t.VerifyConnection = func(s tls.ConnectionState) error { return carriesOne(s.PeerCertificates[0], names) }
	}
	return t, nil
}

// Shown tells of the certificate that a client's settings hold, if they do.
func Shown(t *tls.Config) (Certificate, bool) {
	if len(t.Certificates) == 0 {
		return Certificate{}, false
	}
	return certificateOf(t.Certificates[0].Leaf), true
}

// NameError is a certificate that was verified and carries none of the names it
// must carry.
type NameError struct {
	Want []string // any of these
	Have []string // what it carries
}

func (e *NameError) Error() string {
	return fmt.Sprintf("the certificate is for %s, and for none of san: %s", strings.Join(e.Have, ", "), strings.Join(e.Want, ", "))
}

// carriesOne reports an error unless the certificate carries one of the names.
func carriesOne(leaf *x509.Certificate, names []string) error {
	have := carried(leaf)
	if slices.ContainsFunc(names, func(n string) bool { return slices.Contains(have, n) }) {
		return nil
	}
	return &NameError{names, have}
}

// carried lists the subject alternative names of a certificate, each in its
// one spelling: its kind, so that a name of one kind is never taken for one of
// another, and its canonical form.
func carried(leaf *x509.Certificate) []string {
	var out []string
	for _, n := range leaf.DNSNames {
		out = append(out, "DNS:"+canonical(n))
	}
	for _, ip := range leaf.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			out = append(out, "IP:"+a.Unmap().String())
		}
	}
	for _, u := range leaf.URIs {
		out = append(out, "URI:"+u.String())
	}
	return out
}

// spelling gives the one spelling of a name in the configuration: a URI where
// it has a scheme, an IP address, or else a DNS name.
func spelling(name string) string {
	if strings.Contains(name, "://") {
		return "URI:" + name
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return "IP:" + a.Unmap().String()
	}
	return "DNS:" + canonical(name)
}
