// Package store is the Redis that replicas share: rate limits, sessions, and
// what operators have ordered.
//
// A gateway must not become as slow as its slowest neighbour. Whoever asks waits
// 100ms at most, whatever state Redis is in, and a Redis that failed is left
// alone for a while (breaker.go): of a thousand requests that would have waited
// for it one does. Who asks by themselves do so aside ([Redis.Aside]). What to do without an answer is for the asker to say.
package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/gatehouse-dev/gatehouse/config"
)

// Timeout bounds everything one exchange may wait for Redis: a free connection,
// or a new one, and the answer.
const Timeout = 100 * time.Millisecond

// Brief bounds what every request waits for, see [Redis.Briefly].
const Brief = 50 * time.Millisecond

// asideConnections bounds the connections of who asks aside.
const asideConnections = 4

// Client is the commands of a Redis server or cluster.
type Client = goredis.UniversalClient

// Redis is a Redis server or cluster behind a breaker. It is for any number of
// goroutines.
type Redis struct {
	client  Client
	timeout time.Duration // of one exchange
	brief   time.Duration // of one that every request waits for
	aside   *Redis        // with connections of its own; nil in tests
	breaker breaker
	asked   atomic.Int64 // exchanges begun
}

// Open makes the client of a configuration; nil where c is nil. It connects with
// the first request: a Redis that is down now is used when it is up. The error
// names the setting that is wrong.
func Open(c *config.Redis) (*Redis, error) {
	if c == nil {
		return nil, nil
	}
	if len(c.Addresses) == 0 {
		return nil, errors.New("store.redis needs an address")
	}
	secure, err := tlsConfig(c)
	if err != nil {
		return nil, err
	}
	r := With(goredis.NewUniversalClient(options(c, secure)), Timeout)
	r.brief = Brief
	o := options(c, secure)
	o.ReadTimeout, o.WriteTimeout, o.PoolSize = Timeout, Timeout, asideConnections
	r.aside = With(goredis.NewUniversalClient(o), Timeout)
	r.aside.breaker.most = asidePause
	return r, nil
}

// With makes a Redis of a client with timeouts of its own, which tests on slow
// machines want.
func With(client Client, timeout time.Duration) *Redis {
	return &Redis{client: client, timeout: timeout, brief: timeout}
}

// options have the timeouts of a neighbour, and no second tries: as the client
// comes, a frozen server would hold a request for ten seconds and more.
func options(c *config.Redis, secure *tls.Config) *goredis.UniversalOptions {
	return &goredis.UniversalOptions{
		Addrs: c.Addresses, Username: c.Username, Password: c.Password.Reveal(), TLSConfig: secure,
		DialTimeout: Timeout, DialerRetries: 1, ReadTimeout: 25 * time.Millisecond, WriteTimeout: 25 * time.Millisecond,
		PoolTimeout: 50 * time.Millisecond, MaxRetries: -1, ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// Quiet stops the Redis client from writing what it meets to stderr, which it
// does by itself, in a form of its own and for the whole process. It is for the
// command to call; [Redis.Ready] and the record of each exchange tell of a store
// that fails.
func Quiet() { logging.Disable() }

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

// Do runs one exchange with Redis, if it is to be asked at all; the context that
// f gets ends after [Timeout]. A client that goes away does not end it, lest
// impatient clients make the store look dead. An f that gives [goredis.Nil] for
// "not there" must turn it into nil: any error counts against the store.
func (r *Redis) Do(ctx context.Context, f func(context.Context, Client) error) error {
	return r.do(ctx, true, r.timeout, f)
}

func (r *Redis) do(ctx context.Context, probes bool, most time.Duration, f func(context.Context, Client) error) error {
	probe, err := r.breaker.allow(probes)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
	defer cancel()
	r.asked.Add(1)
	err = f(ctx, r.client)
	r.breaker.report(probe, err)
	return err
}

// Briefly is Do for what every request waits for: it takes [Brief] at most. Without
// probe no request is the one that finds out whether a Redis that failed is back:
// somebody else does, with [Redis.Probe].
func (r *Redis) Briefly(ctx context.Context, probe bool, f func(context.Context, Client) error) error {
	return r.do(ctx, probe, r.brief, f)
}

// Probe asks a Redis that failed as [Redis.Briefly] does, on the same connections and
// for no longer, also while others leave it alone; once it answers all ask again. It is
// for who keeps nobody waiting. An answer aside is no proof: a Redis that takes 60ms
// gives one, and requests would wait for theirs in vain.
func (r *Redis) Probe(ctx context.Context, f func(context.Context, Client) error) error {
	if !r.breaker.open() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.brief)
	defer cancel()
	err := f(ctx, r.client)
	if err == nil {
		r.breaker.revive()
	}
	return err
}

// Wait is how long until a Redis that failed is asked again; 0 where it did not.
func (r *Redis) Wait() time.Duration { return r.breaker.wait() }

// Asked counts the exchanges that were begun.
func (r *Redis) Asked() int64 { return r.asked.Load() }

// Ready says why Redis cannot be used, if so; nil for a nil Redis. It asks,
// unless that failed a moment ago.
func (r *Redis) Ready(ctx context.Context) error {
	if r == nil {
		return nil
	}
	return r.Do(ctx, func(ctx context.Context, client Client) error { return client.Ping(ctx).Err() })
}

// Aside is the same Redis with connections and a breaker of its own; nil for nil.
// It is for who asks by themselves, off the path of requests, and may wait for an
// answer as long as for all of the exchange. The failures of others, which may lie
// in what these ask, do not keep them from asking, and when Redis is back they know
// within a second. It is closed with what it is aside of.
func (r *Redis) Aside() *Redis {
	switch {
	case r == nil:
		return nil
	case r.aside != nil:
		return r.aside
	}
	return &Redis{client: r.client, timeout: r.timeout, breaker: breaker{most: asidePause}}
}

// Close closes the connections.
func (r *Redis) Close() error {
	if r == nil {
		return nil
	}
	if r.aside != nil {
		return errors.Join(r.aside.client.Close(), r.client.Close())
	}
	return r.client.Close()
}
