package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// faulting is a stage, or what a stage puts around a body, with a fault at one
// point.
type faulting struct {
	at   string // "" where there is none any more
	next middleware.Handler
}

// faultyReader gives n bytes and then meets its fault.
type faultyReader struct {
	io.ReadCloser
	n int
}

func (r *faultyReader) Read(p []byte) (int, error) {
	if r.n == 0 {
		panic("in a body")
	}
	n, err := r.ReadCloser.Read(p[:min(len(p), r.n)])
	r.n -= n
	return n, err
}

// faultyCloser meets its fault in the end.
type faultyCloser struct{ io.ReadCloser }

func (c *faultyCloser) Close() error {
	_ = c.ReadCloser.Close()
	panic("in closing")
}

func (f *faulting) handle(x *middleware.Exchange) (*http.Response, error) {
	switch f.at {
	case "before":
		panic("before the upstream")
	case "request body at once":
		x.Request.Body = &faultyReader{x.Request.Body, 0}
	case "request body in the middle":
		x.Request.Body = &faultyReader{x.Request.Body, 40 << 10}
	}
	res, err := f.next(x)
	if err != nil {
		return nil, err
	}
	switch f.at {
	case "after":
		panic("after the upstream")
	case "answer at once":
		res.Body = &faultyReader{res.Body, 0}
	case "answer in the middle":
		res.Body = &faultyReader{res.Body, 40 << 10}
	case "closing the answer":
		res.Body = &faultyCloser{res.Body}
	}
	return res, nil
}

// Whatever of ours is at fault, and wherever: the places that the exchange had are
// free afterwards, all of them, and so is its connection. There is one of each. The
// fault is counted and logged, and the exchange on record.
func TestFaultsGiveTheirPlacesBack(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(rw, strings.Repeat("x", 1<<20))
		})
		p := w.compile(`
overload: {in_flight: 1}
upstreams: {hr: {endpoints: ["{HR}"], connections: {max: 1}, concurrency: {max: 1, wait: 10s}}}
routes:
  - {name: plain, match: {path: /plain/}, upstream: hr, public: true, policy: "off", limits: {in_flight: 1}}
`, "")
		var at atomic.Pointer[string]
		for _, l := range p.pipelines {
			l.handler = middleware.Chain(func(x *middleware.Exchange) (*http.Response, error) {
				return (&faulting{*at.Load(), l.upstream.Handle}).handle(x)
			}, l.stages...)
		}
		w.serve(p)
		c := w.client(h2)
		free := func(after string) {
			t.Helper()
			w.noneInFlight("gateway", "all")
			w.noneInFlight("route", "plain")
			w.noneInFlight("upstream", "hr")
			for _, l := range p.pipelines {
				eventually(t, "nothing is under way after "+after, func() bool { return l.upstream.Endpoints()[0].InFlight == 0 })
			}
			none := ""
			at.Store(&none)
			if a := do(t, c, w.request("GET", "/plain/1", nil)); a.StatusCode != 200 || len(a.body) != 1<<20 || a.err != nil {
				t.Errorf("after %s: %s, %d bytes, %v", after, a.Status, len(a.body), a.err)
			}
		}
		met := 0
		faults := []string{"before", "request body at once", "request body in the middle", "after", "answer at once", "answer in the middle", "closing the answer"}
		for _, fault := range faults {
			for name, size := range map[string]int{"": 1, "long ": 100 << 10} {
				if size < 40<<10 && fault == "request body in the middle" {
					continue
				}
				met++
				at.Store(&fault)
				res, err := c.Do(w.request("POST", "/plain/1", strings.NewReader(strings.Repeat("y", size))))
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
				if err == nil && res.StatusCode != http.StatusInternalServerError {
					t.Errorf("%s%s: %s, as if it were whole", name, fault, res.Status)
				}
				free(name + fault)
			}
		}
		if n := w.metric("gatehouse_panics_total"); n != fmt.Sprint(met) || len(w.log("panic")) != met {
			t.Errorf("of %d faults %s are counted and %d logged", met, n, len(w.log("panic")))
		}
		aborted := 0
		for _, e := range w.exchanges(2 * met) {
			if e["aborted"] == true || e["status"] == 500.0 {
				aborted++
			}
		}
		if aborted != met {
			t.Errorf("of %d faults %d are on record", met, aborted)
		}
	})
}
