package upstream

import "time"

// Endpoint is what is known of one address of an endpoint.
type Endpoint struct {
	URL     string `json:"url"`              // as configured
	Address string `json:"address"`          // host:port that is connected to
	Region  string `json:"region,omitempty"` // "" where it has none
	Weight  int    `json:"weight"`
	// Well is what the health checks say; true where there are none.
	Well bool `json:"well"`
	// EjectedUntil is when it gets requests again; nil where it is not ejected.
	EjectedUntil *time.Time `json:"ejected_until,omitempty"`
	// InFlight is how many exchanges are under way there.
	InFlight int64 `json:"in_flight"`
	// Draining says that the name has this address no more.
	Draining bool `json:"draining,omitempty"`

	// Ejections of all addresses of the URL so far.
	Ejections uint64 `json:"ejections"`
}

// Endpoints tells what is known of each address, in the order of the
// configuration, and then of those that are gone and have not finished.
func (u *Upstream) Endpoints() []Endpoint {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]Endpoint, 0, len(u.targets))
	for _, t := range u.targets {
		out = append(out, t.told())
	}
	for _, l := range u.leaving {
		if l.inFlight.Load() > 0 {
			e := l.told()
			e.Draining = true
			out = append(out, e)
		}
	}
	return out
}

// told is what is known of a target. The mutex is held.
func (t *target) told() Endpoint {
	e := Endpoint{
		URL: t.name, Address: t.address, Region: t.region, Weight: t.endpoint.weight,
		Well: t.well, InFlight: t.inFlight.Load(), Ejections: t.ejections.Load(),
	}
	if !t.ejected.IsZero() {
		until := t.ejected
		e.EjectedUntil = &until
	}
	return e
}
