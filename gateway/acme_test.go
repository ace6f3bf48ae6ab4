package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/certs/acme/acmetest"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

const acmeSettings = `version: 1
listeners:
  public:
    address: "{TLS}"
    tls:
      certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]
      client_ca: certs/ca.pem
      acme: {domains: [{DOMAINS}], agree: true, storage: acme, directory: "{DIRECTORY}", ca: "{CA}", challenges: [{CHALLENGES}]}
  plain: {address: "{HTTP}", redirect_to_https: true}
admin: {address: "127.0.0.1:0"}
log: {output: access.log}
upstreams: {echo: {endpoints: ["{ECHO}"]}}
routes: [{name: all, match: {path: /, hosts: [api.example]}, upstream: echo, public: true, policy: off}]
`

// issuance is a gateway in front of an authority that looks at its listeners.
type issuance struct {
	*world
	authority *acmetest.Authority
	alice     tls.Certificate
}

func newIssuance(t *testing.T, challenges string) *issuance {
	w := &issuance{world: open(t)}
	http01, alpn := acmetest.Port(t), acmetest.Port(t)
	w.authority = acmetest.New(t, acmetest.Options{HTTPPort: http01, TLSPort: alpn})
	w.backend("ECHO", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	for k, v := range map[string]string{
		"TLS": fmt.Sprintf("127.0.0.1:%d", alpn), "HTTP": fmt.Sprintf("127.0.0.1:%d", http01), "DOMAINS": "api.example",
		"DIRECTORY": w.authority.Directory, "CA": w.authority.CA, "CHALLENGES": challenges,
	} {
		w.vars[k] = v
	}
	folder := filepath.Join(w.dir, "certs")
	if err := errors.Join(os.Mkdir(w.storage(), 0o700), certs.DevClient(folder, "alice", time.Now())); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.alice, err = tls.LoadX509KeyPair(filepath.Join(folder, "alice.pem"), filepath.Join(folder, "alice-key.pem")); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *issuance) storage() string { return filepath.Join(w.dir, "acme") }

// dial connects as alice, or as nobody, and gives the certificate that is shown.
func (w *issuance) dial(c *tls.Config, name string) (*x509.Certificate, error) {
	c.ServerName = name
	conn, err := tls.Dial("tcp", w.vars["TLS"], c)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

func (w *issuance) issued(name string) *x509.Certificate {
	w.t.Helper()
	for range 6000 { // an order has many steps, between two processes
		cert, err := w.dial(&tls.Config{RootCAs: w.authority.Roots(), Certificates: []tls.Certificate{w.alice}}, name)
		if err == nil {
			return cert
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("never: a certificate of %s", name)
	return nil
}

func detailOf(p *Plan, name string) string {
	for _, c := range p.Conditions(context.Background()) {
		if c.Name == name {
			return fmt.Sprint(c.OK, " ", c.Detail)
		}
	}
	return "not there"
}

// TestACME goes through the life of a name: there is nothing to show for it yet,
// then a certificate by tls-alpn-01 though the listener demands client
// certificates, then a second name comes by a reload, and the first one stays.
func TestACME(t *testing.T) {
	w := newIssuance(t, "tls-alpn-01")
	p := w.compile(acmeSettings, "")
	if got := detailOf(p, "acme/api.example"); got != "true there is no certificate yet" {
		t.Errorf("readiness says %q", got)
	}
	w.authority.Start()
	w.serve(p)
	first := w.issued("api.example")
	if got := detailOf(w.g.Plan(), "acme/api.example"); got != "true " {
		t.Errorf("readiness says %q", got)
	}
	found := false
	w.g.Plan().expiries(func(place, name string, at time.Time) {
		found = found || place == "public" && name == "api.example" && at.Equal(first.NotAfter)
	})
	if !found {
		t.Error("the metric of expiries does not have it")
	}
	if c, err := w.dial(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{w.alice}}, "localhost"); err != nil || c.VerifyHostname("localhost") != nil {
		t.Errorf("a name that a file has: %v", err)
	}

	w.vars["DOMAINS"] = "api.example, next.example"
	w.write("gatehouse.yaml", acmeSettings)
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.issued("next.example")
	if again := w.issued("api.example"); !again.Equal(first) {
		t.Error("a name that stays was obtained once more")
	}
	w.vars["DOMAINS"] = "next.example"
	w.write("gatehouse.yaml", acmeSettings)
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := detailOf(w.g.Plan(), "acme/api.example"); got != "not there" {
		t.Errorf("a name that was taken out: %q", got)
	}
}

func TestACMEOverHTTP(t *testing.T) {
	w := newIssuance(t, "http-01")
	w.authority.Start()
	w.start(acmeSettings, "")
	w.issued("api.example")
	for _, x := range w.log("exchange") {
		if x["listener"] != "plain" || x["host"] != "api.example" || x["status"] != 200.0 || !strings.HasPrefix(fmt.Sprint(x["path"]), challengePath) {
			t.Errorf("on record: %v", x)
		}
	}
	if len(w.log("exchange")) == 0 {
		t.Error("what the authority asked is not on record")
	}
}

// plant puts an open challenge into the storage, as another gateway that shares
// it would.
func (w *issuance) plant(kind string) {
	w.t.Helper()
	u, err := url.Parse(w.authority.Directory)
	if err != nil {
		w.t.Fatal(err)
	}
	issuer := strings.ReplaceAll(u.Host, ":", "-") + "-dir"
	w.write(filepath.Join("acme", "acme", issuer, "challenges", kind+"-api.example.json"),
		`{"domain":"api.example","type":"`+kind+`","token":"t0ken","key_authorization":"t0ken.print"}`)
}

// TestACMEChallengePathIsExact answers one request and redirects every other.
// The authority is not there, so nothing is obtained meanwhile.
func TestACMEChallengePathIsExact(t *testing.T) {
	w := newIssuance(t, "http-01")
	w.start(acmeSettings, "")
	w.plant("http-01")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	for _, tt := range []struct {
		method, host, target string
		status               int
	}{
		{"GET", "api.example", challengePath + "t0ken", 200},
		{"GET", "API.example:80", challengePath + "t0ken", 200},
		{"GET", "api.example", challengePath + "t0ke", 308},
		{"GET", "api.example", challengePath + "t0ken/", 308},
		{"GET", "api.example", challengePath, 308},
		{"GET", "api.example", challengePath + "t0ken?x", 308},
		{"GET", "api.example", challengePath + "%740ken", 308},
		{"GET", "api.example", "/x/.." + challengePath + "t0ken", 400},
		{"GET", "other.example", challengePath + "t0ken", 421},
		{"HEAD", "api.example", challengePath + "t0ken", 308},
		{"POST", "api.example", challengePath + "t0ken", 308},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, w.plain+tt.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != tt.status || (res.StatusCode == 200) != (string(body) == "t0ken.print") {
			t.Errorf("%s %s%s: %d %q %v", tt.method, tt.host, tt.target, res.StatusCode, body, err)
		}
	}
}

// TestACMEHandshakeIsNoWayIn speaks acme-tls/1 to a listener that demands client
// certificates: the proof is shown, and no request is taken.
func TestACMEHandshakeIsNoWayIn(t *testing.T) {
	w := newIssuance(t, "tls-alpn-01")
	w.start(acmeSettings, "")
	proof := func() *tls.Config { return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"}} }
	if _, err := w.dial(proof(), "api.example"); err == nil || !strings.Contains(err.Error(), "no application protocol") {
		t.Errorf("without a challenge: %v", err)
	}
	if _, err := w.dial(&tls.Config{Certificates: []tls.Certificate{w.alice}}, "api.example"); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("without a certificate: %v", err)
	}
	w.plant("tls-alpn-01")
	c := proof()
	c.ServerName, c.ClientSessionCache = "api.example", tls.NewLRUClientSessionCache(1)
	conn, err := tls.Dial("tcp", w.vars["TLS"], c)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	state := conn.ConnectionState()
	if state.NegotiatedProtocol != "acme-tls/1" || len(state.PeerCertificates) != 1 || state.PeerCertificates[0].VerifyHostname("api.example") != nil {
		t.Errorf("%q with %d certificates", state.NegotiatedProtocol, len(state.PeerCertificates))
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if answer, err := io.ReadAll(conn); len(answer) != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the handshake: %q, %v", answer, err)
	}
	if _, ok := c.ClientSessionCache.Get("api.example"); ok {
		t.Error("a session was given out")
	}
	if n := len(w.log("exchange")); n != 0 {
		t.Errorf("%d exchanges", n)
	}
}

// TestACMERehearsal compiles without a word to the authority.
func TestACMERehearsal(t *testing.T) {
	w := newIssuance(t, "tls-alpn-01")
	w.authority.Start()
	w.compile(acmeSettings, "").Close()
	c, err := config.Load(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(t.Context(), c, &Deps{Metrics: telemetry.New(), Rehearsal: true})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	left, err := os.ReadDir(w.storage())
	if err != nil || len(left) != 0 {
		t.Errorf("in the storage: %v, %v", left, err)
	}
	if strings.Contains(w.authority.Said(), "POST") {
		t.Error("the authority was asked")
	}
}

// TestACMEMistakes names what is wrong where it stands.
func TestACMEMistakes(t *testing.T) {
	w := newIssuance(t, "tls-alpn-01")
	w.vars["CA"] = filepath.Join(w.dir, "certs", "gateway-key.pem") // holds no certificate
	w.write("gatehouse.yaml", acmeSettings)
	c, err := config.Load(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	_, err = Compile(t.Context(), c, &Deps{Metrics: telemetry.New()})
	var m config.Mistakes
	if !errors.As(err, &m) || len(m) != 1 || m[0].Line != 8 || !strings.Contains(m[0].Message, "no PEM certificate") {
		t.Errorf("got %v", err)
	}
}
