package certs

import (
	"bytes"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func read(t *testing.T, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDevCertificateIsGoodForItsHosts(t *testing.T) {
	dir, roots, _ := dev(t, "api.test", "*.wild.test", "192.0.2.7", "::2")
	pair, err := tls.LoadX509KeyPair(pairIn(dir).Cert, pairIn(dir).Key)
	if err != nil {
		t.Fatal(err)
	}
	for host, ok := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "::1": true, "api.test": true, "a.wild.test": true,
		"192.0.2.7": true, "::2": true, "other.test": false, "192.0.2.8": false,
	} {
		_, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
		if (err == nil) != ok {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestDevKeepsItsAuthority(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	if err := Dev(dir, nil, now); err != nil {
		t.Fatal(err)
	}
	ca, leaf := read(t, dir, DevCA), read(t, dir, DevServer)

	if err := Dev(dir, []string{"api.test"}, now.Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ca, read(t, dir, DevCA)) {
		t.Error("the authority was replaced")
	}
	if bytes.Equal(leaf, read(t, dir, DevServer)) {
		t.Error("the server certificate was not replaced")
	}

	if err := Dev(dir, nil, now.Add(devAuthority-devLeastLeft+time.Hour)); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(ca, read(t, dir, DevCA)) {
		t.Error("an authority that is about to run out was kept")
	}
}

func TestDevLeafDoesNotOutliveItsAuthority(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	if err := Dev(dir, nil, now); err != nil {
		t.Fatal(err)
	}
	if err := Dev(dir, nil, now.Add(devAuthority-2*devLeastLeft)); err != nil {
		t.Fatal(err)
	}
	ca, err := parse(read(t, dir, DevCA))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := parse(read(t, dir, DevServer))
	if err != nil {
		t.Fatal(err)
	}
	if leaf[0].NotAfter.After(ca[0].NotAfter) {
		t.Errorf("the certificate ends %s, its authority %s", leaf[0].NotAfter, ca[0].NotAfter)
	}
}

func TestDevLeavesForeignFilesAlone(t *testing.T) {
	mine := self(t, "mine", ec(t, elliptic.P256()), nil) // a certificate that is no authority
	for name, put := range map[string]func(dir string){
		"garbage":      func(dir string) { file(t, dir, DevCA, []byte("mine")) },
		"a lone key":   func(dir string) { file(t, dir, DevCAKey, read(t, mine.Key)) },
		"no authority": func(dir string) { file(t, dir, DevCA, read(t, mine.Cert)); file(t, dir, DevCAKey, read(t, mine.Key)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(dir)
			before, _ := os.ReadDir(dir)
			if err := Dev(dir, nil, time.Now()); err == nil {
				t.Fatal("it was overwritten")
			}
			if after, _ := os.ReadDir(dir); len(after) != len(before) {
				t.Errorf("files were added: %v", after)
			}
		})
	}
}

func TestDevKeysAreTheOwnersOnly(t *testing.T) {
	dir, _, _ := dev(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]os.FileMode{
		DevCA: 0o644, DevCAKey: 0o600, DevServer: 0o644, DevServerKey: 0o600, "alice.pem": 0o644, "alice-key.pem": 0o600,
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if mode, ok := want[e.Name()]; !ok || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
		delete(want, e.Name())
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestDevRefusesBadNames(t *testing.T) {
	for _, host := range []string{"", "a b", "a..b", "-a", "a/b", "*", "*.*.a", "https://a", "a:8443"} {
		if err := Dev(t.TempDir(), []string{host}, time.Now()); err == nil {
			t.Errorf("host %q was accepted", host)
		}
	}
	dir, _, _ := dev(t)
	for _, name := range []string{"", ".", "..", ".x", "../x", "a/b", "ca", "gateway"} {
		if err := DevClient(dir, name, time.Now()); err == nil {
			t.Errorf("client %q was accepted", name)
		}
	}
	if err := DevClient(t.TempDir(), "alice", time.Now()); err == nil {
		t.Error("a client certificate without an authority")
	}
}
