package ratelimit

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// A flood of made-up keys takes no more room than allowed and does not set
// free who is at their limit.
func TestTableKeepsOffenders(t *testing.T) {
	for _, algorithm := range algorithms() {
		synctest.Test(t, func(t *testing.T) {
			const keys, offenders = 2000, 50
			store := NewStore(nil)
			store.keys = keys
			r := open(t, config.RateLimit{Rate: rate(20, time.Minute), Algorithm: algorithm}, store)
			for i := range offenders {
				for range 21 {
					r.take(t.Context(), "offender"+strconv.Itoa(i))
				}
			}
			for i := range 20 * keys {
				r.take(t.Context(), strconv.Itoa(i))
			}
			if n, most := size(r); n > most {
				t.Errorf("%s: %d keys", algorithm, n)
			}
			for i := range offenders {
				if !r.take(t.Context(), "offender"+strconv.Itoa(i)).Reached {
					t.Errorf("%s: offender %d was set free", algorithm, i)
				}
			}
		})
	}
}

// size is how many keys a rule has in memory, and the most it may have.
func size(r *Rule) (n, most int) {
	switch e := r.quota.here.engine.(type) {
	case memoryGCRA:
		return e.len(), e.max * shards
	case memoryWindow:
		return e.len(), e.max * shards
	case memoryLog:
		return e.len(), e.max * shards
	}
	return -1, -1
}

// What no longer matters goes as new keys come, long before the cap.
func TestTableSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, config.RateLimit{Rate: rate(20, time.Second)}, nil)
		for i := range 20_000 {
			r.take(t.Context(), strconv.Itoa(i))
			time.Sleep(time.Millisecond)
		}
		if n, _ := size(r); n > 2_000 {
			t.Errorf("%d keys, though only the last 50 matter", n)
		}
	})
}

// Many goroutines on one key are admitted exactly as often as one would be. By the
// clock of the bubble nothing leaks meanwhile, however long it takes.
func TestConcurrent(t *testing.T) {
	for _, algorithm := range algorithms() {
		synctest.Test(t, func(t *testing.T) {
			r := open(t, config.RateLimit{Rate: rate(500, time.Hour), Algorithm: algorithm}, nil)
			var wg sync.WaitGroup
			var mu sync.Mutex
			admitted := 0
			for range 8 {
				wg.Go(func() {
					n := 0
					for i := range 200 {
						if !r.take(t.Context(), "k").Reached {
							n++
						}
						r.take(t.Context(), strconv.Itoa(i))
					}
					mu.Lock()
					admitted += n
					mu.Unlock()
				})
			}
			wg.Wait()
			if admitted != 500 {
				t.Errorf("%s: %d admitted, want 500", algorithm, admitted)
			}
		})
	}
}

// A decision allocates nothing, of one rule or of several, for known keys and for
// new ones while the table does not grow.
func TestDecideAllocations(t *testing.T) {
	for _, algorithm := range []string{"gcra", "sliding_log"} {
		store := NewStore(nil)
		c := config.RateLimit{Rate: rate(1000, time.Second), Algorithm: algorithm}
		one, two := open(t, c, store), open(t, config.RateLimit{Rate: rate(5, time.Minute)}, store)
		ctx := t.Context()
		fill := func(r *Rule) {
			for range 2000 {
				r.take(ctx, "k")
			}
		}
		fill(one)
		fill(two)
		if n := testing.AllocsPerRun(100, func() { one.take(ctx, "k") }); n != 0 {
			t.Errorf("%s: %v allocations", algorithm, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			var asks [2]ask
			var takes [2]take
			asks[0] = ask{rule: one, quota: one.quota, key: "k", cost: 1}
			asks[1] = ask{rule: two, quota: two.quota, key: "k", cost: 2}
			store.decide(ctx, asks[:], takes[:0])
		}); n != 0 {
			t.Errorf("%s: %v allocations for two rules", algorithm, n)
		}
	}
}
