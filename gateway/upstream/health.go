package upstream

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

const defaultInterval = 5 * time.Second

// check asks an endpoint how it is, now and once every interval, until ctx
// ends. An endpoint counts as well until it was asked: a gateway that starts
// beside its backends need not refuse what they could serve.
func (u *Upstream) check(ctx context.Context, t *target, c *config.Health) {
	interval := c.Interval.D()
	if interval <= 0 {
		interval = defaultInterval
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		well := u.probe(ctx, t, c.Path, interval)
		if ctx.Err() != nil {
			return // it says nothing about the endpoint
		}
		t.well.Store(well)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// probe reports whether the endpoint answers with a 2xx in time. A redirect is
// not one, and is not followed.
func (u *Upstream) probe(ctx context.Context, t *target, path string, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	at, err := t.url.Parse(path)
	if err != nil || at.Host != t.url.Host {
		return false
	}
	way := &lane{} // as for any request: it takes connections that others have used
	r, err := http.NewRequestWithContext(way.watched(ctx), http.MethodGet, at.String(), nil)
	if err != nil {
		return false
	}
	r.Header.Set("User-Agent", "gatehouse-health")
	res, err := t.sender.RoundTrip(r)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	// Read to its end, so that the connection can be used again.
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, headerBytes))
	return err == nil && res.StatusCode/100 == 2
}
