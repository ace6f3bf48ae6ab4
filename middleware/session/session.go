// Package session judges the session of a request behind its token: whether it
// was called back, is over, or is good enough for the route.
//
// # Revocation
//
// What operators and issuers have called back (package orders) is refused with 401
// session_revoked. Where it is not known what other replicas were told, and the
// configuration wants that closed, nobody with a token is served: 503.
//
// # Sessions that end
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
//
// With Redis, all replicas know what one knows (store.go).
//
// # Step-up
//
// A route can want a class of authentication (acr), methods (amr) and that the
// user signed in a while ago at most (RFC 9470). Service accounts are not spared: a
// token that does not say is one that does not do. A request that is refused for
// that is no use of its session.
//
// # Answers that are still open
//
// An answer whose token is called back, or whose subject is blocked, is cut within a second, unless it is a small
// one. A stream (server-sent events, which have no end of their own) is cut as well when
// its token expires and when its session is over; being open is no use of the
// session. See live.go.
package session

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

const name = "session"

// Stage refuses sessions that were called back, are over or must be stepped up:
// 401 session_revoked, session_idle, session_expired, step_up_required.
type Stage struct {
	book   *orders.Book
	store  *Store
	bounds *bounds // nil: none
	touch  bool
	acr    []string // any of these
	amr    []string // all of these
	maxAge int64    // seconds; 0: whenever
}

// New makes the stage of a route, nil where it asks for no token. Routes that
// share a store share the clock of a session: use of one is use of all. A nil
// Book calls nothing back.
func New(r *config.Route, book *orders.Book, store *Store) middleware.Stage {
	if r.Authn == nil {
		return nil
	}
	s := &Stage{book: book, store: store, bounds: newBounds(r.Session)}
	s.want(r.Authn)
	if s.bounds != nil {
		s.touch = r.Session.Touch
		store.heed(s.bounds)
	}
	return s
}

// Name is "session".
func (*Stage) Name() string { return name }

// Describe says what a session must be.
func (s *Stage) Describe() string {
	parts := []string{"not revoked"}
	if s.bounds != nil {
		parts = append(parts, s.bounds.String())
		if !s.touch {
			parts = append(parts, "no use of the session")
		}
	}
	if len(s.acr) > 0 {
		parts = append(parts, "acr "+strings.Join(s.acr, " or "))
	}
	if len(s.amr) > 0 {
		parts = append(parts, "amr "+strings.Join(s.amr, " and "))
	}
	if s.maxAge > 0 {
		parts = append(parts, fmt.Sprintf("signed in within %ds", s.maxAge))
	}
	return strings.Join(parts, ", ")
}

// Handle counts the request as a use of its session, or refuses it, and watches
// the answer.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if x.Subject == nil {
		return nil, middleware.Refuse(name, middleware.InternalError, "the request has no session").
			With(errors.New("session stands behind no authn"))
	}
	if err := s.book.Stale(); err != nil {
		return nil, middleware.Refuse(name, middleware.AuthenticationUnavailable, "tokens cannot be checked at the moment").
			With(err).Set("Retry-After", "5")
	}
	id := identity(x)
	if err := s.revoked(x, &id); err != nil {
		return nil, err
	}
	lacks := s.lacks(x)
	var t token
	var l limits
	if s.bounds != nil {
		t, l = tokenOf(x), s.bounds.of(x.Subject)
		refused, local := s.store.use(x.Request.Context(), &t, l, s.touch && !lacks.Unmet(), time.Now())
		if local != nil {
			x.Note("session_store", "local")
		}
		if refused != nil {
			return nil, over(refused)
		}
	}
	if err := weak(lacks); err != nil {
		return nil, err
	}
	res, err := next(x)
	if err != nil {
		return nil, err
	}
	if s.maxAge > 0 || len(s.acr) > 0 || len(s.amr) > 0 {
		middleware.Forgo(res.Header)
	}
	return s.watch(x, res, &id, &t, l)
}

// watch keeps an eye on an answer that is still open. Whether it was called back
// is looked at once more: the upstream may have taken its time, and the watcher
// tells only of what comes from now on. A small answer to a request that may have
// changed something is sent all the same: it tells what was done.
func (s *Stage) watch(x *middleware.Exchange, res *http.Response, id *orders.Token, t *token, l limits) (*http.Response, error) {
	stream := res.StatusCode == http.StatusSwitchingProtocols || endless(res.Header)
	if !watched(res, stream) {
		if !reads(x.Request.Method) {
			return res, nil
		}
		if err := s.revoked(x, id); err != nil {
			if res.Body != nil {
				_ = res.Body.Close()
			}
			return nil, err
		}
		return res, nil
	}
	body := &live{
		ReadCloser: res.Body, x: x, stage: s, id: *id, token: *t, limits: l, stream: stream, expires: x.Expires,
		cancel: x.Cancel, cutter: x.Cutter,
	}
	s.store.watcher.add(body)
	res.Body = body
	if err := s.revoked(x, id); err != nil {
		_ = body.Close()
		return nil, err
	}
	return res, nil
}

// reads reports whether a method asks for something and changes nothing.
func reads(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// identity is what orders know a token by.
func identity(x *middleware.Exchange) orders.Token {
	s := x.Subject
	id := orders.Token{Issuer: s.Issuer, Subject: s.ID, Tenant: s.Tenant, Issued: x.IssuedAt, Authenticated: x.AuthTime()}
	id.JTI, _ = s.Claims["jti"].(string)
	id.SID, _ = s.Claims["sid"].(string)
	return id
}

// revoked refuses what was called back. The record has the order's id; its
// reason is for operators, and stays with the order.
func (s *Stage) revoked(x *middleware.Exchange, id *orders.Token) error {
	o := s.book.Revoked(id)
	if o == nil {
		return nil
	}
	x.Note("revocation", o.ID)
	return refuse(middleware.SessionRevoked, "the token or its session was called back", nil)
}

// StepUp refuses a caller whose authentication is not what a route wants, as the
// stage of the route does; nil where it is.
func StepUp(a *config.Authn, x *middleware.Exchange) error {
	var s Stage
	s.want(a)
	return weak(s.lacks(x))
}

// want reads what the configuration asks of an authentication.
func (s *Stage) want(a *config.Authn) {
	s.acr, s.amr = a.ACR, a.AMR
	if d := a.MaxAge.D(); d > 0 {
		s.maxAge = max(int64(d/time.Second), 1)
	}
}

// weak refuses an authentication that lacks something.
func weak(lacks middleware.StepUp) error {
	if !lacks.Unmet() {
		return nil
	}
	if r, ok := lacks.Refuse(name); ok {
		return r
	}
	return middleware.Refuse(name, middleware.InternalError, "the route demands an authentication that cannot be named")
}

// lacks is what the route wants of the authentication and the token does not say.
func (s *Stage) lacks(x *middleware.Exchange) (out middleware.StepUp) {
	if len(s.acr) > 0 && !slices.Contains(s.acr, x.Subject.ACR) {
		out.ACR = s.acr
	}
	for _, m := range s.amr {
		if !slices.Contains(x.Subject.AMR, m) {
			out.AMR = append(out.AMR, m)
		}
	}
	if s.maxAge > 0 && !x.AuthenticatedWithin(s.maxAge) {
		out.MaxAge = s.maxAge
	}
	return out
}

// over refuses a session that has ended.
func over(err error) error {
	if errors.Is(err, errExpired) {
		return refuse(middleware.SessionExpired, "the session has lasted for too long", err)
	}
	return refuse(middleware.SessionIdle, "the session was unused for too long", err)
}

// refuse puts it into the words of RFC 6750, section 3.
func refuse(code middleware.Code, detail string, err error) error {
	return middleware.Refuse(name, code, detail+"; sign in again").With(err).
		Set("WWW-Authenticate", `Bearer realm="gatehouse", error="invalid_token", error_description="`+detail+`"`)
}
