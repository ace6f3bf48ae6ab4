package upstream

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/upstream/h1"
)

const defaultInterval = 5 * time.Second

// check asks a target how it is, now and once every interval, until ctx ends. A
// target counts as well until it was asked: a gateway that starts beside its
// backends need not refuse what they could serve.
func (u *Upstream) check(ctx context.Context, t *target) {
	interval := cmp.Or(u.health.Interval.D(), defaultInterval)
	within := cmp.Or(u.health.Timeout.D(), interval)
	// Replicas that start together ask together once, and then each in its own
	// rhythm.
	timer := time.NewTimer(rand.N(interval))
	defer timer.Stop()
	for {
		found := u.probe(ctx, t, u.health.Path, within)
		if ctx.Err() != nil {
			return // it says nothing about the target
		}
		if found != nothing {
			u.learn(t, found == served)
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(jittered(interval))
		}
	}
}

// jittered is an interval that is up to a tenth longer or shorter.
func jittered(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }

// learn takes what a check has found for a fact once it was found often enough.
func (u *Upstream) learn(t *target, well bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.cut {
		return // it is not the target that keeps us from it
	}
	if well == t.well {
		t.row = 0
		return
	}
	t.row++
	if t.row < u.needed(well) {
		return
	}
	t.well, t.row = well, 0
	if well {
		u.ramp(t, time.Now())
	}
	u.arrange(time.Now())
}

// needed is how many answers in a row make a target well, or unwell.
func (u *Upstream) needed(well bool) int {
	if well {
		return max(u.health.Healthy, 1)
	}
	return max(u.health.Unhealthy, 1)
}

// probe asks the target and tells whether it answers as it should, in time; nothing
// where all connections that there may be were in use for as long. A redirect is
// followed nowhere.
func (u *Upstream) probe(ctx context.Context, t *target, path string, within time.Duration) outcome {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	at, err := t.url.Parse(path)
	if err != nil || at.Host != t.url.Host {
		return failed
	}
	way := &lane{} // as for any request: it takes connections that others have used
	r, err := http.NewRequestWithContext(way.watched(ctx), http.MethodGet, at.String(), nil)
	if err != nil {
		return failed
	}
	r.Header.Set("User-Agent", "gatehouse-health")
	res, err := t.ask(r)
	switch {
	case errors.Is(err, h1.ErrBusy):
		return nothing
	case err != nil:
		return failed
	}
	defer res.Body.Close()
	// Read to its end, so that the connection can be used again.
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, headerBytes))
	if err != nil || !expected(u.health, res.StatusCode) {
		return failed
	}
	return served
}

// expected reports whether a status is what the check wants.
func expected(h *config.Health, status int) bool {
	if h == nil || len(h.Statuses) == 0 {
		return status/100 == 2
	}
	return slices.Contains(h.Statuses, status)
}
