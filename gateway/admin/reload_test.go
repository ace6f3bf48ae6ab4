package admin_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/gateway/admin"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

const settings = `
version: 1
listeners:
  public: {address: "127.0.0.1:0", insecure: true}
admin: {address: "127.0.0.1:0", certificates: [{cert: a/gateway.pem, key: a/gateway-key.pem}], client_ca: a/ca.pem}
log: {output: access.log}
upstreams:
  hr: {endpoints: ["http://127.0.0.1:1"]}
routes:
  - {name: open, match: {path: /}, upstream: hr, public: true, policy: off}
`

// TestReloadReplacesTLS: certificates and authorities that a reload takes out
// of the configuration are not used any more.
func TestReloadReplacesTLS(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"a", "b"} {
		if err := certs.Dev(filepath.Join(dir, d), nil, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "gatehouse.yaml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	deps := &gateway.Deps{Metrics: telemetry.New()}
	plan, err := gateway.Compile(t.Context(), c, deps)
	if err != nil {
		t.Fatal(err)
	}
	g := gateway.New(deps, plan)
	defer g.Close()
	reloader := gateway.NewReloader(g, file)
	a, err := admin.Listen(g, reloader, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	defer func() { stop(); <-done }()

	if got := seen(t, a, dir, "a"); got != "" {
		t.Error(got)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(settings, "a/", "b/")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := seen(t, a, dir, "b"); got != "" {
		t.Error(got)
	}
}

// seen says what is wrong with what a client sees: a certificate of the
// authority in dir/of, and that authority as the one that clients need.
func seen(t *testing.T, a *admin.Admin, dir, of string) string {
	t.Helper()
	pool, err := certs.Pool(filepath.Join(dir, of, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	accepted := false
	d := &tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: "localhost",
		GetClientCertificate: func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			own, err := tls.LoadX509KeyPair(filepath.Join(dir, of, "gateway.pem"), filepath.Join(dir, of, "gateway-key.pem"))
			accepted = err == nil && r.SupportsCertificate(&own) == nil
			return &tls.Certificate{}, err
		},
	}}
	conn, err := d.DialContext(t.Context(), "tcp", a.Address().String())
	if err != nil {
		return fmt.Sprintf("%s: %v", of, err)
	}
	defer conn.Close()
	if !accepted {
		return of + ": its authority is not one that is asked for"
	}
	return ""
}
