package ratelimit

import (
	"hash/maphash"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
)

// shards spread a table's locks: two cores rarely meet on one of 64.
const shards = 64

// sample is how many slots are looked at when a new key comes.
const sample = 8

// table is a bounded map from keys to what is counted for them.
//
// Keys come from callers, who can make up as many as they like, so the table has
// a cap and a fixed cost. It is open addressing with the values in the slots:
// nothing is allocated per key, and a look-up touches one or two cache lines. Keys
// themselves are not kept but 127 bits of two seeded hashes of them, which nobody
// who does not know the seeds can make equal for two keys.
//
// What is evicted is not what is oldest but, of a few, what is lost least by
// forgetting it: an entry that no longer matters, or else the one that will be
// back at nothing soonest. An offender, who was refused and is not back at
// nothing yet, never gives way: neither to strangers nor to other offenders. Only
// where every entry of a shard is an offender is there no room. Then all keys
// without an entry count as one, per shard: offenders stay limited, and of the
// strangers, who may be one attacker with a million addresses, so many come in as
// one key may. That fails closed for most of them, until an offender gives up.
//
// Entries that no longer matter are swept as new keys come in. There is no
// goroutine behind it.
type table[V any] struct {
	seeds  [2]maphash.Seed
	rank   uint64 // of its locks
	max    int    // entries per shard
	weight func(v *V, now int64) int64
	stays  func(v *V) bool // whether it is an offender's; may be nil
	forget func(v *V)      // called, under the lock, for what is dropped; may be nil
	shards [shards]shard[V]
}

type shard[V any] struct {
	sync.Mutex
	slots []slot[V] // a power of two of them, never all in use
	used  int
	hand  int      // where the sweep is
	full  int64    // until then nobody gives way
	spare V        // of all keys without room
	_     [64]byte // two shards do not share a cache line
}

type slot[V any] struct {
	id [2]uint64 // the first is odd, or 0: the slot is free
	v  V
}

// place is where a key is counted. Locks are taken in the order of their ranks.
type place struct {
	id   [2]uint64
	lock *sync.Mutex
	rank uint64
	key  string
}

// newTable makes a table for keys entries. weight says for how long, in
// nanoseconds from now, an entry still matters. Keys fall on shards by chance, so
// each has room for five standard deviations more than its share.
func newTable[V any](ranks *atomic.Uint64, keys int, weight func(v *V, now int64) int64) *table[V] {
	share := float64(keys) / shards
	return &table[V]{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, rank: ranks.Add(shards),
		max: max(1, int(math.Ceil(share+5*math.Sqrt(share)))), weight: weight,
	}
}

// place finds out where a key is counted.
func (t *table[V]) place(key string) place {
	p := place{id: [2]uint64{maphash.String(t.seeds[0], key) | 1, maphash.String(t.seeds[1], key)}, key: key}
	i := p.id[0] >> 58
	p.lock, p.rank = &t.shards[i].Mutex, t.rank+i
	return p
}

func (t *table[V]) shard(p place) *shard[V] { return &t.shards[p.id[0]>>58] }

// look gives the value of a place: nil where there is none yet, and where none can
// be the one that others count on too. Here and below the place is locked, and no
// value is used after another was made or dropped.
func (t *table[V]) look(p place, now int64) *V {
	s := t.shard(p)
	if i, ok := s.find(p.id); ok {
		return &s.slots[i].v
	}
	if s.used >= t.max && t.lightest(s, now) < 0 {
		return &s.spare
	}
	return nil
}

// find gives the slot of a key, or the free one where it would be.
func (s *shard[V]) find(id [2]uint64) (int, bool) {
	if len(s.slots) == 0 {
		return 0, false
	}
	mask := len(s.slots) - 1
	for i := int(id[0]>>1) & mask; ; i = (i + 1) & mask {
		switch o := &s.slots[i]; {
		case o.id == id:
			return i, true
		case o.id[0] == 0:
			return i, false
		}
	}
}

// make makes the value of a place that has none.
func (t *table[V]) make(p place, now int64) *V {
	s := t.shard(p)
	t.sweep(s, now)
	if s.used >= t.max {
		i := t.lightest(s, now)
		if i < 0 {
			return &s.spare
		}
		t.drop(s, i)
	}
	if s.used >= len(s.slots)/8*7 {
		s.grow(t.max)
	}
	i, _ := s.find(p.id)
	s.slots[i].id = p.id
	s.used++
	return &s.slots[i].v
}

// grow doubles the slots, to what the most entries need.
func (s *shard[V]) grow(most int) {
	old := s.slots
	ceiling := 1 << bits.Len(uint(most/7*8+8))
	s.slots, s.hand = make([]slot[V], min(max(2*len(old), 8), ceiling)), 0
	for _, o := range old {
		if o.id[0] != 0 {
			i, _ := s.find(o.id)
			s.slots[i] = o
		}
	}
}

// sweep drops what no longer matters of the next few slots.
func (t *table[V]) sweep(s *shard[V], now int64) {
	if len(s.slots) == 0 {
		return
	}
	for range sample {
		o := &s.slots[s.hand]
		if o.id[0] != 0 && t.weight(&o.v, now) <= 0 {
			t.drop(s, s.hand) // and another may be there now
			continue
		}
		s.hand = (s.hand + 1) & (len(s.slots) - 1)
	}
}

// lightest gives the slot of the lightest of the next few entries that may go, or
// else of the first of all that may; -1 where none may.
func (t *table[V]) lightest(s *shard[V], now int64) int {
	if now < s.full {
		return -1
	}
	lightest, least, seen, soonest := -1, int64(math.MaxInt64), 0, int64(math.MaxInt64)
	for n := range len(s.slots) {
		i := (s.hand + n) & (len(s.slots) - 1)
		if s.slots[i].id[0] == 0 {
			continue
		}
		v := &s.slots[i].v
		w := t.weight(v, now)
		soonest = min(soonest, w)
		if w < least && (w <= 0 || t.stays == nil || !t.stays(v)) {
			lightest, least = i, w
		}
		if seen++; seen >= sample && lightest >= 0 {
			return lightest
		}
	}
	if lightest < 0 {
		s.full = now + soonest
	}
	return lightest
}

// drop empties a slot, and moves up those behind it that could not be where they
// belong.
func (t *table[V]) drop(s *shard[V], i int) {
	if t.forget != nil {
		t.forget(&s.slots[i].v)
	}
	mask := len(s.slots) - 1
	for j := (i + 1) & mask; s.slots[j].id[0] != 0; j = (j + 1) & mask {
		home := int(s.slots[j].id[0]>>1) & mask
		if (j-home)&mask >= (j-i)&mask {
			s.slots[i] = s.slots[j]
			i = j
		}
	}
	s.slots[i] = slot[V]{}
	s.used--
	s.full = 0
}

// remove forgets a place.
func (t *table[V]) remove(p place) {
	s := t.shard(p)
	if i, ok := s.find(p.id); ok {
		t.drop(s, i)
	}
}

// len counts the entries.
func (t *table[V]) len() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.Lock()
		n += s.used
		s.Unlock()
	}
	return n
}
