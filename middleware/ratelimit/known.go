package ratelimit

import "time"

// refused is what Redis said of a key that it refused, in the table's time.
type refused struct{ until, retry, reset int64 }

// knownFor bounds what known remembers: a request that another rule refused
// may be given back at any time.
const knownFor = time.Second

// recall answers for Redis where the answer is known.
func (q *quota) recall(key string) (Result, bool) {
	now := q.known.now()
	s := q.known.lock(key)
	defer s.Unlock()
	v := s.m[key]
	if v == nil || v.until <= now {
		return Result{}, false
	}
	res := Result{RetryAfter: time.Duration(v.retry - now), ResetAfter: time.Duration(v.reset - now)}
	res.Limit, res.Reached = q.spec.rate.Limit, true
	return res.finish(), true
}

func (q *quota) remember(key string, res Result) {
	if !res.Reached {
		return
	}
	now := q.known.now()
	s := q.known.lock(key)
	defer s.Unlock()
	*q.known.entry(s, key, now) = refused{
		until: now + int64(min(res.RetryAfter, knownFor)), retry: now + int64(res.RetryAfter), reset: now + int64(res.ResetAfter),
	}
}
