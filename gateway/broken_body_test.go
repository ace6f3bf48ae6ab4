package gateway

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// faultyBody panics when all has been read.
type faultyBody struct {
	io.Reader
	closed atomic.Bool
}

func (b *faultyBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		panic("in the middle of a body")
	}
	return n, nil
}

func (b *faultyBody) Close() error { b.closed.Store(true); return nil }

// TestPanicInTheMiddleOfAnAnswer: the client sees that it is cut, and it is on
// record like any other, counted, and closed.
func TestPanicInTheMiddleOfAnAnswer(t *testing.T) {
	faultCutsAnswer(t, 100<<10, func(b *faultyBody) io.ReadCloser { return b })
}

// faultCutsAnswer has an upstream answer with so many bytes and then a fault.
func faultCutsAnswer(t *testing.T, size int, as func(*faultyBody) io.ReadCloser) {
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		w.vars["HR"] = "http://127.0.0.1:1"
		p := w.compile(one, masking)
		body := &faultyBody{Reader: strings.NewReader(`{"a":"` + strings.Repeat("x", size))}
		for _, l := range p.pipelines {
			l.handler = middleware.Chain(func(x *middleware.Exchange) (*http.Response, error) {
				return &http.Response{
					StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Body: as(body), Request: x.Request,
					Header: http.Header{"Content-Type": {"application/json"}},
				}, nil
			}, l.stages...)
		}
		w.serve(p)
		a := do(t, w.client(h2), w.request("GET", "/api/employees/7", nil, w.as("e2", "staff")))
		if a.StatusCode != 200 || a.err == nil {
			t.Errorf("%s, %v", a.Status, a.err)
		}
		eventually(t, "the body is closed", body.closed.Load)
		if got := w.exchanges(1); got[0]["aborted"] != true {
			t.Errorf("on record: %v", got)
		}
		if got := w.metric("gatehouse_panics_total"); got != "1" || len(w.log("panic")) != 1 {
			t.Errorf("gatehouse_panics_total is %s, logged: %v", got, w.log("panic"))
		}
		if !w.g.Memory().Take(int64(p.config.Limits.BodyMemory)) {
			t.Error("memory is missing")
		}
	})
}

// TestPanicAfterTheAnswer: what an upstream has answered is closed although the
// stage that panicked has lost it. Else each such request would take a connection
// and a place with it, and a few of them the whole upstream.
func TestPanicAfterTheAnswer(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(rw, strings.Repeat("x", 1<<20)) // more than is read ahead
		})
		p := w.compile(strings.Replace(plain, "{endpoints:", "{connections: {max: 2}, endpoints:", 1), "")
		var well atomic.Bool
		for _, l := range p.pipelines {
			l.handler = middleware.Chain(func(x *middleware.Exchange) (*http.Response, error) {
				res, err := l.upstream.Handle(x)
				if err == nil && !well.Load() {
					panic("after the answer")
				}
				return res, err
			}, l.stages...)
		}
		w.serve(p)
		for range 5 {
			if a := do(t, w.client(h2), w.request("GET", "/plain/1", nil)); a.StatusCode != 500 {
				t.Errorf("%s: %s", a.Status, a.body)
			}
		}
		for _, l := range p.pipelines {
			eventually(t, "nothing is under way", func() bool { return l.upstream.Endpoints()[0].InFlight == 0 })
			if n := l.upstream.Stats().Connections; n != 0 {
				t.Errorf("%d connections are open", n)
			}
		}
		well.Store(true)
		if a := do(t, w.client(h2), w.request("GET", "/plain/1", nil)); a.StatusCode != 200 || len(a.body) != 1<<20 {
			t.Errorf("%s with %d bytes: %v", a.Status, len(a.body), a.err)
		}
	})
}
