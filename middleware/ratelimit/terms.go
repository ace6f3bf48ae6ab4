package ratelimit

import (
	"fmt"
	"math"

	"github.com/ulule/limiter/v3"
)

// spec is what the counters of a rule depend on.
type spec struct {
	name      string
	entry     string // of the rule's table; "" is the rule's own rate
	key       []string
	algorithm string
	rate      limiter.Rate
	burst     int64 // of gcra
	strict    bool  // of gcra
}

// definition tells two specs apart.
func (d spec) definition() string {
	return fmt.Sprintf("%q %q %q %s %d/%s %d %v", d.name, d.entry, d.key, d.algorithm, d.rate.Limit, d.rate.Period, d.burst, d.strict)
}

// terms are what a spec comes to, or a replica's share of it.
type terms struct {
	rate   limiter.Rate
	bucket bucket // of gcra
}

func (d spec) terms() terms { return newTerms(d.rate, d.burst, d.strict) }

// share is what is left to each of n replicas that count for themselves: at least
// one request, and of a strict rate at least one that is strict still.
func (d spec) share(n int64) terms {
	d.rate.Limit = max(d.rate.Limit/n, 1)
	d.burst = max(d.burst/n, 1)
	return d.terms()
}

// newTerms makes the bucket of a rate. What is strict leaks so slowly that the
// burst and what leaks in a period are the limit together; with a limit of 1 that
// is nothing until the period is over.
func newTerms(rate limiter.Rate, burst int64, strict bool) terms {
	t := terms{rate: rate}
	leak := max(rate.Limit, 1)
	if strict {
		burst = min(burst, max(rate.Limit-1, 1))
		leak = max(rate.Limit-burst, 1)
	}
	t.bucket = newBucket(limiter.Rate{Period: rate.Period, Limit: leak}, burst)
	if strict && rate.Limit <= 1 {
		t.bucket = bucket{emission: t.bucket.emission + 1, depth: t.bucket.emission + 1, size: 1}
	}
	return t
}

// micros gives the bucket in microseconds, which is how Redis counts: rounded up,
// so that the rate is never exceeded, and small enough for exact doubles.
func (b bucket) micros() (emission, depth int64) {
	emission = (b.emission + 999) / 1000
	return emission, emission * min(b.size, max(math.MaxInt64>>11/emission, 1))
}
