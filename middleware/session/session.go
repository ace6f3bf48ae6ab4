// Package session ends sessions that nobody uses, and those that have lasted for
// long enough.
//
// A token says when it expires and nothing about whether anybody is still at
// the screen. The stage remembers when each session was last used and refuses
// it once the pause was longer than the route allows. A refused session stays
// dead: only that its user signs in anew (auth_time) revives it, so that a client
// that silently refreshes tokens does not keep an abandoned session alive. In the
// same way it refuses a session that began too long ago.
//
// A session is the token's sid claim (OpenID Connect Front-Channel Logout 1.0,
// section 3). A token without one stands for a session of its own, told apart
// by issuer, subject and time of authentication; where the issuer tells neither,
// as for service accounts, each token is a session of its own, and begins with
// its issue.
//
// Where an issuer names the session and never the time of authentication, the
// session began with the first token that was seen, and nothing revives it: a
// new login is then one with another sid.
package session

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

const name = "session"

// Stage refuses sessions that are over: 401 session_idle and session_expired.
type Stage struct {
	bounds *bounds
	touch  bool
	store  *Store
}

// New makes the stage of a route, nil where c is nil. Routes that share a
// store share the clock of a session: use of one is use of all.
func New(c *config.Session, store *Store) middleware.Stage {
	if c == nil {
		return nil
	}
	s := &Stage{bounds: newBounds(c), touch: c.Touch, store: store}
	store.heed(s.bounds)
	return s
}

// Name is "session".
func (*Stage) Name() string { return name }

// Describe says how long a session may be unused, and last.
func (s *Stage) Describe() string {
	text := s.bounds.String()
	if !s.touch {
		text += ", no use of the session"
	}
	return text
}

// Handle counts the request as a use of its session, or refuses it.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if x.Subject == nil {
		return nil, middleware.Refuse(name, middleware.InternalError, "the request has no session").
			With(errors.New("session stands on a route without authn"))
	}
	t := tokenOf(x)
	refused, local := s.store.use(x.Request.Context(), &t, s.bounds.of(x.Subject), s.touch, time.Now())
	if local != nil {
		x.Note("session_store", "local")
	}
	if refused != nil {
		return nil, over(refused)
	}
	return next(x)
}

// over refuses a session that has ended (RFC 6750, section 3).
func over(err error) *middleware.Refusal {
	code, detail := middleware.SessionIdle, "the session was unused for too long"
	if errors.Is(err, errExpired) {
		code, detail = middleware.SessionExpired, "the session has lasted for too long"
	}
	return middleware.Refuse(name, code, detail+"; sign in again").With(err).
		Set("WWW-Authenticate", `Bearer realm="gatehouse", error="invalid_token", error_description="`+detail+`"`)
}
