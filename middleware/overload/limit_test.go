package overload

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// server is a backend that works on so many calls at once, each for so long, and
// lets the others wait in the order in which they came.
type server struct {
	mu      sync.Mutex
	workers int
	busy    int
	queue   []chan struct{}
	takes   time.Duration
	broken  bool
	done    atomic.Int64
}

func (s *server) set(workers int, takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workers, s.takes = workers, takes
	s.next()
}

// next begins what there are workers for. The lock is held.
func (s *server) next() {
	for s.busy < s.workers && len(s.queue) > 0 {
		close(s.queue[0])
		s.queue = s.queue[1:]
		s.busy++
	}
}

func (s *server) Handle(x *middleware.Exchange) (*http.Response, error) {
	turn := make(chan struct{})
	s.mu.Lock()
	s.queue = append(s.queue, turn)
	s.next()
	s.mu.Unlock()
	<-turn
	s.mu.Lock()
	takes, broken := s.takes, s.broken
	s.mu.Unlock()
	time.Sleep(takes)
	s.mu.Lock()
	s.busy--
	s.next()
	s.mu.Unlock()
	if broken {
		return nil, middleware.Refuse("upstream", middleware.UpstreamTimeout, "")
	}
	s.done.Add(1)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
}

// run keeps clients asking, until the function that it is given returns. They
// belong to so many tenants, and come back a little after an answer.
func run(t *testing.T, c *Cap, s *server, clients, tenants int, during func()) {
	t.Helper()
	c.Use()
	stage := New(&config.Route{Name: "r"}, nil, c)
	next := c.Watch(s.Handle)
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				x := &middleware.Exchange{Request: get(ctx), Subject: &policies.Subject{Tenant: string(rune('a' + i%tenants))}}
				res, err := stage.Handle(x, next)
				if err != nil {
					time.Sleep(100 * time.Millisecond)
					continue
				}
				_ = res.Body.Close()
				time.Sleep(time.Duration(i%7) * time.Millisecond) // clients do not march in step
			}
		})
	}
	during()
	stop()
	all.Wait()
	if st := c.State(); st.InFlight != 0 || st.Waiting != 0 {
		t.Errorf("left over: %+v", st)
	}
}

func get(ctx context.Context) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://h/", http.NoBody)
	if err != nil {
		panic(err)
	}
	return r
}

func adaptive(low, high int) *Cap {
	return &Cap{NewGate("upstream", "hr"), Settings{Max: high, Min: low, Adaptive: true, Queue: high, Wait: 100 * time.Millisecond}}
}

// settledBound is the bound while the floor is not being measured.
func settledBound(c *Cap) int {
	for l := c.limit.Load(); ; time.Sleep(10 * time.Millisecond) {
		l.mu.Lock()
		bound, measuring := int(l.bound), l.resume > 0
		l.mu.Unlock()
		if !measuring {
			return bound
		}
	}
}

// usualBound is the middle one of what the bound is in the next seconds: it swings
// around what it has found.
func usualBound(c *Cap) int {
	var seen []int
	for range 15 {
		time.Sleep(200 * time.Millisecond)
		seen = append(seen, settledBound(c))
	}
	slices.Sort(seen)
	return seen[len(seen)/2]
}

// TestSlowBackend: a backend loses nine of ten of its workers, so that what it
// is given would take ten times as long. The bound goes down with it, so that
// answers that are given are given in time; no work is lost over it; and the
// bound comes back when the workers do.
func TestSlowBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes = 50 * time.Millisecond
		s, c := &server{workers: 20, takes: takes}, adaptive(1, 200)
		goodput := func(during time.Duration) float64 {
			before := s.done.Load()
			time.Sleep(during)
			return float64(s.done.Load()-before) / during.Seconds()
		}
		run(t, c, s, 120, 4, func() {
			time.Sleep(10 * time.Second) // to find its bound
			well := usualBound(c)
			if best, got := 20/takes.Seconds(), goodput(10*time.Second); got < 0.9*best {
				t.Errorf("well: %.0f answers a second of %.0f that can be", got, best)
			}
			if well < 20 || well > 60 {
				t.Errorf("well: a bound of %d for a backend of 20", well)
			}
			s.set(2, takes)
			time.Sleep(10 * time.Second)
			slow := usualBound(c)
			if slow > well/4 {
				t.Errorf("the bound is %d when the backend is slow, of %d", slow, well)
			}
			if best, got := 2/takes.Seconds(), goodput(10*time.Second); got < 0.85*best {
				t.Errorf("slow: %.0f answers a second of %.0f that can be", got, best)
			}
			s.set(20, takes)
			time.Sleep(10 * time.Second)
			again := usualBound(c)
			if best, got := 20/takes.Seconds(), goodput(10*time.Second); got < 0.9*best {
				t.Errorf("well again: %.0f answers a second of %.0f that can be", got, best)
			}
			if again < well/2 {
				t.Errorf("the bound is %d when the backend is well again; it was %d", again, well)
			}
			t.Logf("bound %d, %d when slow, %d when well again", well, slow, again)
		})
	})
}

// TestFloodOfASlowBackend: one tenant floods a backend that has become slow. The
// bound is down to a few, and another tenant is served every time all the same.
func TestFloodOfASlowBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &server{workers: 20, takes: 50 * time.Millisecond}, adaptive(1, 200)
		c.Settings.Wait = 400 * time.Millisecond // where the floor is measured, a full bound runs dry first
		stage := New(&config.Route{Name: "r"}, nil, c)
		run(t, c, s, 60, 1, func() {
			time.Sleep(10 * time.Second)
			s.set(2, 50*time.Millisecond)
			time.Sleep(20 * time.Second)
			if b := settledBound(c); b >= 8 {
				t.Errorf("a bound of %d shows nothing", b)
			}
			for range 100 {
				res, err := stage.Handle(&middleware.Exchange{Request: get(t.Context()), Subject: of("other")}, c.Watch(s.Handle))
				if err != nil {
					t.Errorf("the other tenant is refused: %v", err)
					continue
				}
				_ = res.Body.Close()
				time.Sleep(50 * time.Millisecond)
			}
			if c.State().Refused["wait"] == 0 {
				t.Error("there is no flood")
			}
		})
	})
}

// TestSlowerForGood: each call takes ten times as long from now on, with as many
// workers. That is no reason to use fewer of them, and the bound finds out.
func TestSlowerForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &server{workers: 20, takes: 50 * time.Millisecond}, adaptive(1, 200)
		run(t, c, s, 120, 4, func() {
			time.Sleep(10 * time.Second)
			s.set(20, 500*time.Millisecond)
			time.Sleep(60 * time.Second)
			before := s.done.Load()
			time.Sleep(60 * time.Second)
			if best, got := 20/.5, float64(s.done.Load()-before)/60; got < 0.85*best {
				t.Errorf("%.0f answers a second of %.0f that can be; the bound is %d", got, best, c.State().Bound)
			}
			t.Logf("bound %d", c.State().Bound)
		})
	})
}

// TestFailingBackend: one that does not answer in time is asked less and less.
func TestFailingBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := &server{workers: 1000, takes: 20 * time.Millisecond}, adaptive(5, 100)
		run(t, c, s, 150, 4, func() {
			time.Sleep(10 * time.Second)
			if b := settledBound(c); b != 100 {
				t.Errorf("the bound is %d, want what is allowed: the backend is never busy", b)
			}
			s.mu.Lock()
			s.broken = true
			s.mu.Unlock()
			time.Sleep(10 * time.Second)
			if b := settledBound(c); b != 5 {
				t.Errorf("the bound is %d when all fails, want the least that is allowed", b)
			}
			s.mu.Lock()
			s.broken = false
			s.mu.Unlock()
			time.Sleep(10 * time.Second)
			if b := settledBound(c); b != 100 {
				t.Errorf("the bound is %d when all is well again", b)
			}
		})
	})
}

// TestUnused: what is not used is not judged: slow answers to a few requests say
// nothing about many.
func TestUnused(t *testing.T) {
	l := newLimit(1, 100)
	for range 1000 {
		l.answered(l.now(), time.Millisecond, 2)
	}
	for range 1000 {
		l.answered(l.now(), time.Second, 2)
	}
	if b := l.current(); b != firstBound {
		t.Errorf("the bound is %d, of %d that were never used", b, firstBound)
	}
}

// TestStale: an answer to a call that began under another bound is no measure of
// this one.
func TestStale(t *testing.T) {
	l := newLimit(1, 100)
	first := l.now()
	for range 100 {
		l.answered(l.now(), time.Millisecond, 20)
	}
	before, round := l.current(), l.now()
	for range 1000 {
		l.answered(first, time.Hour, 20)
	}
	if l.current() != before || l.now() != round {
		t.Errorf("the bound is %d after %d, in round %d after %d", l.current(), before, l.now(), round)
	}
}

// TestStreamedBodies: what is sent to a backend streams from clients, and so says
// nothing about time. A rare failure costs nothing then; the bound finds its way
// up; it comes back after an outage; and a measurement of the floor that nothing
// can be measured for comes to an end.
func TestStreamedBodies(t *testing.T) {
	c := adaptive(2, 200)
	c.Use()
	l, fails := c.limit.Load(), false
	h := c.Watch(func(*middleware.Exchange) (*http.Response, error) {
		if fails {
			return nil, middleware.Refuse("upstream", middleware.UpstreamTimeout, "")
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
	})
	post := func(n int) {
		for range n {
			r := get(t.Context())
			r.Body = io.NopCloser(strings.NewReader("{}"))
			c.held.Store(int64(l.current())) // all places are taken
			_, _ = h(&middleware.Exchange{Request: r})
		}
	}
	for range 500 {
		post(99)
		fails = true
		post(1)
		fails = false
	}
	if b := l.current(); b != 200 {
		t.Errorf("with one failure in a hundred the bound is %d", b)
	}
	fails = true
	post(1000)
	if b := l.current(); b != 2 {
		t.Errorf("in an outage the bound is %d", b)
	}
	fails = false
	post(100_000)
	if b := l.current(); b != 200 {
		t.Errorf("after the outage the bound is %d", b)
	}
	for l.resume == 0 {
		l.answered(l.now(), time.Millisecond, l.current())
	}
	post(1000)
	if b := l.current(); b != 200 {
		t.Errorf("after the floor could not be measured the bound is %d", b)
	}
}
