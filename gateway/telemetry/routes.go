package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// routes keeps the time series of each route at hand, which to find by their labels
// takes longer than to count. There are as many as the registry has.
type routes struct{ kept[string, *series] }

// series are those that every exchange of a route counts in.
type series struct {
	seconds prometheus.Observer
	bytes   prometheus.Counter
	answers kept[answer, prometheus.Counter]
}

type answer struct {
	method string // folded
	status int
}

// route gives the series of a route.
func (m *Metrics) route(name string) *series {
	return m.routes.get(name, func() *series {
		return &series{seconds: m.seconds.WithLabelValues(name), bytes: m.responseBytes.WithLabelValues(name)}
	})
}

// requests gives the counter of requests that were answered alike.
func (s *series) requests(m *Metrics, route, method string, status int) prometheus.Counter {
	if status < 100 || status > 599 {
		return m.requests.WithLabelValues(route, method, statusLabel(status)) // any number may come
	}
	return s.answers.get(answer{method, status}, func() prometheus.Counter {
		return m.requests.WithLabelValues(route, method, statusLabel(status))
	})
}

// kept is a map that is read much more often than it grows. Reading takes no lock.
type kept[K comparable, V any] struct {
	mu sync.Mutex // held where it grows
	m  atomic.Pointer[map[K]V]
}

// get gives what is kept under a key, and makes it where there is none.
func (c *kept[K, V]) get(key K, make func() V) V {
	if m := c.m.Load(); m != nil {
		if v, ok := (*m)[key]; ok {
			return v
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[K]V{}
	if m := c.m.Load(); m != nil {
		if v, ok := (*m)[key]; ok {
			return v
		}
		next = maps.Clone(*m)
	}
	v := make()
	next[key] = v
	c.m.Store(&next)
	return v
}
