package certs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// load reads a certificate with its key. The Field of the error is cert or key.
func load(p config.KeyPair, now time.Time) (*tls.Certificate, *FileError) {
	chain, err := os.ReadFile(p.Cert)
	if err != nil {
		return nil, &FileError{"cert", p.Cert, reason(err)}
	}
	key, err := os.ReadFile(p.Key)
	if err != nil {
		return nil, &FileError{"key", p.Key, reason(err)}
	}
	certs, err := parse(chain)
	if err != nil {
		return nil, &FileError{"cert", p.Cert, err}
	}
	if err := judge(certs[0], now); err != nil {
		return nil, &FileError{"cert", p.Cert, err}
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		// The certificates parse, so it can only be the key.
		return nil, &FileError{"key", p.Key, errors.New(strings.TrimPrefix(err.Error(), "tls: "))}
	}
	return &pair, nil
}

// judge says what is wrong with a server's certificate that every client would
// refuse.
func judge(leaf *x509.Certificate, now time.Time) error {
	if now.After(leaf.NotAfter) {
		return fmt.Errorf("the certificate expired on %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if now.Before(leaf.NotBefore) {
		return fmt.Errorf("the certificate is not valid before %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	switch leaf.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		return fmt.Errorf("the certificate is signed with %s, which is broken", leaf.SignatureAlgorithm)
	}
	switch k := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 {
			return fmt.Errorf("an RSA key of %d bits is too weak; it takes 2048", n)
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P224() {
			return errors.New("the curve P-224 is too weak; use P-256")
		}
	case ed25519.PublicKey:
	default:
		return fmt.Errorf("keys of type %s are not supported; use ECDSA, RSA or Ed25519", leaf.PublicKeyAlgorithm)
	}
	return nil
}

// A chooser finds the certificate for a client's hello. Several certificates
// may carry one name, such as an ECDSA and an RSA one; the first that the
// client can use is taken.
type chooser struct {
	exact, wildcard map[string][]*tls.Certificate // by lower-case name; wildcards without "*."
	all             []*tls.Certificate
}

func newChooser(pairs []*tls.Certificate) *chooser {
	c := &chooser{map[string][]*tls.Certificate{}, map[string][]*tls.Certificate{}, pairs}
	for _, p := range pairs {
		for _, name := range p.Leaf.DNSNames {
			name = strings.ToLower(name)
			if parent, ok := strings.CutPrefix(name, "*."); ok {
				c.wildcard[parent] = append(c.wildcard[parent], p)
			} else {
				c.exact[name] = append(c.exact[name], p)
			}
		}
	}
	return c
}

// choose is a [tls.Config.GetCertificate]. An exact name goes before a
// wildcard, which stands for one label (RFC 9525, section 6.3). A hello without
// a server name gets the first certificate that its client can use; one with a
// name that nothing matches gets the first.
func (c *chooser) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if name == "" {
		return usable(c.all, hello), nil
	}
	if some := c.exact[name]; some != nil {
		return usable(some, hello), nil
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		if some := c.wildcard[parent]; some != nil {
			return usable(some, hello), nil
		}
	}
	return c.all[0], nil
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
