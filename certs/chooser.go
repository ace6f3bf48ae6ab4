package certs

import (
	"crypto/tls"
	"strings"
)

// Issued is a certificate that an authority issues while the gateway runs, for
// one name.
type Issued interface {
	Name() string          // in canonical form
	TLS() *tls.Certificate // nil while there is none
}

// A chooser gives certificates by name. Several may carry one name, such as an
// ECDSA and an RSA one; the first that the client can use is taken.
type chooser struct {
	exact, wildcard map[string][]*tls.Certificate // by canonical name; wildcards without "*."
	all             []*tls.Certificate
	issued          []Issued // of names that no file has
	strict          bool     // a name that no certificate carries gets none
}

func newChooser(pairs []*tls.Certificate, issued []Issued, strict bool) *chooser {
	c := &chooser{exact: map[string][]*tls.Certificate{}, wildcard: map[string][]*tls.Certificate{}, all: pairs, strict: strict}
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
	for _, i := range issued {
		if c.exact[i.Name()] == nil {
			c.issued = append(c.issued, i)
		}
	}
	return c
}

// choose is a [tls.Config.GetCertificate]. A hello without a server name gets
// the first certificate that its client can use; one with a name that nothing
// matches gets the first, or, where the chooser is strict, none, which crypto/tls
// tells the client as unrecognized_name (RFC 6066, section 3). So it is told that
// the certificate of its name has not been issued yet.
func (c *chooser) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := canonical(hello.ServerName)
	if name == "" {
		return usable(c.first(), hello), nil
	}
	some, known := c.find(name)
	switch {
	case known:
		return usable(some, hello), nil
	case c.strict:
		return nil, nil
	}
	if some = c.first(); len(some) == 0 {
		return nil, nil
	}
	return some[0], nil
}

// find gives the certificates that carry a canonical name, and tells whether
// it is a name that is served. An exact name goes before a wildcard, which
// stands for one label (RFC 9525, section 6.3), and a file before what is issued.
func (c *chooser) find(name string) (some []*tls.Certificate, known bool) {
	if some = c.exact[name]; some != nil {
		return some, true
	}
	for _, i := range c.issued {
		if i.Name() == name {
			if known = true; i.TLS() != nil {
				return []*tls.Certificate{i.TLS()}, true
			}
		}
	}
	_, parent, _ := strings.Cut(name, ".")
	some = c.wildcard[parent]
	return some, known || some != nil
}

// first gives what is shown where nothing else matches: the files, or the first
// certificate that has been issued. It may be none.
func (c *chooser) first() []*tls.Certificate {
	if len(c.all) > 0 {
		return c.all
	}
	for _, i := range c.issued {
		if p := i.TLS(); p != nil {
			return []*tls.Certificate{p}
		}
	}
	return nil
}

// serves reports whether there is a certificate for a name of the
// configuration: for a wildcard, one that carries it or a name under it.
func (c *chooser) serves(name string) bool {
	parent, wild := strings.CutPrefix(name, "*.")
	if !wild {
		_, known := c.find(name)
		return known
	}
	if c.wildcard[parent] != nil {
		return true
	}
	for _, i := range c.issued {
		if _, p, _ := strings.Cut(i.Name(), "."); p == parent {
			return true
		}
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
	if len(some) == 0 {
		return nil
	}
	return some[0]
}

// canonical is the one spelling of a name: lower case, without the dot at the
// end.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
