package ratelimit

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

// shards spread a table's locks: two cores rarely meet on one of 64.
const shards = 64

// sample is how many entries are looked at when one has to go.
const sample = 8

// table is a bounded map from keys to what is counted for them.
//
// Keys come from callers, who can make up as many as they like, so the table
// has a cap. What is evicted is not what is oldest but, of a random sample,
// what is lost least by forgetting it: an entry that no longer matters, or else
// the one that will be back at nothing soonest. A caller at their limit weighs
// most, so a flood of fresh keys pushes out its own.
//
// Entries that no longer matter are swept as new keys come in. There is no
// goroutine behind it.
type table[V any] struct {
	seed   maphash.Seed
	start  time.Time // the monotonic clock: steps of the wall clock do not count
	max    int       // entries per shard
	weight func(v *V, now int64) int64
	forget func(key string) // called, under the lock, for keys that are evicted; may be nil
	shards [shards]shard[V]
}

type shard[V any] struct {
	sync.Mutex
	m map[string]*V
	_ [48]byte // two shards do not share a cache line
}

// newTable makes a table of about keys entries. weight says for how long, in
// nanoseconds from now, an entry still matters.
func newTable[V any](keys int, weight func(v *V, now int64) int64) *table[V] {
	return &table[V]{seed: maphash.MakeSeed(), start: time.Now(), max: max(1, (keys+shards-1)/shards), weight: weight}
}

// now is the time in nanoseconds since the table was made.
func (t *table[V]) now() int64 { return int64(time.Since(t.start)) }

// lock locks the shard of the key. The caller unlocks it.
func (t *table[V]) lock(key string) *shard[V] {
	s := &t.shards[maphash.String(t.seed, key)%shards]
	s.Lock()
	return s
}

// entry finds or makes the entry of a key in its locked shard.
func (t *table[V]) entry(s *shard[V], key string, now int64) *V {
	if v := s.m[key]; v != nil {
		return v
	}
	t.makeRoom(s, now)
	if s.m == nil {
		s.m = map[string]*V{}
	}
	v := new(V)
	s.m[key] = v
	return v
}

// makeRoom sweeps a sample of entries, and where the shard is full, evicts the
// lightest of them. The iteration order of a map is random enough for a sample.
func (t *table[V]) makeRoom(s *shard[V], now int64) {
	lightest, least, seen := "", int64(math.MaxInt64), 0
	for k, v := range s.m {
		w := t.weight(v, now)
		if w <= 0 {
			t.drop(s, k)
		} else if w < least {
			lightest, least = k, w
		}
		if seen++; seen == sample {
			break
		}
	}
	if len(s.m) >= t.max {
		t.drop(s, lightest)
	}
}

func (t *table[V]) drop(s *shard[V], key string) {
	delete(s.m, key)
	if t.forget != nil {
		t.forget(key)
	}
}

// remove forgets a key.
func (t *table[V]) remove(key string) {
	s := t.lock(key)
	defer s.Unlock()
	t.drop(s, key)
}

// len counts the entries.
func (t *table[V]) len() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.Lock()
		n += len(s.m)
		s.Unlock()
	}
	return n
}
