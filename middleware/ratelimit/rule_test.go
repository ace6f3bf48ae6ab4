package ratelimit

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

func TestOpenMistakes(t *testing.T) {
	store := NewStore(nil)
	key, r := []string{"route"}, rate(10, time.Minute)
	for want, c := range map[string]config.RateLimit{
		"key is missing":        {Rate: r},
		"rate is missing":       {Key: key},
		"the time must be":      {Key: key, Rate: rate(1, time.Microsecond)},
		`algorithm "leaky"`:     {Key: key, Rate: r, Algorithm: "leaky"},
		"at most 10000":         {Key: key, Rate: rate(10_001, time.Hour), Algorithm: "sliding_log"},
		"burst -1 is below 1":   {Key: key, Rate: r, Burst: -1},
		"burst is only for":     {Key: key, Rate: r, Burst: 5, Algorithm: "fixed_window"},
		`mode "dry"`:            {Key: key, Rate: r, Mode: "dry"},
		`on_store_error "fail`:  {Key: key, Rate: r, OnStoreError: "fail"},
		`"ip" is not something`: {Key: []string{"ip"}, Rate: r},
	} {
		_, err := Open("mine", &c, store)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "rate limit mine: ") {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
}

// A reload keeps the counts of rules whose definition did not change, whatever
// else about them did, and begins anew for the others.
func TestReload(t *testing.T) {
	for _, algorithm := range []string{"gcra", "fixed_window", "sliding_log"} {
		store := NewStore(nil)
		c := config.RateLimit{Rate: rate(1, time.Hour), Algorithm: algorithm}
		before := open(t, c, store)
		before.take(t.Context(), "k")
		for what, tt := range map[string]struct {
			change func(*config.RateLimit)
			kept   bool
		}{
			"nothing":         {func(*config.RateLimit) {}, true},
			"mode":            {func(c *config.RateLimit) { c.Mode = "shadow" }, true},
			"on_store_error":  {func(c *config.RateLimit) { c.OnStoreError = "open" }, true},
			"the rate's time": {func(c *config.RateLimit) { c.Rate.Per *= 2 }, false},
			"the key":         {func(c *config.RateLimit) { c.Key = []string{"route"} }, false},
		} {
			next := c
			tt.change(&next)
			if got := open(t, next, store).take(t.Context(), "k").Reached; got != tt.kept {
				t.Errorf("%s: after a change of %s: kept %v", algorithm, what, got)
			}
		}
		runtime.KeepAlive(before)
	}
}

// The counts of a rule that is gone are given back.
func TestReloadForgets(t *testing.T) {
	store := NewStore(nil)
	open(t, config.RateLimit{Rate: rate(1, time.Hour)}, store).take(t.Context(), "k")
	runtime.GC()
	kept := open(t, config.RateLimit{Rate: rate(2, time.Hour)}, store)
	if n := len(store.local); n != 1 {
		t.Errorf("%d definitions are remembered, want 1", n)
	}
	runtime.KeepAlive(kept)
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{`per-user`: `"per-user"`, `a"b\c`: `"a\"b\\c"`, "naïve\n": `"na?ve?"`} {
		if got := quote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// take asks the rule alone.
func (r *Rule) take(ctx context.Context, key string) take { return r.spend(ctx, key, 1) }

func (r *Rule) spend(ctx context.Context, key string, cost int64) take {
	var array [1]take
	takes, _ := r.store.decide(ctx, []ask{{rule: r, quota: r.quota, key: key, cost: cost}}, array[:0])
	return takes[0]
}
