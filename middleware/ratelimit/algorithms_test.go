package ratelimit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ulule/limiter/v3"

	"github.com/gatehouse-dev/gatehouse/config"
)

// open makes a rule in memory, or in store.
func open(t testing.TB, c config.RateLimit, store *Store) *Rule {
	t.Helper()
	if store == nil {
		store = NewStore(nil)
	}
	if c.Key == nil {
		c.Key = []string{"client.address"}
	}
	r, err := Open("rule", &c, store)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rate(n int64, per time.Duration) config.Rate { return config.Rate{Count: n, Per: per} }

// After idle at most `burst` are admitted at once, the first included, however
// long the idle was.
func TestBurst(t *testing.T) {
	for _, tt := range []struct {
		burst int
		want  int
	}{{0, 10}, {1, 1}, {3, 3}, {10, 10}, {25, 25}} {
		for _, idle := range []time.Duration{0, time.Second, 24 * time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				r := open(t, config.RateLimit{Rate: rate(10, time.Second), Burst: tt.burst}, nil)
				r.take(t.Context(), "k")
				time.Sleep(idle)
				if idle == 0 {
					time.Sleep(time.Hour)
				}
				n := 0
				for range 100 {
					if !r.take(t.Context(), "k").Reached {
						n++
					}
				}
				if n != tt.want {
					t.Errorf("burst %d after %s: %d at once, want %d", tt.burst, idle, n, tt.want)
				}
			})
		}
	}
}

// Whoever waits as long as they are told is admitted, and a moment earlier is
// not; what is left and when it is whole again agree.
func TestWait(t *testing.T) {
	for _, c := range []config.RateLimit{
		{Rate: rate(3, time.Minute)},
		{Rate: rate(7, time.Minute), Burst: 2},
		{Rate: rate(3, time.Minute), Algorithm: "fixed_window"},
		{Rate: rate(3, time.Minute), Algorithm: "sliding_log"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := open(t, c, nil)
			size := c.Burst
			if size == 0 {
				size = int(c.Rate.Count)
			}
			for i := range size {
				time.Sleep(7 * time.Millisecond)
				if a := r.take(t.Context(), "k"); a.Reached || a.Remaining != int64(size-i-1) || a.RetryAfter != 0 {
					t.Fatalf("%v: request %d: %+v", r, i, a.Result)
				}
			}
			a := r.take(t.Context(), "k")
			if !a.Reached || a.Remaining != 0 || a.RetryAfter <= 0 || a.ResetAfter < a.RetryAfter {
				t.Fatalf("%v: beyond the limit: %+v", r, a.Result)
			}
			time.Sleep(a.RetryAfter - 1)
			if early := r.take(t.Context(), "k"); !early.Reached || early.RetryAfter != 1 {
				t.Errorf("%v: too early: %+v", r, early.Result)
			}
			time.Sleep(time.Nanosecond)
			if b := r.take(t.Context(), "k"); b.Reached {
				t.Errorf("%v: after the wait: %+v", r, b.Result)
			}
		})
	}
}

// The library's own words work on every counter.
func TestLimiterStore(t *testing.T) {
	for _, algorithm := range algorithms() {
		synctest.Test(t, func(t *testing.T) {
			l := open(t, config.RateLimit{Rate: rate(5, time.Minute), Algorithm: algorithm}, nil).quota.local
			exerciseLimiter(t, algorithm, l)
		})
	}
}

// The library's window ends by the wall clock. One that is set forward, which for the
// library is as if the count were gone, begins no new window.
func TestWindowWhenTheClockIsSet(t *testing.T) {
	r := open(t, config.RateLimit{Rate: rate(3, time.Hour), Algorithm: "fixed_window"}, nil)
	m := r.quota.here.engine.(memoryWindow)
	admitted := 0
	for range 10 {
		if !r.take(t.Context(), "k").Reached {
			admitted++
		}
		if _, err := m.inner.Reset(t.Context(), "k", limiter.Rate{Limit: 1, Period: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if admitted != 3 {
		t.Errorf("%d were admitted, want 3", admitted)
	}
}
