package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// No test of this package may leave a goroutine behind: not a connection, not
// an issuer's refreshing, not a health check.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	base     string   // of the TLS listener
	plain    string   // of the plain one
	kill     func()   // ends the Redis server
	idle     []func() // closes the connections that clients keep
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
			settings += "\npolicies: {path: rego, budget: 2s}\n"
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

// start compiles the files and serves by them until the test ends.
func (w *world) start(settings, policy string) {
	w.t.Helper()
	w.serve(w.compile(settings, policy))
}

func (w *world) serve(p *Plan) {
	w.t.Helper()
	w.g = New(w.deps, p)
	w.reloader = NewReloader(w.g, w.configFile())
	s, err := Listen(w.g)
	if err != nil {
		w.t.Fatal(err)
	}
	w.base, w.plain = "https://"+s.Addresses()["public"].String(), "http://"+s.Addresses()["plain"].String()
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

// roots trusts the world's certificate authority.
func (w *world) roots() *x509.CertPool {
	w.t.Helper()
	pem, err := os.ReadFile(filepath.Join(w.dir, "certs", certs.DevCA))
	if err != nil {
		w.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// client speaks HTTP/1.1 or, with h2, HTTP/2, and follows nothing.
func (w *world) client(h2 bool) *http.Client {
	w.t.Helper()
	var p http.Protocols
	p.SetHTTP1(!h2)
	p.SetHTTP2(h2)
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: w.roots(), MinVersion: tls.VersionTLS12}, Protocols: &p,
		DisableCompression: true, ExpectContinueTimeout: 5 * time.Second,
	}
	w.idle = append(w.idle, tr.CloseIdleConnections)
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport: tr, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is an answer read to its end, or to where it broke off.
type answer struct {
	*http.Response
	body string
	err  error // of reading the body
}

// do sends a request and reads the answer.
func do(t testing.TB, c *http.Client, r *http.Request) answer {
	t.Helper()
	res, err := c.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res, string(b), err}
}

// request makes a request; headers are "Name: value".
func (w *world) request(method, target string, body io.Reader, headers ...string) *http.Request {
	w.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = w.base + target
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, target, body)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// as gives the header of somebody's token.
func (w *world) as(subject, role string) string {
	return "Authorization: Bearer " + w.issuer.token(w.issuer.kid, map[string]any{"sub": subject, "role": role, "tenant": "acme"})
}

// dial opens a connection to the TLS listener that a test writes to byte by
// byte.
func (w *world) dial() *wire {
	w.t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(w.base, "https://"), &tls.Config{RootCAs: w.roots(), ServerName: "localhost", MinVersion: tls.VersionTLS12})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{w.t, c, bufio.NewReader(c)}
}

type wire struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (c *wire) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one answer.
func (c *wire) receive(method string) answer {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res, string(b), err}
}

// closed reports whether the gateway has ended the connection.
func (c *wire) closed() bool {
	_, err := c.r.ReadByte()
	return err != nil && !os.IsTimeout(err)
}

// log gives the lines that the gateway has logged, by message.
func (w *world) log(message string) []map[string]any {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, "access.log"))
	if err != nil {
		w.t.Fatal(err)
	}
	var out []map[string]any
	for line := range bytes.Lines(b) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			w.t.Fatalf("a line of the log is not JSON: %q", line)
		}
		if m["message"] == message {
			out = append(out, m)
		}
	}
	return out
}

// exchanges waits until n exchanges are on record: an answer is read by the
// client a moment before it is recorded.
func (w *world) exchanges(n int) []map[string]any {
	w.t.Helper()
	var out []map[string]any
	eventually(w.t, fmt.Sprintf("%d exchanges on record", n), func() bool {
		out = w.log("exchange")
		return len(out) >= n
	})
	if len(out) != n {
		w.t.Errorf("%d exchanges are on record, want %d: %v", len(out), n, out)
	}
	return out
}

// eventually waits for what other goroutines are about to do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// issuer signs tokens and publishes its key, unless it is told to hang.
type issuer struct {
	kid string
	key *ecdsa.PrivateKey
	url string

	mu   sync.Mutex
	hang chan struct{}
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{kid: "k1", key: key}
	srv := httptest.NewServer(i)
	t.Cleanup(srv.Close)
	i.url = srv.URL
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	hang := i.hang
	i.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		return
	}
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": i.kid,
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}}})
}

// freeze makes the issuer hang until the test ends.
func (i *issuer) freeze(t testing.TB) {
	hang := make(chan struct{})
	i.mu.Lock()
	i.hang = hang
	i.mu.Unlock()
	t.Cleanup(func() { close(hang) })
}

// token signs claims that are good for an hour.
func (i *issuer) token(kid string, claims map[string]any) string {
	now := time.Now().Unix()
	all := map[string]any{"iss": "https://auth.example.com", "aud": "erp", "iat": now, "exp": now + 3600}
	for k, v := range claims {
		all[k] = v
	}
	segment := func(v any) string {
		b, _ := json.Marshal(v) // maps of texts and numbers
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := segment(map[string]string{"alg": "ES256", "typ": "JWT", "kid": kid}) + "." + segment(all)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}
