package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// stopwatch is a ResponseWriter that notes for how long each write deadline is, as
// one that is set when nobody may any more.
type stopwatch struct {
	*httptest.ResponseRecorder
	mu    sync.Mutex
	over  bool
	set   []time.Duration
	after int // deadlines that were set after the handler was back
}

func (s *stopwatch) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set = append(s.set, time.Until(t))
	if s.over {
		s.after++
	}
	return nil
}

func (s *stopwatch) SetReadDeadline(time.Time) error { return nil }

// A deadline over HTTP/2 is a message to another goroutine. An exchange that is
// short does without where the server's own is the one that it would set. One that
// waits for its answer moves it away before it ends the stream, and back when there
// is an answer. None is set once the handler is back.
func TestWriteDeadlinesOfStreams(t *testing.T) {
	const idle = 400 * time.Millisecond
	answer := func(d time.Duration) bool { return d > idle && d <= 2*idle }
	away := func(d time.Duration) bool { return d > time.Hour }
	for name, tt := range map[string]struct {
		target string
		major  int
		server time.Duration // its write timeout
		status int
		want   []func(time.Duration) bool
	}{
		"short":                       {"/plain/1", 2, 2 * idle, 200, nil},
		"refused":                     {"/nowhere", 2, 2 * idle, 404, nil},
		"the server has more time":    {"/plain/1", 2, 20 * idle, 200, []func(time.Duration) bool{answer}},
		"the server has less time":    {"/plain/1", 2, idle, 200, []func(time.Duration) bool{answer}},
		"the server has all the time": {"/plain/1", 2, 0, 200, []func(time.Duration) bool{answer}},
		"late":                        {"/plain/late", 2, 2 * idle, 200, []func(time.Duration) bool{away, answer}},
		"HTTP/1.1":                    {"/plain/1", 1, 2 * idle, 200, []func(time.Duration) bool{answer}},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "late") {
					time.Sleep(idle)
				}
				_, _ = io.WriteString(rw, "here")
			})
			w.start("timeouts: {idle: "+idle.String()+"}\n"+plain, "")
			r := httptest.NewRequest(http.MethodGet, tt.target, nil)
			r.Host, r.ProtoMajor = "localhost", tt.major
			r = r.WithContext(context.WithValue(t.Context(), http.ServerContextKey, &http.Server{WriteTimeout: tt.server}))
			s := &stopwatch{ResponseRecorder: httptest.NewRecorder()}
			w.g.Handler("plain").ServeHTTP(s, r)
			s.mu.Lock()
			s.over = true
			s.mu.Unlock()
			time.Sleep(idle / 2) // what would be late is due by now
			s.mu.Lock()
			defer s.mu.Unlock()
			ok := len(s.set) == len(tt.want) && s.after == 0 && s.Code == tt.status
			for i := 0; ok && i < len(s.set); i++ {
				ok = tt.want[i](s.set[i])
			}
			if !ok {
				t.Errorf("%d: deadlines of %v, %d too late", s.Code, s.set, s.after)
			}
		})
	}
}

// Nothing ends a stream for the time that its upstream takes, however short the
// server's own bound is, and its client has the time that the route gives it.
func TestStreamsOutlastTheirFirstDeadline(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		const size = 3 << 20
		w.backend("HR", func(rw http.ResponseWriter, _ *http.Request) {
			time.Sleep(700 * time.Millisecond)
			_, _ = rw.Write(make([]byte, size))
		})
		w.start("timeouts: {idle: 100ms, upstream: 10s}\n"+plain+"    timeouts: {idle: 10s}\n", "")
		c := w.client(h2)
		for range 2 {
			res, err := c.Do(w.request("GET", "/plain/1", nil))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond) // it does not read meanwhile
			if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
				t.Errorf("%s: %d bytes, %v", res.Status, n, err)
			}
			_ = res.Body.Close()
		}
	})
}
