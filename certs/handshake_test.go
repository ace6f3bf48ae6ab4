package certs

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// shake connects a client to a server over TCP, exchanges a byte each way and
// returns what the client saw.
func shake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := ln.Accept()
		if err != nil {
			return
		}
		c := tls.Server(raw, server)
		defer c.Close()
		b := make([]byte, 1)
		if _, err := io.ReadFull(c, b); err == nil {
			_, _ = c.Write(b)
		}
	}()
	defer func() { _ = ln.Close(); <-done }()

	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(raw, client)
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		return tls.ConnectionState{}, err
	}
	// With TLS 1.3 a server's objection to the client arrives here.
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return tls.ConnectionState{}, err
	}
	return c.ConnectionState(), nil
}

// dev makes a development set-up with a client named alice.
func dev(t *testing.T, hosts ...string) (dir string, roots *x509.CertPool, alice tls.Certificate) {
	t.Helper()
	dir = t.TempDir()
	if err := Dev(dir, hosts, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := DevClient(dir, "alice", time.Now()); err != nil {
		t.Fatal(err)
	}
	roots, err := Pool(filepath.Join(dir, DevCA))
	if err != nil {
		t.Fatal(err)
	}
	alice, err = tls.LoadX509KeyPair(filepath.Join(dir, "alice.pem"), filepath.Join(dir, "alice-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, roots, alice
}

func server(t *testing.T, c *config.TLS) *tls.Config {
	t.Helper()
	return opened(t, c).Config()
}

func opened(t *testing.T, c *config.TLS, issued ...Issued) *Server {
	t.Helper()
	s, err := Open(c, issued...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pairIn(dir string) config.KeyPair {
	return config.KeyPair{Cert: filepath.Join(dir, DevServer), Key: filepath.Join(dir, DevServerKey)}
}

func TestHandshakes(t *testing.T) {
	dir, roots, alice := dev(t)
	_, _, stranger := dev(t)
	plain := server(t, &config.TLS{Certificates: []config.KeyPair{pairIn(dir)}})
	strict := server(t, &config.TLS{MinVersion: "1.3", Certificates: []config.KeyPair{pairIn(dir)}})
	mutual := server(t, &config.TLS{Certificates: []config.KeyPair{pairIn(dir)}, ClientCA: filepath.Join(dir, DevCA)})

	for name, tt := range map[string]struct {
		server  *tls.Config
		client  *tls.Config
		ok      bool
		version uint16
		proto   string
	}{
		"1.3 with h2": {plain, &tls.Config{NextProtos: []string{"h2", "http/1.1"}}, true, tls.VersionTLS13, "h2"},
		"1.3 with h1": {plain, &tls.Config{NextProtos: []string{"http/1.1"}}, true, tls.VersionTLS13, "http/1.1"},
		"1.2":         {plain, &tls.Config{MaxVersion: tls.VersionTLS12}, true, tls.VersionTLS12, ""},
		"1.1":         {plain, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false, 0, ""},
		"1.2 with CBC": {plain, &tls.Config{
			MaxVersion:   tls.VersionTLS12,
			CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA},
		}, false, 0, ""},
		"unknown protocol":              {plain, &tls.Config{NextProtos: []string{"spdy/3"}}, false, 0, ""},
		"1.2 where 1.3 is needed":       {strict, &tls.Config{MaxVersion: tls.VersionTLS12}, false, 0, ""},
		"1.3 where 1.3 is needed":       {strict, &tls.Config{}, true, tls.VersionTLS13, ""},
		"mutual":                        {mutual, &tls.Config{Certificates: []tls.Certificate{alice}}, true, tls.VersionTLS13, ""},
		"mutual without certificate":    {mutual, &tls.Config{}, false, 0, ""},
		"mutual, certificate of others": {mutual, &tls.Config{Certificates: []tls.Certificate{stranger}}, false, 0, ""},
		"mutual, 1.2, of others":        {mutual, &tls.Config{MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{stranger}}, false, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := tt.client.Clone()
			c.RootCAs, c.ServerName = roots, "localhost"
			state, err := shake(t, tt.server, c)
			if (err == nil) != tt.ok {
				t.Fatalf("got error %v, want success %v", err, tt.ok)
			}
			if err == nil && (state.Version != tt.version || state.NegotiatedProtocol != tt.proto) {
				t.Errorf("got %s %q", tls.VersionName(state.Version), state.NegotiatedProtocol)
			}
		})
	}
}

// A server's certificate is not good for a client: its key must not open doors.
func TestServerCertificateIsNoClientCertificate(t *testing.T) {
	dir, roots, _ := dev(t)
	mutual := server(t, &config.TLS{Certificates: []config.KeyPair{pairIn(dir)}, ClientCA: filepath.Join(dir, DevCA)})
	own, err := tls.LoadX509KeyPair(pairIn(dir).Cert, pairIn(dir).Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shake(t, mutual, &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{own}}); err == nil {
		t.Error("it was accepted")
	}
}

func TestCertificateIsChosenByName(t *testing.T) {
	key := ec(t, elliptic.P256())
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	named := func(cn string, dns ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = cn, dns }
	}
	s := server(t, &config.TLS{Certificates: []config.KeyPair{
		self(t, "first", key, named("first", "default.example")),
		self(t, "exact", key, named("exact", "API.example.com", "b.example.com")),
		self(t, "wild", key, named("wild", "*.example.com")),
		self(t, "rsa", rsaKey, named("rsa", "b.example.com")),
	}})
	onlyRSA := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	for _, tt := range []struct {
		name   string
		suites []uint16
		want   string
	}{
		{"default.example", nil, "first"},
		{"api.example.com", nil, "exact"},
		{"API.EXAMPLE.COM", nil, "exact"},
		{"api.example.com.", nil, "exact"},
		{"other.example.com", nil, "wild"},
		{"a.other.example.com", nil, "first"}, // a wildcard is one label
		{"example.com", nil, "first"},
		{"unknown.test", nil, "first"},
		{"b.example.com", nil, "exact"},
		{"b.example.com", onlyRSA, "rsa"},
		{"", nil, "first"},
		{"", onlyRSA, "rsa"},
	} {
		c := &tls.Config{InsecureSkipVerify: true, ServerName: tt.name, CipherSuites: tt.suites}
		if tt.suites != nil {
			c.MaxVersion = tls.VersionTLS12
		}
		state, err := shake(t, s, c)
		if err != nil {
			t.Errorf("%q: %v", tt.name, err)
			continue
		}
		if got := state.PeerCertificates[0].Subject.CommonName; got != tt.want {
			t.Errorf("%q: got the certificate %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A session that was begun with a certificate of an authority that has been
// taken out since must not be resumed, and one whose authority stayed may be.
func TestResumptionMindsTheClientAuthorities(t *testing.T) {
	dir, roots, alice := dev(t)
	other, _, _ := dev(t)
	old := opened(t, &config.TLS{Certificates: []config.KeyPair{pairIn(dir)}, ClientCA: filepath.Join(dir, DevCA)})
	renewed := opened(t, &config.TLS{Certificates: []config.KeyPair{pairIn(dir)}, ClientCA: filepath.Join(dir, DevCA)})
	changed := opened(t, &config.TLS{Certificates: []config.KeyPair{pairIn(dir)}, ClientCA: filepath.Join(other, DevCA)})

	var current atomic.Pointer[Server]
	current.Store(old)
	listener := Listener(current.Load)
	client := &tls.Config{
		RootCAs: roots, ServerName: "localhost", Certificates: []tls.Certificate{alice},
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
	if _, err := shake(t, listener, client); err != nil {
		t.Fatal(err)
	}
	state, err := shake(t, listener, client)
	if err != nil || !state.DidResume {
		t.Fatalf("resumed %v, error %v; want a resumed session", state.DidResume, err)
	}
	current.Store(renewed)
	if state, err = shake(t, listener, client); err != nil || !state.DidResume {
		t.Fatalf("after a reload that changes nothing: resumed %v, error %v; want a resumed session", state.DidResume, err)
	}
	current.Store(changed)
	if _, err := shake(t, listener, client); err == nil {
		t.Error("a client of an authority that was taken out got in")
	}
}
