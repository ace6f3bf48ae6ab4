package ratelimit

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ulule/limiter/v3"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
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
	quoted  string // the name, in fields
	parts   []keyPart
	subject bool // something about it needs to know who asks
	policy  bool // policies may say the rate
	shadow  bool
	onError string
	exempt  []netip.Prefix
	quota   *quota     // of whoever has no other
	rates   *rateTable // nil: there is none
	given   *given     // the quotas of rates that policies said; nil: they may not
	headers headers
	ledger  *ledger
	store   *Store
}

// capacity is how many requests the quota admits at once. One that counts for
// more never passes.
func (q *quota) capacity() int64 {
	if q.spec.algorithm == gcra {
		return q.spec.burst
	}
	return q.spec.rate.Limit
}

// Open makes a rule that counts in store. The error says what is wrong with
// the settings. Empty settings have the documented defaults.
func Open(name string, c *config.RateLimit, store *Store) (*Rule, error) {
	r, err := newRule(name, c, store)
	if err != nil {
		return nil, fmt.Errorf("rate limit %s: %w", name, err)
	}
	return r, nil
}

func newRule(name string, c *config.RateLimit, store *Store) (*Rule, error) {
	r := &Rule{
		name: name, quoted: quote(name), store: store, onError: or(c.OnStoreError, onErrorLocal),
		shadow: c.Mode == shadow, policy: c.Policy, exempt: c.Exempt, headers: headers{ietf: true},
	}
	d := spec{name: name, key: c.Key, algorithm: or(c.Algorithm, gcra), strict: c.Strict}
	if err := check(c, d.algorithm, r.onError); err != nil {
		return nil, err
	}
	for _, k := range c.Key {
		part, err := parsePart(k)
		if err != nil {
			return nil, err
		}
		r.parts = append(r.parts, part)
		r.subject = r.subject || part.subject()
	}
	var err error
	if c.Rates != nil {
		r.subject = true
		if r.rates, err = openRates(c.Rates, d, store); err != nil {
			return nil, err
		}
	}
	if d, err = d.with(c.Rate, c.Burst); err != nil {
		return nil, err
	}
	r.quota = store.quota(d)
	if c.Policy {
		r.given = store.beside.given(d)
	}
	r.ledger = store.beside.ledger(name)
	return r, nil
}

// Telling says by which fields clients are told, as in rate_limit_headers of the
// configuration; without it by those of the IETF. It is called before the rule is
// in use, and gives the rule.
func (r *Rule) Telling(names []string) *Rule {
	r.headers = headers{ietf: slices.Contains(names, "ietf"), old: slices.Contains(names, "x-ratelimit")}
	return r
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
	case algorithm != gcra && algorithm != fixedWindow && algorithm != slidingLog:
		return fmt.Errorf("algorithm %q is not one of gcra, fixed_window, sliding_log", algorithm)
	case c.Mode != "" && c.Mode != enforce && c.Mode != shadow:
		return fmt.Errorf("mode %q is not one of enforce, shadow", c.Mode)
	case onError != onErrorLocal && onError != onErrorOpen && onError != onErrorClosed:
		return fmt.Errorf("on_store_error %q is not one of local, open, closed", onError)
	}
	return nil
}

// with gives the spec with a rate and a burst, 0 where that is the rate's count.
func (d spec) with(rate config.Rate, burst int) (spec, error) {
	switch {
	case rate.Count < 1:
		return d, errors.New("rate is missing: write it like 100/1m")
	case rate.Per < minPeriod || rate.Per > maxPeriod:
		return d, fmt.Errorf("rate %s: the time must be between %s and a year", rate, minPeriod)
	case d.algorithm == slidingLog && rate.Count > maxLog:
		return d, fmt.Errorf("rate %s: sliding_log remembers every request, at most %d; use gcra", rate, maxLog)
	case burst < 0:
		return d, fmt.Errorf("burst %d is below 1", burst)
	case burst > 0 && d.algorithm != gcra:
		return d, fmt.Errorf("burst is only for gcra, not %s", d.algorithm)
	case d.strict && (d.algorithm != gcra || int64(burst) >= rate.Count || burst == 0):
		return d, errors.New("strict is for gcra with a burst below the rate's count")
	}
	d.rate = limiter.Rate{Formatted: rate.String(), Period: rate.Per, Limit: rate.Count}
	d.burst = int64(burst)
	if burst == 0 && d.algorithm == gcra {
		d.burst = rate.Count
	}
	return d, nil
}

// exempts reports whether the rule has nothing to do with a client. An address
// that is not known is in no network.
func (r *Rule) exempts(client netip.Addr) bool {
	if len(r.exempt) == 0 {
		return false
	}
	a := client.Unmap().WithZone("")
	return slices.ContainsFunc(r.exempt, func(p netip.Prefix) bool { return p.Contains(a) })
}

// quotaOf gives the quota that the exchange counts against: that of the rate
// which a policy has said, else that of the table's entry, else the rule's own.
func (r *Rule) quotaOf(x *middleware.Exchange) (*quota, error) {
	if r.policy && x.Decision != nil {
		if rate, ok := x.Decision.RateLimits[r.name]; ok {
			return r.given.quota(r.store, rate)
		}
	}
	if r.rates != nil {
		if q := r.rates.quota(x.Subject); q != nil {
			return q, nil
		}
	}
	return r.quota, nil
}

// String describes the rule: "per-user 600/1m by subject.id".
func (r *Rule) String() string {
	var b strings.Builder
	b.WriteString(r.name + " " + r.quota.spec.text() + " by " + strings.Join(r.quota.spec.key, "+"))
	if a := r.quota.spec.algorithm; a != gcra {
		b.WriteString(" " + a)
	}
	if r.rates != nil {
		b.WriteString(" (" + r.rates.String() + ")")
	}
	if r.policy {
		b.WriteString(" (or as the policy says)")
	}
	for i, p := range r.exempt {
		b.WriteString([]string{" but for ", ", "}[min(i, 1)] + p.String())
	}
	if r.shadow {
		b.WriteString(" (shadow)")
	}
	return b.String()
}

// text says the rate: "100/1m burst 20".
func (d spec) text() string {
	if d.strict {
		return fmt.Sprintf("%s burst %d strict", d.rate.Formatted, d.burst)
	}
	if d.algorithm == gcra && d.burst != d.rate.Limit {
		return fmt.Sprintf("%s burst %d", d.rate.Formatted, d.burst)
	}
	return d.rate.Formatted
}

// ask is what one rule is asked about one request.
type ask struct {
	rule  *Rule
	quota *quota
	key   string
	cost  int64 // how much the request counts, at least 1
}
