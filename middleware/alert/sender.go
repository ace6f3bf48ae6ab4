package alert

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// queueSize is how many events may wait to be looked at. Looking at one takes
// microseconds, or a write to disk: only a flood or a disk that hangs fills it.
const queueSize = 4096

// loginsSize is how many may wait for a login to find room: whoever tries many
// logins must not keep out what is found of it.
const loginsSize = queueSize / 2

// Outcomes, as they are counted.
const (
	Delivered = "delivered" // a sink has taken it
	Failed    = "failed"    // an attempt failed, and there will be another
	Dropped   = "dropped"   // a sink never gets it: no room, too old, or it was not deliverable when all ended
	Damaged   = "damaged"   // it could not be read again
	Held      = "held"      // one of many about the same, which one event tells of later
)

// nobody stands for the sink of what no sink was asked to take.
const nobody = "none"

// Options are what a [Sender] needs of the world.
type Options struct {
	// Count is told of every outcome: the name of the sink, or "none" where no
	// sink was asked yet. It must not block.
	Count func(sink, outcome string)
}

// Sender takes events and sees to it that sinks get them. Nothing runs before the
// first [Sender.Use].
type Sender struct {
	count func(sink, outcome string)

	door   sync.RWMutex // held by Raise for reading, so that nothing comes in after Close
	closed bool
	queue  chan record
	lost   atomic.Int64 // events that found no room since the last one that did

	mu      sync.Mutex // held while events are handed out, and while that changes
	windows windows
	outlets []*outlet
	tell    atomic.Pointer[func(sink, what string, err error)]
	running bool
	done    chan struct{} // closed when nothing is handed out any more
}

// Open makes a sender without sinks.
func Open(o Options) *Sender {
	if o.Count == nil {
		o.Count = func(string, string) {}
	}
	silent := func(string, string, error) {}
	s := &Sender{
		count: o.Count, queue: make(chan record, queueSize), done: make(chan struct{}), windows: windows{most: maxWindows},
	}
	s.tell.Store(&silent)
	return s
}

// Raise takes an event. It never waits: what finds no room is lost, and the next
// event that finds some says how many were.
func (s *Sender) Raise(e Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	s.door.RLock()
	defer s.door.RUnlock()
	if s.closed {
		s.count(nobody, Dropped)
		return
	}
	r := record{Event: e}
	if s.lost.Load() > 0 {
		r.Lost = s.lost.Swap(0)
	}
	if e.Class != Authentication || len(s.queue) < loginsSize {
		select {
		case s.queue <- r:
			return
		default:
		}
	}
	s.lost.Add(r.Lost + 1)
	s.count(nobody, Dropped)
}

// Use sends to these sinks from now on. A sink that stays the same goes on as it
// is; what waits for one that has changed, by name, waits for the new one.
func (s *Sender) Use(c Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.door.RLock()
	closed := s.closed
	s.door.RUnlock()
	if closed {
		return
	}
	s.windows.length = c.Dedup
	if c.Tell != nil {
		s.tell.Store(&c.Tell)
	}
	old := map[string]*outlet{}
	for _, o := range s.outlets {
		old[o.sink.Name] = o
	}
	s.outlets = nil
	for _, sink := range c.Sinks {
		o := old[sink.Name]
		delete(old, sink.Name)
		s.outlets = append(s.outlets, s.outlet(o, sink, &c))
	}
	for _, o := range old {
		o.leave()
	}
	if !s.running {
		s.running = true
		go s.run()
	}
}

// run hands out what is raised, until the queue is closed.
func (s *Sender) run() {
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if next, ok := s.nextEnd(); ok {
			timer.Reset(time.Until(next))
		} else {
			timer.Stop()
		}
		select {
		case r, ok := <-s.queue:
			s.mu.Lock()
			if !ok {
				s.windows.over(time.Time{}, s.give)
				s.mu.Unlock()
				return
			}
			s.take(&r)
			s.mu.Unlock()
		case <-timer.C:
			s.mu.Lock()
			s.windows.over(time.Now(), s.give)
			s.mu.Unlock()
		}
	}
}

func (s *Sender) nextEnd() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.windows.next()
}

// take looks at one event.
func (s *Sender) take(r *record) {
	s.windows.over(time.Now(), s.give)
	r.ID = newID()
	r.Finding = r.ID
	if r.Class == Finding && s.windows.hold(r, time.Now(), s.give) {
		for _, o := range s.outlets {
			o.lost += r.Lost // whoever is told next must know
		}
		s.count(nobody, Held)
		return
	}
	s.give(r)
}

// give hands an event to every sink that wants it.
func (s *Sender) give(r *record) {
	for _, o := range s.outlets {
		o.lost += r.Lost
		if o.sink.wants(r) {
			mine := *r
			mine.Lost, o.lost = o.lost, 0
			o.take(&mine)
		}
	}
}

// Close hands out what was raised, and ends. Until ctx is done sinks are tried
// once more; what is on disk then stays there, and the rest is dropped and
// counted. The error tells of that.
func (s *Sender) Close(ctx context.Context) error {
	s.door.Lock()
	if s.closed {
		s.door.Unlock()
		return nil
	}
	s.closed = true
	close(s.queue)
	s.door.Unlock()
	s.mu.Lock()
	running, outlets := s.running, s.outlets
	s.mu.Unlock()
	if !running {
		for range s.queue {
			s.count(nobody, Dropped)
		}
		return nil
	}
	<-s.done
	errs := make([]error, len(outlets))
	var wait sync.WaitGroup
	for i, o := range outlets {
		wait.Go(func() { errs[i] = o.close(ctx) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// Waiting tells of each sink how much waits for it, and why.
func (s *Sender) Waiting(yield func(w Waiting)) {
	s.mu.Lock()
	outlets := s.outlets
	s.mu.Unlock()
	for _, o := range outlets {
		yield(o.waiting())
	}
}

// Queued is how many events wait to be looked at.
func (s *Sender) Queued() int { return len(s.queue) }

// Waiting is what waits for a sink.
type Waiting struct {
	Sink   string
	Events int
	Bytes  int64
	Err    error // of the last attempt, nil where it succeeded
}
