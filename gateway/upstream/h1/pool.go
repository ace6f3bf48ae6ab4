package h1

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// A pool keeps connections that are free. The one that was used last is taken
// first, so that those which are not needed grow old and are closed.
type pool struct {
	keep, max int
	timeout   time.Duration

	mu      sync.Mutex
	idle    []*conn // the one used last at the end
	open    int     // connections, those that are being made included
	waiting []chan *conn
	closing bool // what becomes free is closed
	timer   *time.Timer
}

// sweeping is how often idle connections are looked at, at most. Those whose
// other side has gone are closed then.
const sweeping = 5 * time.Second

// take gives a connection over which nothing has come that nobody asked for: a
// kept one, or if there is none or fresh says so, a new one.
func (c *Client) take(k *Call, fresh bool) (*conn, error) {
	for !fresh {
		cn := c.pool.get()
		if cn == nil {
			break
		}
		if cn.quiet() {
			return cn, nil
		}
		c.drop(cn)
	}
	ctx, stop, err := k.context()
	if err != nil {
		k.queued = !fresh
		return nil, err
	}
	defer stop()
	if !c.pool.slot() {
		begin := time.Now()
		cn, err := c.pool.wait(ctx)
		k.waited += time.Since(begin)
		k.queued = err != nil
		if errors.Is(err, ErrNoAnswer) {
			return nil, errBusy
		}
		if err != nil {
			return nil, err
		}
		if cn != nil {
			if !fresh && cn.quiet() {
				return cn, nil
			}
			cn.cut() // its place is ours
		}
	}
	cn, err := c.dial(ctx)
	if err != nil {
		c.pool.gone()
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, ErrNoAnswer) && k.waited > k.Answer/2:
			return nil, errBusy
		case cause != nil:
			return nil, cause
		}
		return nil, &DialError{err}
	}
	if !cn.quiet() { // taken for an answer, it would leave the true one to the next request
		c.drop(cn)
		return nil, &DialError{errFirst}
	}
	return cn, nil
}

// give puts a connection back that is good for another request.
func (c *Client) give(cn *conn) {
	cn.used, cn.idle = true, 0
	c.pool.put(cn)
}

// drop ends a connection, without a word: it may be stuck.
func (c *Client) drop(cn *conn) {
	cn.cut()
	c.pool.gone()
}

// get gives a kept connection, nil where there is none.
func (p *pool) get() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = false
	n := len(p.idle) - 1
	if n < 0 {
		return nil
	}
	cn := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	return cn
}

// slot reports whether another connection may be made, and reserves its place.
func (p *pool) slot() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.max > 0 && p.open >= p.max {
		return false
	}
	p.open++
	return true
}

// wait waits until a connection is free, or, where it is nil, a place for one.
func (p *pool) wait(ctx context.Context) (*conn, error) {
	p.mu.Lock()
	if p.open < p.max { // meanwhile
		p.open++
		p.mu.Unlock()
		return nil, nil
	}
	if n := len(p.idle) - 1; n >= 0 {
		cn := p.idle[n]
		p.idle = slices.Delete(p.idle, n, n+1)
		p.mu.Unlock()
		return cn, nil
	}
	turn := make(chan *conn, 1)
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()
	select {
	case cn := <-turn:
		return cn, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	i := slices.Index(p.waiting, turn)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 { // by a hair: it is for the next one
		if cn := <-turn; cn != nil {
			p.put(cn)
		} else {
			p.gone()
		}
	}
	return nil, context.Cause(ctx)
}

// put keeps a connection, or hands it to who has waited longest.
func (p *pool) put(cn *conn) {
	p.mu.Lock()
	switch {
	case p.closing || len(p.waiting) == 0 && len(p.idle) >= p.keep:
		p.mu.Unlock()
		cn.close()
		p.gone()
		return
	case len(p.waiting) > 0:
		p.next() <- cn
	default:
		cn.since = time.Now()
		p.idle = append(p.idle, cn)
		p.arm()
	}
	p.mu.Unlock()
}

// gone gives the place of a connection away.
func (p *pool) gone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 {
		p.next() <- nil
		return
	}
	p.open--
}

// next gives who has waited longest. The lock is held, and somebody waits.
func (p *pool) next() chan *conn {
	first := p.waiting[0]
	p.waiting = slices.Delete(p.waiting, 0, 1)
	return first
}

// arm has the idle connections looked at. The lock is held.
func (p *pool) arm() {
	if p.timer != nil || len(p.idle) == 0 {
		return
	}
	p.timer = time.AfterFunc(min(p.timeout, sweeping), p.sweep)
}

// sweep closes what was kept for too long or is dead.
func (p *pool) sweep() {
	p.mu.Lock()
	p.timer = nil
	now := time.Now()
	var old []*conn
	p.idle = slices.DeleteFunc(p.idle, func(cn *conn) bool {
		dead := now.Sub(cn.since) >= p.timeout || !cn.quiet()
		if dead {
			old = append(old, cn)
		}
		return dead
	})
	p.arm()
	p.mu.Unlock()
	p.end(old)
}

// closeIdle closes what is kept, and until the next request what becomes free.
func (p *pool) closeIdle() {
	p.mu.Lock()
	old := p.idle
	p.idle, p.closing = nil, true
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	p.end(old)
}

func (p *pool) end(old []*conn) {
	for _, cn := range old {
		cn.close()
		p.gone()
	}
}

// Stats tells how many connections there are, and how many requests wait for one.
type Stats struct{ Idle, Busy, Waiting int }

// Stats tells of the connections of a client.
func (c *Client) Stats() Stats {
	p := &c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Idle: len(p.idle), Busy: p.open - len(p.idle), Waiting: len(p.waiting)}
}
