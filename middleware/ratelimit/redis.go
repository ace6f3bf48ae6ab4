package ratelimit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/ulule/limiter/v3"

	"github.com/gatehouse-dev/gatehouse/config"
)

// callTimeout bounds everything one request may wait for Redis: a free
// connection, or a new one, and the answer.
const callTimeout = 100 * time.Millisecond

//go:embed gcra.lua
var gcraScript string

//go:embed slidinglog.lua
var logScript string

// shared is a Redis server or cluster behind a breaker.
type shared struct {
	client  goredis.UniversalClient
	timeout time.Duration // of one exchange
	breaker breaker
	asked   atomic.Int64 // exchanges begun
	gcra    *goredis.Script
	log     *goredis.Script
}

// openShared makes the client. It connects with the first request.
func openShared(c *config.Redis) (*shared, error) {
	if len(c.Addresses) == 0 {
		return nil, errors.New("store.redis needs an address")
	}
	secure, err := tlsConfig(c)
	if err != nil {
		return nil, err
	}
	client := goredis.NewUniversalClient(options(c, secure))
	return &shared{client: client, timeout: callTimeout, gcra: goredis.NewScript(gcraScript), log: goredis.NewScript(logScript)}, nil
}

// options have the timeouts of a neighbour, and no second tries: as the client
// comes, a frozen server would hold a request for ten seconds and more.
func options(c *config.Redis, secure *tls.Config) *goredis.UniversalOptions {
	return &goredis.UniversalOptions{
		Addrs: c.Addresses, Username: c.Username, Password: c.Password.Reveal(), TLSConfig: secure,
		DialTimeout: callTimeout, DialerRetries: 1, ReadTimeout: 25 * time.Millisecond, WriteTimeout: 25 * time.Millisecond,
		PoolTimeout: 50 * time.Millisecond, MaxRetries: -1, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// QuietClient stops the Redis client from writing what it meets to stderr,
// which it does by itself, in a form of its own and for the whole process. It
// is for the command to call; [Store.Ready] and the record of each exchange
// tell of a store that fails.
func QuietClient() { logging.Disable() }

func tlsConfig(c *config.Redis) (*tls.Config, error) {
	if !c.TLS {
		if c.CA != "" {
			return nil, errors.New("store.redis.ca is of no use without tls: true")
		}
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("store.redis.ca: %w", err)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("store.redis.ca: no certificate in %s", c.CA)
	}
	return t, nil
}

// do runs one exchange with Redis, if it is to be asked at all. A client that
// goes away does not end it, lest impatient clients make the store look dead.
func (s *shared) do(ctx context.Context, f func(context.Context, goredis.UniversalClient) error) error {
	probe, err := s.breaker.allow()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	s.asked.Add(1)
	err = f(ctx, s.client)
	s.breaker.report(probe, err)
	return err
}

// run runs a script that answers with n integers.
func (s *shared) run(ctx context.Context, script *goredis.Script, n int, key string, args ...any) (out []int64, err error) {
	err = s.do(ctx, func(ctx context.Context, client goredis.UniversalClient) error {
		out, err = script.Run(ctx, client, []string{key}, args...).Int64Slice()
		if err == nil && len(out) != n {
			err = fmt.Errorf("a script answered with %d values instead of %d", len(out), n)
		}
		return err
	})
	return out, err
}

func (s *shared) del(ctx context.Context, key string) error {
	return s.do(ctx, func(ctx context.Context, client goredis.UniversalClient) error {
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
	out, err := g.redis.run(ctx, g.redis.gcra, 3, g.prefix+":"+key, emission, depth, n)
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

func (g *redisGCRA) undo(ctx context.Context, key string, rate limiter.Rate, _ Result) error {
	_, err := g.pour(ctx, key, -1, rate)
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
	out, err := l.redis.run(ctx, l.redis.log, 5, l.prefix+":"+key, rate.Limit, rate.Period.Microseconds(), n)
	if err != nil {
		return Result{}, err
	}
	r := Result{RetryAfter: micros(out[2]), ResetAfter: micros(out[3]), stamp: out[4]}
	r.Context = limiter.Context{Limit: rate.Limit, Remaining: rate.Limit - out[1], Reached: out[0] == 1}
	return r.finish(), nil
}

func (l *redisLog) undo(ctx context.Context, key string, _ limiter.Rate, r Result) error {
	return l.redis.do(ctx, func(ctx context.Context, client goredis.UniversalClient) error {
		return client.ZRem(ctx, l.prefix+":"+key, strconv.FormatInt(r.stamp, 10)).Err()
	})
}

func (l *redisLog) forget(ctx context.Context, key string) error {
	return l.redis.del(ctx, l.prefix+":"+key)
}
