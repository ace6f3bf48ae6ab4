package gateway

import (
	"io"
	"net/http"
	"testing"
)

// A stream of an upstream that a reload takes out has the time for draining to
// end; then it is cut, and the plan it belongs to is closed.
func TestRemovedUpstreamDrains(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(rw, "data: 1\n\n")
			_ = http.NewResponseController(rw).Flush()
			<-r.Context().Done()
		})
		settings := plain + "timeouts: {drain: 300ms}\n"
		w.start(settings, "")
		c := w.client(h2)
		res, err := c.Do(w.request("GET", "/plain/1", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if n := w.metric(`gatehouse_upstream_endpoint_in_flight{endpoint="` + w.vars["HR"] + `",upstream="hr"}`); n != "1" {
			t.Errorf("%s are under way", n)
		}
		first := make([]byte, len("data: 1\n\n"))
		if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "data: 1\n\n" {
			t.Fatalf("the stream begins with %q: %v", first, err)
		}
		old := w.g.Plan()
		w.backend("HR", func(http.ResponseWriter, *http.Request) {})
		w.write("gatehouse.yaml", preamble+settings)
		if err := w.reloader.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := do(t, c, w.request("GET", "/plain/1", nil)).StatusCode; got != 200 {
			t.Errorf("the new upstream answers %d", got)
		}
		if rest, err := io.ReadAll(res.Body); err == nil || len(rest) > 0 {
			t.Errorf("the stream ended with %q: %v", rest, err)
		}
		eventually(t, "the old plan is closed", func() bool { return old.refs.Load() == 0 })
	})
}
