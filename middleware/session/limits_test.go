package session_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/session"
)

const (
	max  = 12 * time.Hour
	over = string(middleware.SessionExpired)
)

func hours(d time.Duration) config.Duration { return config.Duration(d) }

// bounded is a stage with everything that can be set.
func bounded(store *session.Store, c config.Session) middleware.Stage {
	if c.Idle == 0 {
		c.Idle = hours(idle)
	}
	if c.Max == 0 {
		c.Max = hours(max)
	}
	return session.New(&config.Route{Authn: &config.Authn{}, Session: &c}, nil, store)
}

// used asks every ten minutes for so long, with tokens refreshed each time, and
// gives the first code that is not "".
func used(t *testing.T, s middleware.Stage, tok token, d time.Duration) string {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Minute) {
		tok.issued = time.Now()
		if code := ask(t, s, tok); code != "" {
			return code
		}
	}
	return ""
}

// However busy, a session ends; a refreshed token does not prolong it, a login
// does.
func TestMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bounded(newStore(t, 100), config.Session{Touch: true})
		login := time.Now()
		expect(t, "in time", used(t, s, token{sid: "s1", loggedIn: login}, max), "")
		for range 30 { // for longer than anything is remembered that nobody asks for
			expect(t, "beyond", ask(t, s, token{sid: "s1", issued: time.Now(), loggedIn: login}), over)
			time.Sleep(time.Hour)
		}
		expect(t, "signed in anew", used(t, s, token{sid: "s1", loggedIn: time.Now()}, max), "")
		expect(t, "beyond again", ask(t, s, token{sid: "s1", issued: time.Now(), loggedIn: login}), over)
	})
}

// What a token says of its own beginning is believed at first sight.
func TestMaxAtFirstSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(48 * time.Hour)
		now := time.Now()
		for i, c := range []struct {
			tok  token
			want string
		}{
			{token{issued: now, loggedIn: now.Add(time.Second - max)}, ""},
			{token{issued: now, loggedIn: now.Add(-max)}, over},
			{token{issued: now.Add(-max)}, over},
			{token{issued: now}, ""},
		} {
			c.tok.sid = fmt.Sprint(i)
			expect(t, fmt.Sprint(i), ask(t, bounded(newStore(t, 100), config.Session{Touch: true}), c.tok), c.want)
		}
	})
}

// Without auth_time the session began with the first token that was seen, and
// no later one makes it younger.
func TestMaxWithoutAuthTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bounded(newStore(t, 100), config.Session{Touch: true})
		expect(t, "in time", used(t, s, token{sid: "s1"}, max), "")
		for range 30 {
			expect(t, "beyond", ask(t, s, token{sid: "s1", issued: time.Now()}), over)
			time.Sleep(time.Hour)
		}
	})
}

// The tokens of a service account name no session and no login: each is a
// session of its own, whatever became of the one before.
func TestServiceAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bounded(newStore(t, 100), config.Session{Touch: true})
		old := token{sub: "batch", issued: time.Now()}
		expect(t, "first token", ask(t, s, old), "")
		time.Sleep(max)
		expect(t, "first token", ask(t, s, old), over)
		expect(t, "another", ask(t, s, token{sub: "batch", issued: time.Now()}), "")
		expect(t, "the whole day", used(t, s, token{sub: "batch"}, 2*max), "")
	})
}

// Of several roles the shortest of each limit holds.
func TestRoles(t *testing.T) {
	roles := map[string]*config.SessionRole{
		"cashier": {Idle: hours(5 * time.Minute)},
		"auditor": {Max: hours(time.Hour)},
		"admin":   {Idle: hours(2 * time.Minute), Max: hours(2 * time.Hour)},
	}
	for _, c := range []struct {
		roles []string
		idle  time.Duration
		max   time.Duration
	}{
		{nil, idle, max},
		{[]string{"staff"}, idle, max},
		{[]string{"cashier"}, 5 * time.Minute, max},
		{[]string{"auditor"}, idle, time.Hour},
		{[]string{"cashier", "auditor"}, 5 * time.Minute, time.Hour},
		{[]string{"staff", "auditor", "admin", "cashier"}, 2 * time.Minute, time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := bounded(newStore(t, 100), config.Session{Touch: true, Roles: roles})
			tok := token{sid: "a", issued: time.Now(), loggedIn: time.Now(), roles: c.roles}
			expect(t, "first", ask(t, s, tok), "")
			time.Sleep(c.idle - 1)
			expect(t, "just in time", ask(t, s, tok), "")
			time.Sleep(c.idle)
			expect(t, fmt.Sprint(c.roles, " idle"), ask(t, s, tok), dead)

			tok = token{sid: "b", issued: time.Now(), loggedIn: time.Now().Add(time.Second - c.max), roles: c.roles}
			expect(t, "nearly too old", ask(t, s, tok), "")
			time.Sleep(time.Second)
			expect(t, fmt.Sprint(c.roles, " max"), ask(t, s, tok), over)
		})
	}
}

// A token with fewer roles does not revive a session for one with more, in
// whichever sequence they come.
func TestRolesShareTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bounded(newStore(t, 100), config.Session{Touch: true, Roles: map[string]*config.SessionRole{"admin": {Idle: hours(5 * time.Minute)}}})
		login := time.Now()
		plain := token{sid: "s1", issued: login, loggedIn: login}
		admin := plain
		admin.roles = []string{"admin"}
		expect(t, "admin", ask(t, s, admin), "")
		time.Sleep(6 * time.Minute)
		expect(t, "without the role", ask(t, s, plain), "")
		expect(t, "admin after a pause", ask(t, s, admin), dead)
		time.Sleep(time.Minute)
		expect(t, "without the role, still", ask(t, s, plain), "")
		expect(t, "admin, still", ask(t, s, admin), dead)
		admin.loggedIn = time.Now()
		expect(t, "admin, signed in anew", ask(t, s, admin), "")
	})
}

// Pauses after a login are not hidden by a longer one before it, even where the
// login is seen late.
func TestPauseAfterLateLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, 100)
		strict, lax := stage(store, idle), stage(store, time.Hour)
		old := token{sid: "s1", issued: time.Now(), loggedIn: time.Now()}
		expect(t, "first", ask(t, lax, old), "")
		time.Sleep(40 * time.Minute)
		login := time.Now()
		time.Sleep(2 * time.Minute)
		expect(t, "the old token once more", ask(t, lax, old), "") // a pause of 42m
		time.Sleep(time.Minute)
		fresh := token{sid: "s1", issued: login, loggedIn: login}
		expect(t, "the new one", ask(t, strict, fresh), "")
		time.Sleep(20 * time.Minute)
		expect(t, "lax", ask(t, lax, fresh), "")
		expect(t, "strict after a pause of 20m", ask(t, strict, fresh), dead)
	})
}

// What a page asks for by itself keeps nobody's session alive.
func TestNoTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, 100)
		work, poll := bounded(store, config.Session{Touch: true}), bounded(store, config.Session{})
		login := time.Now()
		polls := func(d time.Duration, want string) {
			t.Helper()
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Minute) {
				expect(t, "poll", ask(t, poll, token{sid: "s1", issued: time.Now(), loggedIn: login}), want)
			}
		}
		expect(t, "work", ask(t, work, token{sid: "s1", issued: login, loggedIn: login}), "")
		polls(14*time.Minute, "")
		expect(t, "work", ask(t, work, token{sid: "s1", issued: login, loggedIn: login}), "")
		polls(idle, "")
		polls(11*time.Hour, dead)
		expect(t, "work", ask(t, work, token{sid: "s1", issued: time.Now(), loggedIn: login}), dead)
	})
}

// A session that is first seen by such a request was used when its token was
// issued, and refreshed tokens do not change that.
func TestNoTouchFirst(t *testing.T) {
	for _, told := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			poll := bounded(newStore(t, 100), config.Session{})
			begun := time.Now()
			tok := token{sid: "s1", issued: begun}
			if told {
				tok.loggedIn = begun
			}
			time.Sleep(10 * time.Minute)
			expect(t, "first", ask(t, poll, tok), "")
			time.Sleep(5*time.Minute - 1)
			tok.issued = time.Now()
			expect(t, "refreshed", ask(t, poll, tok), "")
			time.Sleep(time.Nanosecond)
			tok.issued = time.Now()
			expect(t, "refreshed again", ask(t, poll, tok), dead)
		})
	}
}

// A route that allows longer pauses lets an old token in, and so does not make
// it good for one that does not: the sequence does not matter.
func TestOldTokenSeenElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, 100)
		strict, lax := stage(store, idle), stage(store, time.Hour)
		tok := token{sid: "s1", issued: time.Now(), loggedIn: time.Now()}
		time.Sleep(30 * time.Minute)
		expect(t, "strict", ask(t, strict, tok), dead)
		expect(t, "lax", ask(t, lax, tok), "")
		expect(t, "strict", ask(t, strict, tok), dead)
	})
}

// To sign in is to be there, also where the token that tells of it comes late.
func TestLoginSeenLate(t *testing.T) {
	for after, want := range map[time.Duration]string{
		time.Minute: dead, 5 * time.Minute: dead, 5*time.Minute + time.Second: "", 14 * time.Minute: "", 16 * time.Minute: "", 20 * time.Minute: "",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := stage(newStore(t, 100), idle)
			start := time.Now()
			expect(t, "first", ask(t, s, token{sid: "s1", issued: start, loggedIn: start}), "")
			time.Sleep(20 * time.Minute)
			expect(t, "dead", ask(t, s, token{sid: "s1", issued: time.Now(), loggedIn: start}), dead)
			login := start.Add(after)
			expect(t, "login "+after.String()+" later", ask(t, s, token{sid: "s1", issued: time.Now(), loggedIn: login}), want)
		})
	}
}

func TestDescribe(t *testing.T) {
	s := bounded(newStore(t, 1), config.Session{Roles: map[string]*config.SessionRole{"b": {Max: hours(time.Hour)}, "a": {Idle: hours(time.Minute)}}})
	d, _ := s.(middleware.Describer)
	if got, want := d.Describe(), "not revoked, idle 15m0s, max 12h0m0s, a idle 1m0s, b max 1h0m0s, no use of the session"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
