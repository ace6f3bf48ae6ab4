package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/upstream/h1"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// backend is a service whose health the test sets.
type backend struct {
	url    string
	status atomic.Int64
	checks chan struct{} // one for each answered check
	calls  atomic.Int64
}

func newBackend(t *testing.T, status int64) *backend {
	b := &backend{checks: make(chan struct{}, 1000)}
	b.status.Store(status)
	b.url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			b.calls.Add(1)
			return
		}
		w.Header().Set("Location", "/")
		w.WriteHeader(int(b.status.Load()))
		fmt.Fprint(w, r.UserAgent())
		b.checks <- struct{}{}
	})
	return b
}

// see waits for the endpoint to be known as well or not.
func see(t *testing.T, u *Upstream, i int, well bool) {
	t.Helper()
	for range 2000 {
		if u.Endpoints()[i].Well == well {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("endpoint %d does not become well=%v", i, well)
}

// healthy has endpoints checked often. A check has time enough, which would be the
// interval otherwise.
func healthy(interval time.Duration) *config.Upstream {
	return &config.Upstream{Health: &config.Health{
		Path: "/healthz", Interval: config.Duration(interval), Timeout: config.Duration(time.Minute),
	}}
}

func TestUnwellEndpointsGetNoRequests(t *testing.T) {
	a, b := newBackend(t, 204), newBackend(t, 503)
	u := open(t, healthy(10*time.Millisecond), a.url, b.url)
	see(t, u, 1, false)
	for range 4 {
		if _, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); err != nil {
			t.Fatal(err)
		}
	}
	if a.calls.Load() != 4 || b.calls.Load() != 0 {
		t.Errorf("calls: %d to the one that is well, %d to the other", a.calls.Load(), b.calls.Load())
	}

	a.status.Store(302) // a redirect is not a 2xx
	see(t, u, 0, false)
	x := middlewaretest.Exchange(t, "GET", "/", nil)
	if _, _, err := handle(t, u, x); middlewaretest.Code(err) != "upstream_unavailable" || x.Upstream != "" {
		t.Errorf("got %v", err)
	}
	if a.calls.Load() != 4 || b.calls.Load() != 0 {
		t.Error("an endpoint that is not well was tried")
	}

	b.status.Store(200)
	see(t, u, 1, true)
	if _, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); err != nil || b.calls.Load() != 1 {
		t.Errorf("the endpoint that got well was not called: %v", err)
	}
}

func TestEndpointsAreWellUntilAsked(t *testing.T) {
	hold := make(chan struct{})
	u := open(t, healthy(time.Hour), serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
	}))
	defer close(hold)
	if status, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); err != nil || status != 200 {
		t.Errorf("got %d %v", status, err)
	}
}

func TestCloseEndsTheChecks(t *testing.T) {
	b := newBackend(t, 200)
	u := open(t, healthy(time.Millisecond), b.url)
	<-b.checks
	<-b.checks // it goes on
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	for len(b.checks) > 0 {
		<-b.checks
	}
	time.Sleep(20 * time.Millisecond)
	if n := len(b.checks); n > 1 { // one may have been answering
		t.Errorf("%d checks after Close", n)
	}
}

func TestCheckPathCannotLeadElsewhere(t *testing.T) {
	other := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") })
	u := open(t, nil, "http://127.0.0.1:1")
	if u.probe(t.Context(), u.targets[0], other, time.Second) == served {
		t.Error("it counts as well")
	}
}

func TestWatch(t *testing.T) {
	const answer, idle = 30 * time.Second, 60 * time.Second
	for name, tt := range map[string]struct {
		do   func(w *watch)
		want error
	}{
		"in time":                  {func(w *watch) { time.Sleep(answer - 1); w.answered() }, nil},
		"late":                     {func(*watch) { time.Sleep(answer + 1) }, errNoAnswer},
		"the client is slow":       {func(w *watch) { w.set(false, false); time.Sleep(time.Hour) }, nil},
		"late after a slow client": {func(w *watch) { w.set(false, false); time.Sleep(time.Hour); w.set(false, true); time.Sleep(answer + 1) }, errNoAnswer},
		"counted from the last byte": {func(w *watch) {
			time.Sleep(answer - 1)
			w.set(false, false)
			w.set(false, true)
			time.Sleep(answer - 1)
		}, nil},
		"nobody reads":              {func(w *watch) { w.answered(); time.Sleep(time.Hour) }, nil},
		"body in time":              {func(w *watch) { w.answered(); w.set(true, true); time.Sleep(idle - 1); w.set(true, false) }, nil},
		"body late":                 {func(w *watch) { w.answered(); w.set(true, true); time.Sleep(idle + 1) }, errIdle},
		"request goes on":           {func(w *watch) { w.answered(); w.set(false, true); time.Sleep(time.Hour) }, nil},
		"request pauses the answer": {func(w *watch) { w.answered(); w.set(true, true); w.set(false, false); time.Sleep(idle + 1) }, errIdle},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(io.EOF)
				w := newWatch(cancel, answer, idle)
				tt.do(w)
				synctest.Wait()
				if got := context.Cause(ctx); got != tt.want {
					t.Errorf("ended with %v, want %v", got, tt.want)
				}
				w.answered() // stop the clock
			})
		})
	}
}

// Thresholds, statuses and time-outs say when an answer counts for how much.
func TestThresholds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &moods{codes: map[string]int{"1": 204}}
		u := fleet(t, &config.Upstream{Endpoints: ports(1), Health: &config.Health{
			Path: "/", Interval: config.Duration(10 * time.Second), Healthy: 2, Unhealthy: 3, Statuses: []int{204, 401},
		}}, m.answer)
		// asked waits for n checks and says how the endpoint is then.
		asked := func(n int) bool {
			for m.since(); n > 0; {
				time.Sleep(time.Second)
				synctest.Wait()
				n -= m.since()["1"]
			}
			return u.Endpoints()[0].Well
		}
		for i, step := range []struct {
			code, checks int
			want         bool
		}{
			{204, 2, true},
			{200, 2, true}, // not one of the statuses, and not three in a row
			{401, 1, true},
			{200, 2, true},
			{200, 1, false},
			{204, 1, false},
			{500, 1, false},
			{204, 1, false},
			{204, 1, true},
		} {
			m.set("1", 0)
			m.codes["1"] = step.code
			if got := asked(step.checks); got != step.want {
				t.Errorf("step %d: well=%v after %d checks with %d", i, got, step.checks, step.code)
			}
		}
	})
}

// Replicas that start together do not go on asking together.
func TestChecksAreNotInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var times []time.Duration
		u := fleet(t, &config.Upstream{Endpoints: ports(1), Health: &config.Health{Path: "/", Interval: config.Duration(10 * time.Second)}},
			func(string, *http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				times = append(times, time.Since(start))
				return status(200)
			})
		time.Sleep(1000 * time.Second)
		synctest.Wait()
		_ = u.Close()
		gaps := map[time.Duration]bool{}
		for i := range times[2:] {
			gap := times[i+2] - times[i+1]
			if gap < 9*time.Second || gap > 11*time.Second {
				t.Errorf("%s between two checks", gap)
			}
			gaps[gap] = true
		}
		if times[0] != 0 || times[1] >= 10*time.Second || len(times) < 92 || len(times) > 112 || len(gaps) < 50 {
			t.Errorf("%d checks with %d gaps, the first at %s and %s", len(times), len(gaps), times[0], times[1])
		}
	})
}

// A check ends when its own time is over, not that of the interval.
func TestCheckTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var took time.Duration
		u := fleet(t, &config.Upstream{Endpoints: ports(1), Health: &config.Health{
			Path: "/", Interval: config.Duration(time.Hour), Timeout: config.Duration(time.Second),
		}}, func(_ string, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			took = time.Since(start)
			return nil, r.Context().Err()
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if u.Endpoints()[0].Well || took != time.Second {
			t.Errorf("well after %s of silence", took)
		}
	})
}

// A check for which all connections there may be were in use finds nothing: nobody
// was asked.
func TestChecksThatFindNoConnection(t *testing.T) {
	u := open(t, &config.Upstream{Connections: config.Pool{Max: 1}}, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			return
		}
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	res, err := u.Handle(middlewaretest.Exchange(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if got := u.probe(t.Context(), u.targets[0], "/health", 20*time.Millisecond); got != nothing {
			t.Errorf("found %v where all connections are in use", got)
		}
	}
	_ = res.Body.Close()
	if got := u.probe(t.Context(), u.targets[0], "/health", time.Minute); got != served {
		t.Errorf("found %v where one is free", got)
	}
}

// Clients that hold all connections do not make an endpoint unwell.
func TestChecksThatFindNothingCountForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var found atomic.Pointer[error]
		found.Store(&h1.ErrBusy)
		u := fleet(t, &config.Upstream{Endpoints: ports(1), Health: &config.Health{
			Path: "/", Interval: config.Duration(time.Second), Unhealthy: 1,
		}}, func(string, *http.Request) (*http.Response, error) { return nil, *found.Load() })
		time.Sleep(time.Minute)
		synctest.Wait()
		if e := u.Endpoints()[0]; !e.Well {
			t.Errorf("it counts as unwell: %+v", e)
		}
		found.Store(&io.EOF)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if e := u.Endpoints()[0]; e.Well {
			t.Errorf("it counts as well: %+v", e)
		}
	})
}
