package certs

import (
	"crypto/tls"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
)

// Each key exchange of the list is spoken with a client that knows no other,
// the first of them is taken where a client knows all, and others are refused.
func TestKeyExchanges(t *testing.T) {
	dir, roots, _ := dev(t)
	s := server(t, &config.TLS{Certificates: []config.KeyPair{pairIn(dir)}})
	all := []tls.CurveID{
		tls.CurveP521, tls.CurveP384, tls.CurveP256, tls.X25519,
		tls.SecP384r1MLKEM1024, tls.SecP256r1MLKEM768, tls.X25519MLKEM768,
	}
	for _, tt := range []struct {
		offered []tls.CurveID
		version uint16
		want    tls.CurveID // 0: refused
	}{
		{all, tls.VersionTLS13, tls.X25519MLKEM768},
		{all[:4], tls.VersionTLS13, tls.X25519},
		{all[:4], tls.VersionTLS12, tls.X25519},
		{all[:3], tls.VersionTLS13, tls.CurveP256},
		{all[:2], tls.VersionTLS13, tls.CurveP384},
		{all[:2], tls.VersionTLS12, tls.CurveP384},
		{all[:1], tls.VersionTLS13, 0},
		{all[:1], tls.VersionTLS12, 0},
		{all[4:6], tls.VersionTLS13, 0},
		{all[6:], tls.VersionTLS13, tls.X25519MLKEM768},
	} {
		c := &tls.Config{RootCAs: roots, ServerName: "localhost", CurvePreferences: tt.offered, MinVersion: tt.version, MaxVersion: tt.version}
		state, err := shake(t, s, c)
		if (err == nil) != (tt.want != 0) || state.CurveID != tt.want {
			t.Errorf("%v over %s: %v, %v; want %v", tt.offered, tls.VersionName(tt.version), state.CurveID, err, tt.want)
		}
	}
}

// No ticket promises that early data would be read.
func TestTicketsPromiseNoEarlyData(t *testing.T) {
	dir, roots, _ := dev(t)
	s := server(t, &config.TLS{Certificates: []config.KeyPair{pairIn(dir)}})
	cache := tls.NewLRUClientSessionCache(1)
	if _, err := shake(t, s, &tls.Config{RootCAs: roots, ServerName: "localhost", ClientSessionCache: cache}); err != nil {
		t.Fatal(err)
	}
	session, ok := cache.Get("localhost")
	if !ok {
		t.Fatal("there is no ticket")
	}
	_, state, err := session.ResumptionState()
	if err != nil || state.EarlyData {
		t.Errorf("early data %v, error %v", state.EarlyData, err)
	}
}
