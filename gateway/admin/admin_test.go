package admin

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestMain(m *testing.M) { middlewaretest.Main(m) }

// world is a gateway with its admin listener, on real sockets.
type world struct {
	t       *testing.T
	dir     string
	admin   string // base address
	public  string
	client  *http.Client
	stop    context.CancelFunc // of the public listener
	stopOps context.CancelFunc
	done    chan error
	opsDone chan error
}

const routes = `
upstreams: {hr: {endpoints: ["{HR}"]}}
policies: {path: rego}
issuers: {auth: {issuer: "https://auth.example.com", audiences: [erp], algorithms: [ES256], jwks_url: "{ISSUER}"}}
routes:
  - {name: plain, match: {path: /plain/}, upstream: hr, public: true, policy: "off"}
  - {name: all, match: {path: /}, upstream: hr, authn: {issuers: [auth]}}
`

const token = "0123456789abcdef-token"

// start serves with an admin section.
func start(t *testing.T, adminSection string, hr, issuer http.HandlerFunc) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), done: make(chan error, 1), opsDone: make(chan error, 1)}
	folder := filepath.Join(w.dir, "certs")
	if err := certs.Dev(folder, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := certs.DevClient(folder, "operator", time.Now()); err != nil {
		t.Fatal(err)
	}
	text := "version: 1\nlisteners: {public: {address: \"127.0.0.1:0\"}}\nlog: {output: log}\nadmin: " + adminSection + "\n" + routes
	for name, h := range map[string]http.HandlerFunc{"HR": hr, "ISSUER": issuer} {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		text = strings.ReplaceAll(text, "{"+name+"}", srv.URL)
	}
	w.write("gatehouse.yaml", text)
	w.write("rego/gatehouse.rego", "package gatehouse\n\nallow if input.subject.role == \"hr\"\n")
	w.serve()
	w.http(nil)
	return w
}

func (w *world) write(name, text string) {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) serve() {
	w.t.Helper()
	file := filepath.Join(w.dir, "gatehouse.yaml")
	c, err := config.Load(file)
	if err != nil {
		w.t.Fatal(err)
	}
	deps := &gateway.Deps{Metrics: telemetry.New()}
	plan, err := gateway.Compile(w.t.Context(), c, deps)
	if err != nil {
		w.t.Fatal(err)
	}
	g := gateway.New(deps, plan)
	server, err := gateway.Listen(g)
	if err != nil {
		w.t.Fatal(err)
	}
	ops, err := Listen(g, gateway.NewReloader(g, file), deps.Metrics.Handler())
	if err != nil {
		w.t.Fatal(err)
	}
	w.public, w.admin = "http://"+server.Addresses()["public"].String(), "http://"+ops.Address().String()
	if len(c.Admin.Certificates) > 0 {
		w.admin = "https://" + ops.Address().String()
	}
	var ctx, opsCtx context.Context
	ctx, w.stop = context.WithCancel(context.Background())
	opsCtx, w.stopOps = context.WithCancel(context.Background())
	go func() { w.done <- server.Serve(ctx) }()
	go func() { w.opsDone <- ops.Serve(opsCtx) }()
	w.t.Cleanup(func() {
		w.client.CloseIdleConnections()
		w.stop()
		if err := <-w.done; err != nil {
			w.t.Error(err)
		}
		w.stopOps()
		if err := <-w.opsDone; err != nil {
			w.t.Error(err)
		}
		g.Close()
	})
}

// http makes the client, with a certificate where there is one.
func (w *world) http(own *tls.Certificate) {
	w.t.Helper()
	if w.client != nil {
		w.client.CloseIdleConnections()
	}
	pem, err := os.ReadFile(filepath.Join(w.dir, "certs", certs.DevCA))
	if err != nil {
		w.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	settings := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if own != nil {
		settings.Certificates = []tls.Certificate{*own}
	}
	w.client = &http.Client{Transport: &http.Transport{TLSClientConfig: settings}, Timeout: 20 * time.Second}
}

// ask sends a request to the admin listener; a bearer of "" is none.
func (w *world) ask(method, target, bearer string) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.admin+target, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", bearer)
	}
	return w.send(r)
}

// send asks and reads the answer.
func (w *world) send(r *http.Request) (*http.Response, string) {
	w.t.Helper()
	res, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(b)
}

func fine(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }

// keys is an issuer without keys, but with a key set.
func keys(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_, _ = io.WriteString(w, `{"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k1",
		"x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`)
}

func missing(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusNotFound) }

// protectedPaths need the token or a certificate.
func protectedPaths() []string {
	return []string{"/admin/reload", "/admin/explain?url=/", "/admin/unclassified", "/admin/shadow", "/admin/", "/admin/nothing", "/debug/pprof/", "/debug/pprof/cmdline", "/", "/nothing"}
}

func TestOff(t *testing.T) {
	w := start(t, `{address: "127.0.0.1:0"}`, fine, keys)
	for _, path := range []string{"/livez", "/metrics"} {
		if res, _ := w.ask("GET", path, ""); res.StatusCode != 200 {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	for _, path := range protectedPaths() {
		for _, bearer := range []string{"", "Bearer ", "Bearer x"} {
			if res, body := w.ask("GET", path, bearer); res.StatusCode != 404 {
				t.Errorf("%s with %q: %s %s", path, bearer, res.Status, body)
			}
		}
	}
	if res, _ := w.ask("POST", "/admin/reload", ""); res.StatusCode != 404 {
		t.Errorf("reload: %s", res.Status)
	}
}

// Who shows the token gets profiles only where the configuration says so, and
// learns that it does not; others do not even learn that.
func TestProfilesAreOff(t *testing.T) {
	w := start(t, `{address: "127.0.0.1:0", token: `+token+`}`, fine, keys)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/profile?seconds=1"} {
		if res, body := w.ask("GET", path, "Bearer "+token); res.StatusCode != 404 || !strings.Contains(body, "admin.pprof") {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
		if res, _ := w.ask("GET", path, ""); res.StatusCode != 401 {
			t.Errorf("%s without a token: %s", path, res.Status)
		}
	}
}

func TestToken(t *testing.T) {
	w := start(t, `{address: "127.0.0.1:0", pprof: true, token: `+token+`}`, fine, keys)
	for _, path := range protectedPaths() {
		for _, bearer := range []string{"", "Bearer", "Bearer ", "Bearer " + token + "x", "Bearer " + token[1:], "Basic " + token, token, "Bearer  " + token} {
			res, body := w.ask("GET", path, bearer)
			if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") == "" || strings.Contains(body, token) {
				t.Errorf("%s with %q: %s %s", path, bearer, res.Status, body)
			}
			if res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v", path, res.Header)
			}
		}
	}
	for path, want := range map[string]int{
		"/admin/reload": 200, "/admin/explain?url=/plain/1": 200, "/admin/unclassified": 200, "/admin/shadow": 404, "/debug/pprof/cmdline": 200, "/debug/pprof/": 200, "/admin/nothing": 404, "/livez": 200,
	} {
		if res, _ := w.ask("GET", path, "bearer "+token); res.StatusCode != want {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	if res, _ := w.ask("DELETE", "/admin/reload", "Bearer "+token); res.StatusCode != 405 {
		t.Errorf("DELETE: %s", res.Status)
	}
}

// A client certificate of the right authority opens what the token opens; one
// of another authority does not get that far.
func TestCertificate(t *testing.T) {
	section := `{address: "127.0.0.1:0", client_ca: certs/ca.pem, certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}`
	w := start(t, section, fine, keys)
	if res, _ := w.ask("GET", "/livez", ""); res.StatusCode != 200 {
		t.Errorf("without a certificate: %s", res.Status)
	}
	if res, _ := w.ask("GET", "/admin/reload", "Bearer "); res.StatusCode != 401 {
		t.Errorf("without a certificate: %s", res.Status)
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "certs", "operator.pem"), filepath.Join(w.dir, "certs", "operator-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	w.http(&own)
	if res, body := w.ask("GET", "/admin/reload", ""); res.StatusCode != 200 {
		t.Errorf("with a certificate: %s %s", res.Status, body)
	}
	other := t.TempDir()
	if err := certs.Dev(other, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := certs.DevClient(other, "operator", time.Now()); err != nil {
		t.Fatal(err)
	}
	foreign, err := tls.LoadX509KeyPair(filepath.Join(other, "operator.pem"), filepath.Join(other, "operator-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	// Sent although the listener names no authority that signed it.
	w.http(nil)
	w.client.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &foreign, nil }
	if res, err := w.client.Get(w.admin + "/admin/reload"); err == nil {
		_ = res.Body.Close()
		t.Errorf("with a certificate of somebody else's: %s", res.Status)
	}
}

// readiness is what /readyz answers.
type readiness struct {
	Ready      bool
	Conditions []gateway.Condition
	Revision   string `json:"policy_revision"`
}

func (w *world) ready() (int, readiness) {
	w.t.Helper()
	res, body := w.ask("GET", "/readyz", "")
	var r readiness
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, r
}

func (r readiness) condition(name string) gateway.Condition {
	for _, c := range r.Conditions {
		if c.Name == name {
			return c
		}
	}
	return gateway.Condition{}
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("never: %s", what)
}

func TestReady(t *testing.T) {
	running, finish := make(chan struct{}), make(chan struct{})
	w := start(t, `{address: "127.0.0.1:0", token: `+token+`}`, func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-finish
		fine(w, r)
	}, keys)
	w.eventually("ready", func() bool {
		status, r := w.ready()
		return status == 200 && r.Ready && r.Revision != "" && r.condition("issuer/auth").OK && r.condition("config").OK && r.condition("serving").OK
	})
	_, before := w.ready()

	w.write("rego/gatehouse.rego", "package gatehouse\n\nallo if true\n")
	res, body := w.ask("POST", "/admin/reload", "Bearer "+token)
	var last gateway.Attempt
	if err := json.Unmarshal([]byte(body), &last); err != nil || res.StatusCode != 422 || last.OK || !strings.Contains(last.Error, "gatehouse.rego:3:") {
		t.Errorf("a refused reload: %s %s %v", res.Status, body, err)
	}
	status, r := w.ready()
	if c := r.condition("config"); status != 200 || !r.Ready || !c.OK || !strings.Contains(c.Detail, "gatehouse.rego:3:") || r.Revision != before.Revision {
		t.Errorf("after a refused reload: %d %+v", status, r)
	}
	w.write("rego/gatehouse.rego", "package gatehouse\n\nallow if true\n")
	if res, body := w.ask("POST", "/admin/reload", "Bearer "+token); res.StatusCode != 200 {
		t.Errorf("a reload: %s %s", res.Status, body)
	}
	if status, r := w.ready(); status != 200 || r.condition("config").Detail != "" || r.Revision == before.Revision {
		t.Errorf("after a reload: %d %+v", status, r)
	}
	if _, body := w.ask("GET", "/metrics", ""); !strings.Contains(body, `gatehouse_config_reloads_total{result="failure"} 1`) {
		t.Error("the metrics do not count the refused reload")
	}

	got := make(chan string, 1)
	go func() {
		res, err := http.Get(w.public + "/plain/1")
		if err != nil {
			got <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		got <- string(b)
	}()
	<-running
	w.stop()
	w.eventually("readiness tells of the drain", func() bool {
		status, r := w.ready()
		return status == 503 && !r.Ready && r.condition("serving").Detail == "draining"
	})
	if res, _ := w.ask("GET", "/livez", ""); res.StatusCode != 200 {
		t.Errorf("a gateway that drains lives: %s", res.Status)
	}
	close(finish)
	if s := <-got; s != "fine" {
		t.Errorf("the running request: %s", s)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestNotReadyWithoutKeys(t *testing.T) {
	w := start(t, `{address: "127.0.0.1:0"}`, fine, missing)
	w.eventually("not ready for want of keys", func() bool {
		status, r := w.ready()
		c := r.condition("issuer/auth")
		return status == 503 && !r.Ready && !c.OK && strings.Contains(c.Detail, "404")
	})
}

// The verb of the command, over HTTP.
func TestExplain(t *testing.T) {
	w := start(t, `{address: "127.0.0.1:0", token: `+token+`}`, fine, keys)
	ask := func(q url.Values) (int, gateway.Explanation) {
		t.Helper()
		res, body := w.ask("GET", "/admin/explain?"+q.Encode(), "Bearer "+token)
		var e gateway.Explanation
		d := json.NewDecoder(bytes.NewReader([]byte(body)))
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, e
	}
	status, e := ask(url.Values{"url": {"/x"}, "claims": {`{"sub": "e1", "role": "hr"}`}})
	if status != 200 || e.Route != "all" || e.Refused != nil || e.Decision == nil || !e.Decision.Allow || e.Subject.ID != "e1" {
		t.Errorf("%d %+v", status, e)
	}
	status, e = ask(url.Values{"url": {"/x"}, "method": {"DELETE"}})
	if status != 200 || e.Refused == nil || e.Refused.Code != "token_missing" {
		t.Errorf("%d %+v", status, e)
	}
	for _, q := range []url.Values{{"url": {"/x"}, "claims": {"{"}}, {"url": {"http://["}}} {
		if status, _ := ask(q); status != 400 {
			t.Errorf("%v: %d", q, status)
		}
	}
}
