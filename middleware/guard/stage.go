package guard

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

const stageName = "guard"

// Stage keeps blocked addresses out of one route and shows the detectors what
// becomes of the others.
type Stage struct {
	guard  *Guard
	route  string
	login  bool
	field  []string // where a login names its user; nil: the usual places
	params []string // of the route's path, in sequence
}

var _ interface {
	middleware.Stage
	middleware.Describer
} = (*Stage)(nil)

// Place is where in the list of stages a stage of the guard stands.
type Place int

// The places: before any work is done, and behind where the subject is known.
const (
	ByAddress Place = iota
	BySubject
)

// New makes the stage of a route, or ByAddress of the requests that no route takes,
// for which route is nil. It is nil where it has nothing to do: there is no guard,
// or nobody says who the subject is.
func New(place Place, route *config.Route, g *Guard) middleware.Stage {
	if g == nil {
		return nil
	}
	if place == BySubject {
		if route.Authn == nil {
			return nil
		}
		return &Subjects{g.Book, g.promotions}
	}
	s := &Stage{guard: g}
	if route != nil {
		s.route, s.login, s.field, s.params = route.Name, route.Login, fieldOf(route.LoginUsername), params(route.Match.Path)
	}
	return s
}

// Name of the stage.
func (s *Stage) Name() string { return stageName }

// Describe says what is watched for.
func (s *Stage) Describe() string {
	parts := []string{"keeps out blocked addresses"}
	if s.login {
		parts = []string{"keeps out blocked addresses and logins"}
	}
	for _, w := range s.guard.watches {
		if s.login || !w.logins {
			parts = append(parts, w.String())
		}
	}
	if w := s.guard.volume; w != nil && s.route != "" {
		parts = append(parts, w.String())
	}
	return strings.Join(parts, "; ")
}

// Handle refuses the blocked with 403 address_blocked before anything is done for
// them, and shows the detectors what became of the request.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	g := s.guard
	trusted := g.trusts(single(x.Client))
	if !trusted {
		if o := g.Book.BlockedAddress(x.Client); o != nil {
			return nil, blocked(x, o)
		}
	}
	if s.login {
		return s.attempt(x, trusted, next)
	}
	res, err := next(x)
	s.over(x, res, err)
	return res, err
}

// attempt handles a login.
func (s *Stage) attempt(x *middleware.Exchange, trusted bool, next middleware.Handler) (*http.Response, error) {
	g := s.guard
	signal, err := s.signIn(x)
	if err != nil {
		return nil, err
	}
	if !trusted {
		entered := true
		if g.limits(signal) {
			if entered = g.guesses.Enter(signal); entered {
				defer g.guesses.Leave(signal) // when what follows is in force
			}
		}
		if o := g.blockedUser(signal); o != nil {
			return nil, blocked(x, o)
		}
		if !entered {
			return nil, middleware.Refuse(stageName, middleware.RateLimited, "too many login attempts at once").Set("Retry-After", "1")
		}
	}
	// Who does not wait for the answer has guessed all the same: some upstreams are
	// slow to say no, and quick to say yes. So the answer is waited for here.
	x.Request = x.Request.WithContext(context.WithoutCancel(x.Request.Context()))
	res, err := next(x)
	s.tried(x, signal, res, err)
	return res, err
}

// limits reports whether only so many attempts like this one are let in at once.
// Where the address is not known nobody is blocked by it, and nobody is to wait for
// the attempts of others.
func (g *Guard) limits(s *detect.Signal) bool {
	return g.guesses != nil && s.Address.IsValid() && (len(s.Users) > 0 || s.Hidden)
}

// blockedUser gives a block of one of the names that an attempt goes by.
func (g *Guard) blockedUser(s *detect.Signal) *orders.Order {
	if len(s.Users) == 0 {
		return g.Book.BlockedUser(s.Address, userText(detect.Digest{}))
	}
	for _, u := range s.Users {
		if o := g.Book.BlockedUser(s.Address, userText(u)); o != nil {
			return o
		}
	}
	return nil
}

// blocked says that an address is blocked. The record has the block's id; its
// reason is for operators, and stays with the order.
func blocked(x *middleware.Exchange, o *orders.Order) error {
	x.Note("block", o.ID)
	detail := "the address is blocked"
	if o.User != "" {
		detail = "logins on this username from this address are blocked"
	}
	return ends(middleware.Refuse(stageName, middleware.AddressBlocked, detail), o)
}

// ends says when a block ends, where it does.
func ends(r *middleware.Refusal, o *orders.Order) *middleware.Refusal {
	if o.Ends.IsZero() {
		return r
	}
	seconds := int64((time.Until(o.Ends) + time.Second - 1) / time.Second)
	return r.Set("Retry-After", strconv.FormatInt(max(seconds, 1), 10))
}

// params are the names of a path's {id} segments, in sequence.
func params(path string) (out []string) {
	for segment := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			out = append(out, strings.TrimSuffix(name, "}"))
		}
	}
	return out
}

// String is for people.
func (w *watch) String() string {
	return fmt.Sprintf("%s (%s): %s, %s", w.name, w.rule, w.response.Mode, w.response.Action)
}
