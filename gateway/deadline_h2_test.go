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
	after int           // deadlines that were set after the handler was back
	first chan struct{} // closed when the first one is set
}

func (s *stopwatch) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set = append(s.set, time.Until(t)); len(s.set) == 1 {
		close(s.first)
	}
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
	const idle = time.Minute // what comes with the time does not come while a test runs
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
		"HTTP/1.1":                    {"/plain/1", 1, 2 * idle, 200, []func(time.Duration) bool{answer}},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := noted(t, idle, tt.server, tt.target, tt.major)
			ok := len(s.set) == len(tt.want) && s.Code == tt.status
			for i := 0; ok && i < len(s.set); i++ {
				ok = tt.want[i](s.set[i])
			}
			if !ok {
				t.Errorf("%d: deadlines of %v", s.Code, s.set)
			}
		})
	}
	t.Run("late", func(t *testing.T) {
		const idle = 2 * time.Second
		s, _ := noted(t, idle, 2*idle, "/plain/late", 2)
		if len(s.set) != 2 || !away(s.set[0]) || s.set[1] <= idle || s.set[1] > 2*idle || s.Code != 200 {
			t.Errorf("%d: deadlines of %v", s.Code, s.set)
		}
	})
	t.Run("over", func(t *testing.T) {
		const idle = 400 * time.Millisecond
		for _, target := range []string{"/plain/1", "/nowhere"} {
			s, over := noted(t, idle, 2*idle, target, 2)
			time.Sleep(idle / 2) // what would be late is due by now
			if n := over(); n > 0 {
				t.Errorf("%s: deadlines of %v, %d too late", target, s.set, n)
			}
		}
	})
}

// noted answers one request whose deadlines are noted. A late answer waits until
// there is one. over tells how many came once the handler was back.
func noted(t *testing.T, idle, server time.Duration, target string, major int) (s *stopwatch, over func() int) {
	t.Helper()
	w := open(t)
	s = &stopwatch{ResponseRecorder: httptest.NewRecorder(), first: make(chan struct{})}
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "late") {
			select {
			case <-s.first:
			case <-r.Context().Done():
			case <-time.After(20 * time.Second):
			}
		}
		_, _ = io.WriteString(rw, "here")
	})
	w.start("timeouts: {idle: "+idle.String()+"}\n"+plain, "")
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host, r.ProtoMajor = "localhost", major
	r = r.WithContext(context.WithValue(t.Context(), http.ServerContextKey, &http.Server{WriteTimeout: server}))
	w.g.Handler("plain").ServeHTTP(s, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	return s, func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.after
	}
}

// Nothing ends a stream for the time that its upstream takes, however short the
// server's own bound is, and its client has the time that the route gives it.
func TestStreamsOutlastTheirFirstDeadline(t *testing.T) {
	t.Parallel() // it mostly waits
	w := open(t)
	// The idle time is also what a client has to answer a ping, and half of what a
	// handshake has, so it is not too short.
	const idle, longer, size = 3 * time.Second, 6500 * time.Millisecond, 3 << 20
	w.backend("HR", func(rw http.ResponseWriter, _ *http.Request) {
		time.Sleep(longer)
		_, _ = rw.Write(make([]byte, size))
	})
	w.start("timeouts: {idle: "+idle.String()+", upstream: 20s}\n"+plain+"    timeouts: {idle: 20s}\n", "")
	var wg sync.WaitGroup
	for _, h2 := range []bool{false, true} {
		c := w.client(h2)
		wg.Go(func() {
			for range 2 {
				res, err := c.Do(w.request("GET", "/plain/1", nil))
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(longer) // it does not read meanwhile
				if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
					t.Errorf("%s %s: %d bytes, %v", res.Proto, res.Status, n, err)
				}
				_ = res.Body.Close()
			}
		})
	}
	wg.Wait()
}
