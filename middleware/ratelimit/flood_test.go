package ratelimit

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// attack is what a caller does to be given the most: it asks at instants it
// chooses, each time for so much, until it has none left to choose.
type attack struct {
	name string
	run  func(ask func(cost int64) bool)
}

// all asks until it is refused.
func all(ask func(int64) bool, cost int64) {
	for ask(cost) {
		continue
	}
}

// every asks each 10 ms for that long.
func every(ask func(int64) bool, cost int64, long time.Duration) {
	for range long / (10 * time.Millisecond) {
		ask(cost)
		time.Sleep(10 * time.Millisecond)
	}
}

func attacks() []attack {
	out := []attack{
		{"a steady flood", func(ask func(int64) bool) { every(ask, 1, 4*time.Minute) }},
		{"idle, then a burst, then a flood", func(ask func(int64) bool) {
			ask(1)
			time.Sleep(time.Hour)
			all(ask, 1)
			every(ask, 1, 3*time.Minute)
		}},
		{"bursts, each as soon as there is room for one", func(ask func(int64) bool) {
			for range 12 {
				all(ask, 1)
				time.Sleep(20 * time.Second)
			}
			all(ask, 1)
			every(ask, 1, 2*time.Minute)
		}},
		{"a flood of requests that cost 7", func(ask func(int64) bool) { every(ask, 7, 4*time.Minute) }},
		{"a flood of requests that cost 20, 3 and 1", func(ask func(int64) bool) {
			for range 3 * 60 * 100 {
				ask(20)
				ask(3)
				ask(1)
				time.Sleep(10 * time.Millisecond)
			}
		}},
	}
	for _, quiet := range []time.Duration{58 * time.Second, 59 * time.Second, 59500 * time.Millisecond, 59990 * time.Millisecond} {
		out = append(out, attack{fmt.Sprintf("one, quiet for %s, then all until the next window has begun", quiet), func(ask func(int64) bool) {
			for range 3 {
				ask(1)
				time.Sleep(quiet)
				all(ask, 1)
				every(ask, 1, 65*time.Second)
				time.Sleep(2 * time.Minute)
			}
		}})
	}
	return out
}

// spent is what was admitted at an instant.
type spent struct {
	at   time.Time
	cost int64
}

// mostIn gives the most that was admitted in any such time.
func mostIn(admitted []spent, window time.Duration) (most int64) {
	first, sum := 0, int64(0)
	for _, s := range admitted {
		sum += s.cost
		for s.at.Sub(admitted[first].at) >= window {
			sum -= admitted[first].cost
			first++
		}
		most = max(most, sum)
	}
	return most
}

// floods are the rows of the table, for 100/1m: what each algorithm promises, in
// any 60 s and in any 2 s, in requests or what they cost.
func floods() []flooded {
	const limit, period = 100, 60 * time.Second
	leaks := func(emission, window time.Duration) int64 { return int64((window - 1) / emission) }
	return []flooded{
		{"gcra", "gcra, burst 100 (default)", config.RateLimit{}, limit + leaks(period/limit, period), limit + leaks(period/limit, 2*time.Second)},
		{"gcra", "gcra, burst 20", config.RateLimit{Burst: 20}, 20 + leaks(period/limit, period), 20 + leaks(period/limit, 2*time.Second)},
		{"gcra", "gcra, burst 20, strict", config.RateLimit{Burst: 20, Strict: true}, limit, 20 + leaks(period/(limit-20), 2*time.Second)},
		{"fixed_window", "fixed_window", config.RateLimit{Algorithm: "fixed_window"}, 2*limit - 1, 2*limit - 1},
		{"sliding_log", "sliding_log", config.RateLimit{Algorithm: "sliding_log"}, limit, limit},
	}
}

type flooded struct {
	algorithm, row string
	config         config.RateLimit
	in60, in2      int64 // at most
}

// The most that any attack gets out of each algorithm is within its bound, and it
// is what the README says.
func TestFloods(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "| algorithm | most in any 60 s | most in any 2 s |\n|---|---|---|\n")
	for _, f := range floods() {
		var in60, in2 int64
		for _, a := range attacks() {
			synctest.Test(t, func(t *testing.T) {
				c := f.config
				c.Rate = rate(100, time.Minute)
				admitted := attacked(t, open(t, c, nil), a)
				got60, got2 := mostIn(admitted, time.Minute), mostIn(admitted, 2*time.Second)
				if got60 > f.in60 || got2 > f.in2 {
					t.Errorf("%s, %s: %d in 60 s and %d in 2 s, at most %d and %d", f.row, a.name, got60, got2, f.in60, f.in2)
				}
				in60, in2 = max(in60, got60), max(in2, got2)
			})
		}
		fmt.Fprintf(&table, "| %s | %d | %d |\n", f.row, in60, in2)
	}
	t.Logf("what is admitted at most, for 100/1m:\n%s", table.String())
	for _, file := range []string{"../README.md", "../../README.md"} {
		readme, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(readme), table.String()) {
			t.Errorf("%s does not have this table:\n%s", file, table.String())
		}
	}
}

// attacked gives what a caller was admitted in an attack, all of it on one key.
func attacked(t *testing.T, r *Rule, a attack) (admitted []spent) {
	a.run(func(cost int64) bool {
		refused := r.spend(t.Context(), "k", cost).Reached
		if !refused {
			admitted = append(admitted, spent{time.Now(), cost})
		}
		return !refused
	})
	return admitted
}
