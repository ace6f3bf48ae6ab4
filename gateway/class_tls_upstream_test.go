package gateway

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
)

// flagsOfTLS tries each setting of TLS with what it must refuse, and with what
// it must let through.
func flagsOfTLS(t *testing.T, p proto) int {
	return flagsOfListeners(t, p) + flagsOfUpstreams(t, p)
}

func flagsOfListeners(t *testing.T, p proto) int {
	w := prepare(t)
	w.authority("other")
	w.start(w.settings(mutual+"      min_version: \"1.3\"\n"), "")
	if err := certs.DevClient(filepath.Join(w.dir, "other"), "alice", time.Now()); err != nil {
		t.Fatal(err)
	}
	alice, stranger := w.alice("certs"), w.alice("other")
	if err := certs.DevClient(filepath.Join(w.dir, "certs"), "alice", time.Now().AddDate(-2, 0, 0)); err != nil {
		t.Fatal(err)
	}
	expired := w.alice("certs")
	server, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "certs/gateway.pem"), filepath.Join(w.dir, "certs/gateway-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		max  uint16
		show []tls.Certificate
		ok   bool
	}{
		{"a good certificate", 0, alice, true},
		{"TLS 1.2", tls.VersionTLS12, alice, false},
		{"no certificate", 0, nil, false},
		{"a certificate of another authority", 0, stranger, false},
		{"an expired certificate", 0, expired, false},
		{"a server's certificate", 0, []tls.Certificate{server}, false},
	}
	for _, tt := range cases {
		c := &tls.Config{ServerName: "api.example.com", MaxVersion: tt.max}
		if tt.show != nil { // whatever authorities the gateway names
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tt.show[0], nil }
		}
		if o := w.once(p, c, "api.example.com"); (o.status == 200) != tt.ok || tt.ok != (o.err == nil) {
			t.Errorf("%s: %v", tt.name, o)
		}
	}
	return len(cases)
}

// secure starts a backend that speaks TLS by some settings, and counts the checks of
// its health.
func (w *castle) secure(name string, c *tls.Config) (checks *atomic.Int64) {
	w.t.Helper()
	checks = &atomic.Int64{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.UserAgent() == "gatehouse-health" {
			checks.Add(1)
		}
		fmt.Fprint(rw, name)
	}))
	srv.TLS, srv.Config.ErrorLog, srv.EnableHTTP2 = c, log.New(io.Discard, "", 0), true
	srv.StartTLS()
	w.t.Cleanup(srv.Close)
	w.vars[name] = srv.URL
	return checks
}

func flagsOfUpstreams(t *testing.T, p proto) int {
	w := prepare(t)
	w.authority("other")
	pair := func(dir string) []tls.Certificate {
		c, err := tls.LoadX509KeyPair(filepath.Join(w.dir, dir, certs.DevServer), filepath.Join(w.dir, dir, certs.DevServerKey))
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{c}
	}
	own := pair("certs")
	roots := w.roots()
	if err := certs.Dev(filepath.Join(w.dir, "certs"), nil, time.Now().AddDate(-2, 0, 0)); err != nil {
		t.Fatal(err)
	}
	w.secure("EXPIRED", &tls.Config{Certificates: pair("certs")})
	w.certs()
	w.secure("GOOD", &tls.Config{Certificates: own})
	checks := w.secure("MUTUAL", &tls.Config{Certificates: own, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert})
	w.secure("OLD", &tls.Config{Certificates: own, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	const ca, alice = "ca: certs/ca.pem", ", client_certificate: {cert: certs/alice.pem, key: certs/alice-key.pem}"
	// With TLS 1.3 a server objects to its client when the client takes the
	// handshake for done: what is seen of it may be a connection that ends.
	const gone = "|could not be established|broken pipe|connection reset"
	cases := []struct{ name, upstream, why string }{
		{"its authority", `endpoints: ["{GOOD}"], ` + ca, ""},
		{"the system's authorities", `endpoints: ["{GOOD}"]`, "signed by unknown authority"},
		{"another authority", `endpoints: ["{GOOD}"], ca: other/ca.pem`, "signed by unknown authority"},
		{"an expired certificate", `endpoints: ["{EXPIRED}"], ` + ca, "has expired"},
		{"TLS 1.1", `endpoints: ["{OLD}"], ` + ca, "protocol version"},
		{"a server name", `endpoints: ["{GOOD}"], server_name: api.example.com, ` + ca, ""},
		{"another server name", `endpoints: ["{GOOD}"], server_name: pay.internal, ` + ca, "not pay.internal"},
		{"a san", `endpoints: ["{GOOD}"], san: ["127.0.0.1"], ` + ca, ""},
		{"another san", `endpoints: ["{GOOD}"], san: ["spiffe://example.org/hr"], ` + ca, "none of san: URI:spiffe://example.org/hr"},
		{"no client certificate", `endpoints: ["{MUTUAL}"], ` + ca, "certificate required" + gone},
		{"a client certificate", `endpoints: ["{MUTUAL}"], ` + ca + alice, ""},
		{"a client certificate of others", `endpoints: ["{MUTUAL}"], ` + ca + strings.ReplaceAll(alice, "certs/", "other/"), "unknown certificate authority" + gone},
	}
	settings := "version: 1\nlisteners:\n  public:\n    address: 127.0.0.1:0\n    tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}\n" +
		"  plain: {address: \"127.0.0.1:0\"}\nadmin: {address: \"127.0.0.1:0\"}\nlog: {output: access.log}\nupstreams:\n"
	routes := "routes:\n"
	for i, tt := range cases {
		settings += fmt.Sprintf("  u%d: {%s}\n", i, tt.upstream)
		routes += fmt.Sprintf("  - {name: r%d, match: {path: /%d}, upstream: u%d, public: true, policy: off}\n", i, i, i)
	}
	settings += "  sick: {endpoints: [\"{GOOD}\"], san: [pay.internal], " + ca + ", health: {path: /, interval: 100ms, timeout: 20s}}\n" +
		"  well: {endpoints: [\"{MUTUAL}\"], " + ca + alice + ", health: {path: /, interval: 100ms, timeout: 20s}}\n"
	w.start(settings+routes, "")
	for i, tt := range cases {
		o := w.ask(p, raw{target: fmt.Sprintf("/%d", i)})
		if tt.why == "" {
			if o.status != 200 {
				t.Errorf("%s: %v", tt.name, o)
			}
			continue
		}
		if o.String() != "502 upstream_unavailable" || strings.Contains(o.body, "x509") || strings.Contains(o.body, "tls") {
			t.Errorf("%s: %v %s", tt.name, o, o.body)
		}
	}
	for i, line := range w.exchanges(len(cases)) {
		if text := fmt.Sprint(line); !regexp.MustCompile(cases[i].why).MatchString(text) {
			t.Errorf("%s: the record lacks %q: %s", cases[i].name, cases[i].why, text)
		}
	}
	// A health check verifies no less.
	eventually(t, "the upstream of another name is taken to be unwell", func() bool { return !w.g.Plan().upstreams["sick"].Endpoints()[0].Well })
	eventually(t, "a health check shows the client certificate", func() bool { return checks.Load() > 0 })
	if !w.g.Plan().upstreams["well"].Endpoints()[0].Well {
		t.Error("who has answered a health check is taken to be unwell")
	}
	return len(cases) + 2
}
