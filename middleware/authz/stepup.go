package authz

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// stepUp refuses with 401 insufficient_user_authentication (RFC 9470) where
// the subject's authentication does not meet every requirement. A token that
// does not say when the user authenticated never meets a maximum age.
func stepUp(x *middleware.Exchange, require []policies.Require) error {
	var lacks middleware.StepUp
	for _, q := range require {
		if q.ACR != "" && (x.Subject == nil || x.Subject.ACR != q.ACR) && !slices.Contains(lacks.ACR, q.ACR) {
			lacks.ACR = append(lacks.ACR, q.ACR)
		}
		for _, m := range q.AMR {
			if x.Subject == nil || !slices.Contains(x.Subject.AMR, m) {
				lacks.AMR = append(lacks.AMR, m)
			}
		}
		if q.MaxAge > 0 && !x.AuthenticatedWithin(q.MaxAge) && (lacks.MaxAge == 0 || q.MaxAge < lacks.MaxAge) {
			lacks.MaxAge = q.MaxAge
		}
	}
	if !lacks.Unmet() {
		return nil
	}
	if r, ok := lacks.Refuse(stageName); ok {
		return r
	}
	return middleware.Refuse(stageName, middleware.PolicyError, "the policy demands an authentication that cannot be named")
}
