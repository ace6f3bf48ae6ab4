package orders

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

const (
	// pollEvery is how often Redis is asked for news. With it, an order given
	// elsewhere holds here within a second as long as Redis answers.
	pollEvery = 250 * time.Millisecond
	// staleAfter is how old what Redis told last may be.
	staleAfter = 5 * time.Second
	// sweepEvery is how often what has expired is cleared away. Lookups do not
	// wait for it.
	sweepEvery = time.Minute
	// slack is how long an expired order stays in Redis, for replicas whose clocks
	// are behind.
	slack = time.Hour
	// pages bounds one turn, so that nobody who writes without end keeps the Book
	// from its other work.
	pages = 4096
)

// run is the one goroutine of a Book.
func (b *Book) run(ctx context.Context) {
	defer close(b.done)
	poll, sweep := time.NewTicker(pollEvery), time.NewTicker(sweepEvery)
	defer poll.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
			b.turn(ctx)
		case <-sweep.C:
			b.sweep(ctx)
		}
	}
}

// turn reads what is new in Redis and puts back what it should have and has not.
func (b *Book) turn(ctx context.Context) {
	b.mu.Lock()
	r := b.redis
	b.mu.Unlock()
	if r == nil {
		return
	}
	var err error
	for range pages {
		if ctx.Err() != nil {
			return
		}
		asked := time.Since(b.began)
		var whole bool
		if whole, err = b.read(ctx, r); err != nil {
			break
		}
		if !whole {
			continue
		}
		newest, missing := b.missing(r, asked)
		if len(missing) == 0 {
			break
		}
		// Whether they are there, or somebody was faster, the next page tells.
		if err = b.scripts.appendAfter(ctx, r, newest, missing); err != nil {
			break
		}
	}
	b.mu.Lock()
	b.redisErr = err
	b.mu.Unlock()
}

// read takes one page of news. It reports whether nothing follows.
//
// The page begins with the newest entry that is known here. Where that is not
// there, Redis has lost its memory, or part of it: it was emptied, restored, or
// replaced by one that had not heard everything. Then all is read anew, and what
// turns out to be missing is put back.
func (b *Book) read(ctx context.Context, r *store.Redis) (whole bool, err error) {
	b.mu.Lock()
	from := b.newest
	b.mu.Unlock()
	p, err := b.scripts.readFrom(ctx, r, from)
	if err != nil {
		return false, err
	}
	b.mu.Lock()
	if b.redis != r {
		b.mu.Unlock()
		return false, errors.New("another store has taken its place")
	}
	if from != "" {
		if len(p.ids) == 0 || p.ids[0] != from {
			b.forgetRedis()
			b.mu.Unlock()
			return false, nil
		}
		p.ids, p.values = p.ids[1:], p.values[1:]
	}
	number := b.takePage(p)
	b.mu.Unlock()
	b.save(number)
	return p.whole, nil
}

// takePage takes what a page has and gives the number of its last line in the
// journal. The lock is held.
func (b *Book) takePage(p page) (number uint64) {
	e := b.view.Load().edit()
	for i, id := range p.ids {
		b.newest = id
		rec, err := decode([]byte(p.values[i]))
		if err == nil {
			var news bool
			if news, err = b.take(rec, id, e); news && b.journal != nil {
				if line, err := rec.encode(); err == nil {
					number = b.journal.add(line)
				}
			}
		}
		if err != nil {
			b.unread, b.unreadErr = b.unread+1, errors.New("entry "+id+" of "+stream+": "+err.Error())
		}
	}
	b.publish(e)
	return number
}

// forgetRedis is for when it is not known any more what Redis has. The lock is
// held.
func (b *Book) forgetRedis() {
	b.newest, b.unread, b.unreadErr = "", 0, nil
	for id, e := range b.entries {
		e.stored, e.liftStored = nil, nil
		b.unshared[id] = struct{}{}
	}
}

// missing notes that everything in Redis is known here, as of when it was asked,
// and gives its newest entry and some of what it lacks.
func (b *Book) missing(r *store.Redis, asked time.Duration) (newest string, values [][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.redis != r {
		return "", nil
	}
	b.known.Store(int64(asked))
	now, room := time.Now(), pageBytes
	for id := range b.unshared {
		e := b.entries[id]
		if e == nil || e.shared() || e.over(now) {
			delete(b.unshared, id)
			continue
		}
		line, err := e.record().encode()
		if err != nil {
			delete(b.unshared, id) // it was written before, so this does not happen
			continue
		}
		values = append(values, trimmed(line))
		if room -= len(line); room < 0 || len(values) == batch {
			break
		}
	}
	return b.newest, values
}

// sweep forgets what has expired: here at once, in Redis after a while. The
// newest entry of the stream stays, for it shows that nothing was lost.
func (b *Book) sweep(ctx context.Context) {
	now := time.Now()
	b.mu.Lock()
	r, newest := b.redis, b.newest
	next := b.view.Load().edit()
	var gone, stored []string
	ended := int64(0)
	for id, e := range b.entries {
		if !e.over(now) {
			if e.lift == nil && e.order.ended(now) {
				ended++
			}
			continue
		}
		if e.order != nil {
			next.remove(e.order)
		}
		if e.over(now.Add(-slack)) && !slices.Contains(e.stored, newest) && !slices.Contains(e.liftStored, newest) {
			gone = append(gone, id)
			stored = append(append(stored, e.stored...), e.liftStored...)
		}
	}
	b.publish(next)
	b.ended.Store(ended)
	b.mu.Unlock()
	var err error // then it is tried again with the next sweep
	for ids := range slices.Chunk(stored, pageLength) {
		if err == nil {
			err = remove(ctx, r, ids)
		}
	}
	b.mu.Lock()
	if b.redis == r && err == nil {
		for _, id := range gone {
			delete(b.entries, id)
			delete(b.unshared, id)
		}
	}
	live := len(b.entries)
	b.mu.Unlock()
	if b.journal != nil {
		b.saved(b.journal.tidy(live))
	}
}
