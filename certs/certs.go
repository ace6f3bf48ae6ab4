// Package certs turns certificate files into TLS settings, and makes the
// certificates of a development set-up.
//
// What [Open] returns is finished: it watches nothing and is never changed. New
// files take effect by building a new value and handing it to new connections
// ([Listener]), so a reload either replaces everything, certificates and client
// authorities alike, or nothing.
//
// A handshake is an answer to the question that was asked then: it speaks for
// the server name the client named and for the authorities of that moment. What
// counts later is asked again with every request, by [Server.Admit]: is the
// request for a name with the same options, and do today's authorities still
// vouch for the client. A session that is resumed is asked the same by
// crypto/tls, before it is.
//
// Only TLS 1.2 and 1.3 with AEAD cipher suites and ephemeral keys can be
// spoken. There is no setting that weakens this.
package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
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

// Pool reads the certificates of a PEM file, to be used as authorities. A
// certificate that does not parse is an error rather than left out, and so is a
// file without any: an authority that is silently missing would only be noticed
// by those it locks out, or lets in. The error is a [*FileError] without a
// Field.
func Pool(file string) (*x509.CertPool, error) {
	list, err := authorities(file)
	if err != nil {
		return nil, err
	}
	return poolOf(list), nil
}

func authorities(file string) ([]*x509.Certificate, *FileError) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &FileError{"", file, reason(err)}
	}
	list, err := parse(data)
	if err != nil {
		return nil, &FileError{"", file, err}
	}
	return list, nil
}

func poolOf(list []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range list {
		pool.AddCert(c)
	}
	return pool
}

// parse reads every certificate of a PEM file. One that was cut off or is garbled
// is passed over by [pem.Decode], so those that begin are counted: a file that is
// just being written is none yet.
func parse(data []byte) ([]*x509.Certificate, error) {
	begun := bytes.Count(data, []byte("-----BEGIN CERTIFICATE-----"))
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
	switch {
	case begun == 0:
		return nil, errors.New("there is no PEM certificate in it")
	case len(out) < begun:
		return nil, fmt.Errorf("%d certificates begin in it, of which %d can be read as PEM", begun, len(out))
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
