package upstream

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// Of an upstream that no plan has any more, what runs has the time for draining;
// then it is cut, and what comes late finds nobody.
func TestLeave(t *testing.T) {
	bySenders(t, func(t *testing.T, by func(*target) sender) {
		end := make(chan struct{})
		h := newHouse(t, nil, dripping(end), "127.0.0.1")
		u, err := begin(&config.Upstream{Endpoints: []config.Endpoint{{URL: h.url}}}, time.Hour, h.look, by)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = u.Close() })
		h.settle(t, u)
		long, whole := stream(t, u, "127.0.0.1"), stream(t, u, "127.0.0.1")
		defer long.Close()
		u.Leave()
		u.Leave() // says nothing new
		if status, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); err != nil || status != 200 {
			t.Errorf("a request of the old plan: %d %v", status, err)
		}
		_ = whole.Close()
		u.mu.Lock()
		u.left = time.Now().Add(short) // the hour is over soon
		u.arrange(time.Now())
		u.mu.Unlock()
		if rest, err := io.ReadAll(long); err == nil || errors.Is(err, errIdle) {
			t.Errorf("the stream ended by itself, with %q: %v", rest, err)
		}
		if _, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); middlewaretest.Code(err) != "upstream_unavailable" {
			t.Errorf("after it was cut: %v", err)
		}
		u.Stay()
		if status, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); err != nil || status != 200 {
			t.Errorf("after it came back: %d %v", status, err)
		}
	})
}

// Who comes back in time is not cut.
func TestStay(t *testing.T) {
	bySenders(t, func(t *testing.T, by func(*target) sender) {
		end := make(chan struct{})
		h := newHouse(t, nil, dripping(end), "127.0.0.1")
		u := h.open(t, by, time.Hour)
		body := stream(t, u, "127.0.0.1")
		defer body.Close()
		u.Leave()
		u.Stay()
		u.mu.Lock()
		u.arrange(time.Now().Add(2 * time.Hour))
		u.mu.Unlock()
		close(end)
		if rest, err := io.ReadAll(body); err != nil {
			t.Errorf("the stream was cut after %q: %v", rest, err)
		}
	})
}
