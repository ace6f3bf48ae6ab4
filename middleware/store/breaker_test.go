package store

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A store that stays dead is asked once per pause, and the pause grows to its
// bound; one success and it is asked always.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b breaker
		dead := errors.New("dead")
		asked := 0
		for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(time.Millisecond) {
			if probe, err := b.allow(true); err == nil {
				asked++
				b.report(probe, dead)
			} else if !errors.Is(err, errPaused) || !errors.Is(err, dead) {
				t.Fatalf("got %v", err)
			}
		}
		// 0.1+0.2+0.4+0.8+1.6+3.2 s, then every 5 s.
		if asked != 17 {
			t.Errorf("asked %d times in a minute", asked)
		}
		time.Sleep(b.wait())
		probe, err := b.allow(true)
		if !probe || err != nil {
			t.Fatalf("no probe after the pause: %v", err)
		}
		if _, err := b.allow(true); err == nil {
			t.Error("two probes at once")
		}
		b.report(probe, nil)
		for range 3 {
			if probe, err := b.allow(true); probe || err != nil {
				t.Errorf("after a success: %v %v", probe, err)
			}
		}
		if b.wait() != 0 {
			t.Error("a wait for a store that is well")
		}
	})
}

// Calls that were under way when it opened change nothing, and a probe that
// never reports does not keep it open for good.
func TestBreakerStragglers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b breaker
		for range 3 {
			if _, err := b.allow(true); err != nil {
				t.Fatal(err)
			}
		}
		b.report(false, errors.New("first"))
		b.report(false, errors.New("second"))
		if got := b.wait(); got != firstPause {
			t.Errorf("a straggler's failure made the pause %s", got)
		}
		b.report(false, nil)
		if _, err := b.allow(true); err == nil {
			t.Error("a straggler's success closed it")
		}
		time.Sleep(firstPause)
		if probe, _ := b.allow(true); !probe {
			t.Fatal("no probe")
		}
		time.Sleep(firstPause)
		if probe, _ := b.allow(true); !probe {
			t.Error("no probe after one that was lost")
		}
	})
}
