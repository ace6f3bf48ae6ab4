package ratelimit

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

func algorithms() []string { return []string{"gcra", "fixed_window", "sliding_log"} }

// Two replicas on one Redis admit together what one would.
func TestRedisShared(t *testing.T) {
	s := storetest.Start(t)
	for _, algorithm := range algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			admitted := 0
			for range 2 {
				r := open(t, config.RateLimit{Rate: rate(50, time.Hour), Algorithm: algorithm}, NewStore(s.Patient(false)))
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
							r.take(t.Context(), strconv.Itoa(i))
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
	s := storetest.Start(t)
	for _, algorithm := range algorithms() {
		store, client := NewStore(s.Patient(false)), s.Client()
		exerciseLimiter(t, algorithm, open(t, config.RateLimit{Rate: rate(5, time.Minute), Algorithm: algorithm}, store).quota.shared)
		keys, err := client.Keys(t.Context(), "*").Result()
		if err != nil || len(keys) == 0 {
			t.Fatalf("%s: keys %q, %v", algorithm, keys, err)
		}
		for _, k := range keys {
			if ttl := client.PTTL(t.Context(), k).Val(); ttl <= 0 || ttl > time.Minute+time.Second {
				t.Errorf("%s: %s goes in %s", algorithm, k, ttl)
			}
		}
	}
}

// The server's answers agree with those of the memory: what is left, and the
// wait after which a request fits.
func TestRedisWait(t *testing.T) {
	s := storetest.Start(t)
	for _, algorithm := range algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			r := open(t, config.RateLimit{Rate: rate(3, 300*time.Millisecond), Algorithm: algorithm}, NewStore(s.Patient(false)))
			r.quota.known = nil // ask Redis every time
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

// Scripts that the server forgot (restart, SCRIPT FLUSH) are sent again.
func TestRedisScriptFlush(t *testing.T) {
	s := storetest.Start(t)
	for _, algorithm := range algorithms() {
		store := NewStore(s.Patient(false))
		r := open(t, config.RateLimit{Rate: rate(5, time.Hour), Algorithm: algorithm}, store)
		for range 2 {
			if a := r.take(t.Context(), "k"); a.err != nil {
				t.Errorf("%s: %v", algorithm, a.err)
			}
			if err := s.Client().ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Whom Redis refused is refused without asking it again.
func TestRedisFlood(t *testing.T) {
	s := storetest.Start(t)
	store := NewStore(s.Patient(false))
	r := open(t, config.RateLimit{Rate: rate(5, time.Hour), Algorithm: "sliding_log"}, store)
	for i := range 500 {
		if a := r.take(t.Context(), "k"); a.err != nil || a.Reached != (i >= 5) || a.Reached && a.RetryAfter < 59*time.Minute {
			t.Fatalf("request %d: %+v %v", i, a.Result, a.err)
		}
	}
	if got := store.redis.Asked(); got > 20 {
		t.Errorf("Redis was asked %d times", got)
	}
}

// All keys of limits are in one slot, so a cluster runs the script for all rules
// of a request too. Several addresses are a cluster, here one node named twice.
func TestRedisCluster(t *testing.T) {
	s := storetest.Start(t)
	s.Kill()
	bus, err := strconv.Atoi(s.Addr[strings.LastIndex(s.Addr, ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	s.Start("--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(otherPort(t, bus)))
	node := goredis.NewClient(&goredis.Options{Addr: s.Addr})
	defer node.Close()
	if err := node.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(node.ClusterInfo(t.Context()).Val(), "cluster_state:ok") })
	together(t, 1, "k", several(t, NewStore(s.Patient(true)), eachAlgorithm(), "bucket", "log", "window")...)
	for _, algorithm := range algorithms() {
		store := NewStore(s.Patient(true))
		r := open(t, config.RateLimit{Rate: rate(5, time.Hour), Algorithm: algorithm, OnStoreError: "closed"}, store)
		admitted := 0
		for i := range 20 {
			a := r.take(t.Context(), strconv.Itoa(i%2))
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
	s := storetest.Start(b)
	for _, algorithm := range algorithms() {
		b.Run(algorithm, func(b *testing.B) {
			r := open(b, config.RateLimit{Rate: rate(10_000, time.Second), Algorithm: algorithm}, NewStore(s.Open()))
			for b.Loop() {
				r.take(b.Context(), "k")
			}
		})
	}
}
