package gateway

import (
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/acl"
	"github.com/gatehouse-dev/gatehouse/middleware/audit"
	"github.com/gatehouse-dev/gatehouse/middleware/authn"
	"github.com/gatehouse-dev/gatehouse/middleware/cors"
	"github.com/gatehouse-dev/gatehouse/middleware/csrf"
	"github.com/gatehouse-dev/gatehouse/middleware/guard"
	"github.com/gatehouse-dev/gatehouse/middleware/headers"
	"github.com/gatehouse-dev/gatehouse/middleware/limits"
	"github.com/gatehouse-dev/gatehouse/middleware/lockdown"
	"github.com/gatehouse-dev/gatehouse/middleware/overload"
	"github.com/gatehouse-dev/gatehouse/middleware/problem"
	"github.com/gatehouse-dev/gatehouse/middleware/ratelimit"
	"github.com/gatehouse-dev/gatehouse/middleware/session"
)

// stages is THE list: what every request of a route goes through, outermost
// first, and every answer on its way back. Its order is the security model, so
// it is code and not configuration. A stage that the route does not configure
// is nil and is left out.
func (b *builder) stages(r *config.Route) []middleware.Stage {
	return []middleware.Stage{
		audit.New(r.Audit, b.record),                      // everything below is on record
		headers.New(r),                                    // HSTS and friends, on refusals too
		acl.New(b.problem(), b.config.Listeners, r),       // who is not served learns nothing, not even by a preflight
		cors.New(r.CORS),                                  // preflights end here
		b.problem(),                                       // errors and panics become answers
		overload.New(r, nil, b.plan.caps.all),             // as many as the gateway can do at once
		guard.New(guard.ByAddress, r, b.guard),            // blocked addresses; watches what becomes of the others
		ratelimit.New(ratelimit.ByAddress, r, b.rules(r)), // before any work is done for a stranger
		limits.New(r.Limits),                              // the size of the body
		authn.New(r, b.issuers, b.proofs),                 // JWT -> Subject
		session.New(r, b.plan.orders, b.sessions),         // revoked, idle, step-up
		lockdown.New(r, b.plan.orders),                    // closed by an operator to all but some roles
		guard.New(guard.BySubject, r, b.guard),            // blocked, or to sign in anew
		ratelimit.New(ratelimit.BySubject, r, b.rules(r)), // by subject, tenant, role, claim
		overload.New(r, b.plan.caps.roles, b.caps(r)...),  // as many as the route and the backend can, shared fairly
		csrf.New(r, b.config.CSRF),                        // cross-site changes
		b.sanitize(r),                                     // markup in what clients send
		b.upload(r),                                       // files are what they say they are
		b.authz(r),                                        // Rego -> Decision
		ratelimit.New(ratelimit.ByPolicy, r, b.rules(r)),  // where policies say the rate
		b.mask(r), // innermost: nobody outside sees an unmasked body
	}
}

// bare is the list for requests that no route takes.
func (b *builder) bare() []middleware.Stage {
	return []middleware.Stage{
		audit.New("metadata", b.record),
		headers.New(nil),
		acl.New(b.problem(), b.config.Listeners, nil), // the listener's lists hold here too
		b.problem(),
		guard.New(guard.ByAddress, nil, b.guard), // who looks for what there is not
	}
}

// logout is the list of where an issuer posts logout tokens.
func (b *builder) logout(limit *ratelimit.Rule) []middleware.Stage {
	return []middleware.Stage{
		audit.New("metadata", b.record),
		headers.New(nil),
		acl.New(b.problem(), b.config.Listeners, nil),
		b.problem(),
		ratelimit.New(ratelimit.ByAddress, &config.Route{}, []*ratelimit.Rule{limit}), // anybody can post
		limits.New(config.Limits{BodyBytes: logoutBytes}),
	}
}

func (b *builder) problem() middleware.Stage { return problem.New(b.panicked) }
