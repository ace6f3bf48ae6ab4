package ratelimit

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
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

// openPatient opens a store that waits for Redis as long as it takes. A busy
// machine may miss the real deadlines, and the tests of what is counted do not
// depend on them.
func openPatient(t testing.TB, c config.Store) *Store {
	t.Helper()
	s := openStore(t, c)
	_ = s.redis.client.Close()
	o := options(c.Redis, nil)
	o.ReadTimeout, o.WriteTimeout, o.DialTimeout, o.PoolTimeout = time.Minute, time.Minute, time.Minute, time.Minute
	s.redis.client, s.redis.timeout = goredis.NewUniversalClient(o), time.Minute
	return s
}

func algorithms() []string { return []string{"gcra", "fixed_window", "sliding_log"} }

// Two replicas on one Redis admit together what one would.
func TestRedisShared(t *testing.T) {
	s := startRedis(t)
	for _, algorithm := range algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			admitted := 0
			for range 2 {
				r := open(t, config.RateLimit{Rate: rate(50, time.Hour), Algorithm: algorithm}, openPatient(t, s.config()))
				for range 4 {
					wg.Go(func() {
						for i := range 30 {
							a := r.take(t.Context(), "k")
							if a.err != nil {
								t.Errorf("the store failed: %v", a.err)
							}
							if !a.Reached {
								mu.Lock()
								admitted++
								mu.Unlock()
							}
							r.take(t.Context(), strconv.Itoa(i)).undo(t.Context())
						}
					})
				}
			}
			wg.Wait()
			if admitted != 50 {
				t.Errorf("%d admitted, want 50", admitted)
			}
		})
	}
}

// The library's own words work on the counters in Redis, and every key there
// goes by itself.
func TestRedisLimiterStore(t *testing.T) {
	s := startRedis(t)
	for _, algorithm := range algorithms() {
		store := openPatient(t, s.config())
		exerciseLimiter(t, algorithm, open(t, config.RateLimit{Rate: rate(5, time.Minute), Algorithm: algorithm}, store).shared)
		keys, err := store.redis.client.Keys(t.Context(), "*").Result()
		if err != nil || len(keys) == 0 {
			t.Fatalf("%s: keys %q, %v", algorithm, keys, err)
		}
		for _, k := range keys {
			if ttl := store.redis.client.PTTL(t.Context(), k).Val(); ttl <= 0 || ttl > time.Minute+time.Second {
				t.Errorf("%s: %s goes in %s", algorithm, k, ttl)
			}
		}
	}
}

// The server's answers agree with those of the memory: what is left, and the
// wait after which a request fits.
func TestRedisWait(t *testing.T) {
	s := startRedis(t)
	for _, algorithm := range algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			r := open(t, config.RateLimit{Rate: rate(3, 300*time.Millisecond), Algorithm: algorithm}, openPatient(t, s.config()))
			r.known.max = 0 // ask Redis every time
			var a take
			for range 1000 {
				if a = r.take(t.Context(), "k"); a.Reached {
					break
				}
			}
			if a.err != nil || !a.Reached || a.RetryAfter <= 0 || a.RetryAfter > 300*time.Millisecond {
				t.Fatalf("never refused, or with a wrong wait: %+v", a.Result)
			}
			time.Sleep(a.RetryAfter)
			if a = r.take(t.Context(), "k"); a.err != nil || a.Reached {
				t.Errorf("refused after the wait: %+v %v", a.Result, a.err)
			}
		})
	}
}

// What is taken back is free again, also for other replicas.
func TestRedisUndo(t *testing.T) {
	s := startRedis(t)
	for _, algorithm := range algorithms() {
		c := config.RateLimit{Rate: rate(2, time.Hour), Algorithm: algorithm}
		one, two := open(t, c, openPatient(t, s.config())), open(t, c, openPatient(t, s.config()))
		ctx := t.Context()
		first := one.take(ctx, "k")
		one.take(ctx, "k")
		first.undo(ctx)
		if a := two.take(ctx, "k"); a.err != nil || a.Reached {
			t.Errorf("%s: the place given back is not free: %+v %v", algorithm, a.Result, a.err)
		}
		if a := two.take(ctx, "k"); a.err != nil || !a.Reached {
			t.Errorf("%s: more was given back than taken: %+v %v", algorithm, a.Result, a.err)
		}
	}
}

// Redis is not needed at start. When it comes up, it counts.
func TestRedisDownAtStart(t *testing.T) {
	s := startRedis(t)
	s.kill()
	for _, algorithm := range algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			store := openStore(t, s.config())
			r := open(t, config.RateLimit{Rate: rate(2, time.Hour), Algorithm: algorithm}, store)
			for i, want := range []bool{false, false, true} {
				if a := r.take(t.Context(), "k"); a.err == nil || a.Reached != want || a.by != r.local {
					t.Fatalf("request %d without Redis: %+v %v", i, a.Result, a.err)
				}
			}
			if store.Ready(t.Context()) == nil {
				t.Error("ready without Redis")
			}
			s.start()
			defer s.kill()
			eventually(t, func() bool { return store.Ready(t.Context()) == nil })
			eventually(t, func() bool { a := r.take(t.Context(), "other"); return a.err == nil && a.by == r.shared })
		})
	}
}

func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for range 1000 {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it never happened")
}

// Redis dies under way: each rule does what its on_store_error says.
func TestRedisKilled(t *testing.T) {
	for _, tt := range []struct {
		onError string
		codes   []string // of the answers after Redis died
	}{
		{"local", []string{"", "", "rate_limited"}},
		{"open", []string{"", "", "", "", ""}},
		{"closed", []string{"overloaded", "overloaded"}},
	} {
		t.Run(tt.onError, func(t *testing.T) {
			s := startRedis(t)
			store := openPatient(t, s.config())
			r := open(t, config.RateLimit{Rate: rate(2, time.Hour), OnStoreError: tt.onError}, store)
			stage := New(ByAddress, &config.Route{}, []*Rule{r})
			up := middlewaretest.NewUpstream(t, 200, "", "")
			ask := func() (*middleware.Exchange, error) {
				x := middlewaretest.Exchange(t, "GET", "/", nil)
				_, _, err := middlewaretest.Run(t, stage, x, up.Handle)
				return x, err
			}
			if _, err := ask(); err != nil {
				t.Fatalf("with Redis: %v", err)
			}
			s.kill()
			for i, want := range tt.codes {
				x, err := ask()
				if got := middlewaretest.Code(err); got != want {
					t.Errorf("request %d: %q, want %q", i, got, want)
				}
				if got := note(x, "ratelimit_store"); got != "rule: "+tt.onError {
					t.Errorf("request %d: note %v", i, got)
				}
				if want == "overloaded" && header(err, "Retry-After") == "" {
					t.Error("overloaded without Retry-After")
				}
			}
		})
	}
}

// A frozen Redis accepts connections and never answers. Many requests at once
// wait for one short timeout, and those after them not at all.
func TestRedisFrozen(t *testing.T) {
	s := startRedis(t)
	store := openStore(t, s.config())
	r := open(t, config.RateLimit{Rate: rate(1000, time.Hour)}, store)
	eventually(t, func() bool { return r.take(t.Context(), "warm").err == nil })
	s.signal(syscall.SIGSTOP)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 200 {
				if a := r.take(t.Context(), "k"); a.Reached && a.by == r.shared {
					t.Error("a frozen Redis counted")
				}
			}
		})
	}
	// Were each of the 10,000 requests to wait, this would take minutes, and
	// the test its deadline; what is asserted is who was asked.
	wg.Wait()
	if got := store.redis.asked.Load(); got > 200 {
		t.Errorf("a frozen Redis was asked %d times", got)
	}
	s.signal(syscall.SIGCONT)
	eventually(t, func() bool { a := r.take(t.Context(), "later"); return a.err == nil && a.by == r.shared })
}

// Scripts that the server forgot (restart, SCRIPT FLUSH) are sent again.
func TestRedisScriptFlush(t *testing.T) {
	s := startRedis(t)
	for _, algorithm := range algorithms() {
		store := openPatient(t, s.config())
		r := open(t, config.RateLimit{Rate: rate(5, time.Hour), Algorithm: algorithm}, store)
		for range 2 {
			if a := r.take(t.Context(), "k"); a.err != nil {
				t.Errorf("%s: %v", algorithm, a.err)
			}
			if err := store.redis.client.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Whom Redis refused is refused without asking it again.
func TestRedisFlood(t *testing.T) {
	s := startRedis(t)
	store := openPatient(t, s.config())
	r := open(t, config.RateLimit{Rate: rate(5, time.Hour), Algorithm: "sliding_log"}, store)
	for i := range 500 {
		if a := r.take(t.Context(), "k"); a.err != nil || a.Reached != (i >= 5) || a.Reached && a.RetryAfter < 59*time.Minute {
			t.Fatalf("request %d: %+v %v", i, a.Result, a.err)
		}
	}
	if got := store.redis.asked.Load(); got > 20 {
		t.Errorf("Redis was asked %d times", got)
	}
}

// Every script touches one key, so a cluster runs them too. Several addresses
// are a cluster, here one node named twice.
func TestRedisCluster(t *testing.T) {
	s := startRedis(t)
	s.kill()
	bus, err := strconv.Atoi(s.addr[strings.LastIndex(s.addr, ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	s.start("--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(otherPort(t, bus)))
	node := goredis.NewClient(&goredis.Options{Addr: s.addr})
	defer node.Close()
	if err := node.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(node.ClusterInfo(t.Context()).Val(), "cluster_state:ok") })
	c := config.Store{Redis: &config.Redis{Addresses: []string{s.addr, s.addr}}}
	for _, algorithm := range algorithms() {
		store := openPatient(t, c)
		if _, ok := store.redis.client.(*goredis.ClusterClient); !ok {
			t.Fatalf("the client is a %T", store.redis.client)
		}
		r := open(t, config.RateLimit{Rate: rate(5, time.Hour), Algorithm: algorithm, OnStoreError: "closed"}, store)
		admitted := 0
		for i := range 20 {
			a := r.take(t.Context(), strconv.Itoa(i%2)) // two slots
			if a.err != nil {
				t.Fatalf("%s: %v", algorithm, a.err)
			}
			if !a.Reached {
				admitted++
			}
		}
		if admitted != 10 {
			t.Errorf("%s: %d admitted, want 10", algorithm, admitted)
		}
	}
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

func BenchmarkRedisTake(b *testing.B) {
	s := startRedis(b)
	for _, algorithm := range algorithms() {
		b.Run(algorithm, func(b *testing.B) {
			r := open(b, config.RateLimit{Rate: rate(10_000, time.Second), Algorithm: algorithm}, openStore(b, s.config()))
			for b.Loop() {
				r.take(b.Context(), "k")
			}
		})
	}
}
