package session

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// keep is how long a session is remembered at least after it was last heard of.
// It is longer than any idle limit and any maximum that a route has, for as long
// as a dead session's tokens may come back refreshed.
const keep = 12 * time.Hour

const shards = 16

// Store remembers when sessions were last used, in memory, up to a number of
// sessions. It outlives plans, so that a reload forgets nobody.
//
// Where it is full the session unheard of for longest is forgotten; its next
// request is judged as the first of a session is.
type Store struct {
	shards [shards]shard
	keep   atomic.Int64 // nanoseconds
}

type shard struct {
	mu      sync.Mutex
	max     int
	entries map[middleware.SessionID]*list.Element
	recent  list.List // of *entry, last heard of first
}

type entry struct {
	key middleware.SessionID
	state
	forgotten time.Time // when the entry may be dropped
}

// NewStore makes a store for about n sessions, at least one per shard.
func NewStore(n int) *Store {
	s := &Store{}
	s.keep.Store(int64(keep))
	for i := range s.shards {
		s.shards[i].max = max(1, (n+shards-1)/shards)
		s.shards[i].entries = map[middleware.SessionID]*list.Element{}
	}
	return s
}

// heed makes room for the limits of a route. What a store has promised to one
// plan it keeps for the next ones.
func (s *Store) heed(b *bounds) {
	for _, d := range []time.Duration{b.idle, b.max} {
		if d == unbounded {
			continue
		}
		for old := s.keep.Load(); int64(d) > old && !s.keep.CompareAndSwap(old, int64(d)); old = s.keep.Load() {
		}
	}
}

// use judges a request of the session, which counts as a use of it where touch
// says so and nothing speaks against it.
func (s *Store) use(t *token, l limits, touch bool, now time.Time) error {
	sh := &s.shards[t.key[0]%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.forget(now)
	e := sh.entries[t.key]
	var known state
	if e != nil {
		known = e.Value.(*entry).state
	}
	next, err := known.judge(e != nil, t, l, touch, now)
	if err == nil {
		known = next
	} else if e == nil {
		return err // it has never been alive here
	}
	sh.put(t.key, known, now.Add(time.Duration(s.keep.Load())))
	return err
}

// put writes a state down, in the place of the one heard of longest ago where
// there is no other.
func (s *shard) put(key middleware.SessionID, st state, forgotten time.Time) {
	if element := s.entries[key]; element != nil {
		e := element.Value.(*entry)
		e.state, e.forgotten = st, forgotten
		s.recent.MoveToFront(element)
		return
	}
	if s.recent.Len() >= s.max {
		s.remove(s.recent.Back())
	}
	s.entries[key] = s.recent.PushFront(&entry{key: key, state: st, forgotten: forgotten})
}

// forget drops what is too old to matter, oldest first.
func (s *shard) forget(now time.Time) {
	for b := s.recent.Back(); b != nil && now.After(b.Value.(*entry).forgotten); b = s.recent.Back() {
		s.remove(b)
	}
}

func (s *shard) remove(element *list.Element) {
	delete(s.entries, element.Value.(*entry).key)
	s.recent.Remove(element)
}

// Len counts the sessions that are remembered, dead ones included.
func (s *Store) Len() int {
	n := 0
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		n += sh.recent.Len()
		sh.mu.Unlock()
	}
	return n
}
