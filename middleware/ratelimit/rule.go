package ratelimit

import (
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
	quota   *quota
	store   *Store
}

// Open makes a rule that counts in store. The error says what is wrong with
// the settings. Empty settings have the documented defaults.
func Open(name string, c *config.RateLimit, store *Store) (*Rule, error) {
	r := &Rule{name: name, store: store, onError: or(c.OnStoreError, onErrorLocal), shadow: c.Mode == shadow}
	d := spec{
		name: name, key: c.Key, algorithm: or(c.Algorithm, gcra), burst: int64(c.Burst), strict: c.Strict,
		rate: limiter.Rate{Formatted: c.Rate.String(), Period: c.Rate.Per, Limit: c.Rate.Count},
	}
	if err := check(c, d.algorithm, r.onError); err != nil {
		return nil, fmt.Errorf("rate limit %s: %w", name, err)
	}
	if c.Burst == 0 && d.algorithm == gcra {
		d.burst = c.Rate.Count
	}
	for _, k := range c.Key {
		part, subject, err := parsePart(k)
		if err != nil {
			return nil, fmt.Errorf("rate limit %s: %w", name, err)
		}
		r.parts = append(r.parts, part)
		r.subject = r.subject || subject
	}
	r.quota = store.quota(d)
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
	case c.Strict && (algorithm != gcra || int64(c.Burst) >= c.Rate.Count || c.Burst == 0):
		return errors.New("strict is for gcra with a burst below the rate's count")
	case c.Mode != "" && c.Mode != enforce && c.Mode != shadow:
		return fmt.Errorf("mode %q is not one of enforce, shadow", c.Mode)
	case onError != onErrorLocal && onError != onErrorOpen && onError != onErrorClosed:
		return fmt.Errorf("on_store_error %q is not one of local, open, closed", onError)
	}
	return nil
}

// String describes the rule: "per-user 600/1m by subject.id".
func (r *Rule) String() string {
	d := &r.quota.spec
	s := r.name + " " + d.rate.Formatted + " by " + strings.Join(d.key, "+")
	if d.algorithm != gcra {
		s += " " + d.algorithm
	} else if d.burst != d.rate.Limit {
		s += fmt.Sprintf(" burst %d", d.burst)
	}
	if d.strict {
		s += " strict"
	}
	if r.shadow {
		s += " (shadow)"
	}
	return s
}

// ask is what one rule is asked about one request.
type ask struct {
	rule  *Rule
	quota *quota
	key   string
	cost  int64 // how much the request counts, at least 1
}

// counter is the store of a rule's limiter, which is ours always.
func counter(l *limiter.Limiter) *Counter { return l.Store.(*Counter) }
