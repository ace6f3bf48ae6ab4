package ratelimit

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/ulule/limiter/v3"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// maxKeys is how many keys one rule counts in memory. The next ones push out
// those that matter least.
const maxKeys = 100_000

// Store holds what was counted, in this process and, where one is configured,
// in a Redis that all replicas share. One store serves all rules of a gateway
// and outlives reloads.
//
// Counters in memory belong to a definition: rule name, key, rate, burst and
// algorithm. They live as long as some rule of that definition does, so a
// reload that opens the new rules before it lets go of the old ones keeps
// them. A rule that was redefined begins at nothing.
type Store struct {
	redis *shared // nil: in memory
	keys  int     // the cap of one rule in memory
	clock *clock
	ranks atomic.Uint64 // of locks, see decideHere
	peers *peers        // nil: not announced

	mu    sync.Mutex
	local map[string]weak.Pointer[Counter] // by definition

	beside standing
}

// clock is the monotonic clock: steps of the wall clock do not count.
type clock struct{ start time.Time }

// now is the time in nanoseconds since the store was made.
func (c *clock) now() int64 { return int64(time.Since(c.start)) }

// NewStore makes the store; r is the Redis of all replicas, nil where there is
// none.
func NewStore(r *store.Redis) *Store {
	s := &Store{keys: maxKeys, clock: &clock{time.Now()}, local: map[string]weak.Pointer[Counter]{}}
	if r != nil {
		s.redis = newShared(r)
	}
	return s
}

// memory gives the counter of this process, the standing one where there is.
func (s *Store) memory(d spec) *Counter {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range s.local {
		if p.Value() == nil {
			delete(s.local, k)
		}
	}
	name := d.definition()
	if c := s.local[name].Value(); c != nil {
		return c
	}
	m := &inMemory{spec: d, clock: s.clock}
	switch d.algorithm {
	case slidingLog:
		m.engine = newMemoryLog(&s.ranks, d.rate.Limit, s.keys)
	case fixedWindow:
		m.engine = newMemoryWindow(&s.ranks, d.rate.Limit, s.keys)
	default:
		m.engine = newMemoryGCRA(&s.ranks, s.keys)
	}
	c := &Counter{m}
	s.local[name] = weak.Make(c)
	return c
}

// shared gives the counter in Redis, nil where there is none.
func (s *Store) shared(d spec) *Counter {
	if s.redis == nil {
		return nil
	}
	return &Counter{&inRedis{s.redis, d, prefix(d)}}
}

// prefix begins the keys of a rule in Redis: its name, for people, and a digest of
// its definition. What stands in braces decides where a cluster keeps a key (see
// doc.go): all keys of limits are in one place.
func prefix(d spec) string {
	digest := sha256.Sum256([]byte(d.definition()))
	return "gatehouse:{limits}:" + d.name + ":" + hex.EncodeToString(digest[:8]) + ":"
}

// quota is a rate with what was counted against it.
type quota struct {
	spec      spec
	announced string           // what fields say of it
	local     *limiter.Limiter // in this process
	shared    *limiter.Limiter // in Redis; nil: there is none

	here   *inMemory // what counts for local
	whole  terms
	shares atomic.Pointer[replicaShare]
	prefix string // of the keys in Redis
	// known remembers for a moment whom Redis refused: nothing changes until
	// the time it said, so a flood is answered without asking again.
	known *table[refused]
}

// replicaShare is the terms of one of so many replicas.
type replicaShare struct {
	replicas int64
	terms    terms
}

// quota makes the quota of a definition, on what was counted against it before.
func (s *Store) quota(d spec) *quota {
	c := s.memory(d)
	q := &quota{spec: d, announced: d.policy(), local: limiter.New(c, d.rate), here: c.counting.(*inMemory), whole: d.terms()}
	if c := s.shared(d); c != nil {
		q.shared, q.prefix = limiter.New(c, d.rate), prefix(d)
		q.known = newTable(&s.ranks, s.keys, func(v *refused, now int64) int64 { return v.until - now })
	}
	return q
}

// share gives the terms of one of n replicas.
func (q *quota) share(n int64) *terms {
	if n <= 1 {
		return &q.whole
	}
	if s := q.shares.Load(); s != nil && s.replicas == n {
		return &s.terms
	}
	s := &replicaShare{n, q.spec.share(n)}
	q.shares.Store(s)
	return &s.terms
}
