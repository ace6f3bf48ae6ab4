package ratelimit

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Place is one of the places of this stage in the list.
type Place int

const (
	// ByAddress is before authentication: rules that need not know who asks.
	ByAddress Place = iota
	// BySubject is after it: rules that count by subject or claim.
	BySubject
	// ByPolicy is behind the policies: rules whose rate they may say.
	ByPolicy
)

func (p Place) String() string {
	return [...]string{"by address", "by subject", "by policy"}[p]
}

// Stage asks the rules of one route that fall to one place.
type Stage struct {
	place     Place
	rules     []*Rule
	cost      int64
	headers   headers
	innermost bool // no other place of the route has rules behind it
}

var _ interface {
	middleware.Stage
	middleware.Describer
} = (*Stage)(nil)

// New makes the stage for one place of a route. rules are those the route
// names, in its order; New picks those that fall to the place, and gives nil
// where none does. On a route without authn there is no subject to wait for, and
// on one without policies no decision: rules are asked in the first place where
// all is known that there will be, and count by address what stays unknown.
func New(place Place, route *config.Route, rules []*Rule) middleware.Stage {
	s := &Stage{place: place, cost: max(int64(route.RateCost), 1), innermost: true}
	for _, r := range rules {
		switch at := r.place(route); {
		case at == place:
			s.rules = append(s.rules, r)
		case at > place:
			s.innermost = false
		}
	}
	if len(s.rules) == 0 {
		return nil
	}
	s.headers = s.rules[0].headers
	return s
}

func (r *Rule) place(route *config.Route) Place {
	switch {
	case r.policy && !route.Policy.Off:
		return ByPolicy
	case r.subject && route.Authn != nil:
		return BySubject
	}
	return ByAddress
}

// Name of the stage, the same in all places.
func (s *Stage) Name() string { return "ratelimit" }

// Describe lists the rules.
func (s *Stage) Describe() string {
	names := make([]string, len(s.rules))
	for i, r := range s.rules {
		names[i] = r.String()
	}
	text := s.place.String() + ": " + strings.Join(names, ", ")
	if s.cost > 1 {
		text += "; a request counts " + strconv.FormatInt(s.cost, 10)
	}
	return text
}

// Handle refuses with 429 rate_limited what some rule refuses. An admitted
// request's answer tells the tightest of the rules.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	var array [4]take
	taken, err := s.ask(x, array[:0])
	if err != nil {
		return nil, err
	}
	res, err := next(x)
	if err != nil {
		return nil, err
	}
	if s.innermost {
		s.headers.clear(res.Header)
	}
	var tightest *take
	for i := range taken {
		if t := &taken[i]; t.counted && !t.rule.shadow && t.tighter(tightest) {
			tightest = t
		}
	}
	if tightest != nil {
		s.headers.announce(tightest, res.Header)
	}
	return res, nil
}

// ask counts the request with all rules, or with none where one refuses.
func (s *Stage) ask(x *middleware.Exchange, takes []take) ([]take, error) {
	var array [4]ask
	asks := array[:0]
	for _, r := range s.rules {
		if r.exempts(x.Client) {
			r.ledger.exempt.Add(1)
			continue
		}
		q, err := r.quotaOf(x)
		if err == nil && s.cost > q.capacity() {
			err = errCost
		}
		if err == nil {
			asks = append(asks, ask{rule: r, quota: q, key: r.key(x), cost: s.cost})
			continue
		}
		x.Note("ratelimit_policy", r.name)
		r.ledger.failed.Add(1)
		if !r.shadow {
			return nil, middleware.Refuse(s.Name(), middleware.PolicyError, "the policy's rate cannot be used").
				With(fmt.Errorf("rate limit %s: %w", r.name, err))
		}
	}
	if len(asks) == 0 {
		return takes, nil
	}
	takes, refusing := s.rules[0].store.decide(x.Request.Context(), asks, takes)
	for i := range takes {
		takes[i].note(x, refusing, i)
	}
	if refusing < 0 {
		return takes, nil
	}
	t := &takes[refusing]
	x.Note("ratelimit", t.rule.name)
	return nil, s.refusal(t)
}

// note puts on record what a rule decided. refusing is the index of the rule that
// refuses the request, below 0 where none does.
func (t *take) note(x *middleware.Exchange, refusing, index int) {
	l := t.rule.ledger
	if t.err != nil {
		x.Note("ratelimit_store", t.rule.name+": "+t.rule.onError)
	}
	switch {
	case t.rule.shadow && t.refuses():
		x.Note("ratelimit_shadow", t.rule.name)
		l.shadow.Add(1)
		if t.counted {
			l.note(t, x)
		}
	case refusing == index && t.counted:
		l.refused.Add(1)
		l.note(t, x)
	case refusing == index:
		l.failed.Add(1)
	case refusing < 0:
		l.admitted.Add(1)
	}
}

// refusal says why the request is refused.
func (s *Stage) refusal(t *take) *middleware.Refusal {
	if !t.counted {
		wait := seconds(t.rule.store.redis.Wait())
		return middleware.Refuse(s.Name(), middleware.Overloaded, "requests cannot be counted now").
			With(t.err).Set("Retry-After", strconv.FormatInt(wait, 10))
	}
	r := middleware.Refuse(s.Name(), middleware.RateLimited, "too many requests").
		Set("Retry-After", strconv.FormatInt(seconds(t.RetryAfter), 10))
	s.headers.announce(t, r.Header)
	return r
}
