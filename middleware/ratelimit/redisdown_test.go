package ratelimit

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// Redis is not needed at start. When it comes up, it counts.
func TestRedisDownAtStart(t *testing.T) {
	s := storetest.Start(t)
	s.Kill()
	for _, algorithm := range algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			store := NewStore(s.Open())
			r := open(t, config.RateLimit{Rate: rate(2, time.Hour), Algorithm: algorithm}, store)
			for i, want := range []bool{false, false, true} {
				if a := r.take(t.Context(), "k"); a.err == nil || a.Reached != want || (!a.counted || a.shared) {
					t.Fatalf("request %d without Redis: %+v %v", i, a.Result, a.err)
				}
			}
			if store.redis.Ready(t.Context()) == nil {
				t.Error("ready without Redis")
			}
			s.Start()
			defer s.Kill()
			eventually(t, func() bool { return store.redis.Ready(t.Context()) == nil })
			eventually(t, func() bool { a := r.take(t.Context(), "other"); return a.err == nil && a.shared })
		})
	}
}

func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for range 6000 {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it never happened")
}

// Redis dies under way: each rule does what its on_store_error says.
func TestRedisKilled(t *testing.T) {
	for _, tt := range []struct {
		onError string
		codes   []string // of the answers after Redis died
	}{
		{"local", []string{"", "", "rate_limited"}},
		{"open", []string{"", "", "", "", ""}},
		{"closed", []string{"overloaded", "overloaded"}},
	} {
		t.Run(tt.onError, func(t *testing.T) {
			s := storetest.Start(t)
			store := NewStore(s.Patient(false))
			r := open(t, config.RateLimit{Rate: rate(2, time.Hour), OnStoreError: tt.onError}, store)
			stage := New(ByAddress, &config.Route{}, []*Rule{r})
			up := middlewaretest.NewUpstream(t, 200, "", "")
			ask := func() (*middleware.Exchange, error) {
				x := middlewaretest.Exchange(t, "GET", "/", nil)
				_, _, err := middlewaretest.Run(t, stage, x, up.Handle)
				return x, err
			}
			if _, err := ask(); err != nil {
				t.Fatalf("with Redis: %v", err)
			}
			s.Kill()
			for i, want := range tt.codes {
				x, err := ask()
				if got := middlewaretest.Code(err); got != want {
					t.Errorf("request %d: %q, want %q", i, got, want)
				}
				if got := note(x, "ratelimit_store"); got != "rule: "+tt.onError {
					t.Errorf("request %d: note %v", i, got)
				}
				if want == "overloaded" && header(err, "Retry-After") == "" {
					t.Error("overloaded without Retry-After")
				}
			}
		})
	}
}

// A frozen Redis accepts connections and never answers. Those who ask when it
// freezes wait, each for 50 ms at most, and nobody else waits at all: not to find
// out whether it is back either. What is asserted is who was asked, not how long it
// took; the 20,000 requests would wait for a quarter of an hour.
func TestRedisFrozen(t *testing.T) {
	s := storetest.Start(t)
	store := NewStore(s.Open())
	store.Announce()
	defer store.Close()
	r := open(t, config.RateLimit{Rate: rate(1000, time.Hour)}, store)
	eventually(t, func() bool { a := r.take(t.Context(), "warm"); return a.err == nil && a.shared })
	before := store.redis.Asked()
	s.Freeze()
	const callers = 50
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range 200 {
				if a := r.take(t.Context(), "k"); a.Reached && a.shared {
					t.Error("a frozen Redis counted")
				}
			}
		})
	}
	wg.Wait()
	if got := store.redis.Asked() - before; got < 1 || got > callers {
		t.Errorf("%d requests waited, at most %d were there when it froze", got, callers)
	}
	// The pause is over and over again meanwhile, and still no request asks.
	before = store.redis.Asked()
	for range 200 {
		if a := r.take(t.Context(), "k"); a.err == nil {
			t.Fatal("a frozen Redis answered")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := store.redis.Asked() - before; got != 0 {
		t.Errorf("%d requests waited for a Redis that was known to be frozen", got)
	}
	s.Thaw()
	eventually(t, func() bool { a := r.take(t.Context(), "later"); return a.err == nil && a.shared })
}

// A Redis that answers pings and does not count is told of, with why; each rule does
// what its on_store_error says. Nobody has to ask for that to be found out.
func TestRedisDoesNotCount(t *testing.T) {
	for name, tt := range map[string]struct {
		command, undo []any
		why           string
	}{
		"a copy":             {[]any{"REPLICAOF", "127.0.0.1", "1"}, []any{"REPLICAOF", "NO", "ONE"}, "READONLY"},
		"full":               {[]any{"CONFIG", "SET", "maxmemory", "1"}, []any{"CONFIG", "SET", "maxmemory", "0"}, "OOM"},
		"no scripts allowed": {[]any{"ACL", "SETUSER", "default", "-evalsha"}, []any{"ACL", "SETUSER", "default", "+evalsha"}, "NOPERM"},
		"other keys allowed": {[]any{"ACL", "SETUSER", "default", "resetkeys", "~other"}, []any{"ACL", "SETUSER", "default", "allkeys"}, "NOPERM"},
	} {
		t.Run(name, func(t *testing.T) {
			s := storetest.Start(t)
			store := announced(t, s.Open())
			rules := map[string]*Rule{}
			for _, out := range []string{onErrorLocal, onErrorOpen, onErrorClosed} {
				rules[out] = open(t, config.RateLimit{Rate: rate(1, time.Hour), OnStoreError: out}, store)
			}
			eventually(t, func() bool { a := rules[onErrorOpen].take(t.Context(), "warm"); return a.err == nil && a.shared })
			eventually(t, func() bool { return store.Trouble() == nil })

			if err := s.Client().Do(t.Context(), tt.command...).Err(); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool { err := store.Trouble(); return err != nil && strings.Contains(err.Error(), tt.why) })
			for out, want := range map[string][]bool{onErrorLocal: {false, true}, onErrorOpen: {false, false}, onErrorClosed: {true, true}} {
				for i, refuses := range want {
					if a := rules[out].take(t.Context(), out); a.err == nil || a.refuses() != refuses {
						t.Errorf("%s: request %d: %+v %v", out, i, a.Result, a.err)
					}
				}
			}

			if err := s.Client().Do(t.Context(), tt.undo...).Err(); err != nil {
				t.Fatal(err)
			}
			eventually(t, func() bool { a := rules[onErrorLocal].take(t.Context(), "back"); return a.err == nil && a.shared })
			eventually(t, func() bool { return store.Trouble() == nil })
		})
	}
}
