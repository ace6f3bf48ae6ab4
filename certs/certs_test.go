package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
)

// self writes a self-signed certificate and its key, and gives their files.
func self(t *testing.T, name string, key crypto.Signer, change func(*x509.Certificate)) config.KeyPair {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return config.KeyPair{
		Cert: file(t, dir, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key:  file(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}
}

func file(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.WriteFile(p, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func ec(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// weakRSA makes a key of 1024 bits, which crypto/rsa does only when urged.
func weakRSA(t *testing.T) crypto.Signer {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	k, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	good := self(t, "localhost", ec(t, elliptic.P256()), nil)
	other := self(t, "localhost", ec(t, elliptic.P256()), nil)
	empty := file(t, t.TempDir(), "empty.pem", []byte("# nothing\n"))
	garbled := file(t, t.TempDir(), "garbled.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
	expired := self(t, "localhost", ec(t, elliptic.P256()), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	early := self(t, "localhost", ec(t, elliptic.P256()), func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })

	for name, tt := range map[string]struct {
		c     config.TLS
		field string
		file  string
		want  string
	}{
		"no certificate":      {config.TLS{}, "certificates", "", "at least one"},
		"unknown version":     {config.TLS{MinVersion: "1.1", Certificates: []config.KeyPair{good}}, "min_version", "", `"1.1"`},
		"missing certificate": {of("/nowhere.pem", good.Key), "certificates[0].cert", "/nowhere.pem", "no such file"},
		"missing key":         {of(good.Cert, "/nowhere.pem"), "certificates[0].key", "/nowhere.pem", "no such file"},
		"empty certificate":   {of(empty, good.Key), "certificates[0].cert", empty, "no PEM certificate"},
		"garbled certificate": {of(garbled, good.Key), "certificates[0].cert", garbled, "certificate 1 does not parse"},
		"empty key":           {of(good.Cert, empty), "certificates[0].key", empty, "find any PEM data"},
		"key of another":      {of(good.Cert, other.Key), "certificates[0].key", other.Key, "does not match"},
		"expired":             {of(expired.Cert, expired.Key), "certificates[0].cert", expired.Cert, "expired on"},
		"not valid yet":       {of(early.Cert, early.Key), "certificates[0].cert", early.Cert, "not valid before"},
		"P-224": func() (x struct {
			c                 config.TLS
			field, file, want string
		},
		) {
			p := self(t, "localhost", ec(t, elliptic.P224()), nil)
			x.c, x.field, x.file, x.want = of(p.Cert, p.Key), "certificates[0].cert", p.Cert, "P-224"
			return x
		}(),
		"second of two": {
			config.TLS{Certificates: []config.KeyPair{good, {Cert: good.Cert, Key: other.Key}}},
			"certificates[1].key", other.Key, "does not match",
		},
		"missing client CA": {config.TLS{Certificates: []config.KeyPair{good}, ClientCA: "/nowhere.pem"}, "client_ca", "/nowhere.pem", "no such file"},
		"empty client CA":   {config.TLS{Certificates: []config.KeyPair{good}, ClientCA: empty}, "client_ca", empty, "no PEM certificate"},
		"key as client CA":  {config.TLS{Certificates: []config.KeyPair{good}, ClientCA: good.Key}, "client_ca", good.Key, "no PEM certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(&tt.c)
			var all FileErrors
			if !errors.As(err, &all) || len(all) != 1 {
				t.Fatalf("got %v, want one FileError", err)
			}
			e := all[0]
			if e.Field != tt.field || e.File != tt.file || !strings.Contains(e.Err.Error(), tt.want) {
				t.Errorf("got  %q %q %q\nwant %q %q …%q…", e.Field, e.File, e.Err, tt.field, tt.file, tt.want)
			}
		})
	}
}

func of(cert, key string) config.TLS {
	return config.TLS{Certificates: []config.KeyPair{{Cert: cert, Key: key}}}
}

func TestOpenRefusesAWeakRSAKey(t *testing.T) {
	p := self(t, "localhost", weakRSA(t), nil)
	c := of(p.Cert, p.Key)
	_, err := Open(&c)
	if err == nil || !strings.Contains(err.Error(), "1024 bits is too weak") {
		t.Errorf("got %v", err)
	}
}

func TestOpenReportsAllMistakesAtOnce(t *testing.T) {
	_, err := Open(&config.TLS{
		MinVersion: "1.0", ClientCA: "/ca.pem",
		Certificates: []config.KeyPair{{Cert: "/a.pem", Key: "/b.pem"}, {Cert: "/c.pem", Key: "/d.pem"}},
	})
	var all FileErrors
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	var fields []string
	for _, e := range all {
		fields = append(fields, e.Field)
	}
	want := []string{"min_version", "client_ca", "certificates[0].cert", "certificates[1].cert"}
	if d := cmp.Diff(want, fields); d != "" {
		t.Error(d)
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Error("the cause is not to be found with errors.Is")
	}
}

func TestCipherSuitesAreAEADWithEphemeralKeys(t *testing.T) {
	insecure := map[uint16]string{}
	for _, s := range tls.InsecureCipherSuites() {
		insecure[s.ID] = s.Name
	}
	for _, id := range suites() {
		name := tls.CipherSuiteName(id)
		if insecure[id] != "" || !strings.HasPrefix(name, "TLS_ECDHE_") ||
			!strings.Contains(name, "_GCM_") && !strings.Contains(name, "CHACHA20_POLY1305") {
			t.Errorf("%s must not be offered", name)
		}
	}
}

func TestPoolReadsEveryCertificate(t *testing.T) {
	a := self(t, "a", ec(t, elliptic.P256()), nil)
	b := self(t, "b", ec(t, elliptic.P256()), nil)
	pa, _ := os.ReadFile(a.Cert)
	pb, _ := os.ReadFile(b.Cert)
	pool, err := Pool(file(t, t.TempDir(), "ca.pem", append(pa, pb...)))
	if err != nil {
		t.Fatal(err)
	}
	want := x509.NewCertPool()
	want.AppendCertsFromPEM(pa)
	want.AppendCertsFromPEM(pb)
	if !pool.Equal(want) {
		t.Error("the pool does not hold both")
	}

	broken := append(pa, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})...)
	if _, err := Pool(file(t, t.TempDir(), "ca.pem", broken)); err == nil || !strings.Contains(err.Error(), "certificate 2 does not parse") {
		t.Errorf("a broken second certificate was passed over: %v", err)
	}
	// What package pem passes over.
	for name, second := range map[string]string{
		"cut off":        string(pb[:len(pb)/2]),
		"without end":    strings.ReplaceAll(string(pb), "-----END CERTIFICATE-----", ""),
		"garbled":        strings.Replace(string(pb), "\nMI", "\n!!", 1),
		"indented":       "  " + string(pb),
		"behind a mark":  "\ufeff" + string(pb),
		"behind a comma": "," + string(pb),
	} {
		if _, err := Pool(file(t, t.TempDir(), "ca.pem", []byte(string(pa)+second))); err == nil || !strings.Contains(err.Error(), "2 certificates begin") {
			t.Errorf("a second certificate that is %s was passed over: %v", name, err)
		}
	}
	if _, err := Pool(file(t, t.TempDir(), "ca.pem", pa[:len(pa)/2])); err == nil || !strings.Contains(err.Error(), "1 certificates begin in it, of which 0") {
		t.Errorf("half a certificate: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"))
	f.Add([]byte(""))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, err := parse(data)
		if (err == nil) != (len(certs) > 0) {
			t.Errorf("%d certificates and error %v", len(certs), err)
		}
	})
}
