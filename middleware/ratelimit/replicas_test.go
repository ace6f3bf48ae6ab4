package ratelimit

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

func announced(t *testing.T, r *store.Redis) *Store {
	t.Helper()
	store := NewStore(r)
	store.Announce()
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// Replicas that share a Redis know how many they are. Who ends is not counted any
// more after a while, and not all at once.
func TestReplicas(t *testing.T) {
	s := storetest.Start(t)
	one, two, three := announced(t, s.Patient(false)), announced(t, s.Patient(false)), announced(t, s.Patient(false))
	for _, store := range []*Store{one, two, three} {
		eventually(t, func() bool { return store.replicas() == 3 })
	}
	if err := three.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Client().ZScore(t.Context(), replicas, three.peers.id).Err(); !errors.Is(err, goredis.Nil) {
		t.Errorf("one that has ended is still known: %v", err)
	}
	eventually(t, func() bool { return one.replicas() == 2 && two.replicas() == 2 })
	if alone := NewStore(s.Patient(false)); alone.replicas() != 1 || NewStore(nil).replicas() != 1 {
		t.Error("who was not announced knows of others")
	}
}

// While Redis is away each replica admits its share, by the count that was known
// last: of what is whole, and of the burst.
func TestShares(t *testing.T) {
	for name, tt := range map[string]struct {
		limit config.RateLimit
		want  int // of each of three replicas
	}{
		"gcra":           {config.RateLimit{Rate: rate(100, time.Hour)}, 33},
		"gcra, burst":    {config.RateLimit{Rate: rate(1000, 24*time.Hour), Burst: 20}, 6},
		"gcra, strict":   {config.RateLimit{Rate: rate(90, time.Hour), Burst: 30, Strict: true}, 10},
		"fixed_window":   {config.RateLimit{Rate: rate(100, time.Hour), Algorithm: "fixed_window"}, 33},
		"sliding_log":    {config.RateLimit{Rate: rate(100, time.Hour), Algorithm: "sliding_log"}, 33},
		"one at least":   {config.RateLimit{Rate: rate(2, time.Hour), Algorithm: "sliding_log"}, 1},
		"a burst of one": {config.RateLimit{Rate: rate(2, time.Hour)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := storetest.Start(t)
			var all []*Store
			for range 3 {
				all = append(all, announced(t, s.Open()))
			}
			for _, store := range all {
				eventually(t, func() bool { return store.replicas() == 3 })
			}
			s.Kill()
			for i, store := range all {
				r, admitted := open(t, tt.limit, store), 0
				for range 200 {
					if a := r.take(t.Context(), "k"); !a.Reached {
						admitted++
					} else if a.err == nil {
						t.Fatal("a dead Redis refused")
					}
				}
				if admitted != tt.want {
					t.Errorf("replica %d admitted %d, want %d", i, admitted, tt.want)
				}
			}
		})
	}
}

// More replicas count at once; fewer when they have been fewer for a while, for a
// Redis that was emptied knows of nobody at first.
func TestHear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peers{}
		p.count.Store(1)
		hear := func(n, want int64) {
			t.Helper()
			p.hear(n, time.Now())
			if got := p.count.Load(); got != want {
				t.Errorf("after %d: %d, want %d", n, got, want)
			}
			time.Sleep(time.Second)
		}
		hear(1, 1)
		hear(3, 3)
		hear(1, 3) // emptied
		hear(2, 3)
		hear(3, 3) // all are back
		for range 5 {
			hear(2, 3)
		}
		hear(2, 2)
		hear(1, 2)
		for range 4 {
			hear(0, 2)
		}
		hear(0, 1) // this one is there
	})
}
