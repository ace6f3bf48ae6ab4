package gateway

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/authn"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
	"github.com/gatehouse-dev/gatehouse/middleware/ratelimit"
	"github.com/gatehouse-dev/gatehouse/middleware/session"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// maxSessions bounds the sessions that are remembered in memory.
const maxSessions = 200_000

// redisDigest identifies what the settings of a Redis do not show.
func redisDigest(r *config.Redis) string {
	if r == nil {
		return ""
	}
	return digest([]byte(r.Password.Reveal())) + fileDigest(r.CA)
}

// openState opens what counts and remembers across requests.
func (b *builder) openState() {
	password := redisDigest(b.config.Store.Redis)
	var err error
	b.plan.redis, err = hold(b.plan.lease, "redis"+password, b.config.Store.Redis, func() (*store.Redis, error) {
		return store.Open(b.config.Store.Redis)
	})
	if err != nil {
		b.mistake("store.redis", err)
		return
	}
	b.store, err = hold(b.plan.lease, "limits"+password, b.config.Store.Redis, func() (*ratelimit.Store, error) {
		s := ratelimit.NewStore(b.plan.redis)
		if !b.deps.Rehearsal { // who only checks is no replica
			s.Announce()
		}
		return s, nil
	})
	if err != nil {
		b.mistake("rate_limits", err)
		return
	}
	b.plan.counts = b.store
	b.openOrders()
	b.openAlerts()
	b.limits = map[string]*ratelimit.Rule{}
	for _, name := range slices.Sorted(maps.Keys(b.config.RateLimits)) {
		rule, err := ratelimit.Open(name, b.config.RateLimits[name], b.store)
		if err != nil {
			b.mistake("rate_limits."+name, err)
			continue
		}
		b.limits[name] = rule.Telling(b.config.RateLimitHeaders)
		b.plan.limits = append(b.plan.limits, rule)
	}
	b.openGuard()
	b.plan.recent, err = hold(b.plan.lease, "recent", nil, func() (*recent, error) { return newRecent(), nil })
	if err != nil {
		b.mistake("policies", err)
	}
	b.proofs, err = hold(b.plan.lease, "proofs"+password, b.config.Store.Redis, func() (*authn.Proofs, error) {
		return authn.NewProofs(b.plan.redis), nil
	})
	if err != nil {
		b.mistake("store.redis", err)
	}
	b.sessions, err = hold(b.plan.lease, "sessions"+password, b.config.Store.Redis, func() (*session.Store, error) {
		return session.NewStore(maxSessions, b.plan.redis), nil
	})
	if err != nil {
		b.mistake("routes", err)
	}
}

// openOrders opens the Book, which all plans share: what was ordered must not be
// forgotten by a reload. A plan that begins to serve says how it is kept from
// then on.
func (b *builder) openOrders() {
	s := orders.Settings{Keep: b.config.Revocation.Keep.D(), Closed: b.config.Revocation.OnStoreError == "closed"}
	if f := b.config.Store.Folder; f != "" {
		s.File = filepath.Join(f, "orders.json")
	}
	book, err := hold(b.plan.lease, "orders", nil, func() (*orders.Book, error) {
		if b.deps.Rehearsal { // the file belongs to whoever serves
			return orders.Rehearse(s)
		}
		return orders.Open(s, b.plan.redis)
	})
	if err != nil {
		b.mistake("store.folder", err)
		return
	}
	b.plan.orders, b.plan.kept = book, s
}

// openSpool takes the room that plans before have left: files of theirs may still
// be on their way.
func (b *builder) openSpool() {
	s, err := hold(b.plan.lease, "spool", b.config.Spool, func() (*middleware.Spool, error) {
		return middleware.NewSpool(b.config.Spool.Folder, int64(b.config.Spool.Bytes)), nil
	})
	if err == nil && slices.ContainsFunc(b.config.Routes, func(r *config.Route) bool { return r.Upload != nil }) {
		if err = s.Try(); err != nil {
			err = fmt.Errorf("no file of an upload can be kept; mount a folder, or set folder: %w", err)
		}
	}
	if err != nil {
		b.mistake("spool", err)
		return
	}
	b.plan.spool = s
}
