package ratelimit

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/config"
)

// server is a real Redis on a loopback port of its own.
type server struct {
	t    testing.TB
	addr string
	cmd  *exec.Cmd
}

func startRedis(t testing.TB) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("SKIPPED: redis-server is not installed, so nothing shared was tested")
	}
	s := &server{t: t, addr: freeAddress(t)}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *server) start(args ...string) {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	var out bytes.Buffer
	s.cmd = exec.Command("redis-server", append([]string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.t.TempDir(), "--daemonize", "no",
	}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &out, &out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	c := goredis.NewClient(&goredis.Options{Addr: s.addr})
	defer c.Close()
	for range 500 {
		if c.Ping(s.t.Context()).Err() == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.kill()
	s.t.Fatalf("redis-server does not answer: %s", &out)
}

// kill ends the process at once, frozen or not.
func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) config() config.Store {
	return config.Store{Redis: &config.Redis{Addresses: []string{s.addr}}}
}

// otherPort is a free port that is not this one.
func otherPort(t testing.TB, port int) int {
	t.Helper()
	for {
		addr := freeAddress(t)
		if n, _ := strconv.Atoi(addr[strings.LastIndex(addr, ":")+1:]); n != port {
			return n
		}
	}
}
