package orders

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// What is known is good for five seconds from when Redis was asked, and there is
// nothing before it was.
func TestStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := store.Open(&config.Redis{Addresses: []string{"127.0.0.1:1"}}) // which nobody asks here
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		b := still(t, r)
		time.Sleep(time.Minute)
		if err := b.Stale(); err != nil {
			t.Errorf("open: %v", err)
		}
		b.Use(Settings{Keep: day, Closed: true}, r)
		if err := b.Stale(); !errors.Is(err, ErrStale) {
			t.Errorf("before the first answer: %v", err)
		}
		before := b.redis
		b.missing(before, time.Since(b.began))
		time.Sleep(staleAfter)
		if err := b.Stale(); err != nil {
			t.Errorf("after five seconds: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if err := b.Stale(); !errors.Is(err, ErrStale) {
			t.Errorf("after more: %v", err)
		}
		b.Use(Settings{Keep: day, Closed: true}, nil)
		if err := b.Stale(); err != nil {
			t.Errorf("there is nobody to ask: %v", err)
		}
		b.missing(before, time.Since(b.began)) // an answer of the store before
		b.Use(Settings{Keep: day, Closed: true}, r)
		if err := b.Stale(); !errors.Is(err, ErrStale) {
			t.Errorf("another store: %v", err)
		}
	})
}
