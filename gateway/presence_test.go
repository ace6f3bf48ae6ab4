package gateway

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"
)

// A client that leaves leaves no backend at work, whether it does so at once, later,
// or in the middle of the answer.
func TestClientsThatLeaveTheirStreams(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		for name, tt := range map[string]struct {
			begun bool // the answer has
			stay  time.Duration
		}{
			"at once":       {},
			"later":         {stay: 4 * patience},
			"in the middle": {begun: true},
			"of a stream":   {begun: true, stay: 4 * patience},
		} {
			t.Run(name, func(t *testing.T) {
				asked, gone, over := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
				defer close(over)
				w := open(t)
				w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
					if tt.begun {
						_, _ = io.WriteString(rw, "begun")
						_ = http.NewResponseController(rw).Flush()
					}
					asked <- struct{}{}
					select {
					case <-r.Context().Done():
						gone <- struct{}{}
					case <-over:
					}
				})
				w.start(plain, "")
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				answered := make(chan struct{})
				go func() {
					defer close(answered)
					res, err := w.client(h2).Do(w.request("GET", "/plain/1", nil).WithContext(ctx))
					if err == nil {
						_, _ = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
					}
				}()
				<-asked
				time.Sleep(tt.stay)
				leave()
				<-answered
				select {
				case <-gone:
				case <-time.After(10 * time.Second):
					t.Error("the backend is still at work")
				}
			})
		}
	})
}
