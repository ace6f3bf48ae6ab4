package ratelimit

import (
	"context"
	"errors"
	"time"

	"github.com/ulule/limiter/v3"
)

// Result is the answer of a [Counter].
type Result struct {
	// Context is the answer in the library's words. Reached means refused; of
	// a Peek, that the next request would be. Reset is for those who use the
	// library's interface only.
	limiter.Context
	// RetryAfter is how long until a request would be admitted again. Zero
	// where this one was.
	RetryAfter time.Duration
	// ResetAfter is how long until nothing is counted any more.
	ResetAfter time.Duration
}

// An engine is one algorithm in this process. Who calls count or reset holds the
// lock of the place.
type engine interface {
	place(key string) place
	// count asks for n requests at once, or none of them; n = 0 only looks.
	// Without counts it says what would be.
	count(p place, now, n int64, t *terms, counts bool) Result
	// reset removes what is counted.
	reset(p place)
}

// counting is an engine in this process, or a script in Redis.
type counting interface {
	take(ctx context.Context, key string, n int64, rate limiter.Rate) (Result, error)
	forget(ctx context.Context, key string) error
}

// Counter is a limiter.Store that also tells the time to wait exactly.
type Counter struct{ counting counting }

var _ limiter.Store = (*Counter)(nil)

var errNegative = errors.New("cannot count less than nothing")

// Take counts a request of some cost: as many requests as that, or none.
func (c *Counter) Take(ctx context.Context, key string, cost int64, rate limiter.Rate) (Result, error) {
	if cost < 0 {
		return Result{}, errNegative
	}
	r, err := c.counting.take(ctx, key, cost, rate)
	r.Reset = time.Now().Add(r.ResetAfter).Unix()
	return r, err
}

// Get counts one request (limiter.Store).
func (c *Counter) Get(ctx context.Context, key string, rate limiter.Rate) (limiter.Context, error) {
	return c.Increment(ctx, key, 1, rate)
}

// Peek looks without counting (limiter.Store).
func (c *Counter) Peek(ctx context.Context, key string, rate limiter.Rate) (limiter.Context, error) {
	return c.Increment(ctx, key, 0, rate)
}

// Increment counts several requests at once, or none of them where they do not
// all fit (limiter.Store).
func (c *Counter) Increment(ctx context.Context, key string, n int64, rate limiter.Rate) (limiter.Context, error) {
	r, err := c.Take(ctx, key, n, rate)
	if err != nil {
		return limiter.Context{}, err
	}
	return r.Context, nil
}

// Reset forgets what was counted for the key (limiter.Store).
func (c *Counter) Reset(ctx context.Context, key string, rate limiter.Rate) (limiter.Context, error) {
	if err := c.counting.forget(ctx, key); err != nil {
		return limiter.Context{}, err
	}
	return c.Peek(ctx, key, rate)
}

// inMemory counts for one definition in this process.
type inMemory struct {
	engine
	spec  spec
	clock *clock
}

// take is for the library's interface, whose callers may name any rate.
func (m *inMemory) take(_ context.Context, key string, n int64, rate limiter.Rate) (Result, error) {
	t := newTerms(rate, m.spec.burst, m.spec.strict)
	p := m.place(key)
	p.lock.Lock()
	defer p.lock.Unlock()
	return m.count(p, m.clock.now(), n, &t, true), nil
}

func (m *inMemory) forget(_ context.Context, key string) error {
	p := m.place(key)
	p.lock.Lock()
	defer p.lock.Unlock()
	m.reset(p)
	return nil
}
