package ratelimit

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Place is one of the two places of this stage in the list.
type Place int

const (
	// ByAddress is before authentication: rules that need not know who asks.
	ByAddress Place = iota
	// BySubject is after it: rules that count by subject or claim.
	BySubject
)

func (p Place) String() string {
	if p == BySubject {
		return "by subject"
	}
	return "by address"
}

// Stage asks the rules of one route that fall to one place.
type Stage struct {
	place Place
	rules []*Rule
}

var _ interface {
	middleware.Stage
	middleware.Describer
} = (*Stage)(nil)

// New makes the stage for one place of a route. rules are those the route
// names, in its order; New picks those that fall to the place, and gives nil
// where none does. On a route without authn there is no subject to wait for:
// all of its rules are asked in the first place, and those that count by
// subject count by address there.
func New(place Place, route *config.Route, rules []*Rule) middleware.Stage {
	s := &Stage{place: place}
	for _, r := range rules {
		at := ByAddress
		if r.subject && route.Authn != nil {
			at = BySubject
		}
		if at == place {
			s.rules = append(s.rules, r)
		}
	}
	if len(s.rules) == 0 {
		return nil
	}
	return s
}

// Name of the stage, the same in both places.
func (s *Stage) Name() string { return "ratelimit" }

// Describe lists the rules.
func (s *Stage) Describe() string {
	names := make([]string, len(s.rules))
	for i, r := range s.rules {
		names[i] = r.String()
	}
	return s.place.String() + ": " + strings.Join(names, ", ")
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
	var tightest *take
	for i := range taken {
		if t := &taken[i]; t.counted && !t.rule.shadow && t.tighter(tightest) {
			tightest = t
		}
	}
	if tightest != nil {
		tightest.announce(res.Header)
	}
	return res, nil
}

// ask counts the request with all rules, or with none where one refuses.
func (s *Stage) ask(x *middleware.Exchange, takes []take) ([]take, error) {
	var array [4]ask
	asks := array[:0]
	for _, r := range s.rules {
		asks = append(asks, ask{rule: r, quota: r.quota, key: r.key(x), cost: 1})
	}
	takes, refusing := s.rules[0].store.decide(x.Request.Context(), asks, takes)
	for i := range takes {
		t := &takes[i]
		if t.err != nil {
			x.Note("ratelimit_store", t.rule.name+": "+t.rule.onError)
		}
		if t.rule.shadow && t.refuses() {
			x.Note("ratelimit_shadow", t.rule.name)
		}
	}
	if refusing < 0 {
		return takes, nil
	}
	t := &takes[refusing]
	x.Note("ratelimit", t.rule.name)
	return nil, t.refusal(s.Name())
}

// refusal says why the request is refused.
func (t *take) refusal(stage string) *middleware.Refusal {
	if !t.counted {
		wait := seconds(t.rule.store.redis.Wait())
		return middleware.Refuse(stage, middleware.Overloaded, "requests cannot be counted now").
			With(t.err).Set("Retry-After", strconv.FormatInt(wait, 10))
	}
	r := middleware.Refuse(stage, middleware.RateLimited, "too many requests").
		Set("Retry-After", strconv.FormatInt(seconds(t.RetryAfter), 10))
	t.announce(r.Header)
	return r
}
