package config

import (
	"maps"
	"slices"
	"strings"
)

// limitKeys are what a rate limit can count by, but for claim:NAME and
// header:NAME.
func limitKeys() []string {
	return []string{"client.address", "subject.id", "subject.tenant", "subject.role", "route"}
}

func (k *checker) rateLimits() {
	k.unique("rate_limit_headers", k.c.RateLimitHeaders)
	for _, name := range names(k, "rate_limits", k.c.RateLimits) {
		l, path := k.c.RateLimits[name], join("rate_limits", name)
		k.unique(join(path, "key"), l.Key)
		for i, key := range l.Key {
			k.limitKey(index(join(path, "key"), i), key)
		}
		k.rate(l, path, l.Rate, l.Burst)
		k.networks(join(path, "exempt"), l.Exempt)
		if everyone(l.Exempt) {
			k.mistake(join(path, "exempt"), "exempt holds every address; nobody would be counted")
		}
		if l.Rates != nil {
			k.rateTable(l, join(path, "rates"))
		}
	}
}

// rate checks a rate of a limit and the burst beside it.
func (k *checker) rate(l *RateLimit, path string, r Rate, burst int) {
	at, unread := join(path, "rate"), k.unread(join(path, "algorithm"))
	switch {
	case r.Count > int64(r.Per):
		k.mistake(at, "%q is more than one in a nanosecond", r)
	case l.Algorithm == "sliding_log" && !unread && r.Count > MaxLogged:
		k.mistake(at, "%q: sliding_log remembers every request, at most %d; use gcra", r, MaxLogged)
	}
	if at := join(path, "burst"); k.written(at) && l.Algorithm != "gcra" && !unread {
		k.mistake(at, "burst is for gcra; %s has none", l.Algorithm)
	}
	if !l.Strict || unread {
		return
	}
	at = join(path, "strict")
	if !k.written(at) {
		at = path // of an entry
	}
	switch {
	case l.Algorithm != "gcra":
		k.mistake(at, "strict is for gcra, not for %s", l.Algorithm)
	case r.Count > 0 && (burst == 0 || int64(burst) >= r.Count):
		k.mistake(at, "strict needs a burst below the rate's count; the rest is what leaks")
	}
}

func (k *checker) rateTable(l *RateLimit, path string) {
	known := []string{"subject.role", "subject.tenant"}
	kind, name, _ := strings.Cut(l.Rates.By, ":")
	switch by := l.Rates.By; {
	case by == "" || kind == "claim" && name != "":
	case kind == "claim":
		k.mistake(join(path, "by"), "%q does not name a claim; write it like claim:NAME", by)
	case !slices.Contains(known, by):
		k.mistake(join(path, "by"), "rates cannot be looked up by %q%s", by, instead(by, append(known, "claim:NAME")))
	}
	for _, value := range slices.Sorted(maps.Keys(l.Rates.Table)) {
		at := join(join(path, "table"), value)
		if value == "" {
			k.mistake(at, "who has no %s is in no table; such callers have the limit's own rate", l.Rates.By)
		}
		e := l.Rates.Table[value]
		k.rate(l, at, e.Rate, e.Burst)
	}
}

// rateCost checks that what a request of a route counts for fits into each of
// its limits.
func (k *checker) rateCost(r *Route, path string) {
	at := join(path, "rate_cost")
	if k.written(at) && len(r.RateLimits) == 0 {
		k.mistake(at, "rate_cost counts in rate_limits, and the route has none")
	}
	for _, name := range r.RateLimits {
		l := k.c.RateLimits[name]
		if l == nil || k.unread(join("rate_limits", name)) {
			continue
		}
		k.fits(r, at, name, "", l.Capacity(l.Rate, l.Burst))
		if l.Rates == nil {
			continue
		}
		for _, value := range slices.Sorted(maps.Keys(l.Rates.Table)) {
			e := l.Rates.Table[value]
			k.fits(r, at, name, " for "+value, l.Capacity(e.Rate, e.Burst))
		}
	}
}

func (k *checker) fits(r *Route, at, limit, whom string, capacity int64) {
	if n := int64(r.RateCost); n > 1 && capacity > 0 && n > capacity {
		k.mistake(at, "a request that counts %d could never pass: rate limit %q admits at most %d at once%s", n, limit, capacity, whom)
	}
}

func (k *checker) limitKey(path, key string) {
	kind, name, named := strings.Cut(key, ":")
	switch {
	case named && kind == "claim" && name != "":
	case named && kind == "header" && strings.EqualFold(name, "host"):
		k.mistake(path, "the host is no header to count by; give the hosts routes of their own and count by route")
	case named && kind == "header" && isToken(name):
	case named && (kind == "claim" || kind == "header"):
		k.mistake(path, "%q does not name a %s; write it like %s:NAME", key, kind, kind)
	case !slices.Contains(limitKeys(), key):
		k.mistake(path, "unknown key %q%s", key, instead(key, append(limitKeys(), "claim:NAME", "header:NAME")))
	}
}

// subjectKey gives the first part of a limit's key that needs a subject, or else
// what its table is looked up by.
func subjectKey(l *RateLimit) string {
	if l == nil {
		return ""
	}
	keys := l.Key
	if l.Rates != nil {
		keys = append(slices.Clip(keys), l.Rates.By)
	}
	for _, key := range keys {
		if strings.HasPrefix(key, "subject.") || strings.HasPrefix(key, "claim:") {
			return key
		}
	}
	return ""
}
