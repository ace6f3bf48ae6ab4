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
	if x.Decision != nil && x.Decision.Region != "" {
		// Endpoints carry no region, so none is known to be in it.
		return nil, unavailable(fmt.Sprintf("no endpoint of the backend is known to be in region %q", x.Decision.Region), nil)
	}
	t := u.another(nil)
	if t == nil {
		return nil, unavailable("no endpoint of the backend is well", nil)
	}
	answer, idle := bounds(x)
	c := course{u: u, x: x, answer: answer, begin: time.Now()}
	if u.retries != nil {
		u.retries.budget.count()
		c.repeats = u.retries.repeats(x.Request)
	}
	defer c.end()
	for {
		res, failed, err := c.try(t, idle)
		if err != nil {
			return nil, err
		}
		k := outcome(res, failed)
		if k == answered {
			return res, nil
		}
		if t, err = c.next(k, res); err != nil {
			return nil, err
		}
		switch {
		case t != nil:
		case failed != nil:
			return nil, failed.refusal
		default:
			return res, nil
		}
	}
}

// outcome is what became of a try.
func outcome(res *http.Response, failed *failure) kind {
	switch {
	case failed != nil:
		return failed.kind
	case res.StatusCode >= http.StatusBadGateway && res.StatusCode <= http.StatusGatewayTimeout:
		return unwell
	}
	return answered
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
