package session

import (
	"container/list"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// keep is how long a session is remembered after its last use. It must be
// longer than any idle limit, and as long as a dead session's tokens may come
// back refreshed.
const keep = 12 * time.Hour

const shards = 16

// Store remembers when sessions were last used, in memory, up to a number of
// sessions. It outlives plans, so that a reload forgets nobody.
//
// Where it is full the session unused for longest is forgotten; its next
// request is judged as the first of a session is.
type Store struct{ shards [shards]shard }

type shard struct {
	mu      sync.Mutex
	max     int
	entries map[middleware.SessionID]*list.Element
	recent  list.List // of *entry, last used first
}

// entry is what is known of a session. The longest pause is kept because a
// route that allows longer pauses must not revive a session for a route that
// does not.
type entry struct {
	key       middleware.SessionID
	last      time.Time     // last use
	pause     time.Duration // longest pause since the last authentication
	pausedAt  time.Time     // when that pause began
	forgotten time.Time     // when the entry may be dropped
}

// NewStore makes a store for about n sessions, at least one per shard.
func NewStore(n int) *Store {
	s := &Store{}
	for i := range s.shards {
		s.shards[i].max = max(1, (n+shards-1)/shards)
		s.shards[i].entries = map[middleware.SessionID]*list.Element{}
	}
	return s
}

// Reasons to refuse, for the record.
var (
	errUnknown = errors.New("the session was not seen before and its token is older than the idle limit")
	errIdle    = errors.New("the session was idle for longer than the limit and there was no authentication since")
)

// use counts a use of the session at now, or says why it is dead.
func (s *Store) use(session session, idle time.Duration, now time.Time) error {
	sh := &s.shards[session.key[0]%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.forget(now)
	element, known := sh.entries[session.key]
	if !known {
		if now.Sub(session.fresh) >= idle {
			return errUnknown
		}
		sh.add(&entry{key: session.key, last: now, forgotten: now.Add(max(keep, idle))})
		return nil
	}
	e := element.Value.(*entry)
	if died, dead := e.death(idle, now); dead && !session.authenticated.After(died) {
		return errIdle
	}
	e.touch(session.authenticated, now)
	e.forgotten = now.Add(max(keep, idle))
	sh.recent.MoveToFront(element)
	return nil
}

// death says when a session died of a pause that is too long for a limit, if
// it did.
func (e *entry) death(idle time.Duration, now time.Time) (time.Time, bool) {
	switch {
	case now.Sub(e.last) >= idle:
		return e.last.Add(idle), true
	case e.pause >= idle:
		return e.pausedAt.Add(idle), true
	}
	return time.Time{}, false
}

// touch writes a use down. An authentication since the last use ends the pause
// it fell into and makes up for all before.
func (e *entry) touch(authenticated, now time.Time) {
	from := e.last
	if authenticated.After(from) {
		e.pause, from = 0, authenticated
	}
	if pause := now.Sub(from); pause > e.pause {
		e.pause, e.pausedAt = pause, from
	}
	e.last = now
}

func (s *shard) add(e *entry) {
	if s.recent.Len() >= s.max {
		s.remove(s.recent.Back())
	}
	s.entries[e.key] = s.recent.PushFront(e)
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
