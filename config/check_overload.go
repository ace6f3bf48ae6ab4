package config

import (
	"slices"
	"time"
)

// The most that bounds of requests may say: what is more is none.
const (
	mostInFlight = 100_000
	mostWait     = Duration(10 * time.Second)
)

// overload checks the bounds of requests under way, and that what is said about
// them does something: whoever wrote it thinks that it does.
func (k *checker) overload() {
	o := k.c.Overload
	if o.InFlight > mostInFlight {
		k.mistake("overload.in_flight", "in_flight must be at most %d", mostInFlight)
	}
	if k.c.Limits.InFlight > mostInFlight {
		k.mistake("limits.in_flight", "in_flight must be at most %d", mostInFlight)
	}
	k.unique("overload.roles", o.Roles)
	for i, role := range o.Roles {
		if role == "" {
			k.mistake(index("overload.roles", i), "a role has a name")
		}
	}
	behind := func(r *Route) bool { return k.capped(r) && r.Authn != nil }
	if len(o.Roles) > 0 && !k.unread("routes") && !k.unread("upstreams") && !slices.ContainsFunc(k.c.Routes, behind) {
		k.mistake("overload.roles", "roles have priority where a route with authn has limits.in_flight or its upstream concurrency, and none has")
	}
	for i, r := range k.c.Routes {
		path := index("routes", i)
		if r.Limits.InFlight > mostInFlight && k.written(join(path, "limits.in_flight")) {
			k.mistake(join(path, "limits.in_flight"), "in_flight must be at most %d", mostInFlight)
		}
		if r.Priority == "high" && o.InFlight == 0 && !k.shared(r) && !k.unread("upstreams") && !k.unread("overload") {
			k.mistake(join(path, "priority"), "priority needs a bound that other routes share: concurrency of the upstream or overload.in_flight")
		}
	}
}

// capped reports whether requests of the route are bounded behind
// authentication.
func (k *checker) capped(r *Route) bool { return r.Limits.InFlight > 0 || k.shared(r) }

// shared reports whether the route's upstream is bounded.
func (k *checker) shared(r *Route) bool {
	u := k.c.Upstreams[r.Upstream]
	return u != nil && u.Concurrency != nil
}

func (k *checker) concurrency(c *Concurrency, path string) {
	if c == nil {
		return
	}
	if c.Max > mostInFlight {
		k.mistake(join(path, "max"), "max must be at most %d", mostInFlight)
	}
	if c.Queue > mostInFlight && k.written(join(path, "queue")) {
		k.mistake(join(path, "queue"), "queue must be at most %d", mostInFlight)
	}
	if c.Wait > mostWait {
		k.mistake(join(path, "wait"), "wait must be at most %s: a client would rather be refused", mostWait)
	}
	if c.Wait == 0 && k.written(join(path, "queue")) {
		k.mistake(join(path, "queue"), "queue is for requests that wait, and wait is 0s")
	}
	switch {
	case !k.written(join(path, "min")):
	case !c.Adaptive:
		k.mistake(join(path, "min"), "min is for adaptive: true; without it the bound is max")
	case c.Max > 0 && c.Min > c.Max:
		k.mistake(join(path, "min"), "min, %d, is more than max, %d", c.Min, c.Max)
	}
}
