package guard

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

const stageName = "guard"

// Stage keeps the blocked out of one route and, on a login route, watches the
// answers.
type Stage struct {
	guard *Guard
	login bool
}

var _ interface {
	middleware.Stage
	middleware.Describer
} = (*Stage)(nil)

// New makes the stage of a route. It is nil where g is, and on routes that no
// block can concern: those without login, unless addresses are blocked.
func New(route *config.Route, g *Guard) middleware.Stage {
	if g == nil || !route.Login && !g.settings.PerAddress {
		return nil
	}
	return &Stage{guard: g, login: route.Login}
}

// Name of the stage.
func (s *Stage) Name() string { return stageName }

// Describe says what is counted and blocked.
func (s *Stage) Describe() string {
	c, by := s.guard.settings, "address and username"
	if c.PerAddress {
		by = "address"
	}
	d := fmt.Sprintf("auth_failures by %s: blocked for %s after %d in %s", by, c.Block, c.Threshold, c.Window)
	if s.login {
		d += "; watches this route"
	}
	return d
}

// Handle refuses the blocked with 403 address_blocked, and counts what the
// upstream of a login route answers.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	g := s.guard
	if g.settings.PerAddress {
		if err := s.check(caller{net: network(x.Client)}); err != nil {
			return nil, err
		}
	}
	if !s.login {
		return next(x)
	}
	a, err := g.attempt(x)
	if err != nil {
		return nil, err
	}
	if err := s.check(a.who...); err != nil {
		return nil, err
	}
	if !g.failures.enter(time.Now(), a.who...) {
		return nil, middleware.Refuse(stageName, middleware.RateLimited, "too many login attempts at once").Set("Retry-After", "1")
	}
	defer g.failures.leave(a.who...)
	res, err := next(x)
	if err != nil {
		return nil, err
	}
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		if g.failures.fail(time.Now(), a.user, a.who...) {
			x.Note("guard_alert", "auth_failures")
		}
	case res.StatusCode/100 == 2 && a.clear:
		g.failures.forgive(a.who[0], a.user)
	}
	return res, nil
}

// check refuses where any of the callers is blocked.
func (s *Stage) check(who ...caller) error {
	left := s.guard.failures.blocked(time.Now(), who...)
	if left <= 0 {
		return nil
	}
	seconds := int64((left + time.Second - 1) / time.Second)
	return middleware.Refuse(stageName, middleware.AddressBlocked, "blocked after repeated failed logins").
		Set("Retry-After", strconv.FormatInt(seconds, 10))
}
