package ratelimit

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"
	"github.com/ulule/limiter/v3/drivers/store/redis"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// memoryWindow is the library's memory store with bounds around it. Left to
// itself that store has no cap on keys and a goroutine that nobody waits for;
// here its cleaner is off, and the table decides which keys it holds. The
// table also knows to the nanosecond when a window ends.
type memoryWindow struct {
	inner limiter.Store
	table *table[window]
}

type window struct {
	end     int64 // when the window is over; 0: none began
	reached bool
}

func newMemoryWindow(rate limiter.Rate, keys int) *memoryWindow {
	m := &memoryWindow{inner: memory.NewStoreWithOptions(limiter.StoreOptions{})}
	m.table = newTable(keys, func(w *window, now int64) int64 {
		left := w.end - now
		if w.reached && left > 0 {
			left += int64(rate.Period) // whoever is refused stays
		}
		return left
	})
	m.table.forget = func(key string) { _, _ = m.inner.Reset(context.Background(), key, rate) }
	return m
}

func (m *memoryWindow) count(ctx context.Context, key string, n int64, rate limiter.Rate) (Result, error) {
	now := m.table.now()
	s := m.table.lock(key)
	defer s.Unlock()
	w := m.table.entry(s, key, now)
	if now >= w.end {
		m.table.forget(key) // the store starts its window with ours
		*w = window{}
		if n > 0 {
			w.end = now + int64(rate.Period)
		}
	}
	before, err := m.inner.Peek(ctx, key, rate)
	if err != nil {
		return Result{}, err
	}
	left := time.Duration(max(w.end-now, 0))
	if n == 0 || before.Remaining < n { // all or none, and a refusal is not counted
		before.Reached = before.Remaining < max(n, 1)
		r := Result{Context: before, ResetAfter: left}
		if before.Reached {
			w.reached = true
			r.RetryAfter = left
		}
		return r.finish(), nil
	}
	after, err := m.inner.Increment(ctx, key, n, rate)
	return Result{Context: after, ResetAfter: left}.finish(), err
}

func (m *memoryWindow) undo(ctx context.Context, key string, n int64, rate limiter.Rate, _ Result) error {
	s := m.table.lock(key)
	defer s.Unlock()
	if w := s.m[key]; w == nil || m.table.now() >= w.end {
		return nil
	}
	_, err := m.inner.Increment(ctx, key, -n, rate)
	return err
}

func (m *memoryWindow) forget(_ context.Context, key string) error {
	m.table.remove(key)
	return nil
}

// redisWindow is the library's Redis store. It loads its scripts when it is
// made, which fails where Redis is down, so it is made with the first request
// that finds Redis up. Requests that race to make it make one each. It counts
// what it refuses, which changes nothing: the window ends when it ends.
type redisWindow struct {
	redis  *shared
	prefix string
	inner  atomic.Pointer[limiter.Store]
}

func (m *redisWindow) library(client store.Client) (limiter.Store, error) {
	if s := m.inner.Load(); s != nil {
		return *s, nil
	}
	s, err := redis.NewStoreWithOptions(client, limiter.StoreOptions{Prefix: m.prefix})
	if err != nil {
		return nil, err
	}
	m.inner.Store(&s)
	return s, nil
}

// call runs one command of the library's store.
func (m *redisWindow) call(ctx context.Context, f func(context.Context, limiter.Store) error) error {
	return m.redis.Do(ctx, func(ctx context.Context, client store.Client) error {
		s, err := m.library(client)
		if err != nil {
			return err
		}
		return f(ctx, s)
	})
}

func (m *redisWindow) count(ctx context.Context, key string, n int64, rate limiter.Rate) (r Result, err error) {
	err = m.call(ctx, func(ctx context.Context, s limiter.Store) error {
		if n == 0 {
			r.Context, err = s.Peek(ctx, key, rate)
			r.Reached = r.Remaining == 0
			return err
		}
		r.Context, err = s.Increment(ctx, key, n, rate)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	// The store gives the end in whole seconds, rounded down.
	end := time.Unix(r.Reset+1, 0)
	r.ResetAfter = min(max(time.Until(end), 0), rate.Period)
	if r.Reached {
		r.RetryAfter = r.ResetAfter
	}
	return r, nil
}

// undo leaves a window alone that may be over: taking from the next one would
// admit one too many there.
func (m *redisWindow) undo(ctx context.Context, key string, n int64, rate limiter.Rate, r Result) error {
	if time.Now().Unix() >= r.Reset {
		return nil
	}
	return m.call(ctx, func(ctx context.Context, s limiter.Store) error {
		_, err := s.Increment(ctx, key, -n, rate)
		return err
	})
}

func (m *redisWindow) forget(ctx context.Context, key string) error {
	return m.call(ctx, func(ctx context.Context, s limiter.Store) error {
		_, err := s.Reset(ctx, key, limiter.Rate{Period: time.Second, Limit: 1})
		return err
	})
}
