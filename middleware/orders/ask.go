package orders

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// List gives the orders in force, oldest first; those of one millisecond, which is
// what is kept of their time, by id.
func (b *Book) List() []Order { return b.list(false) }

// Ended gives the blocks that hold no longer and are kept for their level, oldest
// first. They can be lifted, so that the next one begins anew.
func (b *Book) Ended() []Order { return b.list(true) }

func (b *Book) list(ended bool) []Order {
	if b == nil {
		return nil
	}
	now := time.Now()
	var out []Order
	b.mu.Lock()
	for _, e := range b.entries {
		if e.order != nil && e.lift == nil && !e.order.expired(now) && e.order.ended(now) == ended {
			out = append(out, *e.order)
		}
	}
	b.mu.Unlock()
	for i := range out {
		out[i].Roles = slices.Clone(out[i].Roles)
	}
	slices.SortFunc(out, func(a, b Order) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Find gives the order with an id, where it can be lifted: it is in force, or a
// block that is kept for its level.
func (b *Book) Find(id string) (o Order, ok bool) {
	if b == nil {
		return Order{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[id]
	if e == nil || e.order == nil || e.lift != nil || e.order.expired(time.Now()) {
		return Order{}, false
	}
	o = *e.order
	o.Roles = slices.Clone(o.Roles)
	return o, true
}

// Count gives how many orders are in force, to the minute.
func (b *Book) Count() (revocations, lockdowns, blocks int) {
	if b == nil {
		return 0, 0, 0
	}
	v := b.view.Load()
	for k, n := range v.count {
		switch by(k) {
		case byPlace:
			lockdowns += n
		case byBlocked, byNetwork, byUser:
			blocks += n
		default:
			revocations += n
		}
	}
	return revocations, lockdowns, max(blocks-int(b.ended.Load()), 0)
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
	return b.view.Load().locked(route, tenant, roles)
}

// Changed is closed at the next change.
func (b *Book) Changed() <-chan struct{} {
	if b == nil {
		return nil
	}
	return b.view.Load().changed
}

// Stale is ErrStale where it is not known what other replicas were told: the
// store was last asked with success more than five seconds ago, or never. It is
// nil without a store, and where Settings.Closed does not ask for it.
func (b *Book) Stale() error {
	if b == nil || !b.strict.Load() {
		return nil
	}
	if known := b.known.Load(); known >= 0 && time.Since(b.began)-time.Duration(known) <= staleAfter {
		return nil
	}
	return ErrStale
}

// Trouble says what is not as it should be, for operators: it does not tell
// whether requests are refused for it.
func (b *Book) Trouble() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []error
	if b.redisErr != nil {
		out = append(out, fmt.Errorf("the store does not share them: %w", b.redisErr))
		if n := len(b.unshared); n > 0 {
			out = append(out, fmt.Errorf("%d orders are not shared yet", n))
		}
	}
	if b.unread > 0 {
		out = append(out, fmt.Errorf("%d entries of the store are left out; the last: %w", b.unread, b.unreadErr))
	}
	return errors.Join(append(out, b.fileErr)...)
}
