package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The names of the files that [Dev] writes.
const (
	DevCA         = "ca.pem"
	DevCAKey      = "ca-key.pem"
	DevServer     = "gateway.pem"
	DevServerKey  = "gateway-key.pem"
	devAuthority  = 5 * 365 * 24 * time.Hour
	devLeaf       = 397 * 24 * time.Hour // the most that browsers accept
	devLeastLeft  = 30 * 24 * time.Hour
	devBackdating = time.Hour // for clocks that differ
)

// Dev writes a certificate authority for development and a server certificate
// of it for localhost, 127.0.0.1, ::1 and the hosts given (names, wildcards or
// addresses) into dir, which it makes if need be. Private keys are readable by
// their owner only. An authority that is already there and good for another
// month is kept, so that whoever trusts it need not be told again; one that has
// run out is replaced. Files there that are not an authority of this kind are
// an error, and stay.
func Dev(dir string, hosts []string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	ca, err := devAuthorityIn(dir, now)
	if err != nil {
		return err
	}
	leaf := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"Gatehouse development"}, CommonName: "localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(strings.Trim(h, "[]")); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
			continue
		}
		if !hostname(h) {
			return fmt.Errorf("%q is not a host name", h)
		}
		leaf.DNSNames = append(leaf.DNSNames, strings.ToLower(h))
	}
	return issue(ca, leaf, now, filepath.Join(dir, DevServer), filepath.Join(dir, DevServerKey))
}

// DevClient writes a client certificate, NAME.pem and NAME-key.pem, of the
// authority that [Dev] has put into dir. Its common name is name.
func DevClient(dir, name string, now time.Time) error {
	stem := filepath.Join(dir, name)
	cert, key := stem+".pem", stem+"-key.pem"
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return fmt.Errorf("%q cannot be the name of a client", name)
	}
	switch filepath.Base(cert) {
	case DevCA, DevCAKey, DevServer, DevServerKey:
		return fmt.Errorf("a client named %q would overwrite %s", name, cert)
	}
	ca, err := tls.LoadX509KeyPair(filepath.Join(dir, DevCA), filepath.Join(dir, DevCAKey))
	if err != nil {
		return err
	}
	return issue(&ca, &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"Gatehouse development"}, CommonName: name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, now, cert, key)
}

// devAuthorityIn finds or makes the authority in dir.
func devAuthorityIn(dir string, now time.Time) (*tls.Certificate, error) {
	cert, key := filepath.Join(dir, DevCA), filepath.Join(dir, DevCAKey)
	_, noCert := os.Stat(cert)
	_, noKey := os.Stat(key)
	if errors.Is(noCert, os.ErrNotExist) && errors.Is(noKey, os.ErrNotExist) {
		return newAuthority(now, cert, key)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s is not a certificate authority this can use; move it away: %w", cert, err)
	}
	if !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s is not a certificate authority; move it away", cert)
	}
	if now.Add(devLeastLeft).After(pair.Leaf.NotAfter) {
		return newAuthority(now, cert, key)
	}
	return &pair, nil
}

func newAuthority(now time.Time, cert, key string) (*tls.Certificate, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"Gatehouse development"}, CommonName: "Gatehouse development CA"},
		NotAfter:              now.Add(devAuthority),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	if err := issue(nil, template, now, cert, key); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	return &pair, err
}

// issue completes the template, signs it (by itself where ca is nil) and
// writes it with a new key.
func issue(ca *tls.Certificate, template *x509.Certificate, now time.Time, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template.NotBefore = now.Add(-devBackdating)
	parent, signer := template, any(key)
	if ca != nil {
		parent, signer = ca.Leaf, ca.PrivateKey
		template.KeyUsage = x509.KeyUsageDigitalSignature
		template.NotAfter = now.Add(devLeaf)
		if template.NotAfter.After(parent.NotAfter) {
			template.NotAfter = parent.NotAfter
		}
	}
	// The serial number is left to CreateCertificate: 20 random octets.
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := write(keyFile, "PRIVATE KEY", private, 0o600); err != nil {
		return err
	}
	return write(certFile, "CERTIFICATE", der, 0o644)
}

// write replaces a file as a whole, with its final permissions from the start.
func write(file, kind string, der []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // 0600
	if err != nil {
		return err
	}
	err = errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// hostname reports whether s is a DNS name, possibly a wildcard, in the
// letters of RFC 952.
func hostname(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.ToLower(s), ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
			label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}
