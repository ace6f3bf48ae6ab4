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
	// a Peek, that the next request would be.
	limiter.Context
	// RetryAfter is how long until a request would be admitted again. Zero
	// where this one was.
	RetryAfter time.Duration
	// ResetAfter is how long until nothing is counted any more.
	ResetAfter time.Duration

	stamp int64 // what [engine.undo] needs to find the request again
}

// finish fills in what follows from the rest.
func (r Result) finish() Result {
	r.Remaining = max(r.Remaining, 0)
	r.Reset = time.Now().Add(r.ResetAfter).Unix()
	return r
}

// An engine is one algorithm on one kind of store.
type engine interface {
	// count takes n requests at once, or none of them; n = 0 only looks.
	count(ctx context.Context, key string, n int64, rate limiter.Rate) (Result, error)
	// undo takes n requests back that count admitted with that result.
	undo(ctx context.Context, key string, n int64, rate limiter.Rate, r Result) error
	// forget removes what is counted for the key.
	forget(ctx context.Context, key string) error
}

// Counter is a limiter.Store that also tells the time to wait exactly and can
// take a request back.
type Counter struct{ engine engine }

var _ limiter.Store = (*Counter)(nil)

var errNegative = errors.New("cannot count less than nothing")

// Take counts a request of some cost: as many requests as that, or none.
func (c *Counter) Take(ctx context.Context, key string, cost int64, rate limiter.Rate) (Result, error) {
	return c.engine.count(ctx, key, cost, rate)
}

// Undo takes back what [Counter.Take] admitted with r: another limit refused the
// request, so it should not weigh on this one.
func (c *Counter) Undo(ctx context.Context, key string, cost int64, rate limiter.Rate, r Result) error {
	return c.engine.undo(ctx, key, cost, rate, r)
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
	if n < 0 {
		return limiter.Context{}, errNegative
	}
	r, err := c.engine.count(ctx, key, n, rate)
	return r.Context, err
}

// Reset forgets what was counted for the key (limiter.Store).
func (c *Counter) Reset(ctx context.Context, key string, rate limiter.Rate) (limiter.Context, error) {
	if err := c.engine.forget(ctx, key); err != nil {
		return limiter.Context{}, err
	}
	return c.Peek(ctx, key, rate)
}
