package gateway

import (
	"context"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// No test of this package may leave a goroutine behind: not a connection, not
// an issuer's refreshing, not a health check.
func TestMain(m *testing.M) {
	store.Quiet()
	log.SetOutput(io.Discard) // as the command does: net/http quotes there what nobody asked for
	flag.Parse()
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		_ = n.Value.Set("12") // tests that are parallel mostly wait, which takes no processor
	}
	// certmagic watches a lock file by a goroutine that ends by itself, within five seconds.
	middlewaretest.Main(m, goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"))
}

// world is a gateway on real sockets, made of a configuration and policies in
// a folder of its own, with an issuer and whatever backends a test adds.
type world struct {
	t        testing.TB
	dir      string
	vars     map[string]string // what {NAME} stands for in the configuration
	issuer   *issuer
	deps     *Deps
	g        *Gateway
	reloader *Reloader
	base     string              // of the TLS listener
	plain    string              // of the plain one
	at       map[string]net.Addr // of every listener
	kill     func()              // ends the Redis server
	idle     []func()            // closes the connections that clients keep
	stop     context.CancelFunc
	done     chan error
}

// preamble is the part of a configuration that tests share.
const preamble = `version: 1
listeners:
  public:
    address: 127.0.0.1:0
    tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}
  plain: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
log: {output: access.log}
issuers:
  auth:
    issuer: https://auth.example.com
    audiences: [erp]
    algorithms: [ES256]
    jwks_url: "{ISSUER}/jwks.json"
`

// open makes a world that has an issuer and no gateway yet.
func open(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), vars: map[string]string{}}
	w.certs()
	w.issuer = newIssuer(t)
	w.vars["ISSUER"] = w.issuer.url
	return w
}

// certs writes a server certificate, of the authority that is there, if one is.
func (w *world) certs() {
	w.t.Helper()
	if err := certs.Dev(filepath.Join(w.dir, "certs"), nil, time.Now()); err != nil {
		w.t.Fatal(err)
	}
}

// backend adds a backend over TCP; {NAME} in the configuration is its address.
func (w *world) backend(name string, h http.HandlerFunc) *httptest.Server {
	srv := httptest.NewServer(h)
	w.t.Cleanup(srv.Close)
	w.vars[name] = srv.URL
	return srv
}

// write writes a file of the world as a whole, as an editor that renames does.
func (w *world) write(name, text string) {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		w.t.Fatal(err)
	}
	for k, v := range w.vars {
		text = strings.ReplaceAll(text, "{"+k+"}", v)
	}
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) configFile() string { return filepath.Join(w.dir, "gatehouse.yaml") }

// compile makes a plan of the files. A policy of "" is none; settings that do
// not begin with a version get the preamble.
func (w *world) compile(settings, policy string) *Plan {
	w.t.Helper()
	if policy != "" {
		if !strings.Contains(settings, "policies: {") {
			settings += "\npolicies: {path: rego, budget: 1m}\n"
		}
		w.write("rego/gatehouse.rego", "package gatehouse\n\n"+policy)
	}
	if !strings.HasPrefix(settings, "version:") {
		settings = preamble + settings
	}
	w.write("gatehouse.yaml", settings)
	c, err := config.Load(w.configFile())
	if err != nil {
		w.t.Fatal(err)
	}
	w.deps = &Deps{Metrics: telemetry.New()}
	p, err := Compile(w.t.Context(), c, w.deps)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// start compiles the files and serves by them until the test ends, from when issuers
// have told their keys: a fetch that takes too long is none that fails.
func (w *world) start(settings, policy string) {
	w.t.Helper()
	w.serve(w.compile(settings, policy))
	for _, i := range w.g.Plan().issuers {
		err := i.Ready()
		for tries := 0; tries < 15_000 && !w.issuer.hangs(); tries++ {
			if err == nil || !isTimeout(err) && !strings.HasSuffix(err.Error(), "not fetched yet") {
				break
			}
			time.Sleep(time.Millisecond)
			err = i.Ready()
		}
	}
}

func (w *world) serve(p *Plan) {
	w.t.Helper()
	w.g = New(w.deps, p)
	w.reloader = NewReloader(w.g, w.configFile())
	s, err := Listen(w.g)
	if err != nil {
		w.t.Fatal(err)
	}
	w.at = s.Addresses()
	w.base, w.plain = "https://"+w.at["public"].String(), "http://"+w.at["plain"].String()
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.done = cancel, make(chan error, 1)
	go func() { w.done <- s.Serve(ctx) }()
	w.t.Cleanup(w.close)
}

// close stops the gateway, as the command does, and verifies that nothing is
// held any more.
func (w *world) close() {
	if w.stop == nil {
		return
	}
	for _, f := range w.idle {
		f() // or stopping waits a second for each HTTP/2 client to say goodbye
	}
	w.stop()
	w.stop = nil
	if err := <-w.done; err != nil {
		w.t.Errorf("serving: %v", err)
	}
	w.g.Close()
	w.deps.Shared.mu.Lock()
	defer w.deps.Shared.mu.Unlock()
	for k, e := range w.deps.Shared.m {
		w.t.Errorf("still held by %d: %.80s", e.refs, k)
	}
}
