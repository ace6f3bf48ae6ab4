package session

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// An answer that begins while the watcher goes round, and whose token is called
// back before the watcher asks what is new, is ended in the next round: neither
// the answer's own look at what was called back nor this round can know.
func TestBeginsDuringARound(t *testing.T) {
	book, err := orders.Open(orders.Settings{Keep: time.Hour}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	store := NewStore(10, nil)
	store.watcher.close() // the test goes round itself
	s := New(&config.Route{Authn: &config.Authn{}}, book, store)
	begin := func(sid string) (*http.Response, *middleware.Exchange) {
		t.Helper()
		x := middlewaretest.Exchange(t, "GET", "https://h/", nil, middlewaretest.Subject(&policies.Subject{
			ID: "u", Issuer: "auth", Claims: map[string]any{"sid": sid},
		}))
		res, err := s.Handle(x, func(x *middleware.Exchange) (*http.Response, error) {
			ctx, cancel := context.WithCancelCause(x.Request.Context())
			x.Cancel = cancel
			r, w := io.Pipe()
			context.AfterFunc(ctx, func() { _ = w.Close() })
			return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Body: r}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return res, x
	}
	w := store.watcher
	other, _ := begin("other")
	defer other.Body.Close()
	w.look(t.Context(), store, time.Now())

	w.turn.Store(shards - 1) // the next one is in the first room
	last := &w.rooms[shards-1]
	last.mu.Lock() // and here the watcher is kept
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.look(t.Context(), store, time.Now())
	}()
	time.Sleep(100 * time.Millisecond) // by now it has passed the first room
	res, x := begin("s")
	defer res.Body.Close()
	if _, _, err := book.Give(t.Context(), orders.Order{Kind: orders.Revocation, Issuer: "auth", SID: "s"}); err != nil {
		t.Fatal(err)
	}
	last.mu.Unlock()
	<-done
	w.look(t.Context(), store, time.Now())
	read := make(chan error, 1)
	go func() {
		_, err := res.Body.Read(make([]byte, 1))
		read <- err
	}()
	select {
	case err := <-read:
		if !errors.Is(err, middleware.ErrEnded) {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it goes on")
		x.Cancel(nil)
		<-read
	}
}

// A round that has no time for all sessions leaves the rest to the next one:
// nobody's turn never comes.
func TestRoundsTakeTurns(t *testing.T) {
	store := NewStore(10, nil)
	store.watcher.close() // the test goes round itself
	store.watcher.patience = 0
	s := New(&config.Route{
		Authn:   &config.Authn{},
		Session: &config.Session{Idle: config.Duration(time.Minute), Max: config.Duration(time.Hour), Touch: true},
	}, nil, store)
	now := time.Now()
	ended := func(sid string, idle bool) func() bool {
		x := middlewaretest.Exchange(t, "GET", "https://h/", nil, middlewaretest.Subject(&policies.Subject{
			ID: "u", Issuer: "auth", AuthTime: now.Unix(), Claims: map[string]any{"sid": sid},
		}))
		x.IssuedAt = now
		res, err := s.Handle(x, func(*middleware.Exchange) (*http.Response, error) {
			h := http.Header{"Content-Type": {"text/event-stream"}}
			return &http.Response{StatusCode: 200, Header: h, ContentLength: -1, Body: io.NopCloser(neverEnding{})}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		if idle {
			res.Body.(*live).limits.idle = 1
		}
		return func() bool { return res.Body.(*live).reason.Load() != nil }
	}
	var over []func() bool
	for i, idle := range []bool{false, true, false, true, false} {
		if e := ended(string(rune('a'+i)), idle); idle {
			over = append(over, e)
		}
	}
	for range 5 {
		store.watcher.look(t.Context(), store, time.Now())
	}
	for i, e := range over {
		if !e() {
			t.Errorf("idle stream %d goes on", i)
		}
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

// An answer that is open ends when its subject is blocked, or is to sign in anew;
// nobody else's does.
func TestBlockedSubjectsAnswersEnd(t *testing.T) {
	for _, action := range []string{orders.ActionBlock, orders.ActionStepUp} {
		book, err := orders.Open(orders.Settings{Keep: time.Hour}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer book.Close()
		store := NewStore(10, nil)
		store.watcher.close() // the test goes round itself
		s := New(&config.Route{Authn: &config.Authn{}}, book, store)
		now := time.Now()
		open := func(issuer, id string, authenticated time.Time) *live {
			t.Helper()
			x := middlewaretest.Exchange(t, "GET", "https://h/", nil, middlewaretest.Subject(&policies.Subject{
				ID: id, Issuer: issuer, AuthTime: authenticated.Unix(),
			}))
			res, err := s.Handle(x, func(*middleware.Exchange) (*http.Response, error) {
				h := http.Header{"Content-Type": {"text/event-stream"}}
				return &http.Response{StatusCode: 200, Header: h, ContentLength: -1, Body: io.NopCloser(neverEnding{})}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = res.Body.Close() })
			return res.Body.(*live)
		}
		u, v, other := open("auth", "u", now.Add(-time.Hour)), open("auth", "v", now.Add(-time.Hour)), open("other", "u", now.Add(-time.Hour))
		anew := open("auth", "u", now.Add(time.Hour))
		store.watcher.look(t.Context(), store, now)
		if _, _, err := book.Give(t.Context(), orders.Order{Kind: orders.Block, Issuer: "auth", Subject: "u", Action: action}); err != nil {
			t.Fatal(err)
		}
		store.watcher.look(t.Context(), store, now)
		late := open("auth", "u", now.Add(-time.Hour)) // what has begun before the block and is seen behind it
		store.watcher.look(t.Context(), store, now)
		for _, tt := range []struct {
			name string
			l    *live
			want bool
		}{{"the subject's", u, true}, {"another subject's", v, false}, {"of another issuer", other, false}, {"signed in anew", anew, action == orders.ActionBlock}, {"late", late, true}} {
			why := tt.l.reason.Load()
			if (why != nil) != tt.want || why != nil && *why != endedBlocked {
				t.Errorf("%s, %s: ended %v, want %t", action, tt.name, why, tt.want)
			}
		}
	}
}
