package gateway

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"time"
)

// TestEventsLast: events are sent one by one as they come, the stream lasts for
// longer than nothing may move, and ends when it may last no longer or when the
// gateway stops; over both protocols.
func TestEventsLast(t *testing.T) {
	t.Parallel() // it mostly waits
	both(t, func(t *testing.T, h2 bool) {
		t.Parallel()
		for _, path := range []string{"/short/", "/plain/"} {
			w := open(t)
			next, gone := make(chan struct{}), make(chan struct{})
			w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
				defer close(gone)
				rw.Header().Set("Content-Type", "text/event-stream")
				_ = http.NewResponseController(rw).Flush()
				for {
					select {
					case <-next:
						_, _ = io.WriteString(rw, "data: x\n\n")
						_ = http.NewResponseController(rw).Flush()
					case <-r.Context().Done():
						return
					}
				}
			})
			w.start("timeouts: {drain: 200ms}\n"+plain+`  - {name: short, match: {path: /short/}, upstream: hr, public: true, policy: "off", timeouts: {stream: 6s}}`+"\n", "")
			begun := time.Now()
			res, err := w.client(h2).Do(w.request("GET", path, nil))
			if err != nil {
				t.Fatal(err)
			}
			events, want := bufio.NewReader(res.Body), "stream_timeout"
			for range 5 { // none is asked for before the one before is there
				select {
				case next <- struct{}{}:
				case <-gone:
				}
				line, err := events.ReadString('\n')
				if err != nil && path == "/short/" && time.Since(begun) >= 6*time.Second {
					break // its time was over sooner than this machine is fast
				}
				if err != nil || line != "data: x\n" {
					t.Fatalf("got %q, %v", line, err)
				}
				_, _ = events.ReadString('\n')
			}
			if path == "/plain/" {
				want = ""
				w.stop()
			}
			if _, err := io.Copy(io.Discard, events); err == nil {
				t.Error("the client cannot tell that the stream was cut")
			}
			_ = res.Body.Close()
			<-gone
			line := w.exchanges(1)[0]
			if got, _ := line["ended"].(string); got != want || line["aborted"] != true {
				t.Errorf("on record: %v", line)
			}
		}
	})
}
