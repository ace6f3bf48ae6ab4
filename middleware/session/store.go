package session

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// keep is how long a session is remembered at least after it was last heard of.
// It is longer than any idle limit and any maximum that a route has, for as long
// as a dead session's tokens may come back refreshed.
const keep = 12 * time.Hour

// lag is how long a use may be known to one replica only, at most: a thirtieth of
// the shortest idle limit, and no more than this. With Redis every idle limit is
// longer by the lag, so that nobody is refused who was active elsewhere, and
// nobody lives longer than that.
const lag = 30 * time.Second

// again is how soon Redis is asked again about a session that is refused.
const again = time.Second

const shards = 16

// Store remembers when sessions were last used, in memory, up to a number of
// sessions, and where there is a Redis, in that for all replicas. It outlives
// plans, so that a reload forgets nobody.
//
// Where it is full the session unheard of for longest is forgotten; its next
// request is judged as the first of a session is.
//
// Redis is asked about a session that is new here, for a use when the last one
// was told it longer than the lag ago, and before a session is refused; that is
// not for most requests. Where it does not answer, what is known here decides.
type Store struct {
	shards [shards]shard
	shared *shared      // nil: replicas share nothing
	keep   atomic.Int64 // nanoseconds
	lag    atomic.Int64 // nanoseconds; 0 where replicas share nothing

	watcher *watcher // of open answers
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
	told      time.Time // when Redis was last asked; zero: never
	shared    time.Time // the last use that Redis has been told
	telling   bool      // a use is on its way there
	forgotten time.Time // when the entry may be dropped
}

// NewStore makes a store for about n sessions, at least one per shard; r may be
// nil. Whoever makes one closes it.
func NewStore(n int, r *store.Redis) *Store {
	s := &Store{shared: newShared(r)}
	s.keep.Store(int64(keep))
	if r != nil {
		s.lag.Store(int64(lag))
	}
	for i := range s.shards {
		s.shards[i].max = max(1, (n+shards-1)/shards)
		s.shards[i].entries = map[middleware.SessionID]*list.Element{}
	}
	s.watcher = newWatcher(s)
	return s
}

// Close ends the watch over open answers, and waits for it. They go on.
func (s *Store) Close() error {
	s.watcher.close()
	return nil
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
	d := int64(b.shortest() / 30)
	for old := s.lag.Load(); d < old && !s.lag.CompareAndSwap(old, d); old = s.lag.Load() {
	}
}

// use judges a request of the session, which counts as a use of it where touch
// says so and nothing speaks against it. Local says why what other replicas know
// was not asked for, where it should have been.
func (s *Store) use(ctx context.Context, t *token, l limits, touch bool, now time.Time) (refused, local error) {
	wait := time.Duration(s.lag.Load())
	l.idle += wait
	sh := &s.shards[t.key[0]%shards]
	sh.mu.Lock()
	sh.forget(now)
	e := sh.get(t.key)
	var ours finding
	if e != nil {
		ours = finding{e.state, true, nil}
	}
	next, refused := ours.judge(ours.known, t, l, touch, now)
	if s.shared == nil || !e.due(t, refused, touch, now, wait) {
		defer sh.mu.Unlock()
		s.learn(sh, t.key, next, refused, now)
		return refused, nil
	}
	if e != nil && refused == nil {
		e.telling = true
	}
	sh.mu.Unlock()

	held := *t // t itself stays on the stack of those who do not get here
	q := question{&held, l, touch, now, time.Duration(s.keep.Load())}
	f, written, local := s.shared.ask(ctx, &q, ours.state, ours.known)

	sh.mu.Lock()
	defer sh.mu.Unlock()
	e = sh.get(t.key)
	if e != nil {
		e.telling = false
	}
	if local != nil {
		s.learn(sh, t.key, next, refused, now)
		return refused, local
	}
	if f.known {
		st := f.state
		if e != nil { // others have used it meanwhile
			st = merge(st, e.state)
		}
		e = sh.put(t.key, st, now.Add(time.Duration(s.keep.Load())))
		if written {
			e.told, e.shared = now, f.last
		}
	}
	return f.refused, nil
}

// due reports whether a request is to ask Redis. One that is a use does so for
// those that come meanwhile, unless the session was quiet here for so long that
// they would take for a pause what was none elsewhere.
func (e *entry) due(t *token, refused error, touch bool, now time.Time, wait time.Duration) bool {
	switch {
	case e == nil, t.auth.After(e.auth):
		return true
	case refused != nil: // or what was revived elsewhere would be dead here
		return now.Sub(e.told) >= min(wait, again)
	case !touch, e.telling && now.Sub(e.last) < 2*wait:
		return false
	}
	return now.Sub(e.shared) >= wait
}

// learn writes down what is known without Redis.
func (s *Store) learn(sh *shard, key middleware.SessionID, next state, refused error, now time.Time) {
	forgotten := now.Add(time.Duration(s.keep.Load()))
	switch e := sh.get(key); {
	case refused == nil && e != nil:
		sh.put(key, merge(next, e.state), forgotten)
	case refused == nil:
		sh.put(key, next, forgotten)
	case e != nil:
		sh.put(key, e.state, forgotten) // it stays dead for as long as it is asked for
	}
}

func (s *shard) get(key middleware.SessionID) *entry {
	if element := s.entries[key]; element != nil {
		return element.Value.(*entry)
	}
	return nil
}

// put writes a state down, in the place of the one heard of longest ago where
// there is no other.
func (s *shard) put(key middleware.SessionID, st state, forgotten time.Time) *entry {
	if element := s.entries[key]; element != nil {
		e := element.Value.(*entry)
		e.state, e.forgotten = st, forgotten
		s.recent.MoveToFront(element)
		return e
	}
	if s.recent.Len() >= s.max {
		s.remove(s.recent.Back())
	}
	e := &entry{key: key, state: st, forgotten: forgotten}
	s.entries[key] = s.recent.PushFront(e)
	return e
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
