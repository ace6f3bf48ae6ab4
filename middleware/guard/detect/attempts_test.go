package detect_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
)

// Guesses sent at once gain nothing: no more are under way than may fail, and
// while some are that led to a finding nobody else gets in.
func TestAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := detect.NewAuthFailures(detect.AuthFailuresSettings{})
		s := login(401, a1, "ann")
		enter := func(want bool, what string) {
			t.Helper()
			if got := d.Enter(s); got != want {
				t.Errorf("%s: %v", what, got)
			}
		}
		d.See(s)
		for range 4 {
			enter(true, "with one failure")
		}
		enter(false, "five could fail")
		if !d.Enter(login(401, a2, "ann")) || !d.Enter(login(401, a1, "bob")) {
			t.Error("others are kept out")
		}
		d.Leave(s)
		enter(true, "one has left")
		for i := range 4 {
			found := d.See(s)
			if (len(found) == 1) != (i == 3) {
				t.Errorf("failure %d: %v", i+2, found)
			}
		}
		for range 4 {
			enter(false, "after the finding, while some are under way")
			d.Leave(s)
		}
		enter(true, "all have left")
		d.Leave(s)
		for range 5 {
			enter(true, "nothing has failed since")
		}
		enter(false, "nothing has failed since, and five are under way")
	})
}

// An attempt with several names gets in with all of them or with none, and one
// those that name nobody with one another.
func TestAttemptsOfSeveralNames(t *testing.T) {
	d := detect.NewAuthFailures(detect.AuthFailuresSettings{})
	for range 5 {
		if !d.Enter(login(0, a1, "ann")) {
			t.Fatal("kept out")
		}
	}
	for range 9 {
		if d.Enter(login(0, a1, "bob", "ann")) {
			t.Fatal("let in, though ann's are all taken")
		}
	}
	for range 5 {
		if !d.Enter(login(0, a1, "bob")) {
			t.Fatal("bob pays for attempts that were not let in")
		}
	}
	for i := range 7 {
		if got := d.Enter(login(0, a1)); got != (i < 5) {
			t.Errorf("nobody, %d: %v", i, got)
		}
	}
	d.Leave(login(0, a1))
	if !d.Enter(login(0, a1)) {
		t.Error("nobody has left")
	}
}

// What has grown too old makes room again, with no signal in between.
func TestAttemptsAfterTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := detect.NewAuthFailures(detect.AuthFailuresSettings{})
		for range 4 {
			d.See(login(401, a1, "ann"))
		}
		one := login(401, a1, "ann")
		if !d.Enter(one) || d.Enter(one) {
			t.Error("one more may fail")
		}
		time.Sleep(15 * time.Minute)
		for range 4 {
			if !d.Enter(login(401, a1, "ann")) {
				t.Error("kept out for what is forgotten")
			}
		}
	})
}

// A thousand guesses at once reach the upstream no more often than the threshold
// says, whoever comes first.
func TestAttemptsAtOnce(t *testing.T) {
	d := detect.NewAuthFailures(detect.AuthFailuresSettings{})
	var reached, found atomic.Int64
	var blocked atomic.Bool
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				s := login(401, a1, "ann")
				if blocked.Load() || !d.Enter(s) {
					continue
				}
				if !blocked.Load() {
					reached.Add(1)
					if n := len(d.See(s)); n > 0 {
						found.Add(int64(n))
						blocked.Store(true)
					}
				}
				d.Leave(s)
			}
		})
	}
	wg.Wait()
	if reached.Load() != 5 || found.Load() != 1 {
		t.Errorf("%d reached the upstream, %d findings", reached.Load(), found.Load())
	}
}
