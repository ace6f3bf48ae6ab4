package admin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// office is an admin listener with certificates, and the files behind it.
type office struct {
	dir      string
	reloader *gateway.Reloader
	admin    *Admin
}

func openOffice(t *testing.T) *office {
	t.Helper()
	o := &office{dir: t.TempDir()}
	for _, authority := range []string{"old", "new"} {
		dir := filepath.Join(o.dir, authority)
		if err := certs.Dev(dir, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := certs.DevClient(dir, "operator", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	o.configure(t, "old")
	c, err := config.Load(o.file())
	if err != nil {
		t.Fatal(err)
	}
	d := &gateway.Deps{Metrics: telemetry.New()}
	p, err := gateway.Compile(t.Context(), c, d)
	if err != nil {
		t.Fatal(err)
	}
	g := gateway.New(d, p)
	t.Cleanup(g.Close)
	o.reloader = gateway.NewReloader(g, o.file())
	if o.admin, err = Listen(g, o.reloader, http.NotFoundHandler()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.admin.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return o
}

func (o *office) file() string { return filepath.Join(o.dir, "gatehouse.yaml") }

// configure writes a configuration whose admin listener has the certificate of
// an authority, and believes its clients.
func (o *office) configure(t *testing.T, authority string) {
	t.Helper()
	text := fmt.Sprintf(`version: 1
listeners: {public: {address: "127.0.0.1:0"}}
log: {output: stderr, level: error}
admin:
  address: "127.0.0.1:0"
  certificates: [{cert: %[1]s/gateway.pem, key: %[1]s/gateway-key.pem}]
  client_ca: %[1]s/ca.pem
upstreams: {hr: {endpoints: ["http://127.0.0.1:9"]}}
routes:
  - {name: all, match: {path: /}, upstream: hr, public: true, policy: off}
`, authority)
	if err := os.WriteFile(o.file(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// get asks who operates, with the client certificate of one authority, and
// trusting a server of another. A failed handshake gives 0.
func (o *office) get(t *testing.T, client, server string) int {
	t.Helper()
	c := o.client(t, client, server)
	defer c.CloseIdleConnections()
	return o.ask(c)
}

func (o *office) ask(c *http.Client) int {
	res, err := c.Get("https://" + o.admin.Address().String() + "/admin/reload")
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode
}

func (o *office) client(t *testing.T, client, server string) *http.Client {
	t.Helper()
	in := func(authority, name string) string { return filepath.Join(o.dir, authority, name) }
	pem, err := os.ReadFile(in(server, certs.DevCA))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	pair, err := tls.LoadX509KeyPair(in(client, "operator.pem"), in(client, "operator-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: roots, MinVersion: tls.VersionTLS13,
		// Shown whatever authorities the server names.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
	}}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// TestOpenConnectionsFollowTheReload: who was let in once is judged anew.
func TestOpenConnectionsFollowTheReload(t *testing.T) {
	o := openOffice(t)
	c := o.client(t, "old", "old")
	defer c.CloseIdleConnections()
	if got := o.ask(c); got != http.StatusOK {
		t.Fatalf("before the reload: status %d", got)
	}
	if err := o.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := o.ask(c); got != http.StatusOK {
		t.Errorf("after a reload that changes nothing: status %d", got)
	}
	o.configure(t, "new")
	if err := o.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The client trusts nobody new, so this is the connection it had.
	if got := o.ask(c); got != http.StatusUnauthorized {
		t.Errorf("after its authority was taken out: status %d", got)
	}
}

// TestCertificatesFollowTheReload: an authority that was taken out must not
// open the admin listener any longer, and a renewed certificate must be shown.
func TestCertificatesFollowTheReload(t *testing.T) {
	o := openOffice(t)
	if got := o.get(t, "old", "old"); got != http.StatusOK {
		t.Fatalf("before the reload: status %d", got)
	}
	o.configure(t, "new")
	if err := o.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := o.get(t, "new", "new"); got != http.StatusOK {
		t.Errorf("the operator of the new authority: status %d", got)
	}
	if got := o.get(t, "old", "new"); got != 0 {
		t.Errorf("the operator of the authority that was taken out: status %d", got)
	}
}

// TestBrokenCertificatesAreARefusedReload: what serves goes on.
func TestBrokenCertificatesAreARefusedReload(t *testing.T) {
	o := openOffice(t)
	if err := os.WriteFile(filepath.Join(o.dir, "old", certs.DevServer), []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.reloader.Reload(t.Context()); err == nil {
		t.Error("the reload was taken")
	}
	if got := o.get(t, "old", "old"); got != http.StatusOK {
		t.Errorf("after a refused reload: status %d", got)
	}
}
