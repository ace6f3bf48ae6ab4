package session_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/session"
	"github.com/gatehouse-dev/gatehouse/policies"
)

const idle = 15 * time.Minute

// token is what authn would have read from a token.
type token struct {
	sid       string
	sub       string
	issuer    string
	issued    time.Time
	loggedIn  time.Time // zero: the issuer does not tell
	otherSid  any       // a sid that is not a text
	notIssued bool      // no iat either
	roles     []string
}

// ask sends one request with the token and gives the code of the refusal, ""
// where it passed.
func ask(t *testing.T, s middleware.Stage, tok token) string {
	t.Helper()
	subject := &policies.Subject{ID: "u7", Issuer: "auth", Claims: map[string]any{}}
	if tok.sub != "" {
		subject.ID = tok.sub
	}
	if tok.issuer != "" {
		subject.Issuer = tok.issuer
	}
	subject.Role, subject.Roles = policies.OneAndAll("", tok.roles)
	if tok.sid != "" {
		subject.Claims["sid"] = tok.sid
	}
	if tok.otherSid != nil {
		subject.Claims["sid"] = tok.otherSid
	}
	if !tok.loggedIn.IsZero() {
		subject.AuthTime = tok.loggedIn.Unix()
	}
	x := middlewaretest.Exchange(t, "GET", "https://api.example.com/", nil, middlewaretest.Subject(subject))
	if !tok.notIssued {
		x.IssuedAt = tok.issued
	}
	up := middlewaretest.NewUpstream(t, 200, "text/plain", "ok")
	_, _, err := middlewaretest.Run(t, s, x, up.Handle)
	if passed := up.Calls.Load() == 1; passed != (err == nil) {
		t.Errorf("upstream reached: %t, error %v", passed, err)
	}
	return middlewaretest.Code(err)
}

func stage(store *session.Store, d time.Duration) middleware.Stage {
	return session.New(&config.Route{Authn: &config.Authn{}, Session: &config.Session{Idle: config.Duration(d), Touch: true}}, nil, store)
}

func newStore(t testing.TB, n int) *session.Store {
	s := session.NewStore(n, nil)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

const dead = string(middleware.SessionIdle)

func TestAbsent(t *testing.T) {
	if s := session.New(&config.Route{}, nil, newStore(t, 10)); s != nil {
		t.Error("a stage on a route without authn")
	}
}

func TestUseKeepsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(newStore(t, 100), idle)
		tok := token{sid: "s1", issued: time.Now(), loggedIn: time.Now()}
		for range 20 { // five hours in all
			time.Sleep(idle - time.Second)
			expect(t, "used in time", ask(t, s, tok), "")
		}
		time.Sleep(idle)
		expect(t, "unused for too long", ask(t, s, tok), dead)
		expect(t, "asked again at once", ask(t, s, tok), dead)
	})
}

func TestFirstSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(newStore(t, 100), idle)
		time.Sleep(24 * time.Hour)
		now := time.Now()
		for i, c := range []struct {
			name string
			tok  token
			want string
		}{
			{"just issued", token{issued: now}, ""},
			{"issued a second less than the limit ago", token{issued: now.Add(time.Second - idle)}, ""},
			{"issued as long ago as the limit", token{issued: now.Add(-idle)}, dead},
			{"old login, fresh token", token{issued: now, loggedIn: now.Add(-5 * time.Hour)}, ""},
			{"old token, fresh login", token{issued: now.Add(-time.Hour), loggedIn: now}, ""},
			{"old token, old login", token{issued: now.Add(-time.Hour), loggedIn: now.Add(-time.Hour)}, dead},
			{"no times at all", token{notIssued: true}, dead},
		} {
			c.tok.sid = fmt.Sprint("s", i)
			expect(t, c.name, ask(t, s, c.tok), c.want)
		}
	})
}

// A client that refreshes tokens in the background must not revive a session
// that its user abandoned.
func TestRefreshDoesNotRevive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(newStore(t, 100), idle)
		login := time.Now()
		expect(t, "first", ask(t, s, token{sid: "s1", issued: login, loggedIn: login}), "")
		for range 40 { // ten hours of refreshing
			time.Sleep(idle)
			expect(t, "refreshed", ask(t, s, token{sid: "s1", issued: time.Now(), loggedIn: login}), dead)
		}
		login = time.Now()
		expect(t, "new login", ask(t, s, token{sid: "s1", issued: login, loggedIn: login}), "")
		time.Sleep(idle - time.Second)
		expect(t, "and on", ask(t, s, token{sid: "s1", issued: login, loggedIn: login}), "")
	})
}

// An issuer that names the session and does not tell when the user logged in
// gives no token that could prove a new login: nothing revives the session.
func TestWithoutAuthTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(newStore(t, 100), idle)
		start := time.Now()
		expect(t, "first", ask(t, s, token{sid: "s1", issued: start}), "")
		time.Sleep(20 * time.Minute)
		for _, after := range []time.Duration{14 * time.Minute, idle, 16 * time.Minute, 20 * time.Minute} {
			expect(t, "issued "+after.String()+" later", ask(t, s, token{sid: "s1", issued: start.Add(after)}), dead)
		}
		expect(t, "another session", ask(t, s, token{sid: "s2", issued: time.Now()}), "")
		login := start.Add(16 * time.Minute)
		expect(t, "told at last", ask(t, s, token{sid: "s1", issued: time.Now(), loggedIn: login}), "")
	})
}

func TestTellsSessionsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(newStore(t, 100), idle)
		start := time.Now()
		same := []token{ // all of these are used together and are sessions of their own
			{sid: "s1", issued: start},
			{sid: "s2", issued: start},
			{sid: "s1", issuer: "other", issued: start},
			{issued: start},
			{sub: "u8", issued: start},
			{issuer: "other", issued: start},
			{otherSid: 7, sub: "u9", issued: start},
		}
		for i, tok := range same {
			expect(t, fmt.Sprint("first ", i), ask(t, s, tok), "")
		}
		for alive := range same {
			expect(t, fmt.Sprint("again ", alive), ask(t, s, same[alive]), "")
		}
		time.Sleep(10 * time.Minute)
		expect(t, "the one that is used", ask(t, s, same[0]), "")
		time.Sleep(10 * time.Minute)
		expect(t, "the one that was used", ask(t, s, same[0]), "")
		for i, tok := range same[1:] {
			expect(t, fmt.Sprint("one that was not ", i+1), ask(t, s, tok), dead)
		}
	})
}

// The clock of a session is shared by routes: use of one is use of all. But a
// pause too long for one route is not made good by a route that allows it.
func TestRoutesShareTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, 100)
		strict, lax := stage(store, idle), stage(store, time.Hour)
		login := time.Now()
		tok := token{sid: "s1", issued: login, loggedIn: login}
		expect(t, "strict", ask(t, strict, tok), "")
		for range 3 {
			time.Sleep(10 * time.Minute)
			expect(t, "lax", ask(t, lax, tok), "")
		}
		expect(t, "strict, kept alive by lax", ask(t, strict, tok), "")

		time.Sleep(30 * time.Minute)
		expect(t, "lax after a pause", ask(t, lax, tok), "")
		expect(t, "strict after a pause that only lax allows", ask(t, strict, tok), dead)
		expect(t, "lax still", ask(t, lax, tok), "")
		expect(t, "strict still", ask(t, strict, tok), dead)

		login = time.Now()
		tok = token{sid: "s1", issued: login, loggedIn: login}
		expect(t, "strict after a new login", ask(t, strict, tok), "")
		time.Sleep(time.Minute)
		expect(t, "and on", ask(t, strict, tok), "")
	})
}

// A login makes up for all pauses before it, on whichever route it is seen.
func TestLoginSeenElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, 100)
		strict, lax := stage(store, idle), stage(store, time.Hour)
		login := time.Now()
		expect(t, "first", ask(t, strict, token{sid: "s1", issued: login, loggedIn: login}), "")
		time.Sleep(30 * time.Minute)
		login = time.Now()
		tok := token{sid: "s1", issued: login, loggedIn: login}
		time.Sleep(time.Minute)
		expect(t, "new login on lax", ask(t, lax, tok), "")
		expect(t, "new login on strict", ask(t, strict, tok), "")
	})
}

// A full store forgets; what it forgot is judged by its token, so that a full
// store cannot be used to revive anything old.
func TestFullStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage(newStore(t, 1), idle) // one per shard
		old := token{sid: "old", issued: time.Now()}
		expect(t, "first", ask(t, s, old), "")
		time.Sleep(idle - time.Second)
		expect(t, "in time", ask(t, s, old), "")
		time.Sleep(time.Second)
		for i := range 500 {
			expect(t, "crowd", ask(t, s, token{sid: fmt.Sprint("crowd", i), issued: time.Now()}), "")
		}
		expect(t, "forgotten", ask(t, s, old), dead)
	})
}

func TestForgetsInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, 10_000)
		s := stage(store, idle)
		for i := range 64 {
			expect(t, "first", ask(t, s, token{sid: fmt.Sprint(i), issued: time.Now()}), "")
		}
		time.Sleep(13 * time.Hour)
		for i := range 500 { // touches every shard
			expect(t, "later", ask(t, s, token{sid: fmt.Sprint("later", i), issued: time.Now()}), "")
		}
		if n := store.Len(); n != 500 {
			t.Errorf("%d sessions are remembered, want the 500 that are alive", n)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	s := stage(newStore(t, 50), idle)
	now := time.Now()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				if code := ask(t, s, token{sid: fmt.Sprint(g, i%20), issued: now}); code != "" {
					t.Errorf("refused: %s", code)
				}
			}
		})
	}
	wg.Wait()
}

func TestRefusal(t *testing.T) {
	s := stage(newStore(t, 10), idle)
	x := middlewaretest.Exchange(t, "GET", "https://api.example.com/", nil, middlewaretest.Subject(&policies.Subject{ID: "u7"}))
	_, _, err := middlewaretest.Run(t, s, x, nil)
	r, ok := err.(*middleware.Refusal)
	if !ok || r.Status != http.StatusUnauthorized || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), `Bearer realm="gatehouse"`) {
		t.Errorf("refusal %#v", err)
	}
	// Without a subject there is no session to speak of; that is our fault.
	_, _, err = middlewaretest.Run(t, s, middlewaretest.Exchange(t, "GET", "https://api.example.com/", nil), nil)
	expect(t, "no subject", middlewaretest.Code(err), string(middleware.InternalError))
}
