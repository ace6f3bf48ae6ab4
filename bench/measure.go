package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// A system is a peer that runs in the setup of a row.
type system struct {
	peer  peers.Peer
	group *group
	dir   string
	base  string        // scheme://host:port
	began time.Duration // from the start of the process until the first good answer
}

// A sample is one turn of a system at a row: a line of the results.
type sample struct {
	Time     time.Time `json:"time"`
	Row      string    `json:"row"`
	System   string    `json:"system"`
	Round    int       `json:"round"`
	CPU      float64   `json:"cpu_us"` // microseconds of processor time per request, of all the system's processes
	Rate     float64   `json:"rps"`
	P50      float64   `json:"p50_us"`
	P99      float64   `json:"p99_us"`
	RSS      float64   `json:"rss_mb"` // the most that its processes have had so far, in megabytes
	Start    float64   `json:"start_ms"`
	Requests int64     `json:"requests"`
	Errors   int64     `json:"errors"`
	Value    float64   `json:"value,omitempty"`   // of rows that measure something else
	Problem  string    `json:"problem,omitempty"` // why there are no numbers
}

// launch starts a peer and waits for its first good answer to the row's request.
func (w *world) launch(p peers.Peer, r *row) (*system, error) {
	dir, err := os.MkdirTemp(w.dir, p.Name+"-")
	if err != nil {
		return nil, err
	}
	port, err := freePorts()
	if err != nil {
		return nil, err
	}
	commands, err := p.Start(w.World, r.setup, dir, port)
	if err != nil {
		return nil, err
	}
	s := &system{peer: p, group: &group{log: filepath.Join(dir, "said")}, dir: dir, base: fmt.Sprintf("http://127.0.0.1:%d", port)}
	if r.setup.TLS {
		s.base = fmt.Sprintf("https://127.0.0.1:%d", port)
	}
	token, err := w.token(0, map[string]any{"jti": "start"})
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	for _, c := range commands {
		if err = s.group.start(peerCPU, c.Args, c.Env); err == nil && c.Wait != "" {
			err = s.reachable(c.Wait)
		}
		if err != nil {
			s.close()
			return nil, err
		}
	}
	if err := w.untilGood(s, r, token); err != nil {
		err = fmt.Errorf("%w: %s", err, s.group.tail())
		s.close()
		return nil, err
	}
	s.began = time.Since(begin)
	return s, nil
}

func (s *system) close() {
	s.group.stop()
	_ = os.RemoveAll(s.dir)
}

// startLimit bounds how long a system may take to start.
const startLimit = 15 * time.Second

func (s *system) reachable(address string) error {
	for end := time.Now().Add(startLimit); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		if err := s.group.dead(); err != nil {
			return fmt.Errorf("%w: %s", err, s.group.tail())
		}
	}
	return fmt.Errorf("nothing listens on %s", address)
}

// untilGood asks the row's own request every millisecond until the answer is 200.
func (w *world) untilGood(s *system, r *row, token string) error {
	transport := &http.Transport{TLSClientConfig: w.tls("http/1.1"), DisableKeepAlives: true}
	client := &http.Client{Transport: transport}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	var last error
	for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, r.method(), s.base+r.paths[0], http.NoBody)
		if err != nil {
			return err
		}
		req.Host = "localhost"
		if r.setup.JWT {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		if r.post > 0 {
			req.Method, req.URL.Path = http.MethodGet, "/1k"
		}
		res, err := client.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("%s", res.Status)
		}
		last = err
		if err := s.group.dead(); err != nil {
			return err
		}
	}
	return fmt.Errorf("no good answer: %w", last)
}

// freePorts gives a port on loopback that is free, and whose successor is too. It
// stays below those that systems give to connections: after a row that opens many,
// those leave no two beside each other.
func freePorts() (int, error) {
	const from, to = 20_000, 32_000
	for range 1000 {
		port := from + 2*rand.IntN((to-from)/2)
		if free(port) && free(port+1) {
			return port, nil
		}
	}
	return 0, errors.New("no two free ports beside each other")
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// errNothing is a turn in which a system had no processor to itself at all, or
// did not answer.
var errNothing = errors.New("not one request was answered")

// turn keeps a system busy for so long and gives what it took.
func (w *world) turn(r *row, s *system, d time.Duration) (sample, error) {
	return w.turnOf(r, s, func(begin func() error) (tally, error) {
		if err := begin(); err != nil {
			return tally{}, err
		}
		return w.load(r, s.base, d, r.fresh)
	})
}

// turnOf counts what a system takes while it is loaded, from when the load says that
// it begins.
func (w *world) turnOf(r *row, s *system, load func(begin func() error) (tally, error)) (sample, error) {
	out := sample{Time: time.Now().UTC(), Row: r.name, System: s.peer.Name, Start: float64(s.began.Microseconds()) / 1000}
	var before time.Duration
	t, err := load(func() (err error) {
		before, _, err = s.group.used()
		return err
	})
	if err != nil {
		return out, err
	}
	after, rss, err := s.group.used()
	if err != nil {
		return out, err
	}
	if t.Requests == 0 {
		return out, errNothing
	}
	out.Requests, out.Errors = t.Requests, t.Errors
	out.CPU = float64((after - before).Microseconds()) / float64(t.Requests)
	out.Rate = float64(t.Requests) / t.Took.Seconds()
	out.P50, out.P99 = float64(t.P50.Microseconds()), float64(t.P99.Microseconds())
	out.RSS = float64(rss) / 1e6
	return out, nil
}
