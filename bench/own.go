package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/fixture"
)

// loadVariable makes this program a load generator: its value is an ownSpec.
const loadVariable = "GATEHOUSE_BENCH_LOAD"

// An ownSpec is what the generator of this program is asked to do. It is for
// what wrk cannot: requests at a steady pace, thousands of connections, and
// machines without wrk. It costs more processor time than wrk, of which nothing
// is counted.
type ownSpec struct {
	Address     string
	TLS         bool
	Connections int
	For         time.Duration
	Rate        float64 // requests a second, over all connections; 0: as fast as they are answered
	Method      string
	Paths       []string
	Post        int
	Tokens      string // a file
	Once        bool   // each token is used once, and the run ends when there are no more
}

// ownLoad starts this program again as a load generator on the load's processor.
func (w *world) ownLoad(r *row, base string, d time.Duration, fresh bool) (tally, error) {
	return w.own(r, base, ownSpec{Connections: connections, For: d, Once: fresh}, nil)
}

// own keeps a system busy. begin, if there is one, is called when the connections
// are open and nothing was asked yet.
func (w *world) own(r *row, base string, spec ownSpec, begin func() error) (tally, error) {
	scheme, address, _ := strings.Cut(base, "://")
	spec.Address, spec.TLS = address, scheme == "https"
	spec.Method, spec.Paths, spec.Post = r.method(), r.paths, r.post
	if r.setup.JWT {
		if spec.Tokens = w.few; spec.Once {
			spec.Tokens = w.many
		}
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return tally{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return tally{}, err
	}
	args := pinned(loadCPU, []string{self})
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), loadVariable+"="+string(text), "GOGC=400")
	if spec.Rate > 0 {
		cmd.Env = append(cmd.Env, "GOMAXPROCS=2") // one is whoever watches the clock
	}
	cmd.Stderr = os.Stderr
	from, err := cmd.StdoutPipe()
	if err != nil {
		return tally{}, err
	}
	to, err := cmd.StdinPipe()
	if err != nil {
		return tally{}, err
	}
	if err := cmd.Start(); err != nil {
		return tally{}, err
	}
	t, err := follow(bufio.NewReader(from), to, begin)
	_ = to.Close() // where it still waits, it ends
	return t, errors.Join(err, cmd.Wait())
}

// follow talks to the load generator: it says when it is ready, is told to begin,
// and says in the end what it has counted.
func follow(from *bufio.Reader, to io.Writer, begin func() error) (tally, error) {
	var t tally
	if line, err := from.ReadString('\n'); line != ready {
		return t, fmt.Errorf("load: it says %q: %w", line, err)
	}
	if begin != nil {
		if err := begin(); err != nil {
			return t, err
		}
	}
	if _, err := io.WriteString(to, ready); err != nil {
		return t, err
	}
	if err := json.NewDecoder(from).Decode(&t); err != nil {
		return t, fmt.Errorf("load: %w", err)
	}
	return t, nil
}

// ready is the word of a load generator whose connections are open, and the one by
// which it is told to begin.
const ready = "ready\n"

// serveLoad is the load generator: it says that it is ready, waits to be told to
// begin, and prints its tally.
func serveLoad(spec string) error {
	var s ownSpec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return err
	}
	t, err := s.run(context.Background(), func() error {
		fmt.Print(ready)
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			return fmt.Errorf("nobody said when to begin: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(t)
}

// A client is one connection and what it has counted.
type client struct {
	requests, errors, bytes int64
	took                    []time.Duration
}

// run opens the connections, calls begin, and asks.
func (s *ownSpec) run(ctx context.Context, begin func() error) (tally, error) {
	var tokens []string
	if s.Tokens != "" {
		text, err := os.ReadFile(s.Tokens)
		if err != nil {
			return tally{}, err
		}
		tokens = strings.Fields(string(text))
	}
	clients := make([]client, s.Connections)
	conns, err := s.connect(ctx)
	if err == nil {
		err = begin()
	}
	if err != nil {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
		return tally{}, err
	}
	start := time.Now()
	due := make([]chan time.Time, len(clients))
	if s.Rate > 0 {
		due = s.schedule(start)
	}
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			defer conns[i].Close()
			s.drive(&clients[i], conns[i], s.requests(i, tokens), due[i], start.Add(s.For))
		})
	}
	wg.Wait()
	return s.count(clients, time.Since(start)), nil
}

// connect opens all connections first, so that a pace is not upset by it.
func (s *ownSpec) connect(ctx context.Context) ([]net.Conn, error) {
	out := make([]net.Conn, s.Connections)
	errs := make([]error, s.Connections)
	var wg sync.WaitGroup
	for lane := range 16 {
		wg.Go(func() {
			for i := lane; i < len(out); i += 16 {
				var d net.Dialer
				if out[i], errs[i] = d.DialContext(ctx, "tcp", s.Address); errs[i] != nil {
					return
				}
				if s.TLS {
					// The probes have verified who it is.
					c := tls.Client(out[i], &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}) //nolint:gosec
					out[i], errs[i] = c, c.HandshakeContext(ctx)
				}
			}
		})
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

// requests gives connection i's requests, one after another: nil when there are
// no more.
func (s *ownSpec) requests(i int, tokens []string) func() []byte {
	n := i
	return func() []byte {
		if s.Once && n >= len(tokens) {
			return nil
		}
		var b bytes.Buffer
		fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n", s.Method, s.Paths[n%len(s.Paths)])
		if len(tokens) > 0 {
			fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", tokens[n%len(tokens)])
		}
		if s.Post > 0 {
			fmt.Fprintf(&b, "Content-Type: text/plain\r\nContent-Length: %d\r\n", s.Post)
		}
		b.WriteString("\r\n")
		if s.Post > 0 {
			b.Write(fixture.Plain(s.Post))
		}
		n += s.Connections
		return b.Bytes()
	}
}

// patience is how late an answer may be, or at a pace a question.
const patience = 10 * time.Second

// drive asks and reads until the time is over. At a pace, a request's time counts
// from when it was due, so that a system which stalls is not asked less.
func (s *ownSpec) drive(c *client, conn net.Conn, next func() []byte, due <-chan time.Time, end time.Time) {
	in := bufio.NewReaderSize(conn, 4<<10)
	for {
		at, more := time.Now(), true
		if due != nil {
			at, more = <-due
		}
		if !more || due == nil && at.After(end) {
			return
		}
		if time.Since(at) > patience { // it cannot keep up at all
			c.requests, c.errors = c.requests+1, c.errors+1
			return
		}
		text := next()
		if text == nil {
			return
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, err := conn.Write(text)
		if err == nil {
			err = c.read(in)
		}
		c.requests++
		c.took = append(c.took, time.Since(at))
		if err != nil {
			c.errors++
			return
		}
	}
}

// read reads one answer. A status that is no success counts as an error.
func (c *client) read(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(line) < 12 || line[9] != '2' {
		c.errors++
	}
	length, chunked := int64(0), false
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return err
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = true
		}
	}
	for {
		if chunked {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return err
			}
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64); err != nil {
				return err
			}
		}
		n, err := io.CopyN(io.Discard, in, length)
		if c.bytes += n; err != nil {
			return err
		}
		if !chunked {
			return nil
		}
		if _, err := in.Discard(2); err != nil {
			return err
		}
		if length == 0 {
			return nil
		}
	}
}

func (s *ownSpec) count(clients []client, took time.Duration) tally {
	t := tally{Took: took}
	var all []time.Duration
	for _, c := range clients {
		t.Requests += c.requests
		t.Errors += c.errors
		t.Bytes += c.bytes
		all = append(all, c.took...)
	}
	slices.Sort(all)
	if len(all) > 0 {
		t.P50, t.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	return t
}
