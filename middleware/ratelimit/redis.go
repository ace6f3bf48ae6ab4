package ratelimit

import (
	"context"
	_ "embed" // the script
	"fmt"
	"math"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/ulule/limiter/v3"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

//go:embed decide.lua
var decideScript string

// shared is the Redis of all replicas with the script that decides.
type shared struct {
	*store.Redis
	script  *goredis.Script
	watched bool          // somebody else finds out when a Redis that failed is back,
	failed  chan struct{} // and is told here that it may have
}

func newShared(r *store.Redis) *shared {
	return &shared{Redis: r, script: goredis.NewScript(decideScript), failed: make(chan struct{}, 1)}
}

// The script takes so many arguments and gives so many answers for each key.
const (
	perKey     = 5
	perVerdict = 4
)

// decide puts all takes that have no answer yet to the script, in one round trip,
// and remembers the answers. now is the time in this process.
func (s *shared) decide(ctx context.Context, takes []take, now int64) error {
	keys := make([]string, 0, len(takes))
	args := make([]any, 0, perKey*len(takes))
	for i := range takes {
		if t := &takes[i]; !t.shared {
			keys = append(keys, t.quota.prefix+t.key)
			args = t.quota.spec.arguments(args, &t.quota.whole, t.cost, t.rule.shadow)
		}
	}
	out, err := s.run(ctx, keys, args)
	if err != nil {
		return err
	}
	for i := range takes {
		if t := &takes[i]; !t.shared {
			t.Result, t.counted, t.shared = t.quota.spec.verdict(out, &t.quota.whole), true, true
			t.quota.remember(t, now)
			out = out[perVerdict:]
		}
	}
	return nil
}

func (s *shared) run(ctx context.Context, keys []string, args []any) (out []int64, err error) {
	err = s.Briefly(ctx, !s.watched, func(ctx context.Context, client store.Client) error {
		out, err = s.script.Run(ctx, client, keys, args...).Int64Slice()
		if err == nil && len(out) != perVerdict*len(keys) {
			err = fmt.Errorf("the script of limits answered with %d values for %d keys", len(out), len(keys))
		}
		if err != nil {
			select {
			case s.failed <- struct{}{}:
			default: // it is told already
			}
		}
		return err
	})
	return out, err
}

// arguments says in the script's words what n requests ask of a key.
func (d spec) arguments(args []any, t *terms, n int64, shadow bool) []any {
	kind, enforced := d.algorithm, 1
	if shadow {
		enforced = 0
	}
	most, time := t.rate.Limit, t.rate.Period.Microseconds()
	if kind != slidingLog && kind != fixedWindow {
		kind = gcra
		most, time = t.bucket.micros() // emission and depth
	}
	return append(args, kind, enforced, min(n, math.MaxInt32), most, time)
}

// verdict reads what the script says of one key.
func (d spec) verdict(out []int64, t *terms) Result {
	r := Result{RetryAfter: micros(out[2]), ResetAfter: micros(out[3])}
	r.Limit, r.Reached = t.rate.Limit, out[0] == 1
	r.Remaining = max(out[1], 0)
	return r
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// inRedis counts for one definition in Redis, one key at a time: for the
// library's interface.
type inRedis struct {
	redis  *shared
	spec   spec
	prefix string
}

func (m *inRedis) take(ctx context.Context, key string, n int64, rate limiter.Rate) (Result, error) {
	t := newTerms(rate, m.spec.burst, m.spec.strict)
	out, err := m.redis.run(ctx, []string{m.prefix + key}, m.spec.arguments(nil, &t, n, false))
	if err != nil {
		return Result{}, err
	}
	return m.spec.verdict(out, &t), nil
}

func (m *inRedis) forget(ctx context.Context, key string) error {
	return m.redis.Briefly(ctx, !m.redis.watched, func(ctx context.Context, client store.Client) error {
		return client.Del(ctx, m.prefix+key).Err()
	})
}
