package gateway

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
)

// leaf gives the certificate that a client is shown.
func (w *castle) leaf() string {
	w.t.Helper()
	l, err := w.link(tlsH1, &tls.Config{ServerName: "api.example.com"})
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	return l.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func (w *castle) read(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// TestCertificatesAreRenewedByContent: half a pair keeps the old one, and the
// other half, whenever it comes, brings the new one.
func TestCertificatesAreRenewedByContent(t *testing.T) {
	w := openCastle(t, byName)
	w.authority("next")
	before := w.leaf()
	// The certificate first, which is the wrong way round.
	w.write("certs/gateway.pem", w.read("next/gateway.pem"))
	if !w.reloader.changed() {
		t.Error("a changed certificate is not noticed")
	}
	if err := w.reloader.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "gatehouse.yaml:") {
		t.Errorf("a certificate with the key of another: %v", err)
	}
	if w.leaf() != before {
		t.Error("the pair that was whole is not served any longer")
	}
	if w.reloader.changed() {
		t.Error("what was refused is tried again though nothing has changed")
	}
	w.write("certs/gateway-key.pem", w.read("next/gateway-key.pem"))
	if !w.reloader.changed() {
		t.Error("the key that came later is not noticed")
	}
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	renewed := w.leaf()
	if renewed == before {
		t.Error("the renewed pair is not served")
	}
	if err := os.Remove(filepath.Join(w.dir, "certs/gateway-key.pem")); err != nil {
		t.Fatal(err)
	}
	if err := w.reloader.Reload(t.Context()); err == nil {
		t.Error("a reload without the key was taken")
	}
	if w.leaf() != renewed {
		t.Error("the pair that was whole is not served any longer")
	}
}

// TestCertificatesBehindALink are renewed as mounted secrets of Kubernetes are:
// the files are links into ..data, which is a link to a folder that is swapped.
func TestCertificatesBehindALink(t *testing.T) {
	w := prepare(t)
	w.authority("mount/..one")
	link := func(target, name string) {
		t.Helper()
		name = filepath.Join(w.dir, "mount", name)
		if err := os.Symlink(target, name+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	link("..one", "..data")
	for _, name := range []string{certs.DevCA, certs.DevServer, certs.DevServerKey} {
		link("..data/"+name, name)
	}
	w.start(w.settings(strings.ReplaceAll(byName, "certs/", "mount/")), "")
	before := w.leaf()
	w.authority("mount/..two")
	if w.reloader.changed() {
		t.Error("files that nothing leads to count as a change")
	}
	link("..two", "..data")
	if !w.reloader.changed() {
		t.Error("the swapped link is not noticed")
	}
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.leaf() == before {
		t.Error("the renewed pair is not served")
	}
}

// TestClientCertificateOfAnUpstreamIsRenewed: another pair is another upstream.
func TestClientCertificateOfAnUpstreamIsRenewed(t *testing.T) {
	w := prepare(t)
	own, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "certs/gateway.pem"), filepath.Join(w.dir, "certs/gateway-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = rw.Write([]byte(r.TLS.PeerCertificates[0].SerialNumber.String()))
	}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: w.roots(), ClientAuth: tls.RequireAndVerifyClientCert}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	w.vars["HR"] = srv.URL
	w.start(strings.Replace(w.settings(byName), `["{HR}"]`, `["{HR}"], ca: certs/ca.pem, client_certificate: {cert: certs/alice.pem, key: certs/alice-key.pem}`, 1), "")
	first := w.once(tlsH1, &tls.Config{ServerName: "api.example.com"}, "api.example.com")
	if err := certs.DevClient(filepath.Join(w.dir, "certs"), "alice", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := w.once(tlsH1, &tls.Config{ServerName: "api.example.com"}, "api.example.com")
	if first.status != 200 || second.status != 200 || first.body == second.body {
		t.Errorf("before: %v %s; after: %v %s", first, first.body, second, second.body)
	}
	w.write("certs/alice-key.pem", w.read("certs/gateway-key.pem"))
	if err := w.reloader.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "gatehouse.yaml:16:") || !strings.Contains(err.Error(), "alice-key.pem") {
		t.Errorf("the key of another: %v", err)
	}
}

// TestExpiryIsTold: in readiness and metrics, before it happens and after.
func TestExpiryIsTold(t *testing.T) {
	w := openCastle(t, byName)
	condition := func(now time.Time) Condition {
		for _, c := range w.g.Plan().expiring(now) {
			if c.Name == "certificate/public" {
				return c
			}
		}
		return Condition{}
	}
	var at time.Time
	w.g.Plan().expiries(func(place, name string, expires time.Time) {
		if place != "public" || name != "localhost" || !at.IsZero() {
			t.Errorf("a certificate at %q for %q", place, name)
		}
		at = expires
	})
	if c := condition(at.Add(-15 * 24 * time.Hour)); c.Name != "" {
		t.Errorf("fifteen days before: %+v", c)
	}
	if c := condition(at.Add(-13 * 24 * time.Hour)); !c.OK || !strings.Contains(c.Detail, "localhost expires on "+at.UTC().Format(time.RFC3339)) {
		t.Errorf("thirteen days before: %+v", c)
	}
	if c := condition(at.Add(time.Second)); c.OK || !strings.Contains(c.Detail, "localhost expired on") {
		t.Errorf("after it: %+v", c)
	}
	for _, c := range w.g.Plan().Conditions(t.Context()) {
		if strings.HasPrefix(c.Name, "certificate/") {
			t.Errorf("long before: %+v", c)
		}
	}
	rec := httptest.NewRecorder()
	w.deps.Metrics.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if want := `gatehouse_certificate_expiry_timestamp_seconds{listener="public",name="localhost"}`; !strings.Contains(rec.Body.String(), want) {
		t.Errorf("the metrics lack %s", want)
	}
}

// TestOneOfTwoExpires: a listener is ready as long as it has one certificate
// that is good, and one that ends soon is told of where the gateway is asked.
func TestOneOfTwoExpires(t *testing.T) {
	w := prepare(t)
	dir := filepath.Join(w.dir, "soon")
	if err := certs.Dev(dir, []string{"soon.example.com"}, time.Now().AddDate(0, 0, -390)); err != nil { // of 397 days
		t.Fatal(err)
	}
	w.start(w.settings(strings.Replace(byName, "certificates: [", "certificates: [{cert: soon/gateway.pem, key: soon/gateway-key.pem}, ", 1)), "")
	ask := func(now time.Time) Condition {
		for _, c := range w.g.Plan().expiring(now) {
			return c
		}
		return Condition{}
	}
	if c := ask(time.Now()); !c.OK || strings.Count(c.Detail, "expire") != 1 {
		t.Errorf("today: %+v", c)
	}
	if c := ask(time.Now().AddDate(0, 0, 8)); !c.OK || strings.Count(c.Detail, "expired on") != 1 {
		t.Errorf("in a week: %+v", c)
	}
	if c := ask(time.Now().AddDate(2, 0, 0)); c.OK || strings.Count(c.Detail, "expired on") != 2 {
		t.Errorf("in two years: %+v", c)
	}
	told := false
	for _, c := range w.g.Plan().Conditions(t.Context()) {
		told = told || c.Name == "certificate/public" && c.OK
	}
	if !told {
		t.Error("readiness does not tell")
	}
}

// TestTokenBoundToACertificate: only who has the key of the certificate may use
// the token, and no header stands in for it.
func TestTokenBoundToACertificate(t *testing.T) {
	w := prepare(t)
	w.authority("other")
	w.start(strings.ReplaceAll(preamble, "tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}", "tls:"+byName)+`
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: all, match: {path: /}, upstream: hr, authn: {issuers: [auth]}, policy: on}
`, "allow if true\n")
	alice := w.alice("certs")
	sum := sha256.Sum256(alice[0].Certificate[0])
	thumbprint := base64.RawURLEncoding.EncodeToString(sum[:])
	token := w.issuer.token(w.issuer.kid, map[string]any{"sub": "alice", "role": "partner", "cnf": map[string]string{"x5t#S256": thumbprint}})
	if err := certs.DevClient(filepath.Join(w.dir, "certs"), "bob", time.Now()); err != nil {
		t.Fatal(err)
	}
	bob, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "certs/bob.pem"), filepath.Join(w.dir, "certs/bob-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, host string
		show       []tls.Certificate
		want       int
	}{
		{"alice", "partners.example.com", alice, 200},
		{"bob", "partners.example.com", []tls.Certificate{bob}, 401},
		{"a name that asks for no certificate", "api.example.com", alice, 401},
	} {
		for _, p := range []proto{tlsH1, tlsH2} {
			l, err := w.link(p, &tls.Config{ServerName: tt.host, Certificates: tt.show})
			if err != nil {
				t.Fatal(err)
			}
			o := l.get(tt.host, [2]string{"Authorization", "Bearer " + token}, [2]string{"X-Forwarded-Client-Cert", "Hash=" + thumbprint})
			if o.status != tt.want || tt.want == 401 && o.code() != "token_invalid" {
				t.Errorf("%s over %s: %v", tt.name, p, o)
			}
			_ = l.Close()
		}
	}
}
