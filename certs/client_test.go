package certs

import (
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
)

func TestClientVerifiesWhomItCalls(t *testing.T) {
	key := ec(t, elliptic.P256())
	spiffe, _ := url.Parse("spiffe://example.org/hr")
	named := func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses, c.URIs = []string{"localhost", "HR.internal"}, []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP("2001:db8::1")}, []*url.URL{spiffe}
	}
	good := self(t, "localhost", key, named)
	other := self(t, "localhost", key, named)
	backend := server(t, &config.TLS{Certificates: []config.KeyPair{good}})
	stale := self(t, "localhost", key, named)
	pair, err := tls.LoadX509KeyPair(stale.Cert, stale.Key)
	if err != nil {
		t.Fatal(err)
	}

	for name, tt := range map[string]struct {
		c  config.Upstream
		ok bool
	}{
		"its own authority":            {config.Upstream{CA: good.Cert}, true},
		"the system's authorities":     {config.Upstream{}, false},
		"another authority":            {config.Upstream{CA: other.Cert}, false},
		"server_name":                  {config.Upstream{CA: good.Cert, ServerName: "hr.internal"}, true},
		"server_name of another":       {config.Upstream{CA: good.Cert, ServerName: "pay.internal"}, false},
		"a DNS name":                   {config.Upstream{CA: good.Cert, SAN: []string{"hr.internal"}}, true},
		"an address":                   {config.Upstream{CA: good.Cert, SAN: []string{"127.0.0.1"}}, true},
		"an address in another form":   {config.Upstream{CA: good.Cert, SAN: []string{"2001:0db8::0:1"}}, true},
		"a URI":                        {config.Upstream{CA: good.Cert, SAN: []string{"spiffe://example.org/hr"}}, true},
		"one of two":                   {config.Upstream{CA: good.Cert, SAN: []string{"pay.internal", "hr.internal"}}, true},
		"another DNS name":             {config.Upstream{CA: good.Cert, SAN: []string{"pay.internal"}}, false},
		"a part of a name":             {config.Upstream{CA: good.Cert, SAN: []string{"internal"}}, false},
		"another address":              {config.Upstream{CA: good.Cert, SAN: []string{"127.0.0.2"}}, false},
		"another URI":                  {config.Upstream{CA: good.Cert, SAN: []string{"spiffe://example.org/hr2"}}, false},
		"a URI in another case":        {config.Upstream{CA: good.Cert, SAN: []string{"spiffe://example.org/HR"}}, false},
		"a san, but another authority": {config.Upstream{CA: other.Cert, SAN: []string{"hr.internal"}}, false},
		"a san, but another name":      {config.Upstream{CA: good.Cert, ServerName: "pay.internal", SAN: []string{"hr.internal"}}, false},
	} {
		c, err := Client(&tt.c)
		if err != nil {
			t.Fatal(err)
		}
		if c.ServerName == "" {
			c.ServerName = "localhost" // as net/http does
		}
		if _, err := shake(t, backend, c); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	old := &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10, Certificates: []tls.Certificate{pair}}
	c, err := Client(&config.Upstream{CA: stale.Cert, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shake(t, old, c); err == nil {
		t.Error("a server of TLS 1.1 was spoken to")
	}
}

// What must be in the certificate must be in it on a resumed session too.
func TestClientVerifiesNamesOfResumedSessions(t *testing.T) {
	p := self(t, "localhost", ec(t, elliptic.P256()), nil)
	backend := server(t, &config.TLS{Certificates: []config.KeyPair{p}})
	cache := tls.NewLRUClientSessionCache(1)
	for _, tt := range []struct {
		san string
		ok  bool
	}{{"localhost", true}, {"localhost", true}, {"hr.internal", false}} {
		c, err := Client(&config.Upstream{CA: p.Cert, ServerName: "localhost", SAN: []string{tt.san}})
		if err != nil {
			t.Fatal(err)
		}
		c.ClientSessionCache = cache
		_, err = shake(t, backend, c)
		var names *NameError
		if (err == nil) != tt.ok || err != nil && !errors.As(err, &names) {
			t.Errorf("%s: %v", tt.san, err)
		}
		if names != nil {
			if d := cmp.Diff("the certificate is for DNS:localhost, and for none of san: DNS:hr.internal", names.Error()); d != "" {
				t.Error(d)
			}
		}
	}
}

func TestClientShowsItsCertificate(t *testing.T) {
	dir, _, _ := dev(t)
	mutual := server(t, &config.TLS{Certificates: []config.KeyPair{pairIn(dir)}, ClientCA: filepath.Join(dir, DevCA)})
	alice := &config.KeyPair{Cert: filepath.Join(dir, "alice.pem"), Key: filepath.Join(dir, "alice-key.pem")}
	ca := filepath.Join(dir, DevCA)
	for _, tt := range []struct {
		pair *config.KeyPair
		ok   bool
	}{{nil, false}, {alice, true}} {
		c, err := Client(&config.Upstream{CA: ca, ServerName: "localhost", ClientCertificate: tt.pair})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := shake(t, mutual, c); (err == nil) != tt.ok {
			t.Errorf("with %v: %v", tt.pair, err)
		}
		if shown, ok := Shown(c); ok != tt.ok || ok && (shown.Name != "alice" || time.Until(shown.NotAfter) <= 0) {
			t.Errorf("it says it shows %v", shown)
		}
	}
	for field, c := range map[string]config.Upstream{
		"ca":                      {CA: "/nowhere.pem"},
		"client_certificate.cert": {ClientCertificate: &config.KeyPair{Cert: "/nowhere.pem", Key: alice.Key}},
		"client_certificate.key":  {ClientCertificate: &config.KeyPair{Cert: alice.Cert, Key: filepath.Join(dir, DevServerKey)}},
	} {
		_, err := Client(&c)
		var f *FileError
		if !errors.As(err, &f) || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
