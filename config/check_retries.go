package config

import (
	"slices"
	"time"
)

// pool checks how many connections an upstream may have.
func (k *checker) pool(c Pool, path string) {
	if c.Max > mostInFlight {
		k.mistake(join(path, "max"), "max must be at most %d", mostInFlight)
	}
	if c.Idle > mostInFlight {
		k.mistake(join(path, "idle"), "idle must be at most %d", mostInFlight)
	}
	if c.Max > 0 && c.Idle > c.Max && k.written(join(path, "idle")) {
		k.mistake(join(path, "idle"), "idle, %d, is more than max, %d", c.Idle, c.Max)
	}
	if c.IdleTimeout > Duration(10*time.Minute) {
		k.mistake(join(path, "idle_timeout"), "idle_timeout must be at most 10m")
	}
}

func (k *checker) retries(r *Retries, path string) {
	if r == nil {
		return
	}
	if (r.Attempts < 2 || r.Attempts > 5) && !k.unread(join(path, "attempts")) {
		k.mistake(join(path, "attempts"), "attempts must be 2 to 5: the first one counts")
	}
	k.unique(join(path, "on"), r.On)
	if len(r.On)+len(r.Statuses) == 0 && !k.unread(join(path, "on")) {
		k.mistake(join(path, "on"), "there is no reason left to try again; leave retries out for that")
	}
	for i, n := range r.Statuses {
		if at := index(join(path, "statuses"), i); n < 502 || n > 504 {
			k.mistake(at, "%d is no status that another try could help with; those are 502, 503 and 504", n)
		} else if slices.Index(r.Statuses, n) < i {
			k.mistake(at, "%d is listed twice", n)
		}
	}
	if k.written(join(path, "per_try")) && !slices.Contains(r.On, "timeout") && !k.unread(join(path, "on")) {
		k.mistake(join(path, "per_try"), "per_try does nothing where on does not list timeout")
	}
	k.part(join(path, "budget"), "budget", r.Budget)
	if r.Pause > Duration(time.Second) {
		k.mistake(join(path, "pause"), "pause must be at most 1s: a client would rather be told")
	}
}

func (k *checker) breaker(b *Breaker, path string) {
	if b == nil {
		return
	}
	k.part(join(path, "threshold"), "threshold", b.Threshold)
	if b.Requests > mostInFlight {
		k.mistake(join(path, "requests"), "requests must be at most %d", mostInFlight)
	}
	if b.Probes > 1000 {
		k.mistake(join(path, "probes"), "probes must be at most 1000")
	}
	k.within(join(path, "window"), "window", b.Window, Duration(time.Second))
	k.within(join(path, "open"), "open", b.Open, Duration(100*time.Millisecond))
}

// part checks a number that is a part of something.
func (k *checker) part(path, name string, v float64) {
	if v > 1 {
		k.mistake(path, "%s must be at most 1, which is all of it", name)
	}
}

// within checks a time that ends after ten minutes.
func (k *checker) within(path, name string, d, least Duration) {
	if (d < least || d > Duration(10*time.Minute)) && !k.unread(path) {
		k.mistake(path, "%s must be %s to 10m", name, least)
	}
}
