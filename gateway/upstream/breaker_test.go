package upstream

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

func testBreaker() *breaker {
	return newBreaker(&config.Breaker{
		Threshold: 0.5, Requests: 4, Window: config.Duration(10 * time.Second), Open: config.Duration(5 * time.Second), Probes: 2,
	})
}

// tell makes a try with each outcome, and reports how many were let through.
func tell(b *breaker, outcomes ...kind) (n int) {
	for _, k := range outcomes {
		if p, err := b.enter(); err == nil {
			p.leave(k)
			n++
		}
	}
	return n
}

func state(b *breaker) string { return b.two.State().String() }

func TestWhatOpensABreaker(t *testing.T) {
	for name, tt := range map[string]struct {
		outcomes []kind
		want     string
	}{
		"all fail":               {[]kind{unsent, broken, late, unwell}, "open"},
		"half fail":              {[]kind{answered, unwell, answered, unwell}, "open"},
		"malformed answers":      {[]kind{garbled, garbled, garbled, garbled}, "open"},
		"too few":                {[]kind{broken, broken, broken}, "closed"},
		"less than half":         {[]kind{answered, answered, answered, broken, broken}, "closed"},
		"clients went away":      {[]kind{ours, ours, ours, ours, ours, ours}, "closed"},
		"no connection was free": {[]kind{busy, busy, busy, busy, busy}, "closed"},
		"clients count for none": {[]kind{ours, ours, ours, broken, broken, broken}, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := testBreaker()
				tell(b, tt.outcomes...)
				if got := state(b); got != tt.want {
					t.Errorf("it is %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestBreakerForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBreaker()
		tell(b, broken, broken, broken)
		time.Sleep(11 * time.Second)
		tell(b, broken)
		if state(b) != "closed" {
			t.Error("failures of long ago have opened it")
		}
	})
}

func TestOpenBreakerSaysWhenToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBreaker()
		tell(b, broken, broken, broken, broken)
		for _, want := range []string{"5", "3", "1"} {
			_, err := b.enter()
			var r *middleware.Refusal
			if !errors.As(err, &r) || r.Status != http.StatusServiceUnavailable || r.Code != "upstream_unavailable" || r.Header.Get("Retry-After") != want {
				t.Errorf("got %+v, want 503 and Retry-After %s", r, want)
			}
			time.Sleep(2 * time.Second)
		}
		if b.refused.Load() != 3 || b.opened.Load() != 1 {
			t.Errorf("refused %d, opened %d", b.refused.Load(), b.opened.Load())
		}
	})
}

func TestProbes(t *testing.T) {
	for name, tt := range map[string]struct {
		outcomes []kind
		through  int
		want     string
	}{
		"all well":              {[]kind{answered, answered, answered}, 3, "closed"},
		"one fails":             {[]kind{broken, answered}, 1, "open"},
		"the second fails":      {[]kind{answered, broken, answered}, 2, "open"},
		"one too few":           {[]kind{answered}, 1, "half-open"},
		"clients prove nothing": {[]kind{ours, ours, ours}, 3, "half-open"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := testBreaker()
				tell(b, broken, broken, broken, broken)
				time.Sleep(5*time.Second + time.Millisecond)
				if n := tell(b, tt.outcomes...); n != tt.through || state(b) != tt.want {
					t.Errorf("%d went through and it is %s, want %d and %s", n, state(b), tt.through, tt.want)
				}
			})
		})
	}
}

// Whoever sends the body of a probe slowly keeps the backend from the others for
// as long as it would be open, and no longer.
func TestProbeThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBreaker()
		tell(b, broken, broken, broken, broken)
		time.Sleep(5*time.Second + time.Millisecond)
		slow, _ := b.enter()
		slower, _ := b.enter()
		if _, err := b.enter(); err == nil {
			t.Fatal("there are more probes than there may be")
		}
		time.Sleep(5*time.Second + time.Millisecond)
		if n := tell(b, answered, answered); n != 2 || state(b) != "closed" {
			t.Errorf("%d went through and it is %s, want 2 and closed", n, state(b))
		}
		slow.leave(broken)
		slower.leave(broken)
		if tell(b, answered); state(b) != "closed" || b.two.Counts().TotalFailures != 0 {
			t.Errorf("what became of them later counts: %+v", b.two.Counts())
		}
	})
}

// A probe whose end was told is not ended by its clock as well.
func TestProbeEndsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBreaker()
		tell(b, broken, broken, broken, broken)
		time.Sleep(5*time.Second + time.Millisecond)
		tell(b, answered)
		time.Sleep(time.Minute)
		if n := b.two.Counts(); n.TotalExclusions != 0 || n.TotalSuccesses != 1 {
			t.Errorf("got %+v", n)
		}
	})
}

// A try counts when it ends, however long it took: a backend that does not answer
// at all is told of after the time for an answer, which may be longer than what
// is looked back over.
func TestBreakerOpensForBackendThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBreaker()
		var tries []pass
		for range 6 {
			p, err := b.enter()
			if err != nil {
				t.Fatal(err)
			}
			tries = append(tries, p)
			time.Sleep(time.Second)
		}
		time.Sleep(30 * time.Second)
		for _, p := range tries[:4] {
			p.leave(late)
		}
		if state(b) != "open" {
			t.Errorf("it is %s after four tries in vain", state(b))
		}
		// What began before it opened says nothing of what is after.
		time.Sleep(6 * time.Second)
		tell(b, answered, answered)
		for _, p := range tries[4:] {
			p.leave(late)
		}
		if n := b.two.Counts(); state(b) != "closed" || n.TotalFailures != 0 {
			t.Errorf("it is %s with %+v", state(b), n)
		}
	})
}
