package gateway

import (
	"io"
	"net/http"
	"testing"
	"time"
)

// reluctant takes its time to close.
type reluctant struct{ begun, done chan struct{} }

func (r reluctant) Close() error {
	close(r.begun)
	<-r.done
	return nil
}

// TestLastRequestOfAPlan: whose request is the last one of a plan that a reload
// has replaced does not wait for what the plan held to be closed.
func TestLastRequestOfAPlan(t *testing.T) {
	w := open(t)
	arrived, answer := make(chan struct{}), make(chan struct{})
	w.backend("HR", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-answer
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "fine")
	})
	w.start(`
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: all, match: {path: /}, upstream: hr, public: true, policy: "off"}
`, "")
	held := reluctant{make(chan struct{}), make(chan struct{})}
	if _, err := hold(w.g.Plan().lease, "reluctant", nil, func() (reluctant, error) { return held, nil }); err != nil {
		t.Fatal(err)
	}
	c, whole := w.client(false), make(chan string, 1)
	go func() {
		res, err := c.Get(w.plain + "/")
		if err != nil {
			whole <- err.Error()
			return
		}
		defer res.Body.Close()
		data, _ := io.ReadAll(res.Body)
		whole <- string(data)
	}()
	<-arrived
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(answer)
	<-held.begun
	select {
	case got := <-whole:
		if got != "fine" {
			t.Errorf("%q", got)
		}
	case <-time.After(20 * time.Second):
		t.Error("the client waits")
	}
	close(held.done)
}
