package ratelimit

import (
	"context"
	_ "embed" // the scripts
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/ulule/limiter/v3"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

//go:embed gcra.lua
var gcraScript string

//go:embed slidinglog.lua
var logScript string

// shared is the Redis of all replicas with the scripts of the algorithms.
type shared struct {
	*store.Redis
	gcra *goredis.Script
	log  *goredis.Script
}

func newShared(r *store.Redis) *shared {
	return &shared{Redis: r, gcra: goredis.NewScript(gcraScript), log: goredis.NewScript(logScript)}
}

func (s *shared) del(ctx context.Context, key string) error {
	return s.Do(ctx, func(ctx context.Context, client store.Client) error {
		return client.Del(ctx, key).Err()
	})
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// redisGCRA keeps the buckets of one rule in Redis.
type redisGCRA struct {
	redis  *shared
	prefix string
	burst  int64
}

// pour runs the script. The emission is rounded up to a microsecond.
func (g *redisGCRA) pour(ctx context.Context, key string, n int64, rate limiter.Rate) (Result, error) {
	emission := (newBucket(rate, 1).emission + 999) / 1000
	depth := emission * min(g.burst, (1<<52)/emission)
	out, err := g.redis.Run(ctx, g.redis.gcra, 3, g.prefix+":"+key, emission, depth, n)
	if err != nil {
		return Result{}, err
	}
	r := Result{RetryAfter: micros(out[2]), ResetAfter: micros(out[1])}
	r.Context = limiter.Context{Limit: rate.Limit, Remaining: (depth - out[1]) / emission, Reached: out[0] == 1}
	return r.finish(), nil
}

func (g *redisGCRA) count(ctx context.Context, key string, n int64, rate limiter.Rate) (Result, error) {
	return g.pour(ctx, key, n, rate)
}

func (g *redisGCRA) undo(ctx context.Context, key string, n int64, rate limiter.Rate, _ Result) error {
	_, err := g.pour(ctx, key, -n, rate)
	return err
}

func (g *redisGCRA) forget(ctx context.Context, key string) error {
	return g.redis.del(ctx, g.prefix+":"+key)
}

// redisLog keeps the admitted requests of one rule in Redis.
type redisLog struct {
	redis  *shared
	prefix string
}

func (l *redisLog) count(ctx context.Context, key string, n int64, rate limiter.Rate) (Result, error) {
	out, err := l.redis.Run(ctx, l.redis.log, 5, l.prefix+":"+key, rate.Limit, rate.Period.Microseconds(), n)
	if err != nil {
		return Result{}, err
	}
	r := Result{RetryAfter: micros(out[2]), ResetAfter: micros(out[3]), stamp: out[4]}
	r.Context = limiter.Context{Limit: rate.Limit, Remaining: rate.Limit - out[1], Reached: out[0] == 1}
	return r.finish(), nil
}

func (l *redisLog) undo(ctx context.Context, key string, n int64, _ limiter.Rate, r Result) error {
	return l.redis.Do(ctx, func(ctx context.Context, client store.Client) error {
		// The stamps of one request follow each other.
		first, last := strconv.FormatInt(r.stamp-n+1, 10), strconv.FormatInt(r.stamp, 10)
		return client.ZRemRangeByScore(ctx, l.prefix+":"+key, first, last).Err()
	})
}

func (l *redisLog) forget(ctx context.Context, key string) error {
	return l.redis.del(ctx, l.prefix+":"+key)
}
