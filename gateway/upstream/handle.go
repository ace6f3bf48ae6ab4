package upstream

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// stage is what refusals of this package are filed under.
const stage = "upstream"

// What an exchange without settings of its own is bound by.
const (
	defaultAnswer = 30 * time.Second
	defaultIdle   = 60 * time.Second
)

// Handle sends the exchange to an endpoint that is well and returns its answer;
// where that fails, and another try can do no harm, to another one (see
// [config.Retries]). It is a [middleware.Handler]. The body of the answer fails,
// which cuts the client's stream, when the upstream is silent for longer than the
// route's idle timeout. Closing it ends the call.
//
// Errors are refusals: upstream_unavailable, with status 503 while the breaker is
// open, upstream_timeout, overloaded where all connections are in use, or what is
// wrong with the request body where reading it from the client failed.
func (u *Upstream) Handle(x *middleware.Exchange) (*http.Response, error) {
	a := askOf(x)
	t := u.pick(a)
	if t == nil {
		return nil, nobody(a)
	}
	answer, idle := bounds(x)
	c := course{u: u, ask: a, answer: answer, begin: time.Now()}
	if u.retries != nil {
		u.retries.budget.count()
		c.repeats = u.retries.repeats(x.Request)
	}
	defer c.end()
	for {
		res, f, err := c.try(t, idle)
		if err != nil {
			return nil, err
		}
		k := became(res, f)
		if k == answered {
			return res, nil
		}
		if t, err = c.next(k, res); err != nil {
			return nil, err
		}
		switch {
		case t != nil:
		case f != nil:
			return nil, f.refusal
		default:
			return res, nil
		}
	}
}

// became is what became of a try.
func became(res *http.Response, f *failure) kind {
	switch {
	case f != nil:
		return f.kind
	case res.StatusCode >= http.StatusBadGateway && res.StatusCode <= http.StatusGatewayTimeout:
		return unwell
	}
	return answered
}

// nobody says why there is no target for an exchange.
func nobody(a ask) error {
	if a.region == "" {
		return unavailable("no endpoint of the backend is well", nil)
	}
	r := unavailable(fmt.Sprintf("no endpoint of the backend that is well is known to be in region %q", a.region), nil)
	r.Status = http.StatusServiceUnavailable // another region is there, and may not serve
	return r
}

// bounds is how long the upstream of an exchange may take: to begin its answer,
// and for each piece of it.
func bounds(x *middleware.Exchange) (answer, idle time.Duration) {
	answer, idle = defaultAnswer, defaultIdle
	if x.Route != nil && x.Route.Timeouts.Upstream > 0 {
		answer = x.Route.Timeouts.Upstream.D()
	}
	if x.Route != nil && x.Route.Timeouts.Idle > 0 {
		idle = x.Route.Timeouts.Idle.D()
	}
	return answer, idle
}
