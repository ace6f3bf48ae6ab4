package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A backend that is slow to say no gives nobody more guesses: who goes away before
// the answer has made one all the same.
func TestAbortedLogins(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		w := open(t)
		guessed := make(chan chan bool)
		w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
			no := make(chan bool)
			guessed <- no
			select {
			case <-r.Context().Done(): // nobody is told
			case <-no:
				rw.WriteHeader(http.StatusUnauthorized)
			}
		})
		w.start(`
upstreams: {hr: {endpoints: ["{HR}"]}}
guard: {auth_failures: {}}
routes:
  - {name: login, match: {path: /login}, upstream: hr, login: true, public: true, policy: off}
`, "")
		c := w.client(h2)
		for range 5 {
			ctx, leave := context.WithCancel(t.Context())
			r := w.request(http.MethodPost, "/login", strings.NewReader(`{"username":"ann"}`), "Content-Type: application/json")
			gone := make(chan error)
			go func() {
				res, err := c.Do(r.WithContext(ctx))
				if err == nil {
					_ = res.Body.Close()
				}
				gone <- err
			}()
			no := <-guessed
			leave()
			if <-gone == nil {
				t.Error("it was answered")
			}
			time.Sleep(200 * time.Millisecond) // longer than it takes to notice that somebody left
			close(no)
		}
		eventually(t, fmt.Sprintf("HTTP/2 %v: a block after five guesses", h2), func() bool {
			list, err := w.g.Orders()
			return err == nil && len(list) == 1 && list[0].User != ""
		})
	}
}
