package gateway

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// worker is a backend that works on so many requests at once, and lets the others
// wait.
func worker(workers int, takes time.Duration) (h http.HandlerFunc, most *atomic.Int64) {
	most = &atomic.Int64{}
	free, inside := make(chan struct{}, workers), &atomic.Int64{}
	return func(w http.ResponseWriter, r *http.Request) {
		n := inside.Add(1)
		defer inside.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		free <- struct{}{}
		defer func() { <-free }()
		time.Sleep(takes)
		fmt.Fprint(w, `{}`)
	}, most
}

// tally counts answers by status.
type tally struct {
	served, refused atomic.Int64
	other           atomic.Pointer[string]
}

// ask sends a request and counts the answer.
func (c *tally) ask(client *http.Client, r *http.Request) {
	res, err := client.Do(r)
	what := fmt.Sprint(err)
	if err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		what = res.Status + " " + res.Header.Get("Retry-After")
		switch {
		case res.StatusCode == http.StatusOK:
			c.served.Add(1)
			return
		case res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") >= "1":
			c.refused.Add(1)
			return
		}
	}
	c.other.Store(&what)
}

const fair = `
overload: {in_flight: 2000}
upstreams: {hr: {endpoints: ["{HR}"], concurrency: {max: 16}}}
routes:
  - {name: api, match: {path: /api/}, upstream: hr, authn: {issuers: [auth]}, policy: "off"}
  - {name: open, match: {path: /open/}, upstream: hr, public: true, policy: "off"}
`

// TestFlood: two hundred clients of one tenant, or of nobody, ask for all that
// they can get. A tenant that asks for little gets what it asks for, every time;
// the flood is told to come back later; and the backend never has more than it
// can bear.
func TestFlood(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		tenant     string
	}{
		{"of a tenant", "/api/", "flood"},
		{"of strangers at one address", "/open/", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := open(t)
			h, most := worker(16, 20*time.Millisecond)
			w.backend("HR", h)
			w.start(fair, "")
			headers := func(tenant string) []string {
				if tenant == "" {
					return nil
				}
				return []string{w.bearer(map[string]any{"tenant": tenant})}
			}
			client := w.client(false)
			client.Transport.(*http.Transport).MaxIdleConnsPerHost = 300
			flooding, stop := context.WithCancel(t.Context())
			var flood, trickle tally
			var clients, few sync.WaitGroup
			theirs, ours := headers(tt.tenant), headers("trickle")
			for range 200 {
				clients.Go(func() {
					for flooding.Err() == nil {
						flood.ask(client, w.request("GET", w.plain+tt.path, nil, theirs...))
						time.Sleep(50 * time.Millisecond) // or the machine is flooded, not the backend
					}
				})
			}
			eventually(t, "the flood fills the backend", func() bool { return flood.refused.Load() > 100 })
			for range 2 {
				few.Go(func() {
					for range 30 {
						trickle.ask(client, w.request("GET", w.plain+"/api/", nil, ours...))
					}
				})
			}
			few.Wait()
			stop()
			clients.Wait()
			for name, c := range map[string]*tally{"flood": &flood, "trickle": &trickle} {
				if what := c.other.Load(); what != nil {
					t.Errorf("%s: %s", name, *what)
				}
			}
			if trickle.served.Load() != 60 || trickle.refused.Load() != 0 {
				t.Errorf("of those who ask for little %d are served and %d refused", trickle.served.Load(), trickle.refused.Load())
			}
			if flood.served.Load() == 0 || flood.refused.Load() == 0 {
				t.Errorf("of the flood %d are served and %d refused", flood.served.Load(), flood.refused.Load())
			}
			if most.Load() > 16 {
				t.Errorf("the backend had %d at once", most.Load())
			}
			t.Logf("flood: %d served, %d refused; trickle: %d served, %d refused",
				flood.served.Load(), flood.refused.Load(), trickle.served.Load(), trickle.refused.Load())
			w.noneInFlight("upstream", "hr")
			w.noneInFlight("gateway", "all")
		})
	}
}

// noneInFlight waits until nothing has a place of a bound, nor waits for one.
func (w *world) noneInFlight(bound, name string) {
	w.t.Helper()
	for _, what := range []string{"in_flight", "waiting", "streams"} {
		metric := fmt.Sprintf("gatehouse_overload_%s{bound=%q,name=%q}", what, bound, name)
		eventually(w.t, metric+" is 0", func() bool { return w.metric(metric) == "0" })
	}
}

// held is a backend whose answers wait for a word.
type held struct {
	begun atomic.Int64
	end   chan struct{} // one for each answer
}

func (h *held) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/events") {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	}
	h.begun.Add(1)
	select {
	case <-h.end:
	case <-r.Context().Done():
	}
}

// TestReloadKeepsPlaces: what is under way counts for the plans that come after;
// a changed bound applies to it; and the connections to the backend are not made
// anew for it.
func TestReloadKeepsPlaces(t *testing.T) {
	w := open(t)
	hr := &held{end: make(chan struct{})}
	w.backend("HR", hr.ServeHTTP)
	settings := func(most int) string {
		return preamble + fmt.Sprintf(`
upstreams: {hr: {endpoints: ["{HR}"], concurrency: {max: %d, wait: 0s}}}
routes:
  - {name: open, match: {path: /open/}, upstream: hr, public: true, policy: "off", limits: {in_flight: 10}}
`, most)
	}
	w.start(settings(3), "")
	before := w.g.Plan().upstreams["hr"]
	client := w.client(false)
	var asked sync.WaitGroup
	var answers tally
	ask := func() {
		n := hr.begun.Load()
		asked.Go(func() { answers.ask(client, w.request("GET", "/open/", nil)) })
		eventually(t, "the backend has another request", func() bool { return hr.begun.Load() > n })
	}
	refused := func(when string) {
		t.Helper()
		if a := do(t, client, w.request("GET", "/open/", nil)); a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: %s", when, a.Status)
		}
	}
	reload := func(most int) {
		t.Helper()
		w.write("gatehouse.yaml", settings(most))
		if err := w.reloader.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	end := func() {
		n := answers.served.Load()
		hr.end <- struct{}{}
		eventually(t, "an answer", func() bool { return answers.served.Load() > n })
	}
	for range 3 {
		ask()
	}
	refused("3 of 3")
	reload(2)
	end()
	refused("2 of 2")
	reload(3)
	ask() // 2 of 3
	refused("3 of 3")
	if w.g.Plan().upstreams["hr"] != before {
		t.Error("the upstream was opened anew")
	}
	w.write("gatehouse.yaml", settings(0))
	if err := w.reloader.Reload(t.Context()); err == nil {
		t.Error("a bound of 0 is no mistake")
	}
	refused("still 3 of 3")
	for range 3 {
		end()
	}
	asked.Wait()
	w.noneInFlight("upstream", "hr")
	w.noneInFlight("route", "open")
	ask() // 0 of 3
	end()
	asked.Wait()
	if what := answers.other.Load(); what != nil {
		t.Error(*what)
	}
}

// TestStreamsLeaveTheirPlaces: a feed that is open for hours keeps nobody out.
func TestStreamsLeaveTheirPlaces(t *testing.T) {
	w := open(t)
	hr := &held{end: make(chan struct{}, 1)}
	w.backend("HR", hr.ServeHTTP)
	w.start(`
upstreams: {hr: {endpoints: ["{HR}"], concurrency: {max: 1, wait: 0s}}}
routes:
  - {name: open, match: {path: /open/}, upstream: hr, public: true, policy: "off"}
`, "")
	client := w.client(true)
	feed, err := client.Do(w.request("GET", "/open/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	if n := w.metric(`gatehouse_overload_streams{bound="upstream",name="hr"}`); n != "1" {
		t.Errorf("%s streams", n)
	}
	hr.end <- struct{}{}
	if a := do(t, client, w.request("GET", "/open/", nil)); a.StatusCode != http.StatusOK {
		t.Errorf("beside a stream: %s %s", a.Status, a.body)
	}
	_ = feed.Body.Close()
	w.noneInFlight("upstream", "hr")
}

// TestEveryEndingGivesItsPlaceBack: exchanges that end in every way, over real
// sockets, and then none is under way.
func TestEveryEndingGivesItsPlaceBack(t *testing.T) {
	w := open(t)
	w.backend("HR", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("how") {
		case "break":
			panic(http.ErrAbortHandler)
		case "half":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(make([]byte, 500))
			panic(http.ErrAbortHandler)
		case "events":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {}\n\n")
		case "slow":
			select {
			case <-time.After(2 * time.Second):
			case <-r.Context().Done():
			}
		case "upgrade":
			w.Header().Set("Upgrade", "x")
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(http.StatusSwitchingProtocols)
		case "masked":
			w.Header().Set("Content-Type", "application/octet-stream")
			_, _ = w.Write(make([]byte, 100))
		case "large":
			_, _ = w.Write(make([]byte, 1<<20))
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"salary": 1}`)
		}
	})
	w.start(`
overload: {in_flight: 60, roles: [oncall]}
upstreams: {hr: {endpoints: ["{HR}"], concurrency: {max: 20, wait: 20ms, adaptive: true}}}
routes:
  - {name: api, match: {path: /api/}, upstream: hr, authn: {issuers: [auth]}, limits: {in_flight: 30}, timeouts: {upstream: 500ms}, sanitize: {html: strip}}
  - {name: open, match: {path: /open/}, upstream: hr, public: true, policy: "off", priority: high}
`, `allow if true
mask contains {"path": "$.salary", "action": "redact"}
`)
	var headers [][]string
	for i := range 6 {
		claims := map[string]any{"tenant": fmt.Sprint(i), "sub": fmt.Sprint(i)}
		if i == 0 {
			claims["role"] = "oncall"
		}
		headers = append(headers, []string{w.bearer(claims)})
	}
	clients := []*http.Client{w.client(false), w.client(true)}
	how := []string{"break", "half", "events", "slow", "upgrade", "masked", "large", "", ""}
	one := func() {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		path, method, body := "/api/", "GET", io.Reader(nil)
		if rand.IntN(3) == 0 {
			path = "/open/"
		}
		if rand.IntN(4) == 0 {
			method, body = "POST", strings.NewReader(`{"a": "b"}`)
		}
		r := w.request(method, path+"?how="+how[rand.IntN(len(how))], body, headers[rand.IntN(len(headers))]...)
		r.Header.Set("Content-Type", "application/json")
		if rand.IntN(4) == 0 {
			go func() {
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
				leave()
			}()
		}
		res, err := clients[rand.IntN(2)].Do(r.WithContext(ctx))
		if err != nil {
			return
		}
		if rand.IntN(3) > 0 {
			_, _ = io.Copy(io.Discard, res.Body)
		}
		_ = res.Body.Close()
	}
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			for range 25 {
				one()
			}
		})
	}
	all.Wait()
	w.noneInFlight("upstream", "hr")
	w.noneInFlight("route", "api")
	w.noneInFlight("gateway", "all")
	if n := w.metric("gatehouse_panics_total"); n != "0" {
		t.Errorf("%s panics", n)
	}
}
