package ratelimit

import (
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"
	xrate "golang.org/x/time/rate"

	"github.com/gatehouse-dev/gatehouse/config"
)

// BenchmarkDecide is one decision in memory with 100,000 keys, by as many
// goroutines as there are cores, beside what others take for the same. ns/op is the
// wall's time, and so cores and other work on the machine count; cpu-ns/op is what
// this process had of the cores, and ratio that as a multiple of our gcra's in the
// same run.
//
//	go test -run '^$' -bench Decide -benchmem ./middleware/ratelimit
func BenchmarkDecide(b *testing.B) {
	keys := benchKeys()
	ours := 0.0
	for _, contender := range []struct {
		name string
		make func(b *testing.B) func(key string)
	}{
		{"gcra", ruleDecides(config.RateLimit{})},
		{"sliding_log", ruleDecides(config.RateLimit{Algorithm: "sliding_log"})},
		{"fixed_window", ruleDecides(config.RateLimit{Algorithm: "fixed_window"})},
		{"gcra, 3 rules", rulesDecide},
		{"ulule-memory", func(b *testing.B) func(string) {
			s := memory.NewStoreWithOptions(limiter.StoreOptions{})
			rate := limiter.Rate{Limit: 100_000, Period: 24 * time.Hour}
			return func(key string) {
				if _, err := s.Get(b.Context(), key, rate); err != nil {
					b.Error(err)
				}
			}
		}},
		{"x-time-rate", func(*testing.B) func(string) {
			// A map of limiters with a lock, as its users write it.
			var mu sync.RWMutex
			m := map[string]*xrate.Limiter{}
			return func(key string) {
				mu.RLock()
				l := m[key]
				mu.RUnlock()
				if l == nil {
					mu.Lock()
					if l = m[key]; l == nil {
						l = xrate.NewLimiter(xrate.Every(864*time.Millisecond), 100_000)
						m[key] = l
					}
					mu.Unlock()
				}
				l.Allow()
			}
		}},
	} {
		b.Run(contender.name, func(b *testing.B) {
			decide := contender.make(b)
			for i := range keys { // in another order than below, or neighbours would be asked after each other
				decide(keys[i*7919%len(keys)])
			}
			var from atomic.Int64
			begun := cpu()
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := int(from.Add(31_415)); pb.Next(); i++ {
					decide(keys[i%len(keys)])
				}
			})
			took := float64(cpu()-begun) / float64(b.N)
			if contender.name == "gcra" {
				ours = took
			}
			b.ReportMetric(took, "cpu-ns/op")
			if ours > 0 {
				b.ReportMetric(took/ours, "ratio")
			}
		})
	}
}

// cpu is the time this process had of all cores.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchKeys() []string {
	keys := make([]string, maxKeys)
	for i := range keys {
		keys[i] = "10." + strconv.Itoa(i>>16) + "." + strconv.Itoa(i>>8&255) + "." + strconv.Itoa(i&255)
	}
	return keys
}

func ruleDecides(c config.RateLimit) func(*testing.B) func(string) {
	return func(b *testing.B) func(string) {
		c.Rate = rate(100_000, 24*time.Hour) // what is counted stays
		if c.Algorithm == slidingLog {
			c.Rate.Count = 40 // the keys of which it keeps all
		}
		r := open(b, c, nil)
		ctx := b.Context()
		return func(key string) { r.take(ctx, key) }
	}
}

// rulesDecide asks three rules about each request.
func rulesDecide(b *testing.B) func(string) {
	store := NewStore(nil)
	var rules [3]*Rule
	for i := range rules {
		r, err := Open("rule"+strconv.Itoa(i), &config.RateLimit{Key: []string{"client.address"}, Rate: rate(100_000, 24*time.Hour)}, store)
		if err != nil {
			b.Fatal(err)
		}
		rules[i] = r
	}
	ctx := b.Context()
	return func(key string) {
		var asks [3]ask
		var takes [3]take
		for i, r := range rules {
			asks[i] = ask{rule: r, quota: r.quota, key: key, cost: 1}
		}
		store.decide(ctx, asks[:], takes[:0])
	}
}
