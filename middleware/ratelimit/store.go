package ratelimit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
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

	mu    sync.Mutex
	local map[string]weak.Pointer[Counter] // by definition

	beside standing
}

// NewStore makes the store; r is the Redis of all replicas, nil where there is
// none.
func NewStore(r *store.Redis) *Store {
	s := &Store{keys: maxKeys, local: map[string]weak.Pointer[Counter]{}}
	if r != nil {
		s.redis = newShared(r)
	}
	return s
}

// spec is what the counters of a rule depend on.
type spec struct {
	name      string
	entry     string // of the rule's table; "" is the rule's own rate
	key       []string
	algorithm string
	rate      limiter.Rate
	burst     int64
}

// definition tells two specs apart.
func (d spec) definition() string {
	return fmt.Sprintf("%q %q %q %s %d/%s %d", d.name, d.entry, d.key, d.algorithm, d.rate.Limit, d.rate.Period, d.burst)
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
	c := &Counter{}
	switch d.algorithm {
	case slidingLog:
		c.engine = newMemoryLog(d.rate, s.keys)
	case fixedWindow:
		c.engine = newMemoryWindow(d.rate, s.keys)
	default:
		c.engine = newMemoryGCRA(d.burst, s.keys)
	}
	s.local[name] = weak.Make(c)
	return c
}

// shared gives the counter in Redis, nil where there is none. Its keys begin
// with the rule's name, for people, and a digest of its definition.
func (s *Store) shared(d spec) *Counter {
	if s.redis == nil {
		return nil
	}
	digest := sha256.Sum256([]byte(d.definition()))
	prefix := "gatehouse:limit:" + d.name + ":" + hex.EncodeToString(digest[:8])
	switch d.algorithm {
	case slidingLog:
		return &Counter{&redisLog{s.redis, prefix}}
	case fixedWindow:
		return &Counter{&redisWindow{redis: s.redis, prefix: prefix}}
	}
	return &Counter{&redisGCRA{s.redis, prefix, d.burst}}
}
