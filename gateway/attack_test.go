package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/gateway/admin"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// The tests of this file attack a gateway that really listens, from both sides:
// as a client who writes what he likes on the wire, and as a backend that
// answers what it likes. The names say the class of the attack.

const attackSecret = "an HMAC secret of the tests, long enough to be one"

const attackConfig = `
version: 1
listeners:
  public: {address: "127.0.0.1:0", insecure: true}
  redirect: {address: "127.0.0.2:0", redirect_to_https: true}
admin: {address: "127.0.0.1:0", token: "the token of the operators"}
log: {output: %[1]s/access.log}
issuers:
  auth: {issuer: https://auth.example, audiences: [api], algorithms: [HS256], secret: %[3]q}
upstreams:
  hr: {endpoints: ["http://%[2]s"]}
policies: {path: %[1]s/rego, budget: 5s}
limits: {body_memory: 4MiB, body_bytes: 256KiB}
timeouts: {header: 20s, upstream: 20s, idle: 20s, body: 20s}
routes:
  - name: employees
    match: {path: /api/employees/}
    upstream: hr
    authn: {issuers: [auth], forward_token: false}
    sanitize: {html: strip, sql_injection: report}
    policy: {masks: required, rows: required}
  - name: payroll
    match: {path: /api/payroll/}
    upstream: hr
    authn: {issuers: [auth], forward_token: false}
    policy: {masks: required, rows: required, body: true}
  - name: open
    match: {path: /open/}
    upstream: hr
    public: true
    policy: off
  - name: forms
    match: {path: /forms/}
    upstream: hr
    public: true
    policy: off
    sanitize: {html: strip}
  - name: stripped
    match: {path: /v1/}
    upstream: hr
    public: true
    policy: off
    rewrite: {strip_prefix: /v1}
  - name: named
    match: {hosts: [api.example, "::1"], path: /named/}
    upstream: hr
    public: true
    policy: off
`

// attackPolicy masks by role and filters by tenant; nobody writes a salary.
const attackPolicy = `package gatehouse

allow if {
	input.resource.route == "employees"
	input.subject.role in {"hr", "staff"}
}

allow if {
	input.resource.route == "payroll"
	input.subject.role == "hr"
	not input.body.evil
}

mask contains {"path": sprintf("$..%s", [name]), "action": "redact"} if {
	some name in ["ssn", "salary", "kin"]
	input.subject.role != "hr"
}

all_fields if input.subject.role == "hr"

rows contains {"path": "$.items[*]", "where": [{"field": "tenant", "op": "eq", "input": "subject.tenant"}]} if {
	count(input.resource.segments) == 2
}

rows contains {"path": "$", "where": [{"field": "tenant", "op": "eq", "input": "subject.tenant"}]} if {
	count(input.resource.segments) != 2
}

protect contains {"path": "$..salary", "action": "reject"} if input.subject.role != "boss"

headers["X-User-Id"] := {"input": "subject.id"}
`

// attacked is a gateway under attack, with the backend that stands behind it.
type attacked struct {
	*gateway.Gateway
	reloader  *gateway.Reloader
	metrics   *telemetry.Metrics
	redirect  string
	file, ops string
	address   string
	dir       string

	mu     sync.Mutex
	answer func(c net.Conn, head string)
	heads  []string // request heads that reached the backend
	bodies []string
}

// attack starts a gateway whose backend answers with raw bytes.
func attack(t *testing.T, answer string) *attacked {
	t.Helper()
	return attackWith(t, attackConfig, answer)
}

// attackWith starts one by another configuration.
func attackWith(t *testing.T, settings, answer string) *attacked {
	t.Helper()
	a := &attacked{dir: t.TempDir()}
	a.says(answer)
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { a.backend(backend, &wg) })
	write(t, filepath.Join(a.dir, "rego", "gatehouse.rego"), attackPolicy)
	file := filepath.Join(a.dir, "gatehouse.yaml")
	write(t, file, fmt.Sprintf(settings, a.dir, backend.Addr(), attackSecret))
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	deps := &gateway.Deps{Metrics: telemetry.New()}
	plan, err := gateway.Compile(t.Context(), c, deps)
	if err != nil {
		t.Fatal(err)
	}
	a.Gateway = gateway.New(deps, plan)
	a.file, a.metrics, a.reloader = file, deps.Metrics, gateway.NewReloader(a.Gateway, file)
	server, err := gateway.Listen(a.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	ops, err := admin.Listen(a.Gateway, a.reloader, deps.Metrics.Handler())
	if err != nil {
		t.Fatal(err)
	}
	a.ops = ops.Address().String()
	a.redirect = server.Addresses()["redirect"].String()
	a.address = server.Addresses()["public"].String()
	ctx, stop := context.WithCancel(context.Background())
	wg.Go(func() { _ = server.Serve(ctx) })
	wg.Go(func() { _ = ops.Serve(ctx) })
	t.Cleanup(func() {
		stop()
		_ = backend.Close()
		wg.Wait()
		a.Close()
	})
	return a
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// says sets the raw answer of the backend; the connection is closed behind it.
func (a *attacked) says(answer string) {
	a.does(func(c net.Conn, _ string) { _, _ = io.WriteString(c, answer) })
}

func (a *attacked) does(answer func(c net.Conn, head string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

// backend reads whole requests, remembers them and answers.
func (a *attacked) backend(l net.Listener, wg *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			var raw bytes.Buffer
			r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(c, &raw)))
			if err != nil {
				return
			}
			body, _ := io.ReadAll(r.Body)
			head, _, _ := strings.Cut(raw.String(), "\r\n\r\n")
			a.mu.Lock()
			a.heads, a.bodies = append(a.heads, head), append(a.bodies, raw.String()[len(head):])
			answer := a.answer
			_ = body
			a.mu.Unlock()
			answer(c, head)
		})
	}
}

// seen gives the requests that reached the backend since the last call.
func (a *attacked) seen() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	heads := a.heads
	a.heads, a.bodies = nil, nil
	return heads
}

// patience is for how long nothing must come behind an answer.
const patience = 300 * time.Millisecond

// raw sends bytes and gives everything that comes back: an answer, for which it
// waits, and what follows until the gateway closes the connection, as it has
// announced, or has nothing more to say.
func (a *attacked) raw(t *testing.T, request string) string {
	t.Helper()
	return a.rawTo(t, a.address, request)
}

func (a *attacked) rawTo(t *testing.T, address, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.WriteString(c, request) }()
	var out bytes.Buffer
	r := bufio.NewReader(io.TeeReader(c, &out))
	method, _, _ := strings.Cut(request, " ")
	for whole := false; !whole; {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
		}
		if err != nil {
			return out.String()
		}
		if whole = res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols; whole && !res.Close {
			_ = c.SetReadDeadline(time.Now().Add(patience))
		}
	}
	_, _ = io.Copy(io.Discard, r)
	return out.String()
}

// get asks for a path as the bearer of a token.
func (a *attacked) get(t *testing.T, path, token string) (int, http.Header, string) {
	t.Helper()
	return a.send(t, "GET", path, token, "", "")
}

func (a *attacked) send(t *testing.T, method, path, token, contentType, body string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+a.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	tr := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	res, err := tr.RoundTrip(r)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, string(b)
}

// token signs claims; nil values take a claim out of the ordinary ones.
func token(claims map[string]any) string {
	all := map[string]any{
		"iss": "https://auth.example", "aud": "api", "sub": "e2", "role": "staff", "tenant": "acme",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(all, claims)
	for k, v := range all {
		if v == nil {
			delete(all, k)
		}
	}
	text, _ := json.Marshal(all)
	return sign(`{"alg":"HS256","typ":"JWT"}`, string(text))
}

func sign(header, claims string) string { return signWith(attackSecret, header, claims) }

func signWith(secret, header, claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	signed := enc([]byte(header)) + "." + enc([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + enc(mac.Sum(nil))
}

// answer makes a raw answer of the backend.
func answer(status, headers, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, headers, len(body), body)
}

const (
	jsonType = "Content-Type: application/json\r\n"
	clear    = "123-45-6789"
	record   = `{"tenant":"acme","name":"Ann","ssn":"` + clear + `"}`
)
