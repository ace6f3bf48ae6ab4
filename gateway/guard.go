package gateway

import (
	"context"
	"path/filepath"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/guard"
	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// openGuard makes the guard of the plan. Each detector is kept by itself, under
// what it counts: a reload that changes another, or what follows from a finding,
// makes it forget nothing.
func (b *builder) openGuard() {
	key, err := b.openGuardKey()
	if err != nil {
		b.mistake("store.folder", err)
		return
	}
	memory, err := hold(b.plan.lease, "guard", nil, func() (*guard.Memory, error) { return guard.NewMemory(), nil })
	if err != nil {
		b.mistake("guard", err)
		return
	}
	b.plan.guardKey = key
	if b.plan.alerts == nil {
		return // that is told already
	}
	b.guard, err = guard.Open(&b.config.Guard, guard.Deps{
		Raiser: b.plan.alerts,
		Book:   b.plan.orders, Key: key, Memory: memory, Keep: b.config.Revocation.Keep.D(),
		Give: func(ctx context.Context, o orders.Order) (orders.Order, bool, error) {
			return b.plan.give(ctx, b.deps.Metrics, o)
		},
		Found: b.deps.Metrics.GuardFinding,
		Detector: func(name string, settings any, open func() detect.Detector) (detect.Detector, error) {
			return hold(b.plan.lease, "guard "+name, settings, func() (detect.Detector, error) { return open(), nil })
		},
	})
	if err != nil {
		b.mistake("guard", err)
	}
}

// openGuardKey opens what stands between usernames and what is kept of them: the
// configuration's, or one that replicas agree on.
func (b *builder) openGuardKey() (*guard.Key, error) {
	secret := b.config.Guard.Secret.Reveal()
	if secret != "" || b.deps.Rehearsal { // the file belongs to whoever serves
		return guard.NewKey(secret), nil
	}
	settings := struct {
		Folder string
		Redis  *config.Redis
		Secret string
	}{b.config.Store.Folder, b.config.Store.Redis, redisDigest(b.config.Store.Redis)}
	return hold(b.plan.lease, "guard key", settings, func() (*guard.Key, error) {
		file := ""
		if f := b.config.Store.Folder; f != "" {
			file = filepath.Join(f, "guard.key")
		}
		return guard.OpenKey(file, b.plan.redis)
	})
}
