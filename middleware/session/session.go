// Package session ends sessions that nobody uses.
//
// A token says when it expires and nothing about whether anybody is still at
// the screen. The stage remembers when each session was last used and refuses
// it once the pause was longer than the route allows. A refused session stays
// dead: only an authentication later than its death revives it, so that a
// client that silently refreshes tokens does not keep an abandoned session
// alive.
//
// A session is the token's sid claim (OpenID Connect Front-Channel Logout 1.0,
// section 3). A token without one stands for a session of its own, told apart
// by issuer, subject and time of authentication.
//
// The memory is this process's own: replicas do not share it, so a session
// that is used on one replica may be refused as idle by another. It is never
// the other way round for a session that a replica knows.
package session

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

const name = "session"

// Stage refuses idle sessions with 401 session_idle.
type Stage struct {
	idle  time.Duration
	store *Store
}

// New makes the stage of a route, nil where c is nil. Routes that share a
// store share the clock of a session: use of one is use of all.
func New(c *config.Session, store *Store) middleware.Stage {
	if c == nil {
		return nil
	}
	return &Stage{idle: c.Idle.D(), store: store}
}

// Name is "session".
func (*Stage) Name() string { return name }

// Describe says how long a session may be unused.
func (s *Stage) Describe() string { return "idle " + s.idle.String() }

// Handle counts the request as a use of its session, or refuses it.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if x.Subject == nil {
		return nil, middleware.Refuse(name, middleware.InternalError, "the request has no session").
			With(errors.New("session stands on a route without authn"))
	}
	if err := s.store.use(sessionOf(x), s.idle, time.Now()); err != nil {
		return nil, middleware.Refuse(name, middleware.SessionIdle, "the session was unused for too long; sign in again").
			With(err).Set("WWW-Authenticate", `Bearer realm="gatehouse", error="invalid_token", error_description="the session was unused for too long"`)
	}
	return next(x)
}

// session is what a token says about the session it belongs to.
type session struct {
	key           middleware.SessionID
	authenticated time.Time // when the user last proved who they are
	// fresh is the last moment the token itself vouches for: the later of
	// auth_time and issue.
	fresh time.Time
}

func sessionOf(x *middleware.Exchange) session {
	s := session{key: x.Session(), authenticated: x.Authenticated(), fresh: x.IssuedAt}
	if s.authenticated.After(s.fresh) {
		s.fresh = s.authenticated
	}
	return s
}
