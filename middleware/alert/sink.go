package alert

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"
)

// The pauses after attempts that failed.
const (
	firstPause = time.Second
	maxPause   = 5 * time.Minute
	// maxAsked is the longest pause that a receiver can ask for.
	maxAsked = time.Hour
)

// Sink is one place that events go to, ready to be used.
type Sink struct {
	Name string
	Kind string // log, webhook, slack or syslog

	min     int // least severity
	classes []Class
	key     string // says what it was made from
	keep    time.Duration
	timeout time.Duration
	pause   time.Duration // after the first failure; each further one doubles it
	// write takes an event at once; nil where deliver does.
	write func(r *record) error
	// deliver makes one attempt to bring an event to where it goes, and close ends
	// what attempts share.
	deliver func(ctx context.Context, r *record) error
	close   func()
}

// wants reports whether a sink is told of an event. A test is for everybody.
func (s *Sink) wants(r *record) bool {
	if r.Test {
		return true
	}
	for _, c := range s.classes {
		if c == r.Class {
			return r.Severity.rank() >= s.min
		}
	}
	return false
}

// refusal is the error of an attempt to which the receiver has said something.
type refusal struct {
	error
	final bool          // it will hardly take this event another time
	after time.Duration // it asks to be left alone for so long
}

func (r *refusal) Unwrap() error { return r.error }

// outlet is a sink at work.
type outlet struct {
	sink  *Sink
	spool *spool
	lost  int64 // events that it was never offered; see Sender.give
	full  bool  // what waits was more than there is room for, and that was told
	count func(sink, outcome string)
	tell  func(what string, err error)

	ctx      context.Context //nolint:containedctx // of the attempts; ends with the outlet
	cancel   context.CancelFunc
	stopping chan struct{} // closed: no more waiting
	done     chan struct{} // closed: nothing runs any more

	mu  sync.Mutex
	err error // of the last attempt
}

// outlet gives a sink at work: the same as before where the sink is the same, or
// another that what waits for the one before waits for.
func (s *Sender) outlet(before *outlet, sink *Sink, c *Settings) *outlet {
	o := &outlet{
		sink: sink, count: s.count, stopping: make(chan struct{}), done: make(chan struct{}),
		tell: func(what string, err error) { (*s.tell.Load())(sink.Name, what, err) },
	}
	if sink.write != nil {
		if before != nil {
			before.stop()
			o.lost = before.lost
		}
		close(o.done)
		return o
	}
	folder := ""
	if c.Folder != "" {
		folder = filepath.Join(c.Folder, sink.Name)
	}
	if before != nil && before.sink.key == sink.key && before.spool != nil && before.spool.folder == folder {
		before.spool.mu.Lock()
		before.spool.most = c.Bytes
		before.spool.mu.Unlock()
		if sink != before.sink {
			sink.close()
		}
		return before
	}
	if before != nil {
		before.stop()
		o.lost = before.lost
	}
	o.spool = o.open(before, folder, c.Bytes)
	o.ctx, o.cancel = context.WithCancel(context.Background())
	go o.run()
	return o
}

// open finds what waits for a sink: in its folder, and for what was there before.
func (o *outlet) open(before *outlet, folder string, most int64) *spool {
	if before != nil && before.spool != nil && before.spool.folder == folder {
		before.spool.most = most
		return before.spool
	}
	s, err := openSpool(folder, most)
	if err != nil {
		o.tell("cannot keep what waits for it, but in memory", err)
		s = &spool{most: most, more: make(chan struct{}, 1), err: err}
	}
	if before != nil && before.spool != nil {
		gone, damaged := s.move(before.spool)
		for range gone {
			o.count(o.sink.Name, Dropped)
		}
		for range damaged {
			o.count(o.sink.Name, Damaged)
		}
	}
	return s
}

// take has an event delivered.
func (o *outlet) take(r *record) {
	if o.sink.write != nil {
		if err := o.sink.write(r); err != nil {
			o.lost += r.Lost + 1
			o.count(o.sink.Name, Dropped)
			o.note(err)
			return
		}
		o.note(nil)
		o.count(o.sink.Name, Delivered)
		return
	}
	before := o.kept()
	gone, err := o.spool.put(r)
	for range gone {
		o.count(o.sink.Name, Dropped)
	}
	if gone > 0 && !o.full {
		o.full = true
		o.tell("has no room for all that waits; the oldest goes", nil)
	} else if o.full && o.spool.half() {
		o.full = false
	}
	if err != nil && before == nil && o.spool.folder != "" {
		o.tell("cannot keep what waits for it, but in memory", err)
	}
}

func (o *outlet) kept() error { _, _, err := o.spool.waiting(); return err }

// run delivers what waits, one by one.
func (o *outlet) run() {
	defer close(o.done)
	defer o.sink.close()
	failures, again, late := 0, true, false
	for {
		r, number, ok, err := o.spool.next()
		switch {
		case !ok:
			if !o.idle() {
				return
			}
		case err != nil:
			o.count(o.sink.Name, Damaged)
			o.tell("has lost an event", err)
		case time.Since(r.Time) > o.sink.keep:
			o.spool.done(number)
			o.count(o.sink.Name, Dropped)
			if !late {
				o.tell("was tried in vain for as long as events are kept; what is older is given up", nil)
			}
			late = true
		default:
			late = false
			pause, more := o.attempt(r, number, &failures)
			if pause > 0 && !o.rest(pause, more) {
				if !again || o.ctx.Err() != nil || o.spool.volatile() == 0 {
					return
				}
				again = false // once more for what has no other chance
			}
		}
	}
}

// idle waits until there is something to deliver, and reports whether there may
// ever be.
func (o *outlet) idle() bool {
	select {
	case <-o.spool.more:
		return true
	case <-o.stopping:
		n, _, _ := o.spool.waiting()
		return n > 0
	}
}

// rest waits after an attempt that failed, no longer than until there is more. It
// reports whether there will be another.
func (o *outlet) rest(pause time.Duration, more <-chan struct{}) bool {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-more:
		return true
	case <-o.stopping:
		return false
	}
}

// attempt tries to deliver an event, and gives how long to wait before the next
// attempt, and what may end that. Where it is this event that the receiver does
// not want, others do not wait for as long as after a failure: one that comes is
// tried at once.
func (o *outlet) attempt(r *record, number uint64, failures *int) (pause time.Duration, more <-chan struct{}) {
	ctx, cancel := context.WithTimeout(o.ctx, o.sink.timeout)
	err := o.sink.deliver(ctx, r)
	cancel()
	if err != nil && o.ctx.Err() != nil {
		return maxPause, nil // nobody's fault, and there will be no other
	}
	o.note(err)
	if err == nil {
		o.spool.done(number)
		o.count(o.sink.Name, Delivered)
		*failures = 0
		return 0, nil
	}
	o.count(o.sink.Name, Failed)
	var said *refusal
	errors.As(err, &said)
	if said != nil && said.final {
		others := o.spool.later(number)
		if said.after <= 0 && others {
			return jittered(o.sink.pause, 1), nil
		} else if said.after <= 0 {
			more = o.spool.more
		}
	}
	*failures++
	pause = jittered(o.sink.pause, *failures)
	if said != nil {
		pause = max(pause, min(said.after, maxAsked))
	}
	return pause, more
}

// jittered gives the pause after so many failures in a row: half of it for sure,
// the rest by chance, so that many gateways do not come back at once.
func jittered(first time.Duration, failures int) time.Duration {
	d := maxPause
	if n := failures - 1; n < 20 && first<<n < maxPause {
		d = first << n
	}
	return d/2 + rand.N(d/2+1) //nolint:gosec // nobody gains by guessing it
}

// note remembers how the last attempt ended, and tells where that is news.
func (o *outlet) note(err error) {
	o.mu.Lock()
	before := o.err
	o.err = err
	o.mu.Unlock()
	switch {
	case err != nil && before == nil:
		o.tell("does not take events", err)
	case err == nil && before != nil:
		o.tell("takes events again", nil)
	}
}

// stop ends an outlet at once. What is not delivered is in its spool.
func (o *outlet) stop() {
	if o.spool == nil {
		return
	}
	o.cancel()
	select {
	case <-o.stopping:
	default:
		close(o.stopping)
	}
	<-o.done
}

// leave ends an outlet that has no place any more. What is on disk stays there, for
// a sink of that name may come back.
func (o *outlet) leave() {
	o.stop()
	if o.spool == nil {
		return
	}
	for range o.spool.volatile() {
		o.count(o.sink.Name, Dropped)
	}
	if n, _, _ := o.spool.waiting(); n > 0 {
		o.tell("is no sink any more; what waits on disk stays there", nil)
	}
}

// close ends an outlet: until ctx is done, what waits is tried as long as it is
// taken.
func (o *outlet) close(ctx context.Context) error {
	if o.spool == nil {
		return nil
	}
	close(o.stopping)
	o.mu.Lock()
	failing := o.err != nil
	o.mu.Unlock()
	if failing && o.spool.volatile() == 0 {
		o.cancel() // it can wait for the next start
	}
	select {
	case <-o.done:
	case <-ctx.Done():
	}
	o.cancel()
	<-o.done
	n := o.spool.volatile()
	for range n {
		o.count(o.sink.Name, Dropped)
	}
	if n == 0 {
		return nil
	}
	o.tell("was not told of all before the end", nil)
	return errors.New(o.sink.Name + ": not all was delivered before the end")
}

func (o *outlet) waiting() Waiting {
	w := Waiting{Sink: o.sink.Name}
	o.mu.Lock()
	w.Err = o.err
	o.mu.Unlock()
	if o.spool != nil {
		var err error
		if w.Events, w.Bytes, err = o.spool.waiting(); err != nil {
			w.Err = errors.Join(w.Err, err)
		}
	}
	return w
}
