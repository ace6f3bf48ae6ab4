package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/headers"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// secret is what no client may ever receive a byte of.
const secret = "5400000"

// one is a configuration with one route that needs a token and is masked.
const one = `
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - name: employees
    match: {path: /api/employees/}
    upstream: hr
    authn: {issuers: [auth]}
    policy: {masks: required, rows: required}
`

// masking is a policy under which staff see no salary.
const masking = `
allow if input.subject.role == "staff"
mask contains {"path": "$..salary", "action": "redact"}
all_rows if true
headers["X-User-Id"] := {"input": "subject.id"}
`

// witness is a backend that remembers what it saw.
type witness struct {
	mu   sync.Mutex
	seen []string
	http.HandlerFunc
}

func (v *witness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s\n", r.Method, r.RequestURI)
	_ = r.Header.Write(&head)
	_ = r.Trailer.Write(&head)
	fmt.Fprintf(&head, "%s%v", body, err)
	v.mu.Lock()
	v.seen = append(v.seen, head.String())
	v.mu.Unlock()
	if v.HandlerFunc != nil {
		v.HandlerFunc(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"id": "e2", "salary": %s}`, secret)
}

func (v *witness) requests() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.seen...)
}

// broken is one dependency that does not do its part.
type broken struct {
	name     string
	settings string // "": one
	policy   string // "": masking
	backend  http.HandlerFunc
	prepare  func(w *world)               // before the gateway starts
	compile  func(w *world, p *Plan)      // before the plan serves
	request  func(w *world) *http.Request // nil: GET of an employee by a staff member
	check    func(t *testing.T, w *world) // instead of one request
	status   int
	code     string
	saw      int // requests that reach the backend

	closes bool
}

func TestBrokenDependencies(t *testing.T) {
	for _, tests := range [][]broken{brokenPolicies(), brokenIssuers(), brokenUpstreams(), brokenSelf()} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) { tt.run(t) })
		}
	}
}

func (tt *broken) run(t *testing.T) {
	w := open(t)
	hr := &witness{HandlerFunc: tt.backend}
	w.backend("HR", hr.ServeHTTP)
	if tt.prepare != nil {
		tt.prepare(w)
	}
	settings, policy := tt.settings, tt.policy
	if settings == "" {
		settings = one
	}
	if policy == "" {
		policy = masking
	}
	p := w.compile(settings, policy)
	if tt.compile != nil {
		tt.compile(w, p)
	}
	w.serve(p)
	if tt.check != nil {
		tt.check(t, w)
	} else {
		for i, h2 := range []bool{false, true} {
			r := w.request("GET", "/api/employees/7", nil, w.as("e2", "staff"))
			if tt.request != nil {
				r = tt.request(w)
			}
			a := do(t, w.client(h2), r)
			refused(t, a, tt.status, tt.code)
			if closed := a.Close; !h2 && closed != tt.closes {
				t.Errorf("the connection is closed: %v, want %v", closed, tt.closes)
			}
			if n := len(hr.requests()); n != (i+1)*tt.saw {
				t.Errorf("the backend saw %d requests, want %d: %q", n, (i+1)*tt.saw, hr.requests())
			}
			e := w.exchanges(i + 1)[i]
			if e["code"] != tt.code || e["status"] != float64(tt.status) {
				t.Errorf("on record: %v", e)
			}
		}
	}
	w.close()
	if left := p.memory; !left.Take(int64(p.config.Limits.BodyMemory)) {
		t.Error("memory of bodies was not given back")
	}
}

// refused verifies a refusal: its status and code, the form of RFC 9457, the
// headers that every answer has, and that nothing of the backend is in it.
func refused(t *testing.T, a answer, status int, code string) {
	t.Helper()
	var p struct {
		Type, Title, Code, Detail string
		Status                    int
		ID                        string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.err != nil {
		t.Fatalf("%s: the answer is no problem: %q %v", a.Status, a.body, a.err)
	}
	id := a.Header.Get("X-Request-Id")
	if a.StatusCode != status || p.Code != code || p.Status != status || p.Type != "about:blank" || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Errorf("got %s %s, want %d %s", a.Status, a.body, status, code)
	}
	if len(id) != 32 || p.ID != id {
		t.Errorf("request id %q in the head, %q in the body", id, p.ID)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/problem+json", "Strict-Transport-Security": headers.HSTS, "X-Content-Type-Options": "nosniff",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("Cache-Control: %q", a.Header.Get("Cache-Control"))
	}
	whole := fmt.Sprint(a.Header, a.body)
	for _, word := range []string{secret, "127.0.0.1:", "panic", "goroutine", ".rego"} {
		if strings.Contains(whole, word) {
			t.Errorf("the answer tells %q: %s", word, whole)
		}
	}
}

func brokenPolicies() []broken {
	grant := "allow if true\nall_rows if true\n"
	fault := func(name, policy string) broken {
		return broken{name: "policy/" + name, policy: policy, status: 500, code: "policy_error"}
	}
	return []broken{
		{name: "policy/undefined", policy: "allow if input.subject.role == \"nobody\"\n", status: 403, code: "forbidden"},
		fault("conflict", grant+"all_fields if true\naudit := \"detail\" if input.subject.id == \"e2\"\naudit := \"metadata\" if input.subject.role == \"staff\"\n"),
		fault("runtime error", grant+"all_fields if true\ndeny contains {\"code\": \"too_old\", \"message\": \"no\"} if to_number(input.subject.id) > 3\n"),
		fault("mask of an unknown action", grant+"mask contains {\"path\": \"$.salary\", \"action\": input.subject.claims.sub}\n"),
		fault("mask of an unreadable path", grant+"mask contains {\"path\": input.subject.claims.sub, \"action\": \"drop\"}\n"),
		fault("no masks where they are required", grant),
		fault("no rows where they are required", "allow if true\nall_fields if true\n"),
		{
			name: "policy/too slow", status: 500, code: "policy_error",
			settings: one + "policies: {path: rego, budget: 30ms}\n",
			policy:   grant + "all_fields if count([1 | some a in hundred; some b in hundred; some c in hundred; some d in hundred]) > 1\n" + "import data.big.hundred\n",
			prepare:  func(w *world) { w.write("rego/big/data.json", `{"hundred": [`+strings.Repeat("1,", 99)+`1]}`) },
		},
		{
			name: "policy/region without an endpoint", policy: grant + "all_fields if true\nregion := \"eu\"\n",
			status: 502, code: "upstream_unavailable",
		},
		{
			name: "policy/header without a value", policy: grant + "all_fields if true\nheaders[\"X-Branch\"] := {\"input\": \"subject.claims.branch\"}\n",
			status: 403, code: "forbidden",
		},
	}
}

// decideBy makes the plan's pipelines anew around another decider.
func (p *Plan) decideBy(w *world, d policies.Decider) {
	w.t.Helper()
	b := &builder{ctx: w.t.Context(), config: p.config, deps: w.deps, plan: p, decider: d, issuers: p.issuers}
	b.openState()
	p.decider, p.pipelines = d, nil
	for _, r := range p.config.Routes {
		p.pipelines = append(p.pipelines, b.pipeline(r))
	}
	p.router = newRouter(p.pipelines)
	if len(b.mistakes) > 0 {
		w.t.Fatal(b.mistakes)
	}
}

func brokenIssuers() []broken {
	return []broken{
		{
			name: "issuer/down at start", prepare: func(w *world) { w.vars["ISSUER"] = "http://" + unused(w.t) },
			status: 503, code: "authentication_unavailable",
		},
		{
			name: "issuer/hangs on an unknown key",
			check: func(t *testing.T, w *world) {
				c := w.client(true)
				known := func() answer { return do(t, c, w.request("GET", "/api/employees/7", nil, w.as("e2", "staff"))) }
				if a := known(); a.StatusCode != 200 {
					t.Fatalf("%s %s", a.Status, a.body)
				}
				w.issuer.freeze(t)
				done := make(chan answer, 1)
				go func() {
					r := w.request("GET", "/api/employees/7", nil, "Authorization: Bearer "+w.issuer.token("k2", map[string]any{"sub": "e2", "role": "staff", "tenant": "acme"}))
					res, err := c.Do(r)
					if err != nil {
						done <- answer{&http.Response{Status: err.Error()}, "", err}
						return
					}
					defer res.Body.Close()
					b, err := io.ReadAll(res.Body)
					done <- answer{res, string(b), err}
				}()
				for waiting := true; waiting; {
					select {
					case a := <-done:
						refused(t, a, 401, "token_invalid")
						waiting = false
					default:
						if a := known(); a.StatusCode != 200 {
							t.Fatalf("who is known waits for a stranger: %s %s", a.Status, a.body)
						}
					}
				}
			},
		},
		{name: "store/closed", settings: limited("closed"), prepare: redis, check: killRedis(503, "overloaded")},
		{name: "store/local", settings: limited("local"), prepare: redis, check: killRedis(429, "rate_limited")},
		{name: "store/open", settings: limited("open"), prepare: redis, check: killRedis(200, "")},
	}
}

func limited(onStoreError string) string {
	return strings.Replace(one, "\nroutes:", "\nstore: {redis: {addresses: [\"{REDIS}\"]}}\nrate_limits: {few: {key: [subject.id], rate: 5/1h, on_store_error: "+onStoreError+"}}\nroutes:", 1) +
		"    rate_limits: [few]\n"
}

// redis starts a Redis server for a world.
func redis(w *world) {
	w.t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			w.t.Fatal("redis-server is not installed")
		}
		w.t.Skip("SKIPPED: redis-server is not installed, so nothing shared was tested")
	}
	addr := unused(w.t)
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", w.dir)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	kill := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	w.t.Cleanup(kill)
	w.kill, w.vars["REDIS"] = kill, addr
	eventually(w.t, "redis answers", func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		defer c.Close()
		_, _ = io.WriteString(c, "PING\r\n")
		line, _ := bufio.NewReader(c).ReadString('\n')
		return line == "+PONG\r\n"
	})
}

// killRedis uses the limit once, kills the server and then sends more requests
// than the limit admits. The last must end as told, and whatever was refused
// must not have reached the backend.
func killRedis(status int, code string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		c := w.client(false)
		ask := func() answer { return do(t, c, w.request("GET", "/api/employees/7", nil, w.as("e2", "staff"))) }
		if a := ask(); a.StatusCode != 200 {
			t.Fatalf("%s %s", a.Status, a.body)
		}
		w.kill()
		var last answer
		admitted := 1
		for range 12 {
			if last = ask(); last.StatusCode == 200 {
				admitted++
			}
		}
		if code == "" {
			if admitted != 13 {
				t.Errorf("%d of 13 were admitted", admitted)
			}
			return
		}
		refused(t, last, status, code)
		if want := map[string]int{"overloaded": 1, "rate_limited": 6}[code]; admitted != want {
			t.Errorf("%d requests were admitted, want %d", admitted, want)
		}
	}
}

// unused is an address that nobody listens on.
func unused(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func brokenUpstreams() []broken {
	reply := func(mediaType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = io.WriteString(w, body)
		}
	}
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, text)
		}
	}
	unmaskable := func(name string, h http.HandlerFunc) broken {
		return broken{name: "upstream/" + name, backend: h, status: 502, code: "response_unmaskable", saw: 1}
	}
	json := `{"id": "e2", "salary": ` + secret
	return []broken{
		{
			name: "upstream/down", prepare: func(w *world) { w.vars["HR"] = "http://" + unused(w.t) },
			status: 502, code: "upstream_unavailable",
		},
		{
			name: "upstream/slow", settings: one + "    timeouts: {upstream: 100ms}\n",
			backend: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			status:  504, code: "upstream_timeout", saw: 1,
		},
		{name: "upstream/garbage", backend: raw("Salary " + secret + "\r\n\r\n"), status: 502, code: "upstream_unavailable", saw: 1},
		{name: "upstream/hangs up", backend: raw(""), status: 502, code: "upstream_unavailable", request: post, saw: 1},
		{name: "upstream/switches protocols", backend: raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + secret), status: 502, code: "upstream_unavailable", saw: 1},
		unmaskable("HTML", reply("text/html", "<b>"+secret+"</b>")),
		unmaskable("no media type", raw("HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n"+fmt.Sprintf("%-32s", json+"}"))),
		unmaskable("broken JSON", reply("application/json", json+",}")),
		unmaskable("two values", reply("application/json", json+"}{}")),
		unmaskable("not UTF-8", reply("application/json", json+", \"name\": \"\xff\"}")),
		unmaskable("another charset", reply("application/json; charset=utf-16", json+"}")),
		unmaskable("truncated by length", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"+json+"}")),
		unmaskable("truncated chunks", raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n"+fmt.Sprintf("%-30s", json+"}")+"\r\n")),
		unmaskable("brotli", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			reply("application/json", json+"}")(w, nil)
		}),
		unmaskable("a part", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Range", "bytes 0-1/2")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, json+"}")
		}),
		{
			name: "upstream/larger than is masked", settings: one + "    mask: {max: 1KiB}\n",
			backend: reply("application/json", json+strings.Repeat(" ", 2000)+"}"), status: 502, code: "response_unmaskable", saw: 1,
		},
	}
}

// post is a request that net/http does not send a second time.
func post(w *world) *http.Request {
	return w.request("POST", "/api/employees/7", strings.NewReader(`{"a": 1}`), w.as("e2", "staff"), "Content-Type: application/json")
}

func brokenSelf() []broken {
	large := strings.Repeat("x", 64<<10)
	memory := strings.Replace(one, "\nroutes:", "\nlimits: {body_memory: 32KiB}\nroutes:", 1)
	return []broken{
		{
			name: "memory/of requests", settings: memory + "    sanitize: {html: strip}\n", status: 503, code: "overloaded",
			request: func(w *world) *http.Request {
				return w.request("POST", "/api/employees/7", strings.NewReader(`{"a": "`+large+`"}`), w.as("e2", "staff"), "Content-Type: application/json")
			},
		},
		{
			name: "memory/of answers", settings: memory, status: 503, code: "overloaded", saw: 1,
			backend: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"salary": %s, "name": %q}`, secret, large)
			},
		},
		{
			name: "a stage that panics", status: 500, code: "internal_error", closes: true,
			compile: func(w *world, p *Plan) { p.decideBy(w, panicking{p.decider, secret}) },
		},
		{
			name: "a stage that panics/is counted", compile: func(w *world, p *Plan) { p.decideBy(w, panicking{p.decider, secret}) },
			check: func(t *testing.T, w *world) {
				do(t, w.client(false), w.request("GET", "/api/employees/7", nil, w.as("e2", "staff")))
				if got := w.metric("gatehouse_panics_total"); got != "1" {
					t.Errorf("gatehouse_panics_total is %s", got)
				}
				lines := w.log("panic")
				if len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]["stack"]), "panicking.Decide") {
					t.Errorf("logged: %v", lines)
				}
			},
		},
		{name: "a client that leaves/streamed", check: leave("/plain/", false), settings: plain},
		{name: "a client that leaves/held", check: leave("/api/employees/", true), settings: one + "    sanitize: {html: strip}\n"},
	}
}

// plain is a configuration with a route that nothing is done to.
const plain = `
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - name: plain
    match: {path: /plain/}
    upstream: hr
    public: true
    policy: "off"
`

// panicking is a decider with a fault.
type panicking struct {
	policies.Decider
	about string
}

func (p panicking) Decide(context.Context, *policies.Input) (*policies.Decision, error) {
	panic("a fault about " + p.about)
}

// leave sends half of a body and goes.
func leave(path string, held bool) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		c := w.dial()
		c.send("POST " + path + "7 HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 1000\n" + w.as("e2", "staff") + "\n\n{\"a\": \"")
		eventually(t, "the request runs", func() bool { return w.metric("gatehouse_requests_in_flight") == "1" })
		_ = c.Close()
		e := w.exchanges(1)[0]
		if e["aborted"] != true {
			t.Errorf("on record: %v", e)
		}
		_, forwarded := e["upstream"]
		if held && forwarded {
			t.Errorf("half a request was sent to %v", e["upstream"])
		}
		eventually(t, "no request runs", func() bool { return w.metric("gatehouse_requests_in_flight") == "0" })
	}
}

// metric gives the value of a metric without labels.
func (w *world) metric(name string) string {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.deps.Metrics.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(rec.Body.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	w.t.Fatalf("there is no metric %s", name)
	return ""
}
