package authn

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// setOf gives the keys that an issuer uses now.
func setOf(t *testing.T, i *Issuer) *keySet {
	t.Helper()
	r, ok := i.keys.(*remote)
	if !ok {
		t.Fatalf("the keys are %T", i.keys)
	}
	return r.keys()
}

// Keys that are confirmed stay the same set, and are as new as when they came:
// by 304, or by the same bytes where the issuer names no versions.
func TestConfirmedKeysStay(t *testing.T) {
	for _, c := range []struct {
		name, tag string
		bodies    int64 // in a day
	}{
		{"strong", `"v1"`, 1},
		{"weak", `W/"v1"`, 1},
		{"without a name", "", 100},
		{"not a tag", "v1", 100},
		{"an open tag", `"v1`, 100},
		{"a quote in a tag", `"v"1"`, 100},
		{"a long tag", `"` + strings.Repeat("v", 300) + `"`, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, i *Issuer) {
				k := keysOnce()
				s.publish(t, jwkOf(t, "k1", k.rsa, nil))
				if c.tag != "" {
					s.tag.Store(&c.tag)
				}
				expect(t, "first", ask("k1", k.rsa), "")
				first := setOf(t, i)
				time.Sleep(maxStale + refreshEvery) // each confirmation renews their age
				expect(t, "a day later", ask("k1", k.rsa), "")
				if setOf(t, i) != first {
					t.Error("the same keys are another set")
				}
				if n := s.bodies.Load(); (c.bodies == 1) != (n == 1) || n < c.bodies {
					t.Errorf("%d key sets were sent, want %d", n, c.bodies)
				}
				s.publish(t, jwkOf(t, "k2", k.rsa2, nil))
				next := `"v2"`
				s.tag.Store(&next)
				time.Sleep(refreshEvery * 12 / 10)
				if setOf(t, i) == first {
					t.Error("other keys are the same set")
				}
				expect(t, "withdrawn", ask("k1", k.rsa), invalid)
				expect(t, "new", ask("k2", k.rsa2), "")
			})
		})
	}
}

// A version that keeps its name though the keys have changed: a token that names
// a new key shows it, and the keys are sent.
func TestTagThatDoesNotChange(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, _ *Issuer) {
		k, tag := keysOnce(), `"frozen"`
		s.tag.Store(&tag)
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "old key", ask("k1", k.rsa), "")
		s.publish(t, jwkOf(t, "k2", k.rsa2, nil))
		time.Sleep(refreshEvery * 12 / 10)
		if want := *s.lastWant.Load(); want != tag {
			t.Errorf("asked for another version than %q", want)
		}
		expect(t, "new key", ask("k2", k.rsa2), "")
		if want := *s.lastWant.Load(); want != "" {
			t.Errorf("asked for another version than %q", want)
		}
	})
}

// 304 says nothing where there is nothing yet.
func TestNotModifiedWithoutKeys(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, i *Issuer) {
		k, tag := keysOnce(), `"v1"`
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		s.unasked.Store(true)
		expect(t, "no keys", ask("k1", k.rsa), unavailable)
		if err := i.Ready(); err == nil || !strings.Contains(err.Error(), "status 304") {
			t.Errorf("ready: %v", err)
		}
		s.unasked.Store(false)
		s.tag.Store(&tag)
		time.Sleep(retryFirst * 2)
		expect(t, "keys", ask("k1", k.rsa), "")
		s.tag.Store(nil)
		s.unasked.Store(true) // not asked on any condition, for a name that is not known
		start := time.Now()
		expect(t, "unknown", ask("k2", k.rsa2), invalid)
		time.Sleep(time.Until(start.Add(retryLast)))
		expect(t, "known", ask("k1", k.rsa), "")
	})
}

// The metadata name another place for the keys, whose versions happen to have
// the same names: the new place is asked for its keys.
func TestTagsAreOfOnePlace(t *testing.T) {
	k := keysOnce()
	var keys atomic.Pointer[string]
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	defer srv.Close()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(encode(t, members{"issuer": srv.URL, "jwks_uri": srv.URL + *keys.Load()})))
	})
	serve := func(path string, key members) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"1"`)
			if r.Header.Get("If-None-Match") == `"1"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write([]byte(jwks(t, key)))
		})
	}
	serve("/old", jwkOf(t, "k1", k.rsa, nil))
	serve("/new", jwkOf(t, "k2", k.rsa2, nil))
	path, moved := "/old", "/new"
	keys.Store(&path)
	f, err := newFetcher(issuerConfig(func(i *config.Issuer) { i.Issuer, i.Discovery = srv.URL, true }), dialTCP)
	if err != nil {
		t.Fatal(err)
	}
	var have *held
	for n, want := range []string{"k1", "k1", "k2", "k2"} {
		if n == 2 {
			keys.Store(&moved)
		}
		before := have
		if have, err = f.fetch(t.Context(), have); err != nil {
			t.Fatal(err)
		}
		if have.set.keys[0].id != want {
			t.Errorf("fetch %d: got %s, want %s", n, have.set.keys[0].id, want)
		}
		if n%2 == 1 && have.set != before.set {
			t.Errorf("fetch %d: the same keys are another set", n)
		}
	}
}

// Over TCP, with what a real server sends.
func TestConfirmedOverTCP(t *testing.T) {
	k, s, tag := keysOnce(), &idp{}, `W/"abc"`
	s.publish(t, jwkOf(t, "k1", k.rsa, nil))
	s.tag.Store(&tag)
	srv := httptest.NewServer(s)
	defer srv.Close()
	i := openIssuer(t, "auth", issuerConfig(fromURL(srv.URL)))
	stage := New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil)
	if _, err := ask(t, stage, "Bearer "+sign(t, "RS256", k.rsa, members{"kid": "k1"}, goodClaims())); err != nil {
		t.Fatal(middlewaretest.Code(err))
	}
	first := setOf(t, i)
	r, _ := i.keys.(*remote)
	if h, err := r.fetch(t.Context(), r.current.Load()); err != nil || h.set != first || s.bodies.Load() != 1 {
		t.Errorf("%v; the set stayed: %t; %d bodies", err, h != nil && h.set == first, s.bodies.Load())
	}
}
