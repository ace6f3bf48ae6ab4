package upstream

import (
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
)

// target is one address that serves: what is picked, asked how it is, and sent
// to.
type target struct {
	name   string // of its endpoint, as configured, for the record
	url    *url.URL
	sender sender
	well   atomic.Bool
}

// sender makes the connections of a target and sends requests over them. A
// context that ends, ends the call.
type sender interface {
	http.RoundTripper
	CloseIdleConnections()
}

// pick gives the next target that is well, in turn; nil where none is.
func (u *Upstream) pick() *target {
	n := uint64(len(u.targets))
	first := u.next.Add(1) - 1
	for i := range n {
		if t := u.targets[(first+i)%n]; t.well.Load() {
			return t
		}
	}
	return nil
}

// another gives a target that is well, one that was not tried yet if there is
// one; nil where none is.
func (u *Upstream) another(tried []*target) *target {
	t := u.pick()
	for range u.targets {
		if t == nil || !slices.Contains(tried, t) {
			return t
		}
		t = u.pick()
	}
	return t
}
