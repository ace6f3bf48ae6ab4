package ratelimit

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/config"
)

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
