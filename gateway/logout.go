package gateway

import (
	"crypto/sha256"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/authn"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
	"github.com/gatehouse-dev/gatehouse/middleware/ratelimit"
)

// logoutBytes is the largest body that is read where issuers post logout tokens.
const logoutBytes = 64 << 10

// logoutRate is how often one address may post logout tokens. Anybody can, and
// each may cost the check of a signature; an issuer whose users all go home at
// six stays below it.
func logoutRate() *config.RateLimit {
	return &config.RateLimit{Key: []string{"client.address"}, Rate: config.Rate{Count: 100, Per: time.Second}}
}

// logout is where one issuer tells that sessions have ended (OpenID Connect
// Back-Channel Logout 1.0). It is matched before routes, for every host and
// method, and has a list of stages as they have, with an order in place of an
// upstream behind it.
type logout struct {
	name      string // of the issuer
	issuer    *authn.Issuer
	audiences []string
	said      *said
	stages    []middleware.Stage
}

// openLogout makes the places of all issuers that have one, by path.
func (b *builder) openLogout() {
	b.plan.logout = map[string]*logout{}
	for name, c := range b.config.Issuers {
		if c.BackchannelLogout == nil {
			continue
		}
		at := "issuers." + name + ".backchannel_logout"
		limit, err := ratelimit.Open("backchannel logout", logoutRate(), b.store)
		if err != nil {
			b.mistake(at, err)
			continue
		}
		l := &logout{name: name, issuer: b.issuers[name], audiences: c.BackchannelLogout.Audiences, stages: b.observed(b.logout(limit.Telling(b.config.RateLimitHeaders)))}
		if l.said, err = hold(b.plan.lease, "logout", name, func() (*said, error) { return &said{}, nil }); err != nil {
			b.mistake(at, err)
			continue
		}
		b.plan.logout[c.BackchannelLogout.Path] = l
	}
}

// handler answers an issuer that posts a logout token. What it says holds when it
// is answered; where other replicas do not know yet they will, and the issuer,
// which would not come again, is told that all is well.
func (l *logout) handler(p *Plan, g *Gateway) middleware.Handler {
	return middleware.Chain(func(x *middleware.Exchange) (*http.Response, error) {
		if x.Request.Method != http.MethodPost {
			return nil, notPosted()
		}
		raw, err := logoutToken(x)
		if err != nil {
			return nil, err
		}
		ctx, now := x.Request.Context(), time.Now()
		told, err := l.issuer.Logout(ctx, raw, l.audiences, now)
		if err != nil {
			return nil, err
		}
		said := sayingOf(told)
		if l.said.before(said, now) {
			x.Note("logout", "repeated")
			return loggedOut(x), nil
		}
		o, about := l.order(told)
		if given, _, err := p.give(ctx, g.deps.Metrics, o); given.ID == "" {
			return nil, middleware.Refuse("logout", middleware.Overloaded, "the logout cannot be kept now").With(err).Set("Retry-After", "5")
		}
		l.said.add(said, now)
		x.Note("logout", about)
		return loggedOut(x), nil
	}, l.stages...)
}

func notPosted() *middleware.Refusal {
	return middleware.Refuse("logout", middleware.MethodNotAllowed, "logout tokens are posted").Set("Allow", http.MethodPost)
}

// logoutToken takes the one token out of a form. What else is in it is not looked
// at (section 2.5).
func logoutToken(x *middleware.Exchange) (string, error) {
	media, _, err := mime.ParseMediaType(x.Request.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" || x.Request.Header.Get("Content-Encoding") != "" {
		return "", middleware.Refuse("logout", middleware.MediaTypeUnsupported, "a logout token comes as application/x-www-form-urlencoded")
	}
	body, err := x.Body("logout")
	if err != nil {
		return "", err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["logout_token"]) != 1 {
		return "", middleware.Refuse("logout", middleware.BodyMalformed, "the form must have one logout_token")
	}
	return form.Get("logout_token"), nil
}

// order is what follows from an issuer's word, and what it is about. It dates
// from when the issuer said so, by the clock that its tokens are dated by: what
// it issues after that is good, and saying it twice changes nothing.
func (l *logout) order(told authn.Logout) (o orders.Order, about string) {
	o = orders.Order{Kind: orders.Revocation, Issuer: l.name, By: "issuer " + l.name, At: told.Issued}
	if told.SID != "" {
		o.SID = told.SID
		return o, "session"
	}
	o.Subject, o.IssuedBefore = told.Subject, told.Issued
	return o, "subject"
}

// loggedOut is the answer to a logout token that was believed (section 2.8).
func loggedOut(x *middleware.Exchange) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Cache-Control": {"no-store"}, "Content-Length": {"0"}}, Body: http.NoBody, Request: x.Request,
	}
}

// said remembers the logout tokens that were believed, for as long as they would
// be believed again, so that each leads to one order. It holds two spans of time,
// the older of which is forgotten as a whole.
type said struct {
	mu        sync.Mutex
	begun     time.Time // the younger span
	last, now map[saying]struct{}
}

// saying is what a logout token said. An issuer whose tokens all have one jti, as
// none should, is believed each time it says something else.
type saying [sha256.Size]byte

func sayingOf(told authn.Logout) saying {
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d", told.JTI, told.SID, told.Subject, told.Issued.UnixNano()))
}

const (
	saidSpan = 10 * time.Minute // longer than a logout token is believed
	saidMost = 10_000           // in one span
)

func (s *said) before(key saying, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now)
	_, young := s.now[key]
	_, old := s.last[key]
	return young || old
}

func (s *said) add(key saying, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now)
	s.now[key] = struct{}{}
}

func (s *said) turn(now time.Time) {
	if s.now == nil || len(s.now) >= saidMost || now.Sub(s.begun) > saidSpan {
		s.last, s.now, s.begun = s.now, map[saying]struct{}{}, now
	}
}
