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
			if n := size(r); n > keys+shards {
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

func size(r *Rule) int {
	switch e := counter(r.quota.local).engine.(type) {
	case *memoryGCRA:
		return e.table.len()
	case *memoryWindow:
		return e.table.len()
	case *memoryLog:
		return e.table.len()
	}
	return -1
}

// What no longer matters goes as new keys come, long before the cap.
func TestTableSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, config.RateLimit{Rate: rate(20, time.Second)}, nil)
		for i := range 20_000 {
			r.take(t.Context(), strconv.Itoa(i))
			time.Sleep(time.Millisecond)
		}
		if n := size(r); n > 2_000 {
			t.Errorf("%d keys, though only the last 50 matter", n)
		}
	})
}

// Many goroutines on one key are admitted exactly as often as one would be.
func TestConcurrent(t *testing.T) {
	for _, algorithm := range algorithms() {
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
					r.take(t.Context(), strconv.Itoa(i)).undo(t.Context())
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
	}
}

// A key that is known costs no allocation.
func TestTakeAllocations(t *testing.T) {
	r := open(t, config.RateLimit{Rate: rate(1000, time.Second)}, nil)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { r.take(ctx, "k") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	for _, algorithm := range algorithms() {
		b.Run(algorithm, func(b *testing.B) {
			r := open(b, config.RateLimit{Rate: rate(1000, time.Second), Algorithm: algorithm}, nil)
			b.ReportAllocs()
			for b.Loop() {
				r.take(b.Context(), "k")
			}
		})
	}
}
