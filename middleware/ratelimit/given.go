package ratelimit

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// maxGiven is how many rates policies may have in use at once for one rule.
// Each has counters of its own, and a policy that computes rates from what
// callers send would make as many as they like.
const maxGiven = 64

var errGiven = errors.New("policies give more different rates than can be counted at once")

// given has the quotas of the rates that policies said for one rule. It outlives
// reloads as counters do, so that new policies with the same rates go on
// counting where the old ones were.
type given struct {
	spec  spec // the rule's own
	start time.Time

	mu     sync.RWMutex
	quotas map[policies.Rate]*lent
}

// lent is the quota of one rate.
type lent struct {
	quota *quota
	used  atomic.Int64 // when it was asked for last, in nanoseconds from given.start
}

func newGiven(d spec) *given {
	return &given{spec: d, start: time.Now(), quotas: map[policies.Rate]*lent{}}
}

// quota gives the quota of a rate. The error says that there can be none, which
// is the policy's fault: what it demands cannot be carried out.
func (g *given) quota(store *Store, rate policies.Rate) (*quota, error) {
	now := int64(time.Since(g.start))
	g.mu.RLock()
	l := g.quotas[rate]
	g.mu.RUnlock()
	if l == nil {
		var err error
		if l, err = g.lend(store, rate, now); err != nil {
			return nil, err
		}
	}
	l.used.Store(now)
	return l.quota, nil
}

// lend makes the quota of a rate that nobody has used for a while.
func (g *given) lend(store *Store, rate policies.Rate, now int64) (*lent, error) {
	burst := 0
	if g.spec.algorithm == gcra && g.spec.burst != g.spec.rate.Limit {
		burst = int(g.spec.burst) // as configured
		if g.spec.burst < g.spec.rate.Limit {
			burst = int(min(g.spec.burst, rate.Count)) // to hold callers below the rate: so it does
		}
	}
	own := g.spec
	own.strict = false
	d, err := own.with(config.Rate{Count: rate.Count, Per: rate.Per}, burst)
	if err != nil {
		return nil, err
	}
	if g.spec.strict { // with what there is room for below the rate
		d.strict, d.burst = true, min(d.burst, max(rate.Count-1, 1))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.quotas[rate]; l != nil {
		return l, nil
	}
	if len(g.quotas) >= maxGiven && !g.takeBack(now) {
		return nil, errGiven
	}
	l := &lent{quota: store.quota(d)}
	l.used.Store(now)
	g.quotas[rate] = l
	return l, nil
}

// takeBack forgets the quotas against which nothing is counted any more.
func (g *given) takeBack(now int64) bool {
	for rate, l := range g.quotas {
		if now-l.used.Load() > int64(l.quota.spec.memory()) {
			delete(g.quotas, rate)
		}
	}
	return len(g.quotas) < maxGiven
}

// memory is how long a request counts at most.
func (d spec) memory() time.Duration {
	full := float64(d.rate.Period)
	if d.algorithm == gcra {
		b := d.terms().bucket
		full = max(full, float64(b.depth))
	}
	return time.Duration(min(full, float64(2*maxPeriod)))
}

// errCost says that a request counts for more than a policy's rate can admit.
var errCost = errors.New("the policy's rate admits less at once than one request counts")
