package ratelimit

import (
	"time"

	"github.com/ulule/limiter/v3"
)

// refused is what Redis said of a key that it refused, in the store's time.
type refused struct{ until, retry, reset, cost, left int64 }

// knownFor bounds what known remembers: who is at the server may lift a limit, and
// then that holds soon.
const knownFor = time.Second

// recall answers for Redis where the answer is known: a request that costs as much
// as one it refused is refused until the time it said.
func (q *quota) recall(key string, cost, now int64) (Result, bool) {
	if q.known == nil {
		return Result{}, false
	}
	p := q.known.place(key)
	p.lock.Lock()
	defer p.lock.Unlock()
	v := q.known.look(p, now)
	if v == nil || v.until <= now || cost < v.cost {
		return Result{}, false
	}
	return Result{
		Context:    limiter.Context{Limit: q.spec.rate.Limit, Remaining: v.left, Reached: true},
		RetryAfter: time.Duration(v.retry - now), ResetAfter: time.Duration(v.reset - now),
	}, true
}

// remember notes a refusal. now is when Redis was asked: before it answered, so
// nobody is told to wait longer than it said.
func (q *quota) remember(t *take, now int64) {
	if q.known == nil || !t.Reached || t.RetryAfter <= 0 {
		return
	}
	p := q.known.place(t.key)
	p.lock.Lock()
	defer p.lock.Unlock()
	v := q.known.look(p, now)
	if v == nil {
		v = q.known.make(p, now)
	}
	*v = refused{
		until: now + int64(min(t.RetryAfter, knownFor)), retry: now + int64(t.RetryAfter), reset: now + int64(t.ResetAfter),
		cost: t.cost, left: t.Remaining,
	}
}
