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
