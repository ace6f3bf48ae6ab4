package ratelimit

import (
	"context"
	"math"
	"time"

	"github.com/ulule/limiter/v3"
)

// bucket is the generic cell rate algorithm (ITU-T I.371) without a store.
//
// What is kept per key is one instant, the theoretical arrival time: when the
// bucket will have leaked empty. A request is admitted if pouring it in does
// not lift that instant further than depth from now.
type bucket struct {
	emission int64 // nanoseconds one request takes to leak; never 0
	depth    int64 // nanoseconds of requests the bucket holds: burst × emission
}

// newBucket rounds the emission up, so that the rate is never exceeded, and
// never to zero, however high the rate.
func newBucket(rate limiter.Rate, burst int64) bucket {
	limit, period := max(rate.Limit, 1), max(int64(rate.Period), 1)
	emission := (period-1)/limit + 1
	// A quarter of the range leaves room for the sums below.
	burst = min(max(burst, 1), max(math.MaxInt64/4/emission, 1))
	return bucket{emission: emission, depth: burst * emission}
}

// pour takes n requests at an instant and gives the new arrival time. All
// times are nanoseconds of one clock.
func (b bucket) pour(tat, now, n int64) (int64, Result) {
	// The upper bound is for clocks that step back: no one waits longer than
	// the bucket is deep.
	tat = min(max(tat, now), now+b.depth)
	cost := min(n, b.depth/b.emission+1) * b.emission
	r := Result{Context: limiter.Context{Limit: b.depth / b.emission}}
	if over := tat + max(cost, b.emission) - now - b.depth; over > 0 {
		r.Reached = true
		r.RetryAfter = time.Duration(over)
	} else {
		tat += cost
	}
	r.Remaining = (b.depth - (tat - now)) / b.emission
	r.ResetAfter = time.Duration(tat - now)
	return tat, r
}

// memoryGCRA keeps the buckets of one rule in this process.
type memoryGCRA struct {
	burst int64
	table *table[arrival]
}

type arrival struct{ tat int64 }

func newMemoryGCRA(burst int64, keys int) *memoryGCRA {
	return &memoryGCRA{burst, newTable(keys, func(a *arrival, now int64) int64 { return a.tat - now })}
}

func (g *memoryGCRA) count(_ context.Context, key string, n int64, rate limiter.Rate) (Result, error) {
	b, now := newBucket(rate, g.burst), g.table.now()
	s := g.table.lock(key)
	a := g.table.entry(s, key, now)
	var r Result
	a.tat, r = b.pour(a.tat, now, n)
	s.Unlock()
	r.Limit = rate.Limit
	return r.finish(), nil
}

func (g *memoryGCRA) undo(_ context.Context, key string, n int64, rate limiter.Rate, _ Result) error {
	b, now := newBucket(rate, g.burst), g.table.now()
	s := g.table.lock(key)
	defer s.Unlock()
	if a := s.m[key]; a != nil {
		a.tat = max(a.tat-n*b.emission, now)
	}
	return nil
}

func (g *memoryGCRA) forget(_ context.Context, key string) error {
	g.table.remove(key)
	return nil
}
