package certs

import (
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
)

// pending is a certificate of a name that is issued when a test says so.
type pending struct {
	name string
	cert *tls.Certificate
}

func (p *pending) Name() string          { return p.name }
func (p *pending) TLS() *tls.Certificate { return p.cert }

func pairOf(t *testing.T, names ...string) (config.KeyPair, *tls.Certificate) {
	t.Helper()
	p := self(t, names[0], ec(t, elliptic.P256()), func(c *x509.Certificate) { c.DNSNames = names })
	c, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return p, &c
}

// TestIssuedCertificates serves a name by its file, else by what is issued for
// it, else by a wildcard, and never by another name's.
func TestIssuedCertificates(t *testing.T) {
	file, _ := pairOf(t, "file.example.com", "*.wild.example.com")
	_, late := pairOf(t, "late.example.com")
	_, under := pairOf(t, "a.wild.example.com")
	_, shadowed := pairOf(t, "file.example.com")
	l, u := &pending{name: "late.example.com"}, &pending{name: "a.wild.example.com"}
	issued := []Issued{l, u, &pending{"file.example.com", shadowed}}
	withFile := opened(t, &config.TLS{Certificates: []config.KeyPair{file}}, issued...)
	alone := opened(t, &config.TLS{}, issued[:2]...)
	strict := opened(t, &config.TLS{Names: map[string]*config.TLSOptions{"late.example.com": {MinVersion: "1.3"}}}, issued[:2]...)
	ask := func(s *Server, name string) string {
		t.Helper()
		c, err := s.certificates.choose(&tls.ClientHelloInfo{ServerName: name})
		switch {
		case err != nil:
			t.Fatal(err)
		case c == nil:
			return "nothing"
		case c == l.cert || c == u.cert || c == shadowed:
			return "issued"
		}
		return "file"
	}
	for _, tt := range []struct {
		s            *Server
		name         string
		before, then string
	}{
		{withFile, "file.example.com", "file", "file"},
		{withFile, "late.example.com", "nothing", "issued"},
		{withFile, "LATE.example.com.", "nothing", "issued"},
		{withFile, "a.wild.example.com", "file", "issued"},
		{withFile, "b.wild.example.com", "file", "file"},
		{withFile, "unknown.example.com", "file", "file"},
		{withFile, "", "file", "file"},
		{alone, "late.example.com", "nothing", "issued"},
		{alone, "unknown.example.com", "nothing", "issued"},
		{alone, "", "nothing", "issued"},
		{strict, "late.example.com", "nothing", "issued"},
		{strict, "unknown.example.com", "nothing", "nothing"},
	} {
		l.cert, u.cert = nil, nil
		if got := ask(tt.s, tt.name); got != tt.before {
			t.Errorf("%q before it is issued: %s, want %s", tt.name, got, tt.before)
		}
		l.cert, u.cert = late, under
		if got := ask(tt.s, tt.name); got != tt.then {
			t.Errorf("%q: %s, want %s", tt.name, got, tt.then)
		}
	}
	var names []string
	for _, c := range withFile.Certificates() {
		names = append(names, c.Name)
		if c.Issued != (c.Name != "file.example.com") {
			t.Errorf("%s is issued: %v", c.Name, c.Issued)
		}
	}
	if len(names) != 3 {
		t.Errorf("shown: %q", names)
	}
}
