package ratelimit

import (
	"context"
	"crypto/rand"
	_ "embed" // the script
	"fmt"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

//go:embed replicas.lua
var replicasScript string

const (
	// beatEvery is how often a replica says that it is there. It is also how long
	// a Redis that is back may be left alone, and reviveAfter how long one that
	// failed once.
	beatEvery   = time.Second
	reviveAfter = 100 * time.Millisecond
	// beatLasts is how long a replica is counted after its last word, and how long
	// a number of replicas is held after fewer are seen: a Redis that was emptied
	// or frozen knows of nobody at first.
	beatLasts = 5 * time.Second
	replicas  = "gatehouse:{limits}:replicas"
)

// peers counts the replicas that share a Redis, for as long as Redis answers; when
// it does not, the last count holds, and each replica counts its share of a limit.
// A replica that never heard of others counts the whole.
type peers struct {
	front  *shared      // of requests
	redis  *store.Redis // with connections of its own
	script *goredis.Script
	id     string
	count  atomic.Int64
	err    atomic.Pointer[error] // why the last word did not get through, or that it did
	stop   context.CancelFunc
	done   chan struct{}

	// Of the goroutine alone:
	seen  int64     // the most of this stretch in which there were fewer than count
	fewer time.Time // since when; zero: there are not fewer
}

// Announce makes the gateway one of the replicas that share the limits of rules
// with `on_store_error: local` while Redis is away. From then on a goroutine tells
// Redis every second, until [Store.Close], and no request is ever used to find out
// whether a Redis that failed is back: the goroutine does.
func (s *Store) Announce() {
	if s.redis != nil && s.peers == nil {
		s.announce(s.redis.Aside())
	}
}

// announce does that by a Redis with connections of its own.
func (s *Store) announce(aside *store.Redis) {
	ctx, stop := context.WithCancel(context.Background())
	p := &peers{
		front: s.redis, redis: aside, script: goredis.NewScript(replicasScript),
		id: rand.Text(), stop: stop, done: make(chan struct{}),
	}
	p.count.Store(1)
	s.peers, s.redis.watched = p, true
	go p.run(ctx)
}

// Close takes the gateway from the replicas and waits until that is done or has
// failed.
func (s *Store) Close() error {
	if s.peers != nil {
		s.peers.stop()
		<-s.peers.done
	}
	return nil
}

// Trouble says why the shared store does not count, nil where it does or there is
// none. A Redis may answer pings and still refuse to count: because it is full, only a
// copy, or its user may not run scripts. It is known by the replica's own word.
func (s *Store) Trouble() error {
	if s.peers == nil {
		return nil
	}
	if err := s.peers.err.Load(); err != nil {
		return *err
	}
	return nil // not known yet
}

// replicas is how many there were last, this one included.
func (s *Store) replicas() int64 {
	if s.peers == nil {
		return 1
	}
	return s.peers.count.Load()
}

func (p *peers) run(ctx context.Context) {
	defer close(p.done)
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			_, _ = p.beat(context.WithoutCancel(ctx), 0) // or others count it for a while
			return
		case <-p.front.failed:
			next.Reset(reviveAfter)
		case <-next.C:
			n, err := p.beat(ctx, beatLasts)
			if err == nil {
				p.hear(n, time.Now())
				err = p.revive(ctx)
			}
			p.err.Store(&err)
			next.Reset(beatEvery)
		}
	}
}

// beat tells Redis that this replica is there for so long; it gives how many are.
func (p *peers) beat(ctx context.Context, lasts time.Duration) (n int64, err error) {
	err = p.redis.Do(ctx, func(ctx context.Context, client store.Client) error {
		n, err = p.script.Run(ctx, client, []string{replicas}, p.id, lasts.Microseconds()).Int64()
		if err == nil && n < 0 {
			err = fmt.Errorf("there cannot be %d replicas", n)
		}
		return err
	})
	return n, err
}

// revive lets requests ask a Redis that failed again, once it answers as they ask.
// Until then the next beat tries.
func (p *peers) revive(ctx context.Context) error {
	return p.front.Probe(ctx, func(ctx context.Context, client store.Client) error {
		return p.script.Run(ctx, client, []string{replicas}, p.id, beatLasts.Microseconds()).Err()
	})
}

// hear takes a count. More count at once, fewer when they have been for a while.
func (p *peers) hear(n int64, now time.Time) {
	n = max(n, 1)
	switch {
	case n >= p.count.Load():
		p.count.Store(n)
		p.fewer, p.seen = time.Time{}, 0
	case p.fewer.IsZero():
		p.fewer, p.seen = now, n
	case now.Sub(p.fewer) < beatLasts:
		p.seen = max(p.seen, n)
	default:
		p.count.Store(max(p.seen, n))
		p.fewer, p.seen = time.Time{}, 0
	}
}
