package telemetry

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// classes bounds the label of that name: policies may compute classes.
type classes struct {
	mu    sync.RWMutex
	known map[string]bool
}

const maxClasses = 32

// label gives the label of a class: "none" where a rule names none, "other" for
// all that come when there are too many.
func (c *classes) label(class string) string {
	if class == "" {
		return "none"
	}
	c.mu.RLock()
	known := c.known[class]
	c.mu.RUnlock()
	if known {
		return class
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxClasses && !c.known[class] {
		return "other"
	}
	if c.known == nil {
		c.known = map[string]bool{}
	}
	c.known[class] = true
	return class
}

// Unclassified is a place in the answers of a route where values were found
// that look like personal data and that the policy does not know.
type Unclassified struct {
	Route string `json:"route"`
	middleware.Finding
	First time.Time `json:"first"` // when an answer first held one
	Last  time.Time `json:"last"`
}

// drift is the list of those places. It has a bound, since their names come
// from upstreams.
type drift struct {
	mu sync.Mutex
	m  map[place]*Unclassified
}

type place struct{ route, path, class string }

const maxPlaces = 1000

func (d *drift) add(route string, found []middleware.Finding, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.m == nil {
		d.m = map[place]*Unclassified{}
	}
	for _, f := range found {
		k := place{route, f.Path, f.Class}
		u := d.m[k]
		if u == nil {
			if len(d.m) >= maxPlaces {
				continue
			}
			u = &Unclassified{Route: route, Finding: middleware.Finding{Path: f.Path, Class: f.Class}, First: at}
			d.m[k] = u
		}
		u.Count += f.Count
		if at.After(u.Last) {
			u.Last = at
		}
	}
}

// Unclassified lists the first thousand places found since the process began,
// by route and path.
func (m *Metrics) Unclassified() []Unclassified {
	m.drift.mu.Lock()
	out := make([]Unclassified, 0, len(m.drift.m))
	for _, u := range m.drift.m {
		out = append(out, *u)
	}
	m.drift.mu.Unlock()
	slices.SortFunc(out, func(a, b Unclassified) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Class, b.Class))
	})
	return out
}
