package ratelimit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

func eachAlgorithm() map[string]config.RateLimit {
	return map[string]config.RateLimit{
		"bucket": {Rate: rate(3, time.Hour)},
		"log":    {Rate: rate(3, time.Hour), Algorithm: "sliding_log"},
		"window": {Rate: rate(3, time.Hour), Algorithm: "fixed_window"},
	}
}

// All rules of a request are one command.
func TestRedisOneRoundTrip(t *testing.T) {
	s := storetest.Start(t)
	store := NewStore(s.Patient(false))
	rs := several(t, store, eachAlgorithm(), "bucket", "log", "window")
	together(t, 1, "k", rs...) // the script is sent
	if err := s.Client().ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	before := store.redis.Asked()
	together(t, 1, "k", rs...)
	together(t, 1, "other", rs...)
	info, err := s.Client().Info(t.Context(), "commandstats").Result()
	if err != nil || !strings.Contains(info, "cmdstat_evalsha:calls=2,") || strings.Contains(info, "cmdstat_eval:") {
		t.Errorf("two requests were these commands: %v\n%s", err, info)
	}
	if got := store.redis.Asked() - before; got != 2 {
		t.Errorf("two requests were %d exchanges", got)
	}
}

// Whatever others do to the keys, nobody is refused for ever, nobody gets more
// than a fresh count, and the script does not fail.
func TestRedisSpoiledKeys(t *testing.T) {
	s := storetest.Start(t)
	client, ctx := s.Client(), t.Context()
	far := time.Now().Add(1000 * time.Hour).UnixMicro()
	spoil := map[string]func(key string) error{
		"another type: list":       func(k string) error { return client.RPush(ctx, k, "x").Err() },
		"another type: hash":       func(k string) error { return client.HSet(ctx, k, "a", "b").Err() },
		"another type: string":     func(k string) error { return client.Set(ctx, k, "text", 0).Err() },
		"a number for ever":        func(k string) error { return client.Set(ctx, k, "1000000", 0).Err() },
		"a time far ahead":         func(k string) error { return client.Set(ctx, k, far, 0).Err() },
		"a window that is too far": func(k string) error { return client.Set(ctx, k, "1000", 1000*time.Hour).Err() },
		"below zero":               func(k string) error { return client.Set(ctx, k, "-1000000", time.Hour).Err() },
		"not a number":             func(k string) error { return client.Set(ctx, k, "nan", time.Hour).Err() },
		"infinite":                 func(k string) error { return client.Set(ctx, k, "-inf", time.Hour).Err() },
		"scores far ahead": func(k string) error {
			return client.Do(ctx, "ZADD", k, far, "a", far+1, "b", far+2, "c", far+3, "d").Err()
		},
		"infinite scores": func(k string) error { return client.Do(ctx, "ZADD", k, "+inf", "a", "-inf", "b", "+inf", "c").Err() },
		"emptied":         func(string) error { return client.FlushAll(ctx).Err() },
		"the scripts too": func(string) error { return errors.Join(client.FlushAll(ctx).Err(), client.ScriptFlush(ctx).Err()) },
	}
	for how, f := range spoil {
		for name := range eachAlgorithm() {
			t.Run(how+"/"+name, func(t *testing.T) {
				r := several(t, NewStore(s.Patient(false)), eachAlgorithm(), name)[0]
				r.quota.known = nil // ask Redis every time
				for range 5 {
					together(t, 1, "k", r)
				}
				key := r.quota.prefix + "k"
				if err := client.Del(ctx, key).Err(); err != nil {
					t.Fatal(err)
				}
				if err := f(key); err != nil {
					t.Fatal(err)
				}
				admitted, longest := 0, time.Duration(0)
				for range 6 {
					a := r.take(ctx, "k")
					if a.err != nil {
						t.Fatalf("the script fails: %v", a.err)
					}
					if longest = max(longest, a.RetryAfter); !a.Reached {
						admitted++
					}
				}
				// At the limit as if it had been used up, or a fresh count.
				if admitted > 3 || longest > time.Hour {
					t.Errorf("%d were admitted, and the wait is %s", admitted, longest)
				}
				if ttl := client.PTTL(ctx, key).Val(); admitted > 0 && (ttl <= 0 || ttl > time.Hour+time.Second) {
					t.Errorf("the key goes in %s", ttl)
				}
				client.FlushAll(ctx)
			})
		}
	}
}

// A key that lost its time to live is in force no longer than it would have been.
func TestRedisLostTTL(t *testing.T) {
	s := storetest.Start(t)
	for name := range eachAlgorithm() {
		t.Run(name, func(t *testing.T) {
			c := eachAlgorithm()[name]
			c.Rate.Per = 600 * time.Millisecond
			r := several(t, NewStore(s.Patient(false)), map[string]config.RateLimit{name: c}, name)[0]
			r.quota.known = nil
			for range 4 {
				together(t, 1, "k", r)
			}
			if err := s.Client().Persist(t.Context(), r.quota.prefix+"k").Err(); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool { return !r.take(t.Context(), "k").Reached })
		})
	}
}

// Memory and Redis give the same answers to the same questions.
func TestRedisLikeMemory(t *testing.T) {
	s := storetest.Start(t)
	limits := map[string]config.RateLimit{
		"bucket": {Rate: rate(30, time.Hour), Burst: 12},
		"strict": {Rate: rate(30, time.Hour), Burst: 12, Strict: true},
		"log":    {Rate: rate(20, time.Hour), Algorithm: "sliding_log"},
		"window": {Rate: rate(25, time.Hour), Algorithm: "fixed_window"},
	}
	names := []string{"bucket", "log", "window", "strict"}
	here, there := several(t, NewStore(nil), limits, names...), several(t, NewStore(s.Patient(false)), limits, names...)
	for _, r := range there {
		r.quota.known = nil
	}
	for i, cost := range []int64{1, 3, 2, 5, 1, 4, 1, 9, 2, 1, 1, 30, 1, 2, 1} {
		// Now all, now some: they drift apart.
		from := i % len(names)
		a, left := together(t, cost, "k", here[from:]...)
		b, remain := together(t, cost, "k", there[from:]...)
		if a != b || a == "" && fmt.Sprint(left) != fmt.Sprint(remain) {
			t.Errorf("request %d at a cost of %d: %q with %d left in memory, %q with %d in Redis", i, cost, a, left, b, remain)
		}
	}
}

// A refusal that is known is known for what costs as much, and not for less.
func TestRedisKnownByCost(t *testing.T) {
	s := storetest.Start(t)
	store := NewStore(s.Patient(false))
	r := open(t, config.RateLimit{Rate: rate(5, time.Hour)}, store)
	r.spend(t.Context(), "k", 3)
	if a := r.spend(t.Context(), "k", 4); !a.Reached {
		t.Fatal("7 of 5 were admitted")
	}
	v := r.quota.known.look(r.quota.known.place("k"), 0)
	if v == nil {
		t.Fatal("not known")
	}
	v.until = store.clock.now() + int64(time.Minute) // however long the test takes
	before := store.redis.Asked()
	if a := r.spend(t.Context(), "k", 5); !a.Reached || store.redis.Asked() != before {
		t.Errorf("what costs more: %+v, asked %d times", a.Result, store.redis.Asked()-before)
	}
	if a := r.spend(t.Context(), "k", 2); a.Reached || store.redis.Asked() != before+1 {
		t.Errorf("what costs less: %+v, asked %d times", a.Result, store.redis.Asked()-before)
	}
}

// What is known of a rule in the shadow, which keeps nobody from asking the others,
// is known no longer because it is asked again.
func TestRedisKnownInTheShadow(t *testing.T) {
	s := storetest.Start(t)
	store := NewStore(s.Patient(false))
	rs := several(t, store, map[string]config.RateLimit{
		"watched":  {Rate: rate(1, time.Hour), Mode: "shadow"},
		"enforced": {Rate: rate(1000, time.Hour)},
	}, "watched", "enforced")
	together(t, 1, "k", rs...)
	together(t, 1, "k", rs...)
	v := rs[0].quota.known.look(rs[0].quota.known.place("k"), 0)
	if v == nil {
		t.Fatal("not known")
	}
	v.until = store.clock.now() + int64(time.Minute)
	until := v.until
	if together(t, 1, "k", rs...); v.until != until {
		t.Errorf("known for %s more", time.Duration(v.until-until))
	}
}
