package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/cmd/gatehouse/demo"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// childVariable tells the test binary that it is a proxy: its value is "plain"
// or "gateway", and the arguments are its name and what it serves.
const childVariable = "GATEHOUSE_BENCH_CHILD"

// profileVariable names a folder in which each proxy leaves a CPU profile.
const profileVariable = "GATEHOUSE_BENCH_PROFILES"

func TestMain(m *testing.M) {
	kind := os.Getenv(childVariable)
	if kind == "" {
		os.Exit(m.Run())
	}
	if err := serveChild(kind, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveChild serves until standard input ends. It prints its address, and then
// a line with the CPU time it has taken so far, in microseconds, for every line
// it reads.
func serveChild(kind, name, what string) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if dir := os.Getenv(profileVariable); dir != "" {
		f, err := os.Create(filepath.Join(dir, name+".cpu"))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var address string
	var serve func(context.Context) error
	var err error
	if kind == "plain" {
		address, serve, err = listenPlain(what)
	} else {
		address, serve, err = listenGateway(ctx, what)
	}
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	fmt.Println(address)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		fmt.Println((u.Utime.Nano() + u.Stime.Nano()) / 1000)
	}
	stop()
	return <-done
}

// listenPlain is a reverse proxy of the standard library as one would write it
// for production: pooled buffers, and as many idle connections to the backend
// as there are clients. what is the backend's address and the folder of the
// certificate.
func listenPlain(what string) (string, func(context.Context) error, error) {
	backend, dir, _ := strings.Cut(what, " ")
	target, err := url.Parse(backend)
	if err != nil {
		return "", nil, err
	}
	// The same TLS as the gateway's.
	t, err := certs.Open(&config.TLS{MinVersion: "1.2", Certificates: []config.KeyPair{
		{Cert: filepath.Join(dir, certs.DevServer), Key: filepath.Join(dir, certs.DevServerKey)},
	}})
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * clients, DisableCompression: true}
	srv := &http.Server{
		TLSConfig: t.Config(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		Handler: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() }, Transport: transport, BufferPool: &buffers{},
		},
	}
	return l.Addr().String(), func(ctx context.Context) error {
		context.AfterFunc(ctx, func() { _ = srv.Close() })
		if err := srv.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}, nil
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

// listenGateway is what `gatehouse serve` does, without the admin listener and
// the watching of files.
func listenGateway(ctx context.Context, file string) (string, func(context.Context) error, error) {
	c, err := config.Load(file)
	if err != nil {
		return "", nil, err
	}
	deps := &gateway.Deps{Metrics: telemetry.New()}
	plan, err := gateway.Compile(ctx, c, deps)
	if err != nil {
		return "", nil, err
	}
	g := gateway.New(deps, plan)
	server, err := gateway.Listen(g)
	if err != nil {
		return "", nil, err
	}
	return server.Addresses()["public"].String(), func(ctx context.Context) error {
		defer g.Close()
		return server.Serve(ctx)
	}, nil
}

// world is everything around the proxies: it runs in the process of the test,
// whose CPU time does not count.
type world struct {
	dir    string
	client *http.Client
	tokens []string
}

// people is how many callers there are. Each has an own token: a gateway that
// remembered one answer for all would not be found out otherwise.
const people = 64

func openWorld(tb testing.TB) (*world, []*proxy) {
	w := &world{dir: tb.TempDir()}
	if err := certs.Dev(w.dir, nil, time.Now()); err != nil {
		tb.Fatal(err)
	}
	issuer, err := demo.NewIssuer()
	if err != nil {
		tb.Fatal(err)
	}
	for i := range people {
		p := demo.Person{ID: employee(i), Role: "staff", Tenant: "acme", Branch: "lagos", AMR: []string{"pwd", "otp"}}
		w.tokens = append(w.tokens, issuer.Token(p, time.Now()))
	}
	keys, backend := httptest.NewServer(issuer), httptest.NewServer(backend())
	tb.Cleanup(keys.Close)
	tb.Cleanup(backend.Close)
	pool, err := certs.Pool(filepath.Join(w.dir, certs.DevCA))
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, MaxIdleConnsPerHost: 2 * clients, DisableCompression: true,
	}
	tb.Cleanup(transport.CloseIdleConnections)
	w.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	return w, []*proxy{
		w.start(tb, "ReverseProxy", "plain", backend.URL+" "+w.dir),
		w.start(tb, "public route", "gateway", w.configure(tb, "public", publicRoute, backend.URL, keys.URL)),
		w.start(tb, "+ token, limits", "gateway", w.configure(tb, "token", tokenRoute, backend.URL, keys.URL)),
		w.start(tb, "+ policy, masks", "gateway", w.configure(tb, "full", fullRoute, backend.URL, keys.URL)),
	}
}

// Limits are counted, but too wide to refuse anybody here.
const (
	publicRoute = `
  - name: employees
    match: {path: /api/employees/}
    upstream: hr
    public: true
    policy: off
`
	tokenRoute = `
  - name: employees
    match: {path: /api/employees/}
    upstream: hr
    authn: {issuers: [auth-service], forward_token: false}
    session: {idle: 15m}
    rate_limits: [per-address, per-user]
    sanitize: {html: strip, sql_injection: report}
    policy: off
`
	fullRoute = `
  - name: employees
    match: {path: /api/employees/}
    upstream: hr
    authn: {issuers: [auth-service], forward_token: false}
    session: {idle: 15m}
    rate_limits: [per-address, per-user]
    sanitize: {html: strip, sql_injection: report}
    policy: {masks: required, rows: required}
`
)

// configure writes a configuration with one route. The record of every exchange
// is written to a file, as it would be in production.
func (w *world) configure(tb testing.TB, name, route, backend, issuer string) string {
	rego, err := filepath.Abs("../policies/rego")
	if err != nil {
		tb.Fatal(err)
	}
	text := fmt.Sprintf(`version: 1
listeners:
  public:
    address: 127.0.0.1:0
    tls: {certificates: [{cert: %s, key: %s}]}
log: {output: %s.log}
issuers:
  auth-service:
    issuer: https://auth.gatehouse.example
    audiences: [erp]
    algorithms: [ES256]
    jwks_url: %s/.well-known/jwks.json
upstreams: {hr: {endpoints: [%s]}}
rate_limits:
  per-address: {key: [client.address], rate: 10000000/1m}
  per-user: {key: [subject.id], rate: 10000000/1m}
# Under full load on few cores a decision waits for its turn.
policies: {path: %s, budget: 5s}
routes:%s`, certs.DevServer, certs.DevServerKey, name, issuer, backend, rego, route)
	file := filepath.Join(w.dir, name+".yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

// proxy is one of the processes that are compared.
type proxy struct {
	name string
	base string
	in   io.WriteCloser
	out  *bufio.Scanner
}

func (w *world) start(tb testing.TB, name, kind, what string) *proxy {
	cmd := exec.Command(os.Args[0], label(name), what)
	cmd.Env = append(os.Environ(), childVariable+"="+kind)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		w.client.CloseIdleConnections() // or the drain would wait for them
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			tb.Errorf("%s: %v", name, err)
		}
	})
	p := &proxy{name: name, in: in, out: bufio.NewScanner(out)}
	if !p.out.Scan() {
		tb.Fatalf("%s did not start", name)
	}
	p.base = "https://" + p.out.Text()
	return p
}

// cpu is the CPU time that the process has taken so far: all of its threads,
// user and system.
func (p *proxy) cpu() (time.Duration, error) {
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return 0, err
	}
	if !p.out.Scan() {
		return 0, fmt.Errorf("%s: gone: %w", p.name, p.out.Err())
	}
	var us int64
	if _, err := fmt.Sscan(p.out.Text(), &us); err != nil {
		return 0, fmt.Errorf("%s: %w", p.name, err)
	}
	return time.Duration(us) * time.Microsecond, nil
}
