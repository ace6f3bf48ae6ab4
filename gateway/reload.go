package gateway

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-dev/gatehouse/config"
)

// Reloader replaces the gateway's plan when its sources change. A whole new
// plan is made off the request path; it is swapped in by one atomic store, or
// refused as a whole: the last good plan stays, and log, metric, readiness
// detail and the caller say why.
type Reloader struct {
	g    *Gateway
	file string

	mu   sync.Mutex     // one reload at a time
	from *config.Config // what the last attempt was made from, as far as it could be read
	seen string         // its sources, before anything was made of them

	state sync.RWMutex
	last  Attempt
}

// Attempt is how the last reload ended.
type Attempt struct {
	At       time.Time `json:"at"`
	OK       bool      `json:"ok"`
	Error    string    `json:"error,omitempty"` // every mistake, one a line
	Revision string    `json:"policy_revision,omitempty"`
	// Changes is what the policies that came with it change for the requests
	// seen lately; nil where they stayed, or nothing was seen.
	Changes *Foresight `json:"changes,omitempty"`
}

// NewReloader makes a reloader for the configuration file that the gateway's
// current plan was made from.
func NewReloader(g *Gateway, file string) *Reloader {
	p := g.Plan()
	return &Reloader{g: g, file: file, from: p.config, seen: p.sources, last: Attempt{At: time.Now(), OK: true, Revision: p.Revision()}}
}

// Last tells how the last attempt ended.
func (r *Reloader) Last() Attempt {
	r.state.RLock()
	defer r.state.RUnlock()
	return r.last
}

// Reload makes a plan of the file as it is now and swaps it in. The error is
// config.Mistakes, and then nothing has changed.
func (r *Reloader) Reload(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.g.Plan()
	// What a plan opens outlives the call that asked for it.
	next, err := r.compile(context.WithoutCancel(ctx), old)
	attempt := Attempt{At: time.Now(), OK: err == nil, Revision: old.Revision()}
	if err != nil {
		attempt.Error = err.Error()
		old.log.Error("reload refused; the last good plan goes on", zap.Error(err))
	} else {
		attempt.Revision = next.Revision()
		attempt.Changes = foresee(ctx, next.recent, old.decider, next.decider)
		attempt.Changes.tell(next.log)
		r.g.Swap(next)
		next.log.Info("reloaded", zap.String("policy_revision", attempt.Revision))
	}
	r.g.deps.Metrics.Reload(err == nil, attempt.At)
	r.state.Lock()
	r.last = attempt
	r.state.Unlock()
	return err
}

// load reads the file. It notes the sources before it reads them, so that what
// changes meanwhile counts as a change. Which they are only the file says: one
// that names others is read once more.
func (r *Reloader) load() (c *config.Config, err error) {
	for range 2 {
		r.seen = sources(r.from)
		if c, err = config.Load(r.file); err != nil {
			return nil, err
		}
		before := r.from
		r.from = c
		if slices.Equal(before.Files(), c.Files()) && sameFolders(before.Policies, c.Policies) {
			break
		}
	}
	return c, nil
}

func sameFolders(a, b config.Policies) bool {
	cache := func(p config.Policies) string {
		if p.Bundle == nil {
			return ""
		}
		return p.Bundle.Cache
	}
	return a.Path == b.Path && a.Data == b.Data && cache(a) == cache(b) && a.Shadow == b.Shadow && a.ShadowData == b.ShadowData
}

// compile makes a plan.
func (r *Reloader) compile(ctx context.Context, old *Plan) (*Plan, error) {
	c, err := r.load()
	if err != nil {
		return nil, err
	}
	if m := fixed(old.config, c); len(m) > 0 {
		return nil, m
	}
	return Compile(ctx, c, r.g.deps)
}

// Watch reloads whenever the content of a source has changed, until ctx is
// done. A refused state of the sources is not tried again until they change
// once more.
func (r *Reloader) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if r.changed() {
				_ = r.Reload(ctx) // told by log, metric and readiness
			}
		}
	}
}

func (r *Reloader) changed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sources(r.from) != r.seen
}
