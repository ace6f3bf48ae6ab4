package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// An extra is a number that is no processor time: one for each system.
type extra struct {
	name, title, unit string
	row               string   // the setup and the requests
	systems           []string // those that are asked
	turns             int
	measure           func(*world, *row, peers.Peer, options) (float64, error)
}

func extras() []extra {
	all := []string{"gateway", "nginx", "haproxy", "caddy", "std"}
	return []extra{
		{"start", "start until the first good answer of the full chain", "ms", "full-record", []string{"gateway", "nginx-lua", "naive"}, 5, (*world).startTime},
		{"start-plain", "start until the first good answer, plain", "ms", "plain-1k", all, 5, (*world).startTime},
		{"binary", "size of the binary", "MB", "plain-1k", []string{"gateway", "nginx", "haproxy", "caddy", "nginx-lua"}, 1, (*world).binarySize},
		{"idle-tls", "memory for an idle TLS connection", "KB", "tls-1k", all, 1, (*world).idleMemory},
		{"half-load", "p99 over p50 at half load, plain 1 KB", "x", "plain-1k", append(all, nobody), 3, (*world).halfLoad},
		{"half-load-full", "p99 over p50 at half load, full chain", "x", "full-record", []string{"gateway", "nginx-lua"}, 3, (*world).halfLoad},
		{"half-rate", "p99 over p50 at half of the full rate, plain 1 KB", "x", "plain-1k", all, 3, (*world).halfRate},
	}
}

// nobody is the name of no system: the backend is asked itself. What it takes then is
// of the load generator, the backend and the machine.
const nobody = "none"

// asked are the systems, and nobody behind them.
func asked() []peers.Peer {
	return append(peers.All(), peers.Peer{Name: nobody, Needs: func(peers.World) []string { return nil }})
}

// extras measures them all.
func (w *world) extras(ctx context.Context, o options) ([]sample, error) {
	var out []sample
	for _, e := range extras() {
		if !o.wants(&row{name: e.name}) {
			continue
		}
		for turn := range e.turns {
			for _, p := range asked() {
				if !slices.Contains(e.systems, p.Name) || len(o.systems) > 0 && !slices.Contains(o.systems, p.Name) {
					continue
				}
				if ctx.Err() != nil {
					return out, ctx.Err()
				}
				s := sample{Time: time.Now().UTC(), Row: e.name, System: p.Name, Round: turn + 1}
				var err error
				if missing := p.Missing(w.World); len(missing) > 0 {
					err = notInstalled(missing)
				} else {
					s.Value, err = e.measure(w, rowNamed(e.row), p, o)
				}
				if err != nil {
					s.Problem = err.Error()
				}
				fmt.Fprintf(os.Stderr, "%-14s %-18s round %d  %7.1f %s %s\n", e.name, p.Name, turn+1, s.Value, e.unit, s.Problem)
				out = append(out, s)
			}
		}
	}
	return out, nil
}

// startTime is the time from the start of the process until its first good
// answer, in milliseconds.
func (w *world) startTime(r *row, p peers.Peer, _ options) (float64, error) {
	s, err := w.launch(p, r)
	if err != nil {
		return 0, err
	}
	defer s.close()
	return float64(s.began.Microseconds()) / 1000, nil
}

// binarySize is the size of what is started, in megabytes: of all programs, but
// not of the libraries that some share with the system.
func (w *world) binarySize(r *row, p peers.Peer, _ options) (float64, error) {
	names := map[string][]string{
		"gateway": {"gatehouse"}, "caddy": {"caddy"}, "nginx": {"nginx"}, "haproxy": {"haproxy"}, "nginx-lua": {"nginx", "opa"},
	}[p.Name]
	var sum int64
	for _, name := range names {
		path := filepath.Join(w.Bin, name)
		if _, err := os.Stat(path); err != nil {
			if path, err = peers.Find(name); err != nil {
				return 0, err
			}
		}
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	_ = r
	return float64(sum) / 1e6, nil
}

// held is how many idle connections there are.
const held = 2000

// idleMemory is what a connection over TLS takes that has had one answer and is
// kept, in kilobytes of resident memory.
func (w *world) idleMemory(r *row, p peers.Peer, _ options) (float64, error) {
	s, err := w.ready(r, p)
	if err != nil {
		return 0, err
	}
	defer s.close()
	time.Sleep(2 * time.Second)
	before, err := s.group.resident()
	if err != nil {
		return 0, err
	}
	spec := ownSpec{Address: s.base[len("https://"):], TLS: true, Connections: held, Method: "GET", Paths: r.paths}
	conns, err := spec.connect(context.Background())
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	if err != nil {
		return 0, err
	}
	if err := askOnce(conns, spec); err != nil {
		return 0, err
	}
	time.Sleep(3 * time.Second)
	after, err := s.group.resident()
	return float64(after-before) / held / 1000, err
}

func askOnce(conns []net.Conn, spec ownSpec) error {
	for i, conn := range conns {
		var c client
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Write(spec.requests(i, nil)()); err != nil {
			return err
		}
		if err := c.read(bufio.NewReader(conn)); err != nil {
			return err
		}
		if c.errors > 0 {
			return errors.New("an answer that is no success")
		}
	}
	return nil
}

// resident is the memory that the group has now.
func (g *group) resident() (int64, error) {
	members, err := g.members()
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, m := range members {
		sum += status(fmt.Sprintf("/proc/%d", m.pid), "VmRSS:")
	}
	return sum, nil
}
