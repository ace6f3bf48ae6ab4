package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// patient are settings by which three failures take an endpoint out.
func patient(share int) *config.Ejection {
	return &config.Ejection{
		Failures: 3, Statuses: []int{502, 503, 504}, Share: share,
		For: config.Duration(10 * time.Second), Longest: config.Duration(time.Minute),
	}
}

// moods is how each address answers.
type moods struct {
	mu    sync.Mutex
	codes map[string]int // 0 breaks off
	asked map[string]int
}

func (m *moods) answer(address string, _ *http.Request) (*http.Response, error) {
	_, port, _ := strings.Cut(address, ":")
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked == nil {
		m.asked = map[string]int{}
	}
	m.asked[port]++
	code, ok := m.codes[port]
	switch {
	case !ok:
		return status(200)
	case code == 0:
		return nil, errors.New("broken off")
	}
	return status(code)
}

// since gives what was asked since the last time.
func (m *moods) since() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.asked
	m.asked = map[string]int{}
	return out
}

func (m *moods) set(port string, code int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if code == 200 {
		delete(m.codes, port)
		return
	}
	m.codes[port] = code
}

// send sends n exchanges, one after the other.
func send(t *testing.T, u *Upstream, n int) {
	t.Helper()
	for range n {
		res, err := u.Handle(middlewaretest.Exchange(t, "GET", "/", nil))
		if err == nil {
			_ = res.Body.Close()
		}
	}
}

// One of three is bad: it gets no traffic, comes back, is taken out for twice as
// long while it stays bad, and serves again once it is not.
func TestEjection(t *testing.T) {
	for name, code := range map[string]int{"breaks off": 0, "says so": 503} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &moods{codes: map[string]int{"2": code}}
				u := fleet(t, &config.Upstream{Endpoints: ports(1, 2, 3), Ejection: patient(50)}, m.answer)
				out := time.Duration(0)
				for _, within := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute} {
					m.since()
					send(t, u, 9)
					if got := m.since(); got["2"] != 3 {
						t.Fatalf("after %s: the bad one was asked %d times before it was taken out, want 3", out, got["2"])
					}
					until := u.Endpoints()[1].EjectedUntil
					if until == nil || time.Until(*until) != within {
						t.Fatalf("it is out until %v, want in %s", until, within)
					}
					time.Sleep(within - time.Second)
					send(t, u, 30)
					if got := m.since(); got["2"] != 0 || got["1"] != 15 || got["3"] != 15 {
						t.Fatalf("while it is out: %v", got)
					}
					time.Sleep(time.Second)
					synctest.Wait()
					if u.Endpoints()[1].EjectedUntil != nil {
						t.Fatal("it does not come back")
					}
					out += within
				}
				m.set("2", 200)
				m.since()
				send(t, u, 30)
				if got := m.since(); got["2"] != 10 {
					t.Errorf("after it got well: %v", got)
				}
				time.Sleep(time.Minute) // fine for as long as the longest ejection: forgotten
				m.set("2", code)
				send(t, u, 9)
				if until := u.Endpoints()[1].EjectedUntil; until == nil || time.Until(*until) != 10*time.Second {
					t.Errorf("it is out until %v, want 10s", until)
				}
				if n := u.Endpoints()[0].Ejections + u.Endpoints()[1].Ejections; n != 6 {
					t.Errorf("%d ejections are counted, want 6", n)
				}
			})
		})
	}
}

func TestEjectionIsBounded(t *testing.T) {
	for _, tt := range []struct{ endpoints, share, want int }{
		{1, 50, 0}, {1, 100, 1}, {2, 50, 1}, {3, 50, 1}, {4, 50, 2}, {4, 100, 4}, {4, 24, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			var all []int
			for i := range tt.endpoints {
				all = append(all, i+1)
			}
			u := fleet(t, &config.Upstream{Endpoints: ports(all...), Ejection: patient(tt.share)}, func(string, *http.Request) (*http.Response, error) {
				return status(502)
			})
			send(t, u, 40)
			n := 0
			for _, e := range u.Endpoints() {
				if e.EjectedUntil != nil {
					n++
				}
			}
			if n != tt.want {
				t.Errorf("%d of %d are out with a share of %d, want %d", n, tt.endpoints, tt.share, tt.want)
			}
		})
	}
}

func TestFailuresMustBeInARow(t *testing.T) {
	n := 0
	u := fleet(t, &config.Upstream{Endpoints: ports(1, 2), Ejection: patient(50)}, func(address string, _ *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(address, ":1") {
			return status(200)
		}
		if n++; n%3 == 0 {
			return status(500) // not one of the statuses
		}
		return status(503)
	})
	send(t, u, 40)
	if u.Endpoints()[0].EjectedUntil != nil {
		t.Error("it was taken out without three failures in a row")
	}
}

// What a client causes is not held against an endpoint: nor what the gateway
// ends.
func TestClientsCauseNoEjection(t *testing.T) {
	for name, exchange := range map[string]func(t *testing.T) *middleware.Exchange{
		"goes away": func(t *testing.T) *middleware.Exchange {
			ctx, cancel := context.WithCancel(t.Context())
			x := middlewaretest.Exchange(t, "GET", "/", nil)
			x.Request = x.Request.WithContext(ctx)
			time.AfterFunc(10*time.Millisecond, cancel)
			return x
		},
		"slow body": func(t *testing.T) *middleware.Exchange {
			x := middlewaretest.Exchange(t, "POST", "/", io.MultiReader(strings.NewReader("half"), failing{errors.New("slow")}))
			x.Request.ContentLength = -1
			return x
		},
		"ended by us": func(t *testing.T) *middleware.Exchange {
			var x *middleware.Exchange
			x = middlewaretest.Exchange(t, "POST", "/", reading(func() { x.Cancel(middleware.ErrEnded) }))
			x.Request.ContentLength = -1
			return x
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			})
			u := open(t, &config.Upstream{Ejection: patient(100)}, url)
			for range 5 {
				if _, err := u.Handle(exchange(t)); err == nil {
					t.Fatal("there is an answer")
				}
			}
			if e := u.Endpoints()[0]; e.EjectedUntil != nil || u.targets[0].failures.Load() != 0 {
				t.Errorf("it is held against the endpoint: %+v", e)
			}
		})
	}
}

// reading is a body that does something when it is read, and does not end.
type reading func()

func (r reading) Read(p []byte) (int, error) {
	r()
	time.Sleep(time.Millisecond)
	return copy(p, "x"), nil
}

// The counterpart over a real network: what the endpoint causes counts.
func TestEndpointsCauseEjection(t *testing.T) {
	silence := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	url, ca := serveTLS(t, silence)
	for name, tt := range map[string]struct {
		url string
		opt func(*middleware.Exchange)
	}{
		"not there":   {"http://127.0.0.1:1", timeouts(time.Minute, 0)},
		"HTTP/2":      {url, timeouts(short, 0)},
		"silent":      {serve(t, silence), timeouts(short, 0)},
		"unavailable": {serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }), timeouts(time.Minute, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			u := open(t, &config.Upstream{Ejection: patient(100), CA: ca}, tt.url)
			for range 3 {
				if u.Endpoints()[0].EjectedUntil != nil {
					t.Fatal("it is out too early")
				}
				_, _, _ = handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil, tt.opt))
			}
			if u.Endpoints()[0].EjectedUntil == nil {
				t.Error("it is not taken out")
			}
		})
	}
}

// Where nearly nobody is well, everybody is used again, within the region.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &moods{codes: map[string]int{"1": 503, "2": 503, "4": 503}}
		c := &config.Upstream{
			Panic: 50, Health: &config.Health{Path: "/", Interval: config.Duration(time.Second)},
			Endpoints: []config.Endpoint{at(1, "eu", 1), at(2, "eu", 1), at(3, "eu", 1), at(4, "us", 1)},
		}
		u := fleet(t, c, m.answer)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		a := anybody(t)
		if got := picks(u, 400, a); len(got) != 4 {
			t.Errorf("one of four is well: %v, want all", got)
		}
		a.region = "eu"
		if got := picks(u, 400, a); len(got) != 3 || got["4"] != 0 {
			t.Errorf("one of three of the region is well: %v, want all three", got)
		}
		m.set("2", 200)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := picks(u, 400, a); got["2"] != 200 || got["3"] != 200 {
			t.Errorf("two of three are well: %v, want these", got)
		}
	})
}

// An endpoint that became well gets its share step by step.
func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &moods{codes: map[string]int{}}
		u := fleet(t, &config.Upstream{
			SlowStart: config.Duration(100 * time.Second), Endpoints: ports(1, 2),
			Health: &config.Health{Path: "/", Interval: config.Duration(time.Second)},
		}, m.answer)
		if got := picks(u, 400, anybody(t)); got["2"] != 200 {
			t.Errorf("at the start nobody is slower than the others: %v", got)
		}
		m.set("2", 503)
		time.Sleep(3 * time.Second)
		m.set("2", 200)
		for !u.Endpoints()[1].Well {
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		before := 0
		for i := range 11 {
			got := picks(u, 2200, anybody(t))["2"]
			if got < before {
				t.Errorf("after %d s it gets %d, less than %d before", i*10, got, before)
			}
			if i == 0 && (got < 150 || got > 250) || i == 10 && got != 1100 {
				t.Errorf("after %d s it gets %d of 2200", i*10, got)
			}
			before = got
			time.Sleep(10 * time.Second)
			synctest.Wait()
		}
	})
}
