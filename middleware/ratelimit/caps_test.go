package ratelimit

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// bytesPerKey is what a key costs at most, its place in a table that has just
// grown included: of gcra two words of the key, the arrival and a flag; of
// sliding_log 8 bytes more for each request of the limit, here 20; of fixed_window
// what the library needs, and the key itself, here of 15 bytes.
func bytesPerKey() map[string]int {
	return map[string]int{"gcra": 80, "sliding_log": 400, "fixed_window": 480}
}

// Whoever makes up ten million keys takes no more memory than that of the cap, and
// the offender who goes on meanwhile stays limited. GATEHOUSE_SOAK makes it ten
// million and the real cap; without it is a short form.
//
//	GATEHOUSE_SOAK=1 go test -count 1 -v -run TestTenMillion ./middleware/ratelimit
func TestTenMillion(t *testing.T) {
	keys, limit := 100_000, 1_600
	if os.Getenv("GATEHOUSE_SOAK") != "" {
		keys, limit = 10_000_000, maxKeys
	}
	for _, algorithm := range algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			store := NewStore(nil)
			store.keys = limit
			r := open(t, config.RateLimit{Rate: rate(20, time.Hour), Algorithm: algorithm}, store)
			admitted, asked := 0, 0
			ctx, key := t.Context(), []byte("10.")
			before := heap()
			for i := range keys {
				key = strconv.AppendInt(append(strconv.AppendInt(key[:3], int64(i>>12), 10), '.'), int64(i&4095), 10)
				r.take(ctx, string(key))
				if i%1000 == 0 {
					asked++
					if !r.take(ctx, "offender").Reached {
						admitted++
					}
				}
			}
			after := heap()
			n, most := size(r)
			bound := most * bytesPerKey()[algorithm]
			t.Logf("%d keys: %d kept of %d at most, heap %d KiB more, at most %d KiB (%d bytes per key kept); resident %s; the offender: %d of %d admitted",
				keys, n, most, (after-before)>>10, bound>>10, (after-before)/n, resident(), admitted, asked)
			if n > most || after-before > bound {
				t.Errorf("%d keys of at most %d take %d bytes, more than %d", n, most, after-before, bound)
			}
			// A limit of 20 an hour gives one more in 3 minutes.
			if admitted > 20+1 {
				t.Errorf("the offender was admitted %d times of %d", admitted, asked)
			}
			runtime.KeepAlive(r)
		})
	}
}

// heap is what is in use once the garbage is gone.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// resident is the memory of the process, where the system says.
func resident() string {
	text, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// Offenders do not give way to each other either, while there are no more of them
// than the table has room for.
func TestOffendersStay(t *testing.T) {
	for _, algorithm := range algorithms() {
		synctest.Test(t, func(t *testing.T) {
			const keys = 6_400
			store := NewStore(nil)
			store.keys = keys
			r := open(t, config.RateLimit{Rate: rate(3, time.Hour), Algorithm: algorithm}, store)
			for i := range keys { // as many as there is room for
				for range 4 {
					r.take(t.Context(), "offender"+strconv.Itoa(i))
				}
			}
			for i := range 5 * keys {
				r.take(t.Context(), "stranger"+strconv.Itoa(i))
			}
			free := 0
			for i := range keys {
				if !r.take(t.Context(), "offender"+strconv.Itoa(i)).Reached {
					free++
				}
			}
			if free > 0 {
				t.Errorf("%s: %d of %d offenders were set free", algorithm, free, keys)
			}
		})
	}
}

// Where everybody who has an entry is an offender, those who have none come in as
// one key, per shard, until an offender gives up. Nobody is set free meanwhile.
func TestOnlyOffenders(t *testing.T) {
	for _, algorithm := range algorithms() {
		synctest.Test(t, func(t *testing.T) {
			const limit = 3
			store := NewStore(nil)
			store.keys = 640
			r := open(t, config.RateLimit{Rate: rate(limit, time.Hour), Algorithm: algorithm}, store)
			_, most := size(r)
			// Twice as many as there is room for: all places are offenders'.
			admitted := 0
			for i := range 2 * most {
				for range limit + 1 {
					if !r.take(t.Context(), "offender"+strconv.Itoa(i)).Reached {
						admitted++
					}
				}
			}
			if n, _ := size(r); n != most {
				t.Fatalf("%s: %d entries, want %d", algorithm, n, most)
			}
			if want := limit * (most + shards); admitted != want {
				t.Errorf("%s: %d were admitted, want %d: what fits, and one key per shard", algorithm, admitted, want)
			}
			for i := range 1000 {
				if !r.take(t.Context(), "stranger"+strconv.Itoa(i)).Reached {
					t.Fatalf("%s: stranger %d has a count of their own", algorithm, i)
				}
			}
			time.Sleep(time.Hour + time.Second) // the offenders are gone
			for i := range 100 {
				if r.take(t.Context(), "later"+strconv.Itoa(i)).Reached {
					t.Errorf("%s: stranger %d is refused though there is room", algorithm, i)
				}
			}
		})
	}
}

// Entries are found again after others around them were dropped, moved and added.
func TestTableAgainstMap(t *testing.T) {
	type value struct{ n, until int64 }
	store := NewStore(nil)
	table := newTable(&store.ranks, 1<<20, func(v *value, now int64) int64 { return v.until - now })
	want := map[string]value{}
	x := uint64(1)
	next := func(n uint64) uint64 { // xorshift
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		return x % n
	}
	for now := int64(1); now < 200_000; now++ {
		key := strconv.Itoa(int(next(5000)))
		p := table.place(key)
		got, was := table.look(p, now), want[key]
		if got == nil && was.until > now || got != nil && got.until > now && *got != was {
			t.Fatalf("at %d: %s is %v, want %v", now, key, got, was)
		}
		if next(4) == 0 {
			table.remove(p)
			delete(want, key)
			continue
		}
		if got == nil {
			got = table.make(p, now)
		}
		*got = value{now, now + int64(next(20_000))}
		want[key] = *got
	}
}
