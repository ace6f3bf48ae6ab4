package ratelimit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

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

// most gives the largest number of admissions in any window of that length.
func most(admitted []time.Time, window time.Duration) int {
	n, first := 0, 0
	for i, t := range admitted {
		for t.Sub(admitted[first]) >= window {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

// The table of the package comment: what a caller who floods is given at most.
// The flood begins at every phase of a window that a quiet caller can choose.
func TestFlood(t *testing.T) {
	for _, tt := range []struct {
		config.RateLimit
		in60, in2 int
	}{
		{config.RateLimit{Burst: 20}, 119, 23},
		{config.RateLimit{}, 199, 103},
		{config.RateLimit{Algorithm: "fixed_window"}, 199, 199},
		{config.RateLimit{Algorithm: "sliding_log"}, 100, 100},
	} {
		t.Run(fmt.Sprintf("%s burst %d", or(tt.Algorithm, gcra), tt.Burst), func(t *testing.T) {
			in60, in2 := 0, 0
			for _, quiet := range []time.Duration{0, 59 * time.Second, 59500 * time.Millisecond} {
				synctest.Test(t, func(t *testing.T) {
					tt.Rate = rate(100, time.Minute)
					admitted := flood(t, open(t, tt.RateLimit, nil), quiet)
					in60, in2 = max(in60, most(admitted, time.Minute)), max(in2, most(admitted, 2*time.Second))
				})
			}
			if in60 != tt.in60 || in2 != tt.in2 {
				t.Errorf("%d in 60s and %d in 2s, want %d and %d", in60, in2, tt.in60, tt.in2)
			}
		})
	}
}

// flood asks once, is quiet, and then asks every 10ms for three minutes.
func flood(t *testing.T, r *Rule, quiet time.Duration) (admitted []time.Time) {
	ask := func() {
		if !r.take(t.Context(), "k").Reached {
			admitted = append(admitted, time.Now())
		}
	}
	ask()
	time.Sleep(quiet)
	for range 3 * 60 * 100 {
		ask()
		time.Sleep(10 * time.Millisecond)
	}
	return admitted
}

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
