package ratelimit

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// several are rules of one request, one of each algorithm.
func several(t testing.TB, store *Store, limits map[string]config.RateLimit, names ...string) (out []*Rule) {
	t.Helper()
	for _, n := range names {
		c := limits[n]
		c.Key = []string{"client.address"}
		r, err := Open(n, &c, store)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// together asks rules about one request, and says who refuses ("" where nobody
// does) and what is left of each.
func together(t testing.TB, cost int64, key string, rules ...*Rule) (refuses string, left []int64) {
	t.Helper()
	asks := make([]ask, len(rules))
	for i, r := range rules {
		asks[i] = ask{rule: r, quota: r.quota, key: key, cost: cost}
	}
	takes, refusing := rules[0].store.decide(t.Context(), asks, nil)
	for i := range takes {
		if takes[i].err != nil {
			t.Fatalf("%s: %v", takes[i].rule.name, takes[i].err)
		}
		left = append(left, takes[i].Remaining)
	}
	if refusing >= 0 {
		refuses = takes[refusing].rule.name
	}
	return refuses, left
}

// stores are the two that must decide alike.
func stores(t *testing.T, f func(t *testing.T, store *Store)) {
	t.Run("memory", func(t *testing.T) { f(t, NewStore(nil)) })
	t.Run("redis", func(t *testing.T) { f(t, NewStore(storetest.Start(t).Patient(false))) })
}

// What one rule refuses weighs on none, whatever the algorithms and whichever it
// is that refuses; what a shadow rule would refuse counts for the others.
func TestAllOrNone(t *testing.T) {
	limits := map[string]config.RateLimit{
		"bucket":  {Rate: rate(5, time.Hour)},
		"window":  {Rate: rate(4, time.Hour), Algorithm: "fixed_window"},
		"log":     {Rate: rate(3, time.Hour), Algorithm: "sliding_log"},
		"strict":  {Rate: rate(10, time.Hour), Burst: 6, Strict: true},
		"watched": {Rate: rate(2, time.Hour), Mode: "shadow"},
	}
	stores(t, func(t *testing.T, store *Store) {
		rs := several(t, store, limits, "bucket", "log", "watched", "window", "strict")
		for i := range 3 {
			if refuses, _ := together(t, 1, "k", rs...); refuses != "" {
				t.Fatalf("request %d: %s refuses", i, refuses)
			}
		}
		for range 5 {
			if refuses, _ := together(t, 1, "k", rs...); refuses != "log" {
				t.Fatalf("%q refuses, want log", refuses)
			}
		}
		// Of the others three have gone, and no more.
		for i, want := range map[int]int64{0: 1, 3: 0, 4: 2} {
			if refuses, left := together(t, 1, "k", rs[i]); refuses != "" || left[0] != want {
				t.Errorf("%s: %q refuses, %d left, want %d", rs[i].name, refuses, left[0], want)
			}
		}
		// The one that refuses is the last, and costs are what count.
		if refuses, _ := together(t, 3, "other", rs[0], rs[3]); refuses != "" {
			t.Errorf("a cost of 3: %s refuses", refuses)
		}
		if refuses, left := together(t, 2, "other", rs[0], rs[3]); refuses != "window" || left[0] != 0 && left[0] != 2 {
			t.Errorf("a cost of 2 more: %q refuses, %d left", refuses, left)
		}
		if refuses, left := together(t, 1, "other", rs[0], rs[3]); refuses != "" || left[0] != 1 || left[1] != 0 {
			t.Errorf("a cost of 1 more: %q refuses, %d left", refuses, left)
		}
		// What costs more than there can ever be is refused, and takes nothing.
		if refuses, _ := together(t, 7, "dear", rs[0], rs[1]); refuses != "bucket" {
			t.Errorf("a cost above all limits: %q refuses", refuses)
		}
		if refuses, left := together(t, 1, "dear", rs[0], rs[1]); refuses != "" || left[0] != 4 || left[1] != 2 {
			t.Errorf("after it: %q refuses, %d left", refuses, left)
		}
	})
}

// Nobody is refused because of requests that in the end did not count: many at
// once, all refused by one rule, take nothing from another at any moment.
func TestNoTransientCounts(t *testing.T) {
	limits := map[string]config.RateLimit{
		"wide":   {Rate: rate(10, time.Hour), Algorithm: "sliding_log"},
		"closed": {Rate: rate(1, time.Hour)},
		"deep":   {Rate: rate(1000, time.Hour)},
	}
	stores(t, func(t *testing.T, store *Store) {
		rs := several(t, store, limits, "wide", "closed", "deep")
		for _, r := range rs {
			r.quota.known = nil // ask Redis every time
		}
		together(t, 1, "k", rs...) // 9 are left of wide, none of closed
		var wg sync.WaitGroup
		for n := range 4 {
			order := []*Rule{rs[0], rs[1], rs[2]}
			if n%2 == 1 { // routes name rules in orders of their own
				order = []*Rule{rs[2], rs[1], rs[0]}
			}
			wg.Go(func() {
				for range 300 {
					if refuses, _ := together(t, 1, "k", order...); refuses == "" {
						t.Error("admitted beyond the limit")
					}
				}
			})
		}
		var admitted atomic.Int64
		for range 2 {
			wg.Go(func() {
				for range 10 {
					if refuses, _ := together(t, 1, "k", rs[2], rs[0]); refuses == "" {
						admitted.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if got := admitted.Load(); got != 9 {
			t.Errorf("%d of the 9 that were left were admitted", got)
		}
	})
}

// Rules by the thousand in every order on few locks neither hang nor count wrong. By
// the clock of the bubble nothing leaks meanwhile, however long it takes.
func TestLocksInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewStore(nil)
		var rs []*Rule
		for i := range 12 { // more than decideHere has room for without allocating
			rs = append(rs, open(t, config.RateLimit{Rate: rate(10_000, time.Hour), Algorithm: algorithms()[i%3], Key: []string{"header:X-" + strconv.Itoa(i)}}, store))
		}
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				for i := range 100 {
					turned := append(append([]*Rule(nil), rs[(n+i)%len(rs):]...), rs[:(n+i)%len(rs)]...)
					together(t, 1, strconv.Itoa(i%3), turned...)
				}
			})
		}
		wg.Wait()
		for _, r := range rs {
			if _, left := together(t, 1, "0", r); left[0] != 10_000-8*34-1 {
				t.Errorf("%v: %d left", r, left[0])
			}
		}
	})
}

// Of a strict rate at most the count pass in any period, also where a replica has
// a share of one only.
func TestStrict(t *testing.T) {
	for _, tt := range []struct{ count, burst, replicas int64 }{
		{100, 20, 1}, {100, 99, 1}, {2, 1, 1}, {100, 20, 3}, {3, 2, 3}, {10, 9, 7},
	} {
		synctest.Test(t, func(t *testing.T) {
			store := NewStore(nil)
			r := open(t, config.RateLimit{Rate: rate(tt.count, time.Minute), Burst: int(tt.burst), Strict: true}, store)
			terms := r.quota.share(tt.replicas)
			var admitted []spent
			for range 5 * 60 * 10 {
				p := r.quota.here.place("k")
				if !r.quota.here.count(p, store.clock.now(), 1, terms, true).Reached {
					admitted = append(admitted, spent{time.Now(), 1})
				}
				time.Sleep(100 * time.Millisecond)
			}
			// A closed minute: its first and its last instant are in it.
			got, share := mostIn(admitted, time.Minute+1), max(tt.count/tt.replicas, 1)
			if got > share || got == 0 {
				t.Errorf("%+v: %d in a minute, want %d at most", tt, got, share)
			}
		})
	}
}
