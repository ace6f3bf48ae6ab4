package detect

import (
	"hash/maphash"
	"math"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// What a detector keeps at most, whatever callers send: so many targets, and so
// many bytes for all of them together. Where it counts by user and by address, it
// has two tables.
const (
	maxKeys  = 100_000
	maxBytes = 32 << 20
)

// shards spread a table's locks: two cores rarely meet on one of 64.
const shards = 64

// sample is how many entries are looked at when one has to go.
const sample = 8

// overhead is what an entry costs beside itself: its place in the map, which is
// half empty after it has grown.
const overhead = 64

// identity is what something is counted for. Fields that do not matter are zero.
type identity struct {
	address [16]byte
	bits    int
	user    Digest
	subject Subject
	route   string
}

// at is an identity that has the address.
func at(p netip.Prefix) identity { return identity{address: p.Addr().As16(), bits: p.Bits()} }

// key stands for an identity: issuers may write long names, and memory is to have
// a bound. Nobody outside knows the seeds, so nobody finds two that are alike.
type key [2]uint64

// table is a bounded map from targets to what is counted for them.
//
// Targets come from callers, who can make up as many as they like. What is
// evicted is not what is oldest but, of a random sample, what is lost least by
// forgetting it: an entry that no longer matters, or else one with the fewest
// events. Who is close to a threshold weighs most, so a flood of made-up targets
// pushes out its own.
//
// Entries that no longer matter are swept as new ones come in. There is no
// goroutine behind it, and no clock: time is what signals say.
type table[V any] struct {
	seeds  [2]maphash.Seed
	begun  sync.Once
	start  time.Time // of the first signal; what follows is monotonic where signals are
	keys   int       // entries per shard
	bytes  int64
	fixed  int64 // bytes of an entry without what it points to
	weight func(v *V, now int64) int64
	size   func(v *V) int64 // bytes that an entry points to
	used   atomic.Int64
	shards [shards]shard[V]
}

type shard[V any] struct {
	sync.Mutex
	m map[key]*node[V]
	_ [48]byte // two shards do not share a cache line
}

type node[V any] struct {
	value V
	bytes int64 // as they are accounted for
}

// newTable makes an empty table. weight says how much an entry still matters,
// nothing where it is 0; see [weigh].
func newTable[V any](weight func(v *V, now int64) int64, size func(v *V) int64) *table[V] {
	return &table[V]{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		keys:  (maxKeys + shards - 1) / shards, bytes: maxBytes,
		fixed:  int64(reflect.TypeFor[node[V]]().Size()) + overhead,
		weight: weight, size: size,
	}
}

// weigh is the weight of so many events, the newest of which was at last.
func weigh(events int, last, now, window int64) int64 {
	left := last + window - now
	if events == 0 || left <= 0 {
		return 0
	}
	// Milliseconds, roughly: 32 bits hold seven weeks.
	return int64(min(events, math.MaxInt32-1))<<32 + min(left>>20, math.MaxUint32)
}

// now is the time of a signal in nanoseconds since the first one.
func (t *table[V]) now(at time.Time) int64 {
	t.begun.Do(func() { t.start = at })
	return int64(at.Sub(t.start))
}

func (t *table[V]) key(i identity) key {
	return key{maphash.Comparable(t.seeds[0], i), maphash.Comparable(t.seeds[1], i)}
}

// lock locks the shard of the key. The caller unlocks it.
func (t *table[V]) lock(k key) *shard[V] {
	s := &t.shards[k[0]%shards]
	s.Lock()
	return s
}

// find gives the value of a key, nil where there is none.
func (s *shard[V]) find(k key) *V {
	if n := s.m[k]; n != nil {
		return &n.value
	}
	return nil
}

// entry finds or makes the value of a key in its locked shard.
func (t *table[V]) entry(s *shard[V], k key, now int64) *V {
	if n := s.m[k]; n != nil {
		return &n.value
	}
	t.makeRoom(s, k, now, func() bool { return len(s.m) >= t.keys })
	if s.m == nil {
		s.m = map[key]*node[V]{}
	}
	n := &node[V]{bytes: t.fixed}
	s.m[k] = n
	t.used.Add(t.fixed)
	return &n.value
}

// settle accounts for a value that was changed, in its locked shard. Where there
// are too many bytes, others go: of the same shard or, where it has no other, of
// the next that nobody is at.
func (t *table[V]) settle(s *shard[V], k key, now int64) {
	n := s.m[k]
	bytes := t.fixed + t.size(&n.value)
	t.used.Add(bytes - n.bytes)
	n.bytes = bytes
	tooMuch := func() bool { return t.used.Load() > t.bytes }
	for tooMuch() && t.makeRoom(s, k, now, tooMuch) {
	}
	for i := uint64(1); i < shards && tooMuch(); i++ {
		o := &t.shards[(k[0]+i)%shards]
		if !o.TryLock() {
			continue
		}
		for tooMuch() && t.makeRoom(o, k, now, tooMuch) {
		}
		o.Unlock()
	}
}

// makeRoom drops what no longer matters of a sample of entries and then, if there
// is too much still, the lightest. The entry of keep stays; makeRoom reports whether
// there is any other. The iteration order of a map is random enough for a sample.
func (t *table[V]) makeRoom(s *shard[V], keep key, now int64, tooMuch func() bool) bool {
	var lightest key
	least, seen := int64(math.MaxInt64), 0
	for k, n := range s.m {
		if k == keep {
			continue
		}
		if w := t.weight(&n.value, now); w <= 0 {
			t.drop(s, k)
		} else if w < least {
			lightest, least = k, w
		}
		if seen++; seen == sample {
			break
		}
	}
	if tooMuch() {
		t.drop(s, lightest)
	}
	return seen > 0
}

// drop forgets a key, in its locked shard.
func (t *table[V]) drop(s *shard[V], k key) {
	if n := s.m[k]; n != nil {
		delete(s.m, k)
		t.used.Add(-n.bytes)
	}
}
