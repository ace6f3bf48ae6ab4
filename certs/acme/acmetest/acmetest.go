// Package acmetest runs an ACME authority for tests: Pebble, the one that Let's
// Encrypt makes for this, as a process of its own on loopback, with a DNS server
// that leads every name to loopback as well.
package acmetest

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
)

const pebble = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1"

// Options say how an authority behaves.
type Options struct {
	HTTPPort, TLSPort int           // where it looks for answers, instead of 80 and 443
	Validity          time.Duration // of what it issues; 90 days where it is 0
	Dir               string        // for its files; one of its own where it is empty
}

// Authority is a Pebble server, which is stopped when its test ends.
type Authority struct {
	Directory string // the URL of it
	CA        string // a PEM file that vouches for it

	t          testing.TB
	binary     string
	dir        string
	management string
	dns        string
	client     *http.Client

	mu      sync.Mutex
	process *exec.Cmd
	said    strings.Builder
	reading sync.WaitGroup
}

// New prepares an authority, which is not there before [Authority.Start]. Names
// under .unknown resolve to nothing, all others to loopback.
func New(t testing.TB, o Options) *Authority {
	t.Helper()
	a := &Authority{t: t, binary: find(t), dir: o.Dir, dns: serveDNS(t)}
	if a.dir == "" {
		a.dir = t.TempDir()
	}
	if err := certs.Dev(a.dir, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	listen, management := loopback(Port(t)), loopback(Port(t))
	a.Directory, a.CA = "https://"+listen+"/dir", filepath.Join(a.dir, certs.DevCA)
	a.management = "https://" + management
	if o.Validity == 0 {
		o.Validity = 90 * 24 * time.Hour
	}
	a.write(map[string]any{
		"listenAddress": listen, "managementListenAddress": management,
		"certificate": filepath.Join(a.dir, certs.DevServer), "privateKey": filepath.Join(a.dir, certs.DevServerKey),
		"httpPort": o.HTTPPort, "tlsPort": o.TLSPort, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "for tests", "validityPeriod": int(o.Validity.Seconds())}},
	})
	pool, err := certs.Pool(a.CA)
	if err != nil {
		t.Fatal(err)
	}
	a.client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
	t.Cleanup(a.Stop)
	return a
}

func (a *Authority) write(settings map[string]any) {
	data, err := json.Marshal(map[string]any{"pebble": settings})
	if err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.dir, "pebble.json"), data, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// Start runs the authority and waits until it answers. After [Authority.Stop]
// it runs anew, and knows nothing of what was before.
func (a *Authority) Start() *Authority {
	a.t.Helper()
	cmd := exec.Command(a.binary, "-config", filepath.Join(a.dir, "pebble.json"), "-dnsserver", a.dns)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.process = cmd
	a.reading.Go(func() { a.listen(out) })
	for range 6000 {
		if res, err := a.client.Get(a.Directory); err == nil {
			_ = res.Body.Close()
			return a
		}
		time.Sleep(10 * time.Millisecond)
	}
	a.t.Fatalf("the authority does not answer; it said:\n%s", a.Said())
	return a
}

func (a *Authority) listen(out io.Reader) {
	for s := bufio.NewScanner(out); s.Scan(); {
		a.mu.Lock()
		a.said.WriteString(s.Text() + "\n")
		a.mu.Unlock()
	}
}

// Stop ends the authority.
func (a *Authority) Stop() {
	if a.process == nil {
		return
	}
	_ = a.process.Process.Kill()
	a.reading.Wait()
	_ = a.process.Wait()
	a.process = nil
}

// Said is what the authority has logged.
func (a *Authority) Said() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.said.String()
}

// Roots are the authorities of what it issues.
func (a *Authority) Roots() *x509.CertPool {
	a.t.Helper()
	res, err := a.client.Get(a.management + "/roots/0")
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(data) {
		a.t.Fatalf("the root of the authority: %v, %q", err, data)
	}
	return pool
}

// Port gives a port of loopback that nobody listens on. It is none of those that
// the system gives out by itself, to others meanwhile.
func Port(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 12000 + rand.IntN(20000)
		if l, err := net.Listen("tcp", loopback(port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return 0
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// find gives the program: bin/pebble of this repository, which make puts there,
// one that is installed, or one built now. Without a network the test is
// skipped, but not where everything must run.
func find(t testing.TB) string {
	t.Helper()
	for dir, err := os.Getwd(); err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if file := filepath.Join(dir, "bin", "pebble"); runs(file) {
			return file
		}
	}
	if file, err := exec.LookPath("pebble"); err == nil {
		return file
	}
	folder := filepath.Join(os.TempDir(), fmt.Sprintf("gatehouse-pebble-%d", os.Getuid()))
	file := filepath.Join(folder, "pebble")
	if runs(file) {
		return file
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "install", pebble)
	cmd.Env = append(os.Environ(), "GOBIN="+folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("pebble cannot be installed: %v: %s", err, out)
		}
		t.Skipf("SKIPPED: this needs pebble: go install %s: %v: %s", pebble, err, out)
	}
	return file
}

func runs(file string) bool {
	info, err := os.Stat(file)
	return !errors.Is(err, os.ErrNotExist) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
