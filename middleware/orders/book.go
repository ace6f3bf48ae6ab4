package orders

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// maxOrders bounds what a Book holds, lifts and what has expired lately included.
// An issuer, which may be broken, leaves the last tenth for operators: a lockdown
// must have room when everything else goes wrong. So does the guard, and half of
// it all is the most that blocks may be: an attacker with many addresses brings
// them about, and must not keep people from signing out.
const maxOrders = 1_000_000

// Reasons that callers may want to tell apart.
var (
	// ErrUnknown is the answer to who would lift an order that is not in force.
	ErrUnknown = errors.New("there is no such order in force")
	// ErrStale says that it is not known what is revoked.
	ErrStale = errors.New("the store has not told for five seconds what is revoked")

	errFull = errors.New("there are too many orders already")
)

// Settings of a Book.
type Settings struct {
	// Keep is how long a revocation is remembered: longer than any token lives
	// and than a session can be refreshed.
	Keep time.Duration
	// File keeps orders over a restart; its folder must be there. It belongs to
	// one Book. "" keeps nothing on disk.
	File string
	// Closed makes [Book.Stale] tell when it is not known what other replicas were
	// told.
	Closed bool

	most int // orders; 0: maxOrders
}

// Book is all orders in force. It is for any number of goroutines; a nil Book
// has none.
type Book struct {
	view    atomic.Pointer[view]
	began   time.Time
	known   atomic.Int64 // nanoseconds from began to when Redis was last asked and told everything; never: -1
	strict  atomic.Bool  // Stale matters
	ended   atomic.Int64 // blocks that the view has for their level alone, as of the last sweep
	scripts scripts
	most    int      // orders
	journal *journal // nil where nothing is kept on disk

	mu        sync.Mutex
	settings  Settings
	source    *store.Redis        // where it is from; nil where replicas share nothing
	redis     *store.Redis        // that, aside from who else asks it
	entries   map[string]*entry   // by id
	unshared  map[string]struct{} // ids of what may be missing in Redis
	newest    string              // id of the last entry of the stream that was read; "" before
	redisErr  error               // of the last turn
	fileErr   error               // of the last writing
	unread    int                 // entries of the stream that are no orders
	unreadErr error               // the last of them

	stop context.CancelFunc
	done chan struct{}
}

// entry is an order and what has become of it.
type entry struct {
	order *Order // nil where only its lift is known
	lift  *lift  // nil while it is in force

	stored, liftStored []string // where they are in the stream; more than one where it was not known whether they were
}

// shared reports whether Redis has all that others need to know.
func (e *entry) shared() bool {
	if e.lift != nil {
		return len(e.liftStored) > 0
	}
	return len(e.stored) > 0
}

// over reports whether nothing of it needs to be known any more.
func (e *entry) over(now time.Time) bool {
	order := e.order == nil || e.order.expired(now) || e.lift != nil && e.order.Until.IsZero()
	return order && (e.lift == nil || !now.Before(e.lift.Until))
}

// record is what others need to know.
func (e *entry) record() record {
	if e.lift != nil {
		return record{Lift: e.lift}
	}
	return record{Order: e.order}
}

// Open opens the Book: it reads the file, asks Redis once, so that nobody is let
// in who was shut out before a restart, and goes on following Redis, which may be
// nil. A Redis that does not answer is no error, a file that cannot be read or
// written is.
func Open(s Settings, r *store.Redis) (*Book, error) {
	b, err := read(s)
	if err != nil {
		return nil, err
	}
	if s.File != "" {
		b.journal = &journal{path: s.File, all: b.records}
		if err := b.journal.tidy(0); err != nil {
			return nil, fmt.Errorf("orders cannot be kept: %w", err)
		}
	}
	b.Use(s, r)
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.done = stop, make(chan struct{})
	b.catchUp(ctx)
	go b.run(ctx)
	return b, nil
}

// catchUp reads Redis to the end before anybody is served. A Redis that breaks off
// in the middle is asked on, as long as each time it tells something.
func (b *Book) catchUp(ctx context.Context) {
	for before := ""; ; {
		b.turn(ctx)
		b.mu.Lock()
		err, newest, r := b.redisErr, b.newest, b.redis
		b.mu.Unlock()
		if err == nil || newest == before {
			return
		}
		before = newest
		time.Sleep(r.Wait())
	}
}

// Rehearse says whether Open would read the file. It gives a Book that knows what
// is in it, writes nothing and follows nobody.
func Rehearse(s Settings) (*Book, error) { return read(s) }

func read(s Settings) (*Book, error) {
	if s.Keep <= 0 {
		return nil, errors.New("revocations must be kept for some time")
	}
	b := &Book{
		began: time.Now(), scripts: newScripts(), settings: s, most: cmp.Or(s.most, maxOrders),
		entries: map[string]*entry{}, unshared: map[string]struct{}{},
	}
	b.known.Store(-1)
	b.view.Store(newView())
	if s.File == "" {
		return b, nil
	}
	e := b.view.Load().edit()
	b.most = math.MaxInt // until what has expired is left out
	if err := load(s.File, func(r record) { _, _ = b.take(r, "", e) }); err != nil {
		return nil, err
	}
	b.most = cmp.Or(s.most, maxOrders)
	now := time.Now()
	for id, e := range b.entries {
		if e.over(now) {
			delete(b.entries, id)
			delete(b.unshared, id)
		}
	}
	if len(b.entries) > b.most {
		return nil, fmt.Errorf("%s: %w", s.File, errFull)
	}
	b.publish(e)
	return b, nil
}

// Use changes settings and the store under way; File stays what it was. Another
// store is told everything.
func (b *Book) Use(s Settings, r *store.Redis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.File = b.settings.File
	b.settings = s
	if b.source != r {
		b.source, b.redis, b.redisErr = r, r.Aside(), nil
		b.known.Store(-1)
		b.forgetRedis()
	}
	b.strict.Store(s.Closed && r != nil)
}

// Close ends what the Book does by itself and waits for it.
func (b *Book) Close() error {
	if b.stop != nil {
		b.stop()
		<-b.done
	}
	if b.journal != nil {
		b.journal.close()
	}
	return nil
}

// take merges a record into what is known, and reports whether it says anything
// new. Orders never change and a lift is for good, so the sequence in which they
// come does not matter. The lock is held, or nobody else has the Book yet.
func (b *Book) take(r record, stored string, next *edit) (news bool, err error) {
	id := ""
	if r.Order != nil {
		id = r.Order.ID
	} else {
		id = r.Lift.ID
	}
	e := b.entries[id]
	if e == nil {
		if len(b.entries) >= b.most {
			return false, errFull
		}
		e = &entry{}
		b.entries[id] = e
	}
	switch {
	case r.Order != nil:
		if news = e.order == nil; news {
			e.order = r.Order
			if e.lift == nil && !e.order.expired(time.Now()) {
				next.add(e.order)
			}
		}
		if stored != "" {
			e.stored = append(e.stored, stored)
		}
	default:
		if news = e.lift == nil; news {
			e.lift = r.Lift
			if e.order != nil {
				next.remove(e.order)
			}
		}
		if stored != "" {
			e.liftStored = append(e.liftStored, stored)
		}
	}
	if e.shared() {
		delete(b.unshared, id)
	} else {
		b.unshared[id] = struct{}{}
	}
	return news, nil
}

// publish makes an edit what requests are judged by. The lock is held.
func (b *Book) publish(e *edit) {
	if e.touched {
		close(b.view.Swap(e.view).changed)
	}
}

// records are everything that is not over.
func (b *Book) records() []record {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]record, 0, len(b.entries))
	for _, e := range b.entries {
		if !e.over(now) {
			out = append(out, e.record())
		}
	}
	return out
}

// Give puts an order in force, here at once. It gives it as it was taken, and
// whether other replicas will learn of it: Redis has it, or there is none. What
// is not shared now is tried again until it is. An error with an order whose ID is
// set is about the file: the order holds, and a restart may forget it.
func (b *Book) Give(ctx context.Context, o Order) (given Order, shared bool, err error) {
	if err := o.Check(); err != nil {
		return Order{}, false, err
	}
	b.mu.Lock()
	o.settle(rand.Text(), b.settings.Keep, time.Now())
	own := o
	b.mu.Unlock()
	taken, shared, err := b.tell(ctx, record{Order: &own}, func() error {
		if !b.roomFor(own.By) {
			return errFull
		}
		return nil
	})
	if !taken {
		return Order{}, false, err
	}
	o.Roles = slices.Clone(o.Roles)
	return o, shared, err
}

// roomFor reports whether whoever gives an order may give one more. The lock is
// held.
func (b *Book) roomFor(by string) bool {
	who, _, _ := strings.Cut(by, " ")
	switch who {
	case "issuer":
		return len(b.entries) < b.most-b.most/10
	case "guard":
		return len(b.entries) < b.most-b.most/10 && b.view.Load().blocks() < b.most/2
	}
	return true
}

// Lift ends an order before its time, for good. The error is ErrUnknown where it
// is not in force. Another one is about the file, as with [Book.Give].
func (b *Book) Lift(ctx context.Context, id, by, reason string) (shared bool, err error) {
	if err := errors.Join(checkText("by", by, maxName), checkText("reason", reason, maxValue)); err != nil {
		return false, err
	}
	l := &lift{ID: id, By: by, Reason: reason, At: time.Now().UTC().Truncate(time.Millisecond)}
	_, shared, err = b.tell(ctx, record{Lift: l}, func() error {
		e := b.entries[id]
		if e == nil || e.order == nil || e.lift != nil || e.order.expired(l.At) {
			return ErrUnknown
		}
		if l.Until = e.order.Until; l.Until.IsZero() {
			l.Until = l.At.Add(liftKept)
		}
		return nil
	})
	return shared, err
}

// tell takes a record of our own, hands it to Redis and writes it down. check has
// the last word before it is taken. An error with what was taken is about the
// file.
func (b *Book) tell(ctx context.Context, rec record, check func() error) (taken, shared bool, err error) {
	b.mu.Lock()
	if check != nil {
		err = check()
	}
	var line []byte
	if err == nil {
		line, err = rec.encode()
	}
	var number uint64
	if err == nil {
		next := b.view.Load().edit()
		if _, err = b.take(rec, "", next); err == nil {
			b.publish(next)
			if b.journal != nil {
				number = b.journal.add(line)
			}
		}
	}
	r := b.redis
	b.mu.Unlock()
	if err != nil {
		return false, false, err
	}
	shared = r == nil || add(ctx, r, trimmed(line)) == nil
	return true, shared, b.save(number)
}

// save returns when a line of the journal is on disk.
func (b *Book) save(number uint64) error {
	if b.journal == nil || number == 0 {
		return nil
	}
	return b.saved(b.journal.commit(number))
}

// saved keeps how the last writing went, for Trouble.
func (b *Book) saved(err error) error {
	if err != nil {
		err = fmt.Errorf("orders are not on disk: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fileErr = err
	return err
}
