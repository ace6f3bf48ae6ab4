package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/fixture"
	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// connections is how many clients there are: each waits for its answer and asks
// again.
const connections = 64

// A tally is what a load generator has counted.
type tally struct {
	Requests int64
	Errors   int64 // no connection, a broken one, too late, or a status that is not 2xx or 3xx
	Bytes    int64
	Took     time.Duration
	P50, P99 time.Duration
}

//go:embed wrk.lua
var wrkScript []byte

// load keeps a system busy with a row's requests for so long.
func (w *world) load(r *row, base string, d time.Duration, fresh bool) (tally, error) {
	if r.h2 {
		return w.h2load(r, base, d)
	}
	if _, err := peers.Find("wrk"); err != nil {
		return w.ownLoad(r, base, d, fresh)
	}
	return w.wrk(r, base, d, fresh)
}

func (w *world) wrk(r *row, base string, d time.Duration, fresh bool) (tally, error) {
	script := filepath.Join(w.dir, "wrk.lua")
	if err := os.WriteFile(script, wrkScript, 0o600); err != nil {
		return tally{}, err
	}
	// wrk takes whole seconds; what is shorter is not for it.
	seconds := strconv.Itoa(max(1, int(d.Round(time.Second)/time.Second)))
	args := pinned(loadCPU, []string{"wrk", "-t1", "-c", strconv.Itoa(connections), "-d", seconds, "--timeout", "10s", "-s", script, base})
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "BENCH_METHOD="+r.method(), "BENCH_PATHS="+strings.Join(r.paths, " "))
	if r.setup.JWT {
		tokens := w.few
		if fresh {
			tokens = w.many
			cmd.Env = append(cmd.Env, "BENCH_ONCE=1")
		}
		cmd.Env = append(cmd.Env, "BENCH_TOKENS="+tokens)
	}
	if r.post > 0 {
		body := filepath.Join(w.dir, "body")
		if err := os.WriteFile(body, fixture.Plain(r.post), 0o600); err != nil {
			return tally{}, err
		}
		cmd.Env = append(cmd.Env, "BENCH_BODY="+body)
	}
	out, err := run(cmd)
	if err != nil {
		return tally{}, err
	}
	_, line, found := strings.Cut(out, "BENCH ")
	if !found {
		return tally{}, fmt.Errorf("wrk: %s", out)
	}
	var v struct{ Requests, Us, Bytes, Connect, Read, Write, Timeout, Status, P50, P99 int64 }
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		return tally{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	return tally{
		Requests: v.Requests, Errors: v.Connect + v.Read + v.Write + v.Timeout + v.Status, Bytes: v.Bytes,
		Took: time.Duration(v.Us) * time.Microsecond, P50: time.Duration(v.P50) * time.Microsecond, P99: time.Duration(v.P99) * time.Microsecond,
	}, nil
}

// h2load asks over HTTP/2. Its log has a line for each request: when it began in
// microseconds, its status, and how long it took.
func (w *world) h2load(r *row, base string, d time.Duration) (tally, error) {
	log := filepath.Join(w.dir, "h2load.log")
	_ = os.Remove(log) // it appends
	defer os.Remove(log)
	args := pinned(loadCPU, []string{
		"h2load", "-t1", "-c", strconv.Itoa(connections), "-m1", "-D", strconv.FormatFloat(d.Seconds(), 'f', -1, 64),
		"--connection-inactivity-timeout", "10s", "--npn-list", "h2", "--log-file", log, base + r.paths[0],
	})
	out, err := run(exec.Command(args[0], args[1:]...))
	if err != nil {
		return tally{}, err
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return tally{}, fmt.Errorf("h2load: %w: %s", err, out)
	}
	return readH2Log(text)
}

func readH2Log(text []byte) (tally, error) {
	var t tally
	var took []int64
	var first, last int64
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		if len(f) != 3 {
			return t, fmt.Errorf("h2load: a line of its log is %q", line)
		}
		n, err := parse(f)
		if err != nil {
			return t, err
		}
		if t.Requests == 0 {
			first = n[0]
		}
		last = max(last, n[0]+n[2])
		t.Requests++
		if n[1] < 200 || n[1] > 399 {
			t.Errors++
		}
		took = append(took, n[2])
	}
	if t.Requests == 0 {
		return t, fmt.Errorf("h2load: not one request was answered")
	}
	slices.Sort(took)
	us := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	t.Took, t.P50, t.P99 = us(last-first), us(took[len(took)/2]), us(took[len(took)*99/100])
	return t, nil
}

func parse(fields []string) ([]int64, error) {
	out := make([]int64, len(fields))
	for i, f := range fields {
		var err error
		if out[i], err = strconv.ParseInt(f, 10, 64); err != nil {
			return nil, fmt.Errorf("%q: %w", fields, err)
		}
	}
	return out, nil
}

// run gives what a command has written, also where it failed.
func run(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, out)
	}
	return string(out), nil
}
