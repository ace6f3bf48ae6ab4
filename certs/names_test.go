package certs

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

const unrecognizedName = tls.AlertError(112) // RFC 6066, section 9

// alertOf gives the alert that the other side has sent, 0 where it has not.
func alertOf(err error) tls.AlertError {
	var op *net.OpError
	var a tls.AlertError
	if errors.As(err, &op) && op.Op == "remote error" {
		// crypto/tls keeps its own type of alert to itself; the text is the same.
		for a = 255; a > 0 && a.Error() != op.Err.Error(); a-- {
		}
	}
	return a
}

// house is a listener with options by name: partners need a certificate, the
// vault needs one and TLS 1.3, and everything under strict needs 1.3.
func house(t *testing.T) (s *Server, client *tls.Config, alice tls.Certificate) {
	t.Helper()
	dir, roots, alice := dev(t, "api.example.com", "partners.example.com", "same.example.com", "vault.example.com", "*.strict.example.com", "open.strict.example.com")
	ca := filepath.Join(dir, DevCA)
	s = opened(t, &config.TLS{
		Certificates: []config.KeyPair{pairIn(dir)},
		Names: map[string]*config.TLSOptions{
			"partners.example.com":    {ClientCA: ca},
			"same.example.com":        {ClientCA: ca},
			"vault.example.com":       {ClientCA: ca, MinVersion: "1.3"},
			"*.strict.example.com":    {MinVersion: "1.3"},
			"open.strict.example.com": {},
		},
	})
	return s, &tls.Config{RootCAs: roots}, alice
}

func TestOptionsAreChosenByName(t *testing.T) {
	s, base, alice := house(t)
	for _, tt := range []struct {
		name  string
		max   uint16
		alice bool
		ok    bool
		alert tls.AlertError
	}{
		{"api.example.com", tls.VersionTLS12, false, true, 0},
		{"localhost", tls.VersionTLS12, false, true, 0},
		{"partners.example.com", 0, false, false, 116}, // certificate_required
		{"PARTNERS.example.com", 0, false, false, 116},
		{"partners.example.com.", 0, false, false, 116},
		{"partners.example.com", tls.VersionTLS12, true, true, 0},
		{"vault.example.com", tls.VersionTLS12, true, false, 70}, // protocol_version
		{"vault.example.com", 0, true, true, 0},
		{"vault.example.com", 0, false, false, 116},
		{"a.strict.example.com", tls.VersionTLS12, false, false, 70},
		{"a.strict.example.com", 0, false, true, 0},
		{"open.strict.example.com", tls.VersionTLS12, false, true, 0}, // exact over wildcard
		{"b.a.strict.example.com", 0, false, false, unrecognizedName}, // one label
		{"strict.example.com", 0, false, false, unrecognizedName},
		{"unknown.test", 0, false, false, unrecognizedName},
		{"unknown.test", tls.VersionTLS12, true, false, unrecognizedName},
	} {
		c := base.Clone()
		c.ServerName, c.MaxVersion = tt.name, tt.max
		if tt.alice {
			c.Certificates = []tls.Certificate{alice}
		}
		_, err := shake(t, s.Config(), c)
		if (err == nil) != tt.ok || err != nil && alertOf(err) != tt.alert {
			t.Errorf("%s, at most %#x, certificate %v: %v", tt.name, tt.max, tt.alice, err)
		}
	}
}

// A session is not a way around the options: neither of a name that is not
// known, nor of one that needs more than the one it was begun with.
func TestResumptionMindsTheName(t *testing.T) {
	s, base, alice := house(t)
	listener := s.Config()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, tt := range []struct {
			first, then string
			alice       bool
			ok          bool
		}{
			{"api.example.com", "api.example.com", false, true},
			{"api.example.com", "partners.example.com", false, false},
			{"api.example.com", "unknown.test", false, false},
			{"partners.example.com", "unknown.test", true, false},
		} {
			c := base.Clone()
			c.MaxVersion, c.ClientSessionCache = version, oneCache{tls.NewLRUClientSessionCache(1)}
			c.ServerName = tt.first
			if tt.alice {
				c.Certificates = []tls.Certificate{alice}
			}
			// The client would not offer a session for another name unless it
			// were told not to look.
			c.InsecureSkipVerify = true
			if _, err := shake(t, listener, c); err != nil {
				t.Fatal(err)
			}
			c.ServerName, c.Certificates = tt.then, nil
			state, err := shake(t, listener, c)
			if (err == nil) != tt.ok || err == nil && !state.DidResume {
				t.Errorf("%#x: %s, then %s: %v, resumed %v", version, tt.first, tt.then, err, state.DidResume)
			}
		}
	}
}

// oneCache gives the last session for whatever name.
type oneCache struct{ tls.ClientSessionCache }

func (c oneCache) Get(string) (*tls.ClientSessionState, bool) { return c.ClientSessionCache.Get("") }
func (c oneCache) Put(_ string, s *tls.ClientSessionState)    { c.ClientSessionCache.Put("", s) }

func TestOpenRefusesANameWithoutCertificate(t *testing.T) {
	dir, _, _ := dev(t, "*.example.com", "a.under.test")
	for name, want := range map[string]string{
		"api.example.com":   "",
		"*.example.com":     "",
		"*.under.test":      "",
		"b.under.test":      "names.b.under.test: no certificate of the listener is for",
		"*.example.org":     "names.*.example.org: no certificate of the listener is for",
		"a.b.example.com":   "names.a.b.example.com: no certificate of the listener is for",
		"*.api.example.com": "no certificate",
	} {
		_, err := Open(&config.TLS{Certificates: []config.KeyPair{pairIn(dir)}, Names: map[string]*config.TLSOptions{name: {}}})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := Open(&config.TLS{Certificates: []config.KeyPair{pairIn(dir)}, Names: map[string]*config.TLSOptions{"api.example.com": {MinVersion: "1.1", ClientCA: "/nowhere.pem"}}})
	var all FileErrors
	if !errors.As(err, &all) || len(all) != 2 || all[0].Field != "names.api.example.com.min_version" || all[1].Field != "names.api.example.com.client_ca" {
		t.Errorf("got %v", err)
	}
}

// TestAdmit: who may ask for which host over which connection.
func TestAdmit(t *testing.T) {
	s, base, alice := house(t)
	dir, _, _ := dev(t, "api.example.com", "partners.example.com")
	changed := opened(t, &config.TLS{
		MinVersion: "1.3", Certificates: []config.KeyPair{pairIn(dir)},
		Names: map[string]*config.TLSOptions{"partners.example.com": {MinVersion: "1.2", ClientCA: filepath.Join(dir, DevCA)}},
	})
	for _, tt := range []struct {
		sni, host string
		version   uint16
		now       *Server
		client    bool // the client's certificate is believed
		ok, stale bool
	}{
		{"api.example.com", "api.example.com", 0, s, false, true, false},
		{"api.example.com", "localhost", 0, s, false, true, false}, // equal options
		{"api.example.com", "elsewhere.test", 0, s, false, true, false},
		{"", "api.example.com", 0, s, false, true, false},
		{"", "partners.example.com", 0, s, false, false, false},
		{"api.example.com", "partners.example.com", 0, s, false, false, false},
		{"partners.example.com", "partners.example.com", 0, s, true, true, false},
		{"partners.example.com", "same.example.com", 0, s, true, true, false},
		{"PARTNERS.example.com", "partners.example.com", 0, s, true, true, false},
		{"partners.example.com", "api.example.com", 0, s, false, false, false},
		{"partners.example.com", "vault.example.com", 0, s, false, false, false},
		{"partners.example.com", "elsewhere.test", 0, s, false, false, false},
		{"api.example.com", "a.strict.example.com", 0, s, false, false, false},
		{"a.strict.example.com", "b.strict.example.com", 0, s, false, true, false},
		// After a reload that takes the authority out and raises the version.
		{"partners.example.com", "partners.example.com", 0, changed, false, false, true},
		{"api.example.com", "api.example.com", 0, changed, false, true, false},
		{"api.example.com", "api.example.com", tls.VersionTLS12, changed, false, false, true},
		// A certificate that nobody vouches for any more is not believed.
		{"same.example.com", "same.example.com", 0, changed, false, true, false},
	} {
		c := base.Clone()
		c.MaxVersion, c.InsecureSkipVerify, c.ServerName, c.Certificates = tt.version, true, tt.sni, []tls.Certificate{alice}
		conn := accepted(t, s, c)
		for range 2 { // found out, and remembered
			client, err := tt.now.Admit(&conn, tt.host)
			var m *Misdirected
			if (err == nil) != tt.ok || (client != nil) != tt.client || err != nil && (!errors.As(err, &m) || m.Stale != tt.stale) {
				t.Errorf("%q for %q: %v, %v; want admitted %v, stale %v", tt.sni, tt.host, client != nil, err, tt.ok, tt.stale)
			}
		}
	}
}

// accepted gives what the server knows of a connection.
func accepted(t *testing.T, s *Server, client *tls.Config) tls.ConnectionState {
	t.Helper()
	state := make(chan tls.ConnectionState, 1)
	seen := s.Config()
	inner := seen.GetConfigForClient
	seen.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		c, err := inner(h)
		if err == nil {
			c = c.Clone()
			c.VerifyConnection = func(cs tls.ConnectionState) error { state <- cs; return nil }
		}
		return c, err
	}
	if _, err := shake(t, seen, client); err != nil {
		t.Fatalf("%q: %v", client.ServerName, err)
	}
	return <-state
}

// An authority that was renewed has another certificate and the same key: whom
// it has vouched for it vouches for still.
func TestAdmitAfterAnAuthorityIsRenewed(t *testing.T) {
	dir, roots, alice := dev(t, "api.example.com")
	c := &config.TLS{Certificates: []config.KeyPair{pairIn(dir)}, ClientCA: filepath.Join(dir, DevCA)}
	conn := accepted(t, opened(t, c), &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{alice}})
	ca, err := tls.LoadX509KeyPair(filepath.Join(dir, DevCA), filepath.Join(dir, DevCAKey))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		from, to time.Duration
		ok       bool
	}{
		"renewed":           {-time.Minute, time.Hour, true},
		"renewed, and over": {-time.Hour, -time.Minute, false},
	} {
		renewed := *ca.Leaf
		renewed.SerialNumber, renewed.NotBefore, renewed.NotAfter = big.NewInt(2), time.Now().Add(tt.from), time.Now().Add(tt.to)
		der, err := x509.CreateCertificate(rand.Reader, &renewed, &renewed, ca.Leaf.PublicKey, ca.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		c.ClientCA = file(t, t.TempDir(), "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		for range 2 {
			if client, err := opened(t, c).Admit(&conn, "localhost"); (err == nil) != tt.ok || (client != nil) != tt.ok {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
