package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ulule/limiter/v3"

	"github.com/gatehouse-dev/gatehouse/config"
)

// The algorithms, modes and ways out of a store's failure, as configured.
const (
	gcra        = "gcra"
	fixedWindow = "fixed_window"
	slidingLog  = "sliding_log"

	enforce = "enforce"
	shadow  = "shadow"

	onErrorLocal  = "local"
	onErrorOpen   = "open"
	onErrorClosed = "closed"
)

// The periods a rate may have. Redis forgets by the millisecond.
const (
	minPeriod = time.Millisecond
	maxPeriod = 366 * 24 * time.Hour
)

// Rule is one limit of the configuration on a store. It is safe for
// concurrent use.
type Rule struct {
	name    string
	parts   []keyPart
	subject bool // some part needs to know who asks
	shadow  bool
	onError string
	spec    spec

	local  *limiter.Limiter // in this process
	shared *limiter.Limiter // in Redis; nil: there is none
	store  *Store
	// known remembers for a moment whom Redis refused: nothing changes until
	// the time it said, so a flood is answered without asking again.
	known *table[refused]
}

// Open makes a rule that counts in store. The error says what is wrong with
// the settings. Empty settings have the documented defaults.
func Open(name string, c *config.RateLimit, store *Store) (*Rule, error) {
	r := &Rule{name: name, store: store, onError: or(c.OnStoreError, onErrorLocal), shadow: c.Mode == shadow}
	r.spec = spec{
		name: name, key: c.Key, algorithm: or(c.Algorithm, gcra), burst: int64(c.Burst),
		rate: limiter.Rate{Formatted: c.Rate.String(), Period: c.Rate.Per, Limit: c.Rate.Count},
	}
	if err := check(c, r.spec.algorithm, r.onError); err != nil {
		return nil, fmt.Errorf("rate limit %s: %w", name, err)
	}
	if c.Burst == 0 && r.spec.algorithm == gcra {
		r.spec.burst = c.Rate.Count
	}
	for _, k := range c.Key {
		part, subject, err := parsePart(k)
		if err != nil {
			return nil, fmt.Errorf("rate limit %s: %w", name, err)
		}
		r.parts = append(r.parts, part)
		r.subject = r.subject || subject
	}
	r.local = limiter.New(store.memory(r.spec), r.spec.rate)
	if c := store.shared(r.spec); c != nil {
		r.shared = limiter.New(c, r.spec.rate)
		r.known = newTable(store.keys, func(v *refused, now int64) int64 { return v.until - now })
	}
	return r, nil
}

func or(s, preset string) string {
	if s == "" {
		return preset
	}
	return s
}

func check(c *config.RateLimit, algorithm, onError string) error {
	switch {
	case len(c.Key) == 0:
		return errors.New("key is missing: say what to count by, such as [client.address]")
	case c.Rate.Count < 1:
		return errors.New("rate is missing: write it like 100/1m")
	case c.Rate.Per < minPeriod || c.Rate.Per > maxPeriod:
		return fmt.Errorf("rate %s: the time must be between %s and a year", c.Rate, minPeriod)
	case algorithm != gcra && algorithm != fixedWindow && algorithm != slidingLog:
		return fmt.Errorf("algorithm %q is not one of gcra, fixed_window, sliding_log", algorithm)
	case algorithm == slidingLog && c.Rate.Count > maxLog:
		return fmt.Errorf("rate %s: sliding_log remembers every request, at most %d; use gcra", c.Rate, maxLog)
	case c.Burst < 0:
		return fmt.Errorf("burst %d is below 1", c.Burst)
	case c.Burst > 0 && algorithm != gcra:
		return fmt.Errorf("burst is only for gcra, not %s", algorithm)
	case c.Mode != "" && c.Mode != enforce && c.Mode != shadow:
		return fmt.Errorf("mode %q is not one of enforce, shadow", c.Mode)
	case onError != onErrorLocal && onError != onErrorOpen && onError != onErrorClosed:
		return fmt.Errorf("on_store_error %q is not one of local, open, closed", onError)
	}
	return nil
}

// String describes the rule: "per-user 600/1m by subject.id".
func (r *Rule) String() string {
	s := r.name + " " + r.spec.rate.Formatted + " by " + strings.Join(r.spec.key, "+")
	if r.spec.algorithm != gcra {
		s += " " + r.spec.algorithm
	} else if r.spec.burst != r.spec.rate.Limit {
		s += fmt.Sprintf(" burst %d", r.spec.burst)
	}
	if r.shadow {
		s += " (shadow)"
	}
	return s
}

// take is one request counted by one rule.
type take struct {
	Result
	rule *Rule
	key  string
	by   *limiter.Limiter // who counted; nil: nobody
	err  error            // why the shared store did not
}

// take counts one request.
func (r *Rule) take(ctx context.Context, key string) take {
	t := take{rule: r, key: key}
	if r.shared == nil {
		return r.takeLocal(ctx, t)
	}
	if res, ok := r.recall(key); ok {
		t.Result, t.by = res, r.shared
		return t
	}
	if t.Result, t.err = counter(r.shared).Take(ctx, key, r.spec.rate); t.err == nil {
		t.by = r.shared
		r.remember(key, t.Result)
		return t
	}
	if r.onError == onErrorLocal {
		return r.takeLocal(ctx, t)
	}
	return t
}

// takeLocal counts in this process, which cannot fail.
func (r *Rule) takeLocal(ctx context.Context, t take) take {
	t.by = r.local
	t.Result, _ = counter(r.local).Take(ctx, t.key, r.spec.rate)
	return t
}

// undo takes the request back from whoever counted it. Where that fails, one
// request too many is counted.
func (t take) undo(ctx context.Context) {
	if t.by != nil && !t.Reached {
		_ = counter(t.by).Undo(ctx, t.key, t.rule.spec.rate, t.Result)
	}
}

// counter is the store of a rule's limiter, which is ours always.
func counter(l *limiter.Limiter) *Counter { return l.Store.(*Counter) }
