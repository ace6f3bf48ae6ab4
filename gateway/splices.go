package gateway

import (
	"context"
	"sync"
)

// splices are the connections that were upgraded. The HTTP server has given them
// away and knows of them no more.
type splices struct {
	mu     sync.Mutex
	open   map[*splice]struct{}
	closed bool          // no more are taken
	none   chan struct{} // where somebody waits until there are none
}

// add takes a splice, unless the gateway is at its end.
func (s *splices) add(sp *splice) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.open == nil {
		s.open = map[*splice]struct{}{}
	}
	s.open[sp] = struct{}{}
	return true
}

func (s *splices) remove(sp *splice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sp)
	if len(s.open) == 0 && s.none != nil {
		close(s.none)
		s.none = nil
	}
}

// each gives the splices that are open now.
func (s *splices) each(f func(*splice)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sp := range s.open {
		f(sp)
	}
}

// retire ends those of a plan that was replaced, after a while: nobody has judged
// them by what holds now.
func (s *splices) retire(p *Plan) {
	s.each(func(sp *splice) {
		if sp.passage.p == p {
			sp.retire()
		}
	})
}

// drain waits until all have ended by themselves, and ends those that have not
// when ctx is done. None are taken after that.
func (s *splices) drain(ctx context.Context) {
	s.wait(ctx.Done())
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.each(func(sp *splice) { sp.end(endedDrain) })
	s.wait(nil)
}

// wait waits until there are none, or until done.
func (s *splices) wait(done <-chan struct{}) {
	s.mu.Lock()
	if len(s.open) == 0 {
		s.mu.Unlock()
		return
	}
	if s.none == nil {
		s.none = make(chan struct{})
	}
	none := s.none
	s.mu.Unlock()
	select {
	case <-none:
	case <-done:
	}
}
