package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatehouse-dev/gatehouse/gateway"
)

// process is the gateway of a scenario.
type process struct {
	cmd       *exec.Cmd
	out       logBuffer
	done      chan error
	told      bool   // that it shall end
	base, ops string // addresses of the listeners public and admin
}

func (p *process) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		<-p.done
		p.cmd = nil
	}
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

// program finds the command that testscript has put on the scenario's path.
func (w *world) program(ts *testscript.TestScript) string {
	for _, dir := range filepath.SplitList(w.env["PATH"]) {
		file := filepath.Join(dir, "gatehouse")
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	ts.Fatalf("there is no gatehouse on %s", w.env["PATH"])
	return ""
}

func startGateway(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	p := &w.gateway
	if len(args) != 1 || p.cmd != nil {
		ts.Fatalf("usage: gateway FILE, where none runs")
	}
	cmd := exec.Command(w.program(ts), "serve", "-c", ts.MkAbs(args[0]))
	cmd.Dir = ts.MkAbs(".")
	for k, v := range w.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	ready := &readiness{found: map[string]string{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, io.MultiWriter(&p.out, ready)
	ts.Check(cmd.Start())
	p.cmd, p.done, p.told = cmd, make(chan error, 1), false
	done := p.done
	go func() { done <- cmd.Wait() }()
	select {
	case <-ready.done:
	case err := <-p.done:
		p.cmd = nil
		ts.Fatalf("the gateway ended: %v\n%s", err, p.out.String())
	case <-time.After(60 * time.Second):
		ts.Fatalf("the gateway is not ready\n%s", p.out.String())
	}
	p.base, p.ops = "https://"+ready.found["public"], "http://"+ready.found["admin"]
	if w.issuer != nil && strings.Contains(ts.ReadFile(args[0]), "${ISSUER}") {
		w.knowsIssuers(ts)
	}
	for name, addr := range ready.found {
		w.set(ts, strings.ToUpper(name)+"_ADDRESS", addr)
	}
}

// knowsIssuers waits until the gateway has the keys of an issuer: it fetches them when
// it starts, and a busy machine may take its time. Others may be away on purpose.
func (w *world) knowsIssuers(ts *testscript.TestScript) {
	for range 600 {
		res, err := http.Get(w.gateway.ops + "/readyz")
		ts.Check(err)
		var said struct{ Conditions []gateway.Condition }
		err = json.NewDecoder(res.Body).Decode(&said)
		_ = res.Body.Close()
		ts.Check(err)
		if slices.ContainsFunc(said.Conditions, func(c gateway.Condition) bool { return strings.HasPrefix(c.Name, "issuer/") && c.OK }) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no issuer has keys\n%s", w.gateway.out.String())
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

func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	p := &of(ts).gateway
	ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	p.told = true
}

func stopGateway(ts *testscript.TestScript, _ bool, args []string) {
	p := &of(ts).gateway
	if !p.told {
		terminate(ts, false, args)
	}
	err := <-p.done
	p.cmd = nil
	if err != nil {
		ts.Fatalf("the gateway ended badly: %v\n%s", err, p.out.String())
	}
}

// hangup waits until the gateway has counted one reload more. Connections that
// are kept would show the certificate of before.
func hangup(ts *testscript.TestScript, _ bool, _ []string) {
	w := of(ts)
	before := w.reloads(ts)
	ts.Check(w.gateway.cmd.Process.Signal(syscall.SIGHUP))
	for range 600 {
		if w.reloads(ts) > before {
			w.client.forget()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no reload\n%s", w.gateway.out.String())
}

func (w *world) reloads(ts *testscript.TestScript) int {
	res, err := http.Get(w.gateway.ops + "/metrics")
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

// exits runs a command to its end: `exits 1 gatehouse check -c gatehouse.yaml`.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if got, want := exitCode(ts, args); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// becomes runs a command until it ends so: what it has to do with Redis may be too
// late for it on a busy machine.
func becomes(ts *testscript.TestScript, _ bool, args []string) {
	for range 100 {
		if got, want := exitCode(ts, args); got == want {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("it never ends so")
}

func exitCode(ts *testscript.TestScript, args []string) (got, want int) {
	if len(args) < 2 {
		ts.Fatalf("usage: CODE COMMAND ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), want
	}
	ts.Check(err)
	return 0, want
}
