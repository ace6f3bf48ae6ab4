package gateway

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/authz"
	"github.com/gatehouse-dev/gatehouse/middleware/mask"
	"github.com/gatehouse-dev/gatehouse/middleware/ratelimit"
	"github.com/gatehouse-dev/gatehouse/middleware/sanitize"
	"github.com/gatehouse-dev/gatehouse/middleware/upload"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

func (b *builder) rules(r *config.Route) []*ratelimit.Rule {
	var out []*ratelimit.Rule
	for _, name := range r.RateLimits {
		out = append(out, b.limits[name])
	}
	return out
}

func (b *builder) sanitize(r *config.Route) middleware.Stage {
	s, err := sanitize.New(r.Sanitize)
	if err != nil {
		b.mistake(routePath(b.config, r)+".sanitize", err)
	}
	return s
}

func (b *builder) upload(r *config.Route) middleware.Stage {
	var scan upload.Scanner
	if r.Upload != nil && r.Upload.Scan {
		scan = upload.Clamd(b.config.Scanner)
	}
	s, err := upload.New(r.Upload, scan)
	if err != nil {
		b.mistake(routePath(b.config, r)+".upload.extensions", err)
	}
	return s
}

func (b *builder) authz(r *config.Route) middleware.Stage {
	policy := b.asked(r)
	s := authz.New(policy, b.witness(r.Policy.Body && !policy.Body), b.config.Policies.Headers, slices.Sorted(maps.Keys(b.config.Masking.Keys)))
	if e, ok := b.decider.(*opa.Engine); ok && e.Ages(r.Name) {
		return authz.Fleeting(s)
	}
	return s
}

// asked is what of a request the policies are shown: no body that they cannot
// read on the route, unless others are asked the same and may read more. Headers
// they are shown all, for a decision may name one that no rule reads.
func (b *builder) asked(r *config.Route) config.Policy {
	policy := r.Policy
	if e, ok := b.decider.(*opa.Engine); ok && b.plan.shadow == nil && b.decisions == nil {
		body, _ := e.Reads(r.Name)
		policy.Body = policy.Body && body
	}
	return policy
}

// mask is on every route whose policy decides: which fields are masked is not
// known before.
func (b *builder) mask(r *config.Route) middleware.Stage {
	if r.Policy.Off {
		return nil
	}
	s, err := mask.New(b.config.Masking, r)
	if err != nil {
		b.mistake("masking", err)
		return nil
	}
	if b.config.Guard.DataVolume == nil {
		return s
	}
	if s, err = mask.Counting(s, b.sensitive(r)); err != nil {
		b.mistake("guard.data_volume", err)
	}
	return s
}

// sensitive gives the paths of what is masked for somebody on a route.
func (b *builder) sensitive(r *config.Route) []string {
	e, ok := b.decider.(*opa.Engine)
	if !ok {
		return nil
	}
	return e.MaskedPaths(b.ctx, probeOf(r))
}

func routePath(c *config.Config, r *config.Route) string {
	for i, other := range c.Routes {
		if other == r {
			return fmt.Sprintf("routes[%d]", i)
		}
	}
	return "routes"
}
