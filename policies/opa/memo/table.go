package memo

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// ways is how many entries compete for one place.
const ways = 4

// cache is a bounded table of values by key. Readers take no lock and allocate
// nothing: they follow one atomic pointer and compare the whole key. Writers
// take turns. A full set drops an entry that was not asked for since the last
// time around, so a flood of keys costs misses and never memory.
type cache[T any] struct {
	seed   maphash.Seed
	mask   uint64
	sets   []set[T]
	writer sync.Mutex
}

type set[T any] [ways]atomic.Pointer[entry[T]]

type entry[T any] struct {
	hash  uint64
	key   string
	value *T
	used  atomic.Bool
}

// newCache has room for at least so many entries, rounded up to a power of two.
func newCache[T any](entries int) *cache[T] {
	n := 1
	for n*ways < entries {
		n *= 2
	}
	return &cache[T]{seed: maphash.MakeSeed(), mask: uint64(n - 1), sets: make([]set[T], n)}
}

func (c *cache[T]) get(key []byte) *T {
	hash := maphash.Bytes(c.seed, key)
	if e := c.find(hash, key); e != nil {
		return e.value
	}
	return nil
}

func (c *cache[T]) find(hash uint64, key []byte) *entry[T] {
	for i := range c.sets[hash&c.mask] {
		e := c.sets[hash&c.mask][i].Load()
		if e != nil && e.hash == hash && e.key == string(key) {
			if !e.used.Load() { // a write would be contended for
				e.used.Store(true)
			}
			return e
		}
	}
	return nil
}

// put stores a value and gives the one that stands: the first, where several
// have worked out the same at once.
func (c *cache[T]) put(key []byte, value *T) (stands *T, evicted bool) {
	hash := maphash.Bytes(c.seed, key)
	c.writer.Lock()
	defer c.writer.Unlock()
	if e := c.find(hash, key); e != nil {
		return e.value, false
	}
	s := &c.sets[hash&c.mask]
	victim := -1
	for i := range s {
		e := s[i].Load()
		if e == nil {
			victim = i
			break
		}
		if victim < 0 && !e.used.Load() {
			victim = i
		}
	}
	if victim < 0 { // all were used: they start anew, and one goes
		victim = int(hash >> 32 % ways)
		for i := range s {
			s[i].Load().used.Store(false)
		}
	}
	evicted = s[victim].Load() != nil
	s[victim].Store(&entry[T]{hash: hash, key: string(key), value: value})
	return value, evicted
}
