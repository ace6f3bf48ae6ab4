// Package certs turns certificate files into TLS settings, and makes the
// certificates of a development set-up.
//
// What [TLS] returns is finished: it holds no file names, watches nothing and
// is never changed. New files take effect by building a new value and handing
// it to new connections, so a reload either replaces everything, certificates
// and client authorities alike, or nothing. A server that serves several
// generations does so with a GetConfigForClient that returns the current one; a
// session that began under client authorities which have since been taken out
// is not resumed (crypto/tls looks for the root again, and a test here too).
//
// Only TLS 1.2 and 1.3 with AEAD cipher suites and ephemeral keys can be
// spoken. There is no setting that weakens this.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// FileError is one thing that is wrong with TLS settings.
type FileError struct {
	Field string // where the file is configured, under the settings given: certificates[0].cert
	File  string // the file; empty where the setting itself is wrong
	Err   error  // what is wrong with it
}

func (e *FileError) Error() string {
	switch {
	case e.File == "":
		return e.Field + ": " + e.Err.Error()
	case e.Field == "":
		return e.File + ": " + e.Err.Error()
	}
	return e.Field + ": " + e.File + ": " + e.Err.Error()
}

func (e *FileError) Unwrap() error { return e.Err }

// FileErrors are all things that are wrong with TLS settings, never none.
type FileErrors []*FileError

func (e FileErrors) Error() string {
	lines := make([]string, len(e))
	for i, x := range e {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As look at each.
func (e FileErrors) Unwrap() []error {
	out := make([]error, len(e))
	for i, x := range e {
		out[i] = x
	}
	return out
}

// TLS builds the settings of a server: the certificate is chosen by the name
// that the client asks for ([config.TLS].Certificates; the first where no other
// matches), HTTP/2 and HTTP/1.1 are offered, and with client_ca a certificate
// of the client is required and verified. A certificate that has expired or is
// not valid yet is an error, and so is a key that is too weak to be accepted by
// clients. The error is [FileErrors].
func TLS(c *config.TLS) (*tls.Config, error) {
	var errs FileErrors
	t := &tls.Config{
		CipherSuites: suites(),
		NextProtos:   []string{"h2", "http/1.1"},
	}
	switch c.MinVersion {
	case "", "1.2":
		t.MinVersion = tls.VersionTLS12
	case "1.3":
		t.MinVersion = tls.VersionTLS13
	default:
		errs = append(errs, &FileError{"min_version", "", fmt.Errorf("%q is neither 1.2 nor 1.3", c.MinVersion)})
	}
	if len(c.Certificates) == 0 {
		errs = append(errs, &FileError{"certificates", "", errors.New("at least one is needed")})
	}
	var pairs []*tls.Certificate
	for i, p := range c.Certificates {
		pair, err := load(p, time.Now())
		if err != nil {
			err.Field = fmt.Sprintf("certificates[%d].%s", i, err.Field)
			errs = append(errs, err)
			continue
		}
		pairs = append(pairs, pair)
	}
	if c.ClientCA != "" {
		pool, err := Pool(c.ClientCA)
		if err != nil {
			errs = append(errs, inField("client_ca", c.ClientCA, err))
		}
		t.ClientCAs, t.ClientAuth = pool, tls.RequireAndVerifyClientCert
	}
	if errs != nil {
		return nil, errs
	}
	t.GetCertificate = newChooser(pairs).choose
	return t, nil
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

// Pool reads the certificates of a PEM file, to be used as authorities. A
// certificate that does not parse is an error rather than left out, and so is a
// file without any: an authority that is silently missing would only be noticed
// by those it locks out, or lets in. The error is a [*FileError] without a
// Field.
func Pool(file string) (*x509.CertPool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &FileError{"", file, reason(err)}
	}
	certs, err := parse(data)
	if err != nil {
		return nil, &FileError{"", file, err}
	}
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool, nil
}

// parse reads every certificate of a PEM file.
func parse(data []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for len(data) > 0 {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d does not parse: %w", len(out)+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("there is no PEM certificate in it")
	}
	return out, nil
}

// reason takes the file name out of an error of package os, which the
// FileError already names.
func reason(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func inField(field, file string, err error) *FileError {
	var f *FileError
	if errors.As(err, &f) {
		return &FileError{field, f.File, f.Err}
	}
	return &FileError{field, file, err}
}
