package session

import (
	"errors"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// token is what a token says about the session it belongs to.
type token struct {
	key  middleware.SessionID
	auth time.Time // auth_time: when the user last proved who they are; zero where the issuer does not tell
	// fresh is the last moment the token itself vouches for: the later of
	// auth_time and issue.
	fresh  time.Time
	issued time.Time // zero where unknown
}

func tokenOf(x *middleware.Exchange) token {
	t := token{key: x.Session(), auth: x.AuthTime(), issued: x.IssuedAt, fresh: x.IssuedAt}
	if t.auth.After(t.fresh) {
		t.fresh = t.auth
	}
	return t
}

// state is what is known of a session. It says nothing of limits, which differ
// by route and role: the longest pause is kept because a route that allows
// longer ones must not revive a session for a route that does not.
type state struct {
	auth  time.Time     // the latest auth_time of its tokens; zero: none told
	start time.Time     // when it began: auth, or the issue of its first token
	last  time.Time     // last use; an authentication is one
	pause time.Duration // longest pause since auth
}

// Reasons to refuse, for the record.
var (
	errUnknown = errors.New("the session was not seen before and its token is older than the idle limit")
	errIdle    = errors.New("the session was idle for longer than the limit, and nobody has signed in since")
	errExpired = errors.New("the session began longer ago than the limit")
)

// judge says why a request with the token is refused, or gives what is known of
// the session after it. Known tells whether s is anything; touch, whether the
// request is a use.
func (s state) judge(known bool, t *token, l limits, touch bool, now time.Time) (state, error) {
	if !known {
		s = begin(t, now)
	}
	s.renew(t, now)
	switch {
	case !now.Before(s.start.Add(l.max)):
		return s, errExpired
	case !s.dead(l.idle, now):
	case !known:
		return s, errUnknown
	default:
		return s, errIdle
	}
	if touch {
		s.touch(now)
	}
	return s, nil
}

// begin is a session at first sight: it was used when its token last vouches
// for, and not now, so that what is no use does not become one by being the
// first that is seen.
func begin(t *token, now time.Time) state {
	s := state{auth: t.auth, start: t.auth, last: earlier(t.fresh, now)}
	if s.start.IsZero() {
		s.start = t.issued
	}
	if s.start.IsZero() {
		s.start = now
	}
	return s
}

// dead reports whether a pause was too long for a limit.
func (s *state) dead(idle time.Duration, now time.Time) bool {
	return now.Sub(s.last) >= idle || s.pause >= idle
}

// renew takes notice of an authentication: the session begins with it, and the
// user was there. Of the pauses before it nothing is left. Where there were uses
// since, with older tokens of the session, no pause among them was longer than
// all of that time.
func (s *state) renew(t *token, now time.Time) {
	if !t.auth.After(s.auth) {
		return
	}
	s.auth, s.start = t.auth, t.auth
	at := earlier(t.auth, now)
	s.pause = min(s.pause, max(s.last.Sub(at), 0))
	s.last = later(s.last, at)
}

// touch writes a use down.
func (s *state) touch(now time.Time) {
	s.pause = max(s.pause, now.Sub(s.last))
	s.last = later(s.last, now)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
