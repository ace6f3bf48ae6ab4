package upstream

import "sync/atomic"

// Breaker is the state of a circuit breaker.
type Breaker struct {
	State   string // closed, half-open or open
	Opened  uint64 // how many times it has
	Refused uint64 // requests that it kept from the backend
}

// Stats is what an upstream has done beyond sending each request once.
type Stats struct {
	Connections int64             // open now
	Retries     map[string]uint64 // tries after the first one, by why: connect, reset, timeout, status
	Withheld    uint64            // that there would have been, but for the budget
	Breaker     *Breaker          // nil where there is none
}

// counts is what an upstream counts.
type counts struct {
	again    [kinds]atomic.Uint64 // by why
	withheld atomic.Uint64
}

// Stats tells what was done so far.
func (u *Upstream) Stats() Stats {
	s := Stats{Connections: u.connections(), Withheld: u.counts.withheld.Load(), Retries: map[string]uint64{}}
	for _, k := range []kind{unsent, broken, late, unwell} {
		s.Retries[k.String()] = u.counts.again[k].Load()
	}
	if b := u.breaker; b != nil {
		s.Breaker = &Breaker{State: b.two.State().String(), Opened: b.opened.Load(), Refused: b.refused.Load()}
	}
	return s
}

// connections counts the open ones, also to addresses that are not used any more.
func (u *Upstream) connections() (n int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range u.targets {
		n += t.links.open()
	}
	for _, l := range u.leaving {
		n += l.links.open()
	}
	return n
}

func (l *links) open() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.all))
}
