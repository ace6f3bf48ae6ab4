package config

import (
	"slices"
	"strings"
)

// limitKeys are what a rate limit can count by, but for claim:NAME and
// header:NAME.
func limitKeys() []string {
	return []string{"client.address", "subject.id", "subject.tenant", "subject.role", "route"}
}

func (k *checker) rateLimits() {
	for _, name := range names(k, "rate_limits", k.c.RateLimits) {
		l, path := k.c.RateLimits[name], join("rate_limits", name)
		k.unique(join(path, "key"), l.Key)
		for i, key := range l.Key {
			k.limitKey(index(join(path, "key"), i), key)
		}
		if k.written(join(path, "burst")) && l.Algorithm != "gcra" && !k.unread(join(path, "algorithm")) {
			k.mistake(join(path, "burst"), "burst is for gcra; %s has none", l.Algorithm)
		}
		if l.Strict && !k.unread(join(path, "algorithm")) {
			switch {
			case l.Algorithm != "gcra":
				k.mistake(join(path, "strict"), "strict is for gcra, not for %s", l.Algorithm)
			case l.Rate.Count > 0 && (l.Burst == 0 || int64(l.Burst) >= l.Rate.Count):
				k.mistake(join(path, "strict"), "strict needs a burst below the rate's count; the rest is what leaks")
			}
		}
		if l.Rate.Count > int64(l.Rate.Per) {
			k.mistake(join(path, "rate"), "%q is more than one in a nanosecond", l.Rate)
		}
	}
}

func (k *checker) limitKey(path, key string) {
	kind, name, named := strings.Cut(key, ":")
	switch {
	case named && kind == "claim" && name != "":
	case named && kind == "header" && isToken(name):
	case named && (kind == "claim" || kind == "header"):
		k.mistake(path, "%q does not name a %s; write it like %s:NAME", key, kind, kind)
	case !slices.Contains(limitKeys(), key):
		k.mistake(path, "unknown key %q%s", key, instead(key, append(limitKeys(), "claim:NAME", "header:NAME")))
	}
}

// subjectKey gives the first part of a limit's key that needs a subject.
func subjectKey(l *RateLimit) string {
	if l == nil {
		return ""
	}
	for _, key := range l.Key {
		if strings.HasPrefix(key, "subject.") || strings.HasPrefix(key, "claim:") {
			return key
		}
	}
	return ""
}
