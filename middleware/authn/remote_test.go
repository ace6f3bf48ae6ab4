package authn

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

const (
	invalid     = string(middleware.TokenInvalid)
	unavailable = string(middleware.AuthenticationUnavailable)
)

// idp is an issuer's web server. It serves whatever it is told to.
type idp struct {
	doc     atomic.Pointer[string] // the key set; nil answers 503
	hang    atomic.Bool            // answers when the client has given up
	drip    atomic.Bool            // sends a byte every tenth of a second
	fetches atomic.Int64

	tag      atomic.Pointer[string] // the ETag; nil sends none
	unasked  atomic.Bool            // answers 304 whatever it is asked
	bodies   atomic.Int64           // key sets that were sent
	lastWant atomic.Pointer[string] // If-None-Match of the last request
}

func (s *idp) publish(t testing.TB, keys ...members) {
	t.Helper()
	doc := jwks(t, keys...)
	s.doc.Store(&doc)
}

func (s *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.fetches.Add(1)
	doc, tag := s.doc.Load(), s.tag.Load()
	want := r.Header.Get("If-None-Match")
	s.lastWant.Store(&want)
	if tag != nil {
		w.Header().Set("ETag", *tag)
	}
	switch {
	case s.hang.Load():
		<-r.Context().Done()
	case s.drip.Load():
		for r.Context().Err() == nil {
			time.Sleep(100 * time.Millisecond)
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
		}
	case doc == nil:
		w.WriteHeader(http.StatusServiceUnavailable)
	case s.unasked.Load() || tag != nil && want == *tag:
		w.WriteHeader(http.StatusNotModified)
	default:
		s.bodies.Add(1)
		_, _ = w.Write([]byte(*doc))
	}
}

// wire is a network in memory, so that a bubble's clock governs it. Closed, it
// refuses connections.
type wire struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.done:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.done) })
	return nil
}

func (*wire) Addr() net.Addr { return &net.UnixAddr{Name: "wire"} }

func (w *wire) dial(context.Context, string, string) (net.Conn, error) {
	// In a bubble this waits until the test does: what it sets up at its
	// beginning is there before the first fetch.
	time.Sleep(time.Nanosecond)
	here, there := net.Pipe()
	select {
	case w.conns <- there:
		return here, nil
	case <-w.done:
		return nil, errors.New("refused")
	}
}

// bubble runs f against an issuer on a network in memory and under a clock of
// its own.
func bubble(t *testing.T, f func(t *testing.T, s *idp, ask func(kid string, key any) string, i *Issuer)) {
	t.Helper()
	bubbleWith(t, "", f)
}

// bubbleWith is bubble with a folder for keys.
func bubbleWith(t *testing.T, folder string, f func(t *testing.T, s *idp, ask func(kid string, key any) string, i *Issuer)) {
	t.Helper()
	keysOnce() // outside: making keys takes real time
	synctest.Test(t, func(t *testing.T) {
		w, s := &wire{conns: make(chan net.Conn), done: make(chan struct{})}, &idp{}
		srv := &http.Server{Handler: s}
		served := make(chan error)
		go func() { served <- srv.Serve(w) }()
		i, err := open(t.Context(), "auth", issuerConfig(fromURL("http://127.0.0.1/jwks")), folder, w.dial, fetchTimeout)
		if err != nil {
			t.Fatal(err)
		}
		stage := New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil)
		f(t, s, func(kid string, key any) string {
			t.Helper()
			_, err := ask(t, stage, "Bearer "+sign(t, "RS256", key, members{"kid": kid}, goodClaims()))
			return middlewaretest.Code(err)
		}, i)
		if err := i.Close(); err != nil {
			t.Error(err)
		}
		_ = srv.Close()
		<-served
	})
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// The issuer is down when the gateway starts: 503 at once, and tokens pass
// soon after it is up, without anybody asking for it.
func TestStartWhileDown(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, i *Issuer) {
		k := keysOnce()
		time.Sleep(time.Millisecond)
		expect(t, "down", ask("k1", k.rsa), unavailable)
		if err := i.Ready(); err == nil || !strings.Contains(err.Error(), "status 503") || !strings.Contains(err.Error(), "issuer auth") {
			t.Errorf("ready: %v", err)
		}
		time.Sleep(time.Hour)
		if n := s.fetches.Load(); n < 3600/34 || n > 3600/26 {
			t.Errorf("%d fetches in an hour of failures", n)
		}
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		time.Sleep(retryLast * 11 / 10)
		expect(t, "up", ask("k1", k.rsa), "")
		if err := i.Ready(); err != nil {
			t.Error(err)
		}
	})
}

// A request that arrives before the first keys waits for them.
func TestFirstRequestWaits(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, _ *Issuer) {
		k := keysOnce()
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "at once", ask("k1", k.rsa), "")
	})
}

// Keys change: the first request that names the new one gets through.
func TestRotation(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, _ *Issuer) {
		k := keysOnce()
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "old key", ask("k1", k.rsa), "")
		s.publish(t, jwkOf(t, "k2", k.rsa2, nil))
		expect(t, "new key", ask("k2", k.rsa2), "")
		expect(t, "old key after it was withdrawn", ask("k1", k.rsa), invalid)
	})
}

// Without unknown keys the set is fetched every ten minutes, and a key that
// was withdrawn is gone then.
func TestRefresh(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, _ *Issuer) {
		k := keysOnce()
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "key", ask("k1", k.rsa), "")
		s.publish(t, jwkOf(t, "k2", k.rsa2, nil))
		time.Sleep(refreshEvery * 8 / 10)
		expect(t, "before the refresh", ask("k1", k.rsa), "")
		if n := s.fetches.Load(); n != 1 {
			t.Errorf("%d fetches before the first refresh", n)
		}
		time.Sleep(refreshEvery * 4 / 10)
		expect(t, "withdrawn", ask("k1", k.rsa), invalid)
		if n := s.fetches.Load(); n != 3 { // the refresh, and one for the withdrawn key
			t.Errorf("%d fetches", n)
		}
		time.Sleep(24 * time.Hour)
		if n := s.fetches.Load(); n < 133 || n > 164 {
			t.Errorf("%d fetches in a day", n)
		}
	})
}

// Tokens with made-up keys cause one fetch in thirty seconds, however many
// come at once.
func TestUnknownKeysShareAFetch(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, _ *Issuer) {
		k := keysOnce()
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "key", ask("k1", k.rsa), "")
		for round := range int64(3) {
			var wg sync.WaitGroup
			for n := range 50 {
				wg.Go(func() { expect(t, "made up", ask(fmt.Sprint("x", n), k.rsa2), invalid) })
			}
			wg.Wait()
			if n := s.fetches.Load(); n != 2+round {
				t.Errorf("round %d: %d fetches", round, n)
			}
			time.Sleep(askEvery)
		}
		expect(t, "empty kid", ask("", k.rsa2), invalid)
	})
}

// A token that no key could make good is not worth a fetch.
func TestHopelessTokensCauseNoFetch(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, send func(string, any) string, i *Issuer) {
		k := keysOnce()
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "key", send("k1", k.rsa), "")
		expect(t, "empty kid", send("", k.rsa), invalid)
		stage := New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil)
		for _, token := range []string{
			sign(t, "PS256", k.rsa, members{"kid": "x"}, goodClaims()),
			sign(t, "RS256", k.rsa, members{"kid": "x"}, with(goodClaims(), members{"iss": "https://evil.test"})),
			sign(t, "RS256", k.rsa, members{"kid": "x", "crit": []string{"exp"}}, goodClaims()),
		} {
			_, err := ask(t, stage, "Bearer "+token)
			expect(t, "hopeless", middlewaretest.Code(err), invalid)
		}
		if n := s.fetches.Load(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

// The issuer goes down: known keys serve on for a day, and not longer.
func TestOutage(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, i *Issuer) {
		k := keysOnce()
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "before", ask("k1", k.rsa), "")
		start := time.Now()
		s.doc.Store(nil)
		time.Sleep(time.Hour)
		expect(t, "an hour later", ask("k1", k.rsa), "")
		expect(t, "unknown key", ask("k2", k.rsa2), invalid)
		broken := `{"keys":[]}`
		s.doc.Store(&broken)
		time.Sleep(time.Until(start.Add(maxStale - time.Minute)))
		expect(t, "a day later", ask("k1", k.rsa), "")
		if err := i.Ready(); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Minute)
		expect(t, "too old", ask("k1", k.rsa), unavailable)
		if err := i.Ready(); err == nil {
			t.Error("ready with keys that are too old")
		}
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		time.Sleep(time.Minute)
		expect(t, "back", ask("k1", k.rsa), "")
	})
}

// The issuer hangs: known keys are not held up, unknown ones for as long as a
// fetch may take and no longer.
func TestHang(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, _ *Issuer) {
		k := keysOnce()
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "before", ask("k1", k.rsa), "")
		s.hang.Store(true)
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			expect(t, "unknown key", ask("k2", k.rsa2), invalid)
			if d := time.Since(start); d != fetchTimeout {
				t.Errorf("an unknown key waited %v", d)
			}
		})
		synctest.Wait() // the fetch is under way
		expect(t, "known key", ask("k1", k.rsa), "")
		if d := time.Since(start); d != 0 {
			t.Errorf("a known key waited %v", d)
		}
		wg.Wait()
	})
}

func TestHangAtStart(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, i *Issuer) {
		s.hang.Store(true)
		if err := i.Ready(); err == nil || !strings.Contains(err.Error(), "not fetched yet") {
			t.Errorf("ready: %v", err)
		}
		start := time.Now()
		expect(t, "no keys", ask("k1", keysOnce().rsa), unavailable)
		if d := time.Since(start); d != fetchTimeout {
			t.Errorf("waited %v", d)
		}
		expect(t, "no keys, between attempts", ask("k1", keysOnce().rsa), unavailable)
		if d := time.Since(start); d != fetchTimeout {
			t.Errorf("waited %v in all", d)
		}
	})
}

// A request that gives up, or an issuer that is closed, ends the wait.
func TestWaitEnds(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, _ func(string, any) string, i *Issuer) {
		s.hang.Store(true)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := i.keys.find(ctx, "k1", "RS256"); !errors.Is(err, errUnavailable) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		go func() {
			time.Sleep(time.Second)
			_ = i.Close()
		}()
		if _, err := i.keys.find(t.Context(), "k1", "RS256"); !errors.Is(err, errUnavailable) || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		synctest.Wait()
		if _, err := i.keys.find(t.Context(), "k1", "RS256"); !errors.Is(err, errUnavailable) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Closed, the keys that are known can still be used by plans on their way out,
// and nothing waits for keys that will never come.
func TestAfterClose(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, i *Issuer) {
		k := keysOnce()
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "before", ask("k1", k.rsa), "")
		_ = i.Close()
		expect(t, "known", ask("k1", k.rsa), "")
		expect(t, "unknown", ask("k2", k.rsa2), invalid)
		expect(t, "unknown again", ask("k2", k.rsa2), invalid)
	})
}

// Over TCP and TLS, with the issuer's metadata, as in production.
func TestDiscovery(t *testing.T) {
	k := keysOnce()
	var meta atomic.Pointer[string]
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(*meta.Load()))
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(jwks(t, jwkOf(t, "k1", k.rsa, nil))))
	})
	mux.HandleFunc("GET /moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/keys", http.StatusFound)
	})
	mux.HandleFunc("GET /large", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(strings.Repeat(" ", maxKeySet) + jwks(t, jwkOf(t, "k1", k.rsa, nil))))
	})
	srv := httptest.NewTLSServer(mux)
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, ca  string
		meta      members
		want, why string
	}{
		{"good", ca, members{"issuer": srv.URL, "jwks_uri": srv.URL + "/keys"}, "", ""},
		{"an authority nobody knows", "", members{"issuer": srv.URL, "jwks_uri": srv.URL + "/keys"}, unavailable, "certificate"},
		{"of another issuer", ca, members{"issuer": srv.URL + "/", "jwks_uri": srv.URL + "/keys"}, unavailable, "of another issuer"},
		{"no key set", ca, members{"issuer": srv.URL}, unavailable, "jwks_uri: not a plain URL"},
		{"plain http on this machine", ca, members{"issuer": srv.URL, "jwks_uri": "http://127.0.0.1:1/keys"}, unavailable, "jwks_uri: must be https"},
		{"plain http", ca, members{"issuer": srv.URL, "jwks_uri": "http://auth.example.com/keys"}, unavailable, "jwks_uri: must be https"},
		{"redirect", ca, members{"issuer": srv.URL, "jwks_uri": srv.URL + "/moved"}, unavailable, "status 302"},
		{"too large", ca, members{"issuer": srv.URL, "jwks_uri": srv.URL + "/large"}, unavailable, "larger than"},
		{"nothing there", ca, members{"issuer": srv.URL, "jwks_uri": srv.URL + "/none"}, unavailable, "status 404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := encode(t, c.meta)
			meta.Store(&doc)
			i := openIssuer(t, "auth", issuerConfig(func(i *config.Issuer) { i.Issuer, i.Discovery, i.CA = srv.URL, true, c.ca }))
			s := New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil)
			token := sign(t, "RS256", k.rsa, members{"kid": "k1"}, with(goodClaims(), members{"iss": srv.URL}))
			_, err := ask(t, s, "Bearer "+token)
			expect(t, "asked", middlewaretest.Code(err), c.want)
			if err := i.Ready(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.why) {
				t.Errorf("ready: %v, want %q", err, c.why)
			}
		})
	}
}

// Over TCP: the keys change between two requests, then the server is gone.
func TestRotationOverTCP(t *testing.T) {
	k, s := keysOnce(), &idp{}
	s.publish(t, jwkOf(t, "k1", k.rsa, nil))
	srv := httptest.NewServer(s)
	stage := stageOf(t, issuerConfig(fromURL(srv.URL)))
	send := func(kid string, key any) string {
		_, err := ask(t, stage, "Bearer "+sign(t, "RS256", key, members{"kid": kid}, goodClaims()))
		return middlewaretest.Code(err)
	}
	expect(t, "first key", send("k1", k.rsa), "")
	s.publish(t, jwkOf(t, "k1", k.rsa, nil), jwkOf(t, "k2", k.rsa2, nil))
	expect(t, "second key", send("k2", k.rsa2), "")
	srv.Close()
	expect(t, "first key, server gone", send("k1", k.rsa), "")
	expect(t, "unknown key, server gone", send("k3", k.rsa2), invalid)
}

// Plain HTTP never leaves the machine, whatever a name resolves to.
func TestPlainStaysHere(t *testing.T) {
	for address, leaves := range map[string]bool{"127.0.0.1:80": false, "192.0.2.1:80": true} {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		dial := loopbackOnly(func(context.Context, string, string) (net.Conn, error) { return connTo{addr: a}, nil })
		if _, err := dial(t.Context(), "tcp", "localhost:80"); (err != nil) != leaves {
			t.Errorf("localhost is %s: %v", address, err)
		}
	}
}

type connTo struct {
	net.Conn
	addr net.Addr
}

func (c connTo) RemoteAddr() net.Addr { return c.addr }
func (connTo) Close() error           { return nil }
