package store

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How long a store that failed is left alone: at first, and at most.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
	asidePause = 500 * time.Millisecond // at most, for who keeps nobody waiting
)

// errPaused is the answer for a store that is left alone.
var errPaused = errors.New("the shared store is not asked for a while")

// breaker keeps a dead store from costing every request a timeout. The first
// failure opens it for a short pause; then one call at a time probes, and each
// failed probe doubles the pause.
type breaker struct {
	most  time.Duration // the longest pause; 0: maxPause
	mu    sync.Mutex
	err   error         // why it is open; nil: it is closed
	pause time.Duration // the last one
	until time.Time     // when the next probe may go
}

// allow reports whether the store may be asked, and whether that is a probe, which
// not everybody may send.
func (b *breaker) allow(mayProbe bool) (probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		return false, nil
	}
	now := time.Now()
	if !mayProbe || now.Before(b.until) {
		return false, fmt.Errorf("%w: %w", errPaused, b.err)
	}
	b.until = now.Add(b.pause) // the next probe, should this one never report
	return true, nil
}

// report takes the outcome of a call that was allowed. Calls that were under
// way when the breaker opened say nothing new.
func (b *breaker) report(probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil && (b.err == nil || probe):
		b.err = err
		b.pause = min(max(2*b.pause, firstPause), cmp.Or(b.most, maxPause))
		b.until = time.Now().Add(b.pause)
	case err == nil && probe:
		b.err, b.pause = nil, 0
	}
}

// open reports whether the store failed and nobody knows yet that it is well.
func (b *breaker) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err != nil
}

// revive closes it: somebody knows that the store is well.
func (b *breaker) revive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err, b.pause = nil, 0
}

// wait is how long until the store is asked again.
func (b *breaker) wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		return 0
	}
	return max(time.Until(b.until), 0)
}
