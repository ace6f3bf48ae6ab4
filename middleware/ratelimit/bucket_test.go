package ratelimit

import (
	"math"
	"testing"
	"time"

	"github.com/ulule/limiter/v3"
)

func exerciseLimiter(t *testing.T, name string, l *limiter.Limiter) {
	t.Helper()
	ctx := t.Context()
	began := time.Now().Unix() // of a call; a reset is a whole second, too
	step := func(what string, got limiter.Context, err error, remaining int64, reached bool) {
		t.Helper()
		defer func() { began = time.Now().Unix() }()
		if err != nil {
			t.Fatalf("%s: %s: %v", name, what, err)
		}
		if got.Remaining != remaining || got.Reached != reached || got.Limit != 5 {
			t.Errorf("%s: %s: %+v, want %d left, reached %v", name, what, got, remaining, reached)
		}
		if most := time.Now().Add(time.Minute + time.Second).Unix(); got.Reset > most || got.Reset < began {
			t.Errorf("%s: %s: reset at %d, which is not between %d and %d", name, what, got.Reset, began, most)
		}
	}
	got, err := l.Peek(ctx, "lib")
	step("peek at nothing", got, err, 5, false)
	got, err = l.Get(ctx, "lib")
	step("get", got, err, 4, false)
	got, err = l.Increment(ctx, "lib", 4)
	step("increment by all that is left", got, err, 0, false)
	got, err = l.Peek(ctx, "lib")
	step("peek at the end", got, err, 0, true)
	got, err = l.Get(ctx, "lib")
	step("get beyond", got, err, 0, true)
	got, err = l.Reset(ctx, "lib")
	step("reset", got, err, 5, false)
	got, err = l.Get(ctx, "lib")
	step("get after reset", got, err, 4, false)
	if _, err = l.Increment(ctx, "lib", -1); err == nil {
		t.Errorf("%s: counted less than nothing", name)
	}
}

// However high the rate, a request costs something; and sums stay in range.
func TestBucketBounds(t *testing.T) {
	for _, tt := range []struct {
		limit  int64
		period time.Duration
		burst  int64
	}{
		{math.MaxInt64, time.Millisecond, math.MaxInt64},
		{math.MaxInt64, maxPeriod, math.MaxInt64},
		{1, maxPeriod, math.MaxInt64},
		{1, maxPeriod, 1},
		{2_000_000_000, time.Second, 1},
		{0, 0, 0},
		{-5, -5, -5},
	} {
		b := newBucket(limiter.Rate{Limit: tt.limit, Period: tt.period}, tt.burst)
		if b.emission < 1 || b.depth < b.emission {
			t.Errorf("%+v: %+v", tt, b)
		}
		now := int64(maxPeriod)
		tat, r := b.pour(0, now, 1)
		if r.Reached || tat < now {
			t.Errorf("%+v: the first request: %d %+v", tt, tat, r)
		}
		if _, r = b.pour(tat, now, math.MaxInt64/b.emission); b.depth/b.emission < math.MaxInt64/b.emission && !r.Reached {
			t.Errorf("%+v: more than fits was admitted", tt)
		}
	}
}

// FuzzBucket: never more in the bucket than its depth, never negative waits,
// and whoever waits as told is admitted.
func FuzzBucket(f *testing.F) {
	f.Add(int64(100), int64(time.Minute), int64(20), int64(0), int64(5))
	f.Add(int64(math.MaxInt64), int64(1), int64(math.MaxInt64), int64(-1), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, limit, period, burst, tat, now int64) {
		period, now = min(period, int64(maxPeriod)), min(max(now, 0), int64(maxPeriod))
		b := newBucket(limiter.Rate{Limit: limit, Period: time.Duration(period)}, burst)
		next, r := b.pour(tat, now, 1)
		if next < now || next-now > b.depth || r.RetryAfter < 0 || r.Remaining < 0 {
			t.Fatalf("%+v: %d %+v", b, next, r)
		}
		if r.Reached {
			if _, later := b.pour(next, now+int64(r.RetryAfter), 1); later.Reached {
				t.Fatalf("%+v: refused after waiting %s", b, r.RetryAfter)
			}
		}
	})
}
