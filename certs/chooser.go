package certs

import (
	"crypto/tls"
	"strings"
)

// A chooser gives certificates by name. Several may carry one name, such as an
// ECDSA and an RSA one; the first that the client can use is taken.
type chooser struct {
	exact, wildcard map[string][]*tls.Certificate // by canonical name; wildcards without "*."
	all             []*tls.Certificate
	strict          bool // a name that no certificate carries gets none
}

func newChooser(pairs []*tls.Certificate, strict bool) *chooser {
	c := &chooser{map[string][]*tls.Certificate{}, map[string][]*tls.Certificate{}, pairs, strict}
	for _, p := range pairs {
		for _, name := range p.Leaf.DNSNames {
			name = canonical(name)
			if parent, ok := strings.CutPrefix(name, "*."); ok {
				c.wildcard[parent] = append(c.wildcard[parent], p)
			} else {
				c.exact[name] = append(c.exact[name], p)
			}
		}
	}
	return c
}

// choose is a [tls.Config.GetCertificate]. A hello without a server name gets
// the first certificate that its client can use; one with a name that nothing
// matches gets the first, or, where the chooser is strict, none, which crypto/tls
// tells the client as unrecognized_name (RFC 6066, section 3).
func (c *chooser) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := canonical(hello.ServerName)
	if name == "" {
		return usable(c.all, hello), nil
	}
	if some := c.find(name); some != nil {
		return usable(some, hello), nil
	}
	if c.strict {
		return nil, nil
	}
	return c.all[0], nil
}

// find gives the certificates that carry a canonical name. An exact name goes
// before a wildcard, which stands for one label (RFC 9525, section 6.3).
func (c *chooser) find(name string) []*tls.Certificate {
	if some := c.exact[name]; some != nil {
		return some
	}
	_, parent, _ := strings.Cut(name, ".")
	return c.wildcard[parent]
}

// serves reports whether there is a certificate for a name of the
// configuration: for a wildcard, one that carries it or a name under it.
func (c *chooser) serves(name string) bool {
	parent, wild := strings.CutPrefix(name, "*.")
	if !wild {
		return c.find(name) != nil
	}
	if c.wildcard[parent] != nil {
		return true
	}
	for carried := range c.exact {
		if _, p, _ := strings.Cut(carried, "."); p == parent {
			return true
		}
	}
	return false
}

func usable(some []*tls.Certificate, hello *tls.ClientHelloInfo) *tls.Certificate {
	if len(some) > 1 {
		for _, p := range some {
			if hello.SupportsCertificate(p) == nil {
				return p
			}
		}
	}
	return some[0]
}

// canonical is the one spelling of a name: lower case, without the dot at the
// end.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
