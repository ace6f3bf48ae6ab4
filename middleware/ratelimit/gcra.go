package ratelimit

import (
	"math"
	"sync/atomic"
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
	depth    int64 // nanoseconds of requests the bucket holds: size × emission
	size     int64 // requests the bucket holds
}

// newBucket rounds the emission up, so that the rate is never exceeded, and
// never to zero, however high the rate.
func newBucket(rate limiter.Rate, burst int64) bucket {
	limit, period := max(rate.Limit, 1), max(int64(rate.Period), 1)
	emission := (period-1)/limit + 1
	// A quarter of the range leaves room for the sums below.
	burst = min(max(burst, 1), max(math.MaxInt64/4/emission, 1))
	return bucket{emission: emission, depth: burst * emission, size: burst}
}

// pour takes n requests at an instant and gives the new arrival time. All
// times are nanoseconds of one clock.
func (b *bucket) pour(tat, now, n int64) (int64, Result) {
	// The upper bound is for clocks that step back: no one waits longer than
	// the bucket is deep.
	tat = min(max(tat, now), now+b.depth)
	cost := min(n, b.size+1) * b.emission
	r := Result{Context: limiter.Context{Limit: b.size}}
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
type memoryGCRA struct{ *table[arrival] }

type arrival struct {
	tat     int64
	refused bool // since the bucket was empty last
}

func newMemoryGCRA(ranks *atomic.Uint64, keys int) memoryGCRA {
	g := memoryGCRA{newTable(ranks, keys, func(a *arrival, now int64) int64 { return a.tat - now })}
	g.stays = func(a *arrival) bool { return a.refused }
	return g
}

func (g memoryGCRA) count(p place, now, n int64, t *terms, counts bool) Result {
	a := g.look(p, now)
	var was arrival
	if a != nil && a.tat > now {
		was = *a
	}
	tat, r := t.bucket.pour(was.tat, now, n)
	r.Limit = t.rate.Limit
	switch {
	case r.Reached:
		if a != nil && n > 0 {
			a.refused = was.tat > now
		}
	case counts && n > 0:
		if a == nil {
			a = g.make(p, now)
		}
		*a = arrival{tat, was.refused}
	}
	return r
}

func (g memoryGCRA) reset(p place) { g.remove(p) }
