package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/cmd/gatehouse/demo"
)

// The scenarios under testdata/script run the real command as its own process,
// with real TLS, a real issuer and real backends over TCP. These are the
// commands they use besides those of testscript:
//
//	backend NAME FILE [STATUS]   a backend that answers everything with FILE; its address is $NAME
//	issuer                       an issuer of tokens; its address is $ISSUER
//	gateway FILE                 `gatehouse serve -c FILE`, until the scenario ends or says stop
//	as NAME CLAIM=VALUE…         from now on requests carry NAME's token; `as nobody`: none
//	GET PATH [Header: value]…    a request; also POST, PUT, PATCH, DELETE, OPTIONS, HEAD; @FILE is the body
//	status N, code CODE, header NAME TEXT, noheader NAME, has TEXT, lacks TEXT, json FILE
//	                             what the answer must be
//	saw NAME N                   how many requests reached the backend so far
//	received NAME TEXT           the last request that reached it, head and body, holds TEXT
//	notreceived NAME TEXT        or does not
//	admin METHOD PATH [TOKEN]    a request to the admin listener
//	hangup                       SIGHUP, and wait for the reload to end
//	stop                         SIGTERM, and the gateway must end well
//	logged TEXT, notlogged TEXT  the gateway's standard output
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			w := &world{env: map[string]string{"WORK": e.WorkDir, "PATH": e.Getenv("PATH"), "HOME": e.WorkDir}, backends: map[string]*recorder{}}
			e.Values[worldKey{}] = w
			e.Defer(w.close)
			return certs.Dev(filepath.Join(e.WorkDir, "certs"), []string{"api.example.com"}, time.Now())
		},
		Cmds: scriptCommands(),
	})
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gatehouse": main})
}

type worldKey struct{}

// world is what one scenario has running.
type world struct {
	env      map[string]string
	issuer   *demo.Issuer
	token    string
	backends map[string]*recorder
	closers  []func()

	cmd        *exec.Cmd
	out        *logBuffer
	done       chan error
	base, ops  string
	res        *http.Response
	body       string
	clientOnce sync.Once
	http       *http.Client
}

func (w *world) close() {
	if w.cmd != nil {
		_ = w.cmd.Process.Kill()
		<-w.done
	}
	for _, f := range w.closers {
		f()
	}
}

func of(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func scriptCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	cmds := map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"backend": startBackend, "issuer": startIssuer, "gateway": startGateway, "as": setToken, "stop": stopGateway, "hangup": hangup, "admin": askAdmin,
	}
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"} {
		cmds[m] = func(ts *testscript.TestScript, neg bool, args []string) { request(ts, m, args) }
	}
	for name, check := range checks() {
		cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) == 0 {
				ts.Fatalf("usage: %s WHAT", name)
			}
			if err := check(ts, of(ts), args); err != nil {
				ts.Fatalf("%v", err)
			}
		}
	}
	return cmds
}

func startIssuer(ts *testscript.TestScript, _ bool, _ []string) {
	w := of(ts)
	issuer, err := demo.NewIssuer()
	ts.Check(err)
	srv := httptest.NewServer(issuer)
	w.issuer, w.closers = issuer, append(w.closers, srv.Close)
	w.set(ts, "ISSUER", srv.URL)
}

func (w *world) set(ts *testscript.TestScript, name, value string) {
	w.env[name] = value
	ts.Setenv(name, value)
}

// recorder is a backend that answers everything alike and remembers the last
// request.
type recorder struct {
	mu   sync.Mutex
	n    int
	last string
}

func startBackend(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: backend NAME FILE [STATUS]")
	}
	w, rec, status := of(ts), &recorder{}, 200
	if len(args) > 2 {
		_, err := fmt.Sscan(args[2], &status)
		ts.Check(err)
	}
	file := ts.MkAbs(args[1])
	types := map[string]string{".json": "application/json", ".html": "text/html", ".txt": "text/plain", ".ndjson": "application/x-ndjson"}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var head strings.Builder
		fmt.Fprintf(&head, "%s %s\n", r.Method, r.RequestURI)
		_ = r.Header.Write(&head)
		if r.URL.Path != "/healthz" {
			rec.mu.Lock()
			rec.n, rec.last = rec.n+1, head.String()+"\n"+string(body)
			rec.mu.Unlock()
		}
		answer, err := os.ReadFile(file)
		if err != nil {
			http.Error(rw, err.Error(), 500)
			return
		}
		rw.Header().Set("Content-Type", types[filepath.Ext(file)])
		rw.WriteHeader(status)
		_, _ = rw.Write(answer)
	}))
	w.backends[args[0]] = rec
	w.closers = append(w.closers, srv.Close)
	w.set(ts, args[0], srv.URL)
}

// logBuffer collects what the gateway writes.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func startGateway(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	if len(args) != 1 || w.cmd != nil {
		ts.Fatalf("usage: gateway FILE, once")
	}
	path, err := exec.LookPath("gatehouse")
	for _, dir := range filepath.SplitList(w.env["PATH"]) {
		if _, serr := os.Stat(filepath.Join(dir, "gatehouse")); serr == nil {
			path, err = filepath.Join(dir, "gatehouse"), nil
			break
		}
	}
	ts.Check(err)
	cmd := exec.Command(path, "serve", "-c", ts.MkAbs(args[0]))
	cmd.Dir = ts.MkAbs(".")
	for k, v := range w.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	w.out = &logBuffer{}
	ready := &readiness{found: map[string]string{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = w.out, io.MultiWriter(w.out, ready)
	ts.Check(cmd.Start())
	w.cmd, w.done = cmd, make(chan error, 1)
	go func() { w.done <- cmd.Wait() }()
	select {
	case <-ready.done:
	case err := <-w.done:
		w.done <- err
		ts.Fatalf("the gateway ended: %v\n%s", err, w.out)
	case <-time.After(60 * time.Second):
		ts.Fatalf("the gateway is not ready\n%s", w.out)
	}
	w.base, w.ops = "https://"+ready.found["public"], "http://"+ready.found["admin"]
	for name, addr := range ready.found {
		w.set(ts, strings.ToUpper(name)+"_ADDRESS", addr)
	}
}

// readiness reads the ready lines of the gateway; the admin listener's is the
// last.
type readiness struct {
	text  strings.Builder
	found map[string]string
	done  chan struct{}
	once  sync.Once
}

func (r *readiness) Write(p []byte) (int, error) {
	r.text.Write(p)
	for line := range strings.SplitSeq(r.text.String(), "\n") {
		line = strings.TrimPrefix(strings.TrimPrefix(line, "gatehouse: "), "listener ")
		if name, addr, ok := strings.Cut(line, " ready on "); ok {
			r.found[name] = addr
		}
	}
	if r.found["admin"] != "" && strings.HasSuffix(r.text.String(), "\n") {
		r.once.Do(func() { close(r.done) })
	}
	return len(p), nil
}

func stopGateway(ts *testscript.TestScript, _ bool, _ []string) {
	w := of(ts)
	ts.Check(w.cmd.Process.Signal(syscall.SIGTERM))
	err := <-w.done
	w.cmd = nil
	if err != nil {
		ts.Fatalf("the gateway ended badly: %v\n%s", err, w.out)
	}
}

// hangup waits until the gateway has counted one reload more.
func hangup(ts *testscript.TestScript, _ bool, _ []string) {
	w := of(ts)
	before := w.reloads(ts)
	ts.Check(w.cmd.Process.Signal(syscall.SIGHUP))
	for range 600 {
		if w.reloads(ts) > before {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no reload\n%s", w.out)
}

func (w *world) reloads(ts *testscript.TestScript) int {
	res, err := http.Get(w.ops + "/metrics")
	ts.Check(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	ts.Check(err)
	n := 0
	for line := range strings.SplitSeq(string(b), "\n") {
		var v int
		if _, rest, ok := strings.Cut(line, "gatehouse_config_reloads_total{"); ok {
			if _, err := fmt.Sscan(rest[strings.LastIndexByte(rest, ' ')+1:], &v); err == nil {
				n += v
			}
		}
	}
	return n
}

// setToken makes a token: `as bayo role=staff tenant=acme branches=a,b`.
func setToken(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	w.token = ""
	if len(args) == 0 || args[0] == "nobody" {
		return
	}
	if w.issuer == nil {
		ts.Fatalf("as: there is no issuer")
	}
	p, now := demo.Person{ID: args[0]}, time.Now()
	for _, a := range args[1:] {
		k, v, _ := strings.Cut(a, "=")
		switch k {
		case "role":
			p.Role = v
		case "tenant":
			p.Tenant = v
		case "branch":
			p.Branch = v
		case "branches":
			p.Branches = strings.Split(v, ",")
		case "amr":
			p.AMR = strings.Split(v, ",")
		case "age":
			d, err := time.ParseDuration(v)
			ts.Check(err)
			now = now.Add(-d)
		default:
			ts.Fatalf("as: unknown claim %q", k)
		}
	}
	w.token = w.issuer.Token(p, now)
}

func (w *world) client(ts *testscript.TestScript) *http.Client {
	w.clientOnce.Do(func() {
		pool, err := certs.Pool(filepath.Join(ts.MkAbs("."), "certs", "ca.pem"))
		ts.Check(err)
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, DisableCompression: true}
		w.closers = append(w.closers, tr.CloseIdleConnections)
		w.http = &http.Client{Transport: tr, Timeout: 60 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	})
	return w.http
}

// request sends a request. An argument is a body (@FILE) or a header.
func request(ts *testscript.TestScript, method string, args []string) {
	w := of(ts)
	if len(args) == 0 {
		ts.Fatalf("usage: %s PATH [@BODY] [Header: value]", method)
	}
	target := args[0]
	if strings.HasPrefix(target, "/") {
		target = w.base + target
	}
	r, err := http.NewRequestWithContext(context.Background(), method, target, http.NoBody)
	ts.Check(err)
	if w.token != "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	for _, a := range args[1:] {
		if file, ok := strings.CutPrefix(a, "@"); ok {
			text := ts.ReadFile(file)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			continue
		}
		k, v, ok := strings.Cut(a, ": ")
		if !ok {
			ts.Fatalf("%q is neither @FILE nor a header", a)
		}
		if k == "Host" {
			r.Host = v
			continue
		}
		r.Header.Set(k, v)
	}
	w.do(ts, r)
}

func (w *world) do(ts *testscript.TestScript, r *http.Request) {
	res, err := w.client(ts).Do(r)
	if err != nil {
		ts.Fatalf("%s %s: %v\n%s", r.Method, r.URL, err, w.out)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	ts.Check(err)
	w.res, w.body = res, string(b)
}

func askAdmin(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	if len(args) < 2 {
		ts.Fatalf("usage: admin METHOD PATH [TOKEN]")
	}
	r, err := http.NewRequestWithContext(context.Background(), args[0], w.ops+args[1], http.NoBody)
	ts.Check(err)
	if len(args) > 2 {
		r.Header.Set("Authorization", "Bearer "+args[2])
	}
	w.do(ts, r)
}

type check func(ts *testscript.TestScript, w *world, args []string) error

func checks() map[string]check {
	return map[string]check{
		"status": func(_ *testscript.TestScript, w *world, args []string) error {
			if got := fmt.Sprint(w.res.StatusCode); got != args[0] {
				return fmt.Errorf("status %s, want %s\n%s\n%s", got, args[0], w.body, w.out)
			}
			return nil
		},
		"code": func(_ *testscript.TestScript, w *world, args []string) error {
			var d struct {
				Code string `json:"code"`
				ID   string `json:"request_id"`
			}
			err := json.Unmarshal([]byte(w.body), &d)
			if err != nil || d.Code != args[0] || d.ID != w.res.Header.Get("X-Request-Id") || w.res.Header.Get("Content-Type") != "application/problem+json" {
				return fmt.Errorf("want code %s, got %s\n%s", args[0], w.body, w.out)
			}
			return nil
		},
		"header": func(_ *testscript.TestScript, w *world, args []string) error {
			if got := strings.Join(w.res.Header.Values(args[0]), ", "); len(args) < 2 || !strings.Contains(got, args[1]) {
				return fmt.Errorf("%s: %q", args[0], got)
			}
			return nil
		},
		"noheader": func(_ *testscript.TestScript, w *world, args []string) error {
			if v, ok := w.res.Header[http.CanonicalHeaderKey(args[0])]; ok {
				return fmt.Errorf("%s: %q", args[0], v)
			}
			return nil
		},
		"has":    func(_ *testscript.TestScript, w *world, args []string) error { return holds(w.body, args[0], true) },
		"lacks":  func(_ *testscript.TestScript, w *world, args []string) error { return holds(w.body, args[0], false) },
		"logged": func(_ *testscript.TestScript, w *world, args []string) error { return eventually(w.out, args[0]) },
		"notlogged": func(_ *testscript.TestScript, w *world, args []string) error {
			return holds(w.out.String(), args[0], false)
		},
		"json":        sameJSON,
		"saw":         func(_ *testscript.TestScript, w *world, args []string) error { return w.saw(args) },
		"received":    func(_ *testscript.TestScript, w *world, args []string) error { return w.received(args, true) },
		"notreceived": func(_ *testscript.TestScript, w *world, args []string) error { return w.received(args, false) },
	}
}

func holds(text, want string, yes bool) error {
	if strings.Contains(text, want) != yes {
		return fmt.Errorf("%q: want it there: %v, in\n%s", want, yes, text)
	}
	return nil
}

// eventually waits for a line that is written after the answer has gone out.
func eventually(l *logBuffer, want string) error {
	for range 100 {
		if strings.Contains(l.String(), want) {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return holds(l.String(), want, true)
}

func sameJSON(ts *testscript.TestScript, w *world, args []string) error {
	var got, want any
	if err := json.Unmarshal([]byte(w.body), &got); err != nil {
		return fmt.Errorf("%w: %s", err, w.body)
	}
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &want); err != nil {
		return err
	}
	g, _ := json.Marshal(got)
	e, _ := json.Marshal(want)
	if string(g) != string(e) {
		return fmt.Errorf("got  %s\nwant %s", g, e)
	}
	return nil
}

func (w *world) saw(args []string) error {
	b := w.backends[args[0]]
	if b == nil || len(args) != 2 {
		return fmt.Errorf("usage: saw BACKEND N")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if got := fmt.Sprint(b.n); got != args[1] {
		return fmt.Errorf("%s saw %s requests, want %s; the last: %s", args[0], got, args[1], b.last)
	}
	return nil
}

func (w *world) received(args []string, yes bool) error {
	b := w.backends[args[0]]
	if b == nil || len(args) != 2 {
		return fmt.Errorf("usage: received BACKEND TEXT")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return holds(b.last, args[1], yes)
}
