// Package storetest runs real Redis servers for tests, each on a loopback port
// of its own, and lets them die, freeze and come back.
package storetest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// Server is a Redis server.
type Server struct {
	t    testing.TB
	Addr string // host:port, the same after every start
	dir  string
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended
}

// Start runs a server until the test ends. Without redis-server the test is
// skipped, or fails where CI is set.
func Start(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("SKIPPED: redis-server is not installed, so nothing shared was tested")
	}
	s := &Server{t: t, dir: t.TempDir()}
	t.Cleanup(s.Kill)
	var err error
	for range 10 { // others may take the port before the server does
		s.Addr = FreeAddress(t)
		if err = s.begin(); err == nil {
			return s
		}
	}
	t.Fatal(err)
	return nil
}

// FreeAddress is a loopback address that nobody listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Start runs the server again after [Server.Kill], with more arguments if need
// be. It remembers nothing, unless an argument says so.
func (s *Server) Start(args ...string) {
	s.t.Helper()
	var err error
	for range 30 { // somebody may have the port for a moment
		if err = s.begin(args...); err == nil {
			return
		}
		time.Sleep(time.Second)
	}
	s.t.Fatal(err)
}

// begin starts the server and waits until it answers, or has ended.
func (s *Server) begin(args ...string) error {
	_, port, _ := net.SplitHostPort(s.Addr)
	var out bytes.Buffer
	s.cmd = exec.Command("redis-server", append([]string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.dir, "--daemonize", "no",
	}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &out, &out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.gone = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		defer close(gone)
		_ = cmd.Wait()
	}(s.cmd, s.gone)
	c := goredis.NewClient(&goredis.Options{Addr: s.Addr})
	defer c.Close()
	own := fmt.Sprintf("process_id:%d\r\n", s.cmd.Process.Pid) // and not another's who was quicker
	for range 3000 {
		if told, err := c.Info(s.t.Context(), "server").Result(); err == nil && strings.Contains(told, own) {
			return nil
		}
		select {
		case <-s.gone:
			s.cmd = nil
			return fmt.Errorf("redis-server has ended: %s", &out)
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.Kill()
	return fmt.Errorf("redis-server does not answer: %s", &out)
}

// Kill ends the process at once, frozen or not.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.gone
		s.cmd = nil
	}
}

// Freeze stops the process: connections are accepted and never answered.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Config names the server.
func (s *Server) Config() *config.Redis { return &config.Redis{Addresses: []string{s.Addr}} }

// Open opens a store as the gateway does.
func (s *Server) Open() *store.Redis {
	s.t.Helper()
	r, err := store.Open(s.Config())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = r.Close() })
	return r
}

// Patient opens a store that waits for Redis as long as it takes, for tests of
// what is kept: a busy machine may miss the real deadlines. Twice the same
// address makes it believe in a cluster.
func (s *Server) Patient(cluster bool) *store.Redis {
	s.t.Helper()
	addresses := []string{s.Addr}
	if cluster {
		addresses = append(addresses, s.Addr)
	}
	r := store.With(s.client(addresses...), time.Minute)
	s.t.Cleanup(func() { _ = r.Close() })
	return r
}

// Client asks the server itself.
func (s *Server) Client() store.Client {
	s.t.Helper()
	c := s.client(s.Addr)
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (*Server) client(addresses ...string) store.Client {
	return goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs: addresses, ReadTimeout: time.Minute, WriteTimeout: time.Minute, DialTimeout: time.Minute, PoolTimeout: time.Minute,
	})
}
