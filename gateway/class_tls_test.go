package gateway

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func tlsClasses() []failure {
	over := []proto{tlsH1, tlsH2}
	return []failure{
		{"F54", "an unreadable client authority turns mutual TLS off (CVE-2026-27586)", over, unreadableAuthority},
		{"F55", "a name gets weaker options than its own: fragmented hello, wildcard, empty options, unknown name (CVE-2026-32305, CVE-2026-48491, CVE-2022-46153)", over, weakerOptions},
		{"F56", "early data is replayed, or gets past mutual TLS (GHSA-gv8r-9rw9-9697, CVE-2026-53622)", []proto{tlsH1}, earlyData},
		{"F57", "what was trusted once is trusted on: sessions and connections after an authority is taken out (GO-2026-4337)", over, trustAfterReload},
		{"F58", "domain fronting: the server name of one host, the Host of another", over, fronting},
		{"F59", "a flag of TLS that verifies nothing (CVE-2025-66491)", over, flagsOfTLS},
		{"F60", "handshakes that stall (CVE-2026-22045, CVE-2026-26999) and key updates without end (CVE-2026-32283)", []proto{tlsH1}, stalls},
	}
}

func unreadableAuthority(t *testing.T, p proto) int {
	w := prepare(t)
	whole, err := os.ReadFile(filepath.Join(w.dir, "certs/ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, content := range map[string]string{
		"empty": "", "no certificate": "hello", "garbled": "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
		"the second garbled": string(whole) + "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
	} {
		w.write("bad.pem", content)
		for _, settings := range []string{strings.Replace(mutual, "certs/ca.pem", "bad.pem", 1), strings.Replace(byName, "certs/ca.pem", "bad.pem", 1)} {
			if why := w.refused(w.settings(settings)); !strings.Contains(why, "gatehouse.yaml:") || !strings.Contains(why, "bad.pem") {
				t.Errorf("%s: the mistakes are %q", name, why)
			}
			n++
		}
	}
	if why := w.refused(w.settings(strings.Replace(mutual, "certs/ca.pem", "nowhere.pem", 1))); !strings.Contains(why, "nowhere.pem") {
		t.Errorf("a missing authority: the mistakes are %q", why)
	}
	w.start(w.settings(mutual), "")
	w.write("certs/ca.pem", "hello")
	if err := w.reloader.Reload(t.Context()); err == nil {
		t.Error("a reload took an unreadable authority")
	}
	if o := w.once(p, &tls.Config{}, "api.example.com"); o.err == nil {
		t.Errorf("after a refused reload, without a certificate: %v", o)
	}
	if o := w.once(p, &tls.Config{Certificates: w.alice("certs")}, "api.example.com"); o.status != 200 {
		t.Errorf("after a refused reload, with one: %v", o)
	}
	return n + 3
}

func weakerOptions(t *testing.T, p proto) int {
	n := 0
	try := func(w *castle, name string, fragment int, c *tls.Config, want bool) {
		n++
		l, err := w.linkOver(p, c, fragmented(fragment))
		o := outcome{err: err}
		if err == nil {
			o = l.get(c.ServerName)
			_ = l.Close()
		}
		if (o.status == 200) != want || want == (o.err != nil) {
			t.Errorf("%s in fragments of %d: %v", name, fragment, o)
		}
	}
	w := openCastle(t, byName)
	alice := w.alice("certs")
	for _, size := range []int{0, 1, 5, 100} { // 0: whole
		try(w, "partners, nothing shown", size, &tls.Config{ServerName: "partners.example.com"}, false)
		try(w, "partners, in capitals", size, &tls.Config{ServerName: "PARTNERS.example.com"}, false)
		try(w, "partners, alice", size, &tls.Config{ServerName: "partners.example.com", Certificates: alice}, true)
		try(w, "under the wildcard, TLS 1.2", size, &tls.Config{ServerName: "a.strict.example.com", MaxVersion: tls.VersionTLS12}, false)
		try(w, "under the wildcard", size, &tls.Config{ServerName: "a.strict.example.com"}, true)
		try(w, "an unknown name", size, &tls.Config{ServerName: "a.b.strict.example.com"}, false)
		try(w, "a name without options", size, &tls.Config{ServerName: "api.example.com"}, true)
	}
	before := w.calls.Load()
	for _, host := range []string{"partners.example.com", "PARTNERS.example.com", "partners.example.com.", "partners.example.com:443", "a.strict.example.com"} {
		n++
		if o := w.once(p, &tls.Config{}, host); o.String() != "421 host_unknown" {
			t.Errorf("no server name, then %s: %v", host, o)
		}
	}
	if w.calls.Load() != before {
		t.Error("a refused request reached the backend")
	}
	// Options that say nothing are the listener's, not none.
	w = openCastle(t, mutual+"      names: {api.example.com: {}, partners.example.com: {min_version: \"1.3\"}}\n")
	for _, name := range []string{"api.example.com", "partners.example.com", "same.example.com", ""} {
		try(w, "empty options, nothing shown, "+name, 0, &tls.Config{ServerName: name}, false)
	}
	try(w, "empty options, alice", 0, &tls.Config{ServerName: "api.example.com", Certificates: w.alice("certs")}, true)
	return n
}

func trustAfterReload(t *testing.T, p proto) int {
	w := openCastle(t, byName)
	w.authority("other")
	cache := tls.NewLRUClientSessionCache(8)
	c := &tls.Config{ServerName: "partners.example.com", Certificates: w.alice("certs"), ClientSessionCache: cache}
	open, err := w.link(p, c)
	if err != nil {
		t.Fatal(err)
	}
	if o := open.get("partners.example.com"); o.status != 200 {
		t.Fatalf("alice: %v", o)
	}
	free, err := w.link(p, &tls.Config{ServerName: "api.example.com", MaxVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	// A reload that changes neither authorities nor versions ends nothing.
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	resumed, err := w.link(p, c)
	if err != nil || !resumed.ConnectionState().DidResume {
		t.Fatalf("after a reload that changes nothing no session is resumed: %v", err)
	}
	for _, l := range []*link{open, resumed} {
		if o := l.get("partners.example.com"); o.status != 200 {
			t.Errorf("after a reload that changes nothing: %v", o)
		}
	}
	if o := free.get("api.example.com"); o.status != 200 {
		t.Errorf("after a reload that changes nothing, without a certificate: %v", o)
	}
	before := w.calls.Load()
	w.write("gatehouse.yaml", w.settings(strings.ReplaceAll(byName, "certs/ca.pem", "other/ca.pem")+"      min_version: \"1.3\"\n"))
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*link{"open": open, "resumed before": resumed} {
		if o := l.get("partners.example.com"); o.String() != "421 host_unknown" {
			t.Errorf("%s, after its authority was taken out: %v", name, o)
		}
		if !l.ended() {
			t.Errorf("%s: the connection goes on", name)
		}
	}
	if o := free.get("api.example.com"); o.String() != "421 host_unknown" {
		t.Errorf("a TLS 1.2 connection where 1.3 is needed by now: %v", o)
	}
	if o := w.once(p, c, "partners.example.com"); o.err == nil {
		t.Errorf("a session of an authority that was taken out: %v", o)
	}
	if w.calls.Load() != before {
		t.Error("a refused request reached the backend")
	}
	if o := w.once(p, &tls.Config{ServerName: "partners.example.com", Certificates: w.alice("other")}, "partners.example.com"); o.status != 200 {
		t.Errorf("the alice of the new authority: %v", o)
	}
	return 7
}

func fronting(t *testing.T, p proto) int {
	w := openCastle(t, byName)
	alice := w.alice("certs")
	n := 0
	for _, tt := range []struct {
		sni, host string
		alice     bool
		status    int
	}{
		{"api.example.com", "api.example.com", false, 200},
		{"api.example.com", "other.test", false, 200}, // the options of the listener, as api's
		{"", "api.example.com", false, 200},
		{"partners.example.com", "partners.example.com", true, 200},
		{"partners.example.com", "same.example.com", true, 200}, // equal options: a browser may
		{"a.strict.example.com", "b.strict.example.com", false, 200},
		{"api.example.com", "partners.example.com", false, 421},
		{"api.example.com", "PARTNERS.example.com:8443", false, 421},
		{"api.example.com", "partners.example.com.", false, 421},
		{"api.example.com", "vault.example.com", false, 421},
		{"api.example.com", "a.strict.example.com", false, 421},
		{"partners.example.com", "api.example.com", true, 421},
		{"partners.example.com", "vault.example.com", true, 421},
		{"a.strict.example.com", "partners.example.com", true, 421},
	} {
		n++
		before := w.calls.Load()
		c := &tls.Config{ServerName: tt.sni}
		if tt.alice {
			c.Certificates = alice
		}
		l, err := w.link(p, c)
		if err != nil {
			t.Errorf("%q: %v", tt.sni, err)
			continue
		}
		o := l.get(tt.host)
		if o.status != tt.status || o.status == 421 && o.code() != "host_unknown" {
			t.Errorf("%q, then %q: %v; want %d", tt.sni, tt.host, o, tt.status)
		}
		if reached := w.calls.Load() != before; reached != (tt.status == 200) {
			t.Errorf("%q, then %q: reached the backend: %t", tt.sni, tt.host, reached)
		}
		// The connection stays good for what it was made for.
		if tt.sni != "" && tt.status == 421 {
			if o := l.get(tt.sni); o.status != 200 {
				t.Errorf("%q once more, after %q: %v", tt.sni, tt.host, o)
			}
		}
		_ = l.Close()
	}
	return n
}
