package authz

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// stepUp refuses with 401 insufficient_user_authentication (RFC 9470) where
// the subject's authentication does not meet every requirement. A token that
// does not say when the user authenticated never meets a maximum age.
func stepUp(x *middleware.Exchange, require []policies.Require) error {
	var acr, missing []string
	maxAge := int64(0)
	unmet := false
	for _, q := range require {
		if q.ACR != "" && (x.Subject == nil || x.Subject.ACR != q.ACR) {
			acr, unmet = append(acr, q.ACR), true
		}
		for _, m := range q.AMR {
			if x.Subject == nil || !slices.Contains(x.Subject.AMR, m) {
				missing, unmet = append(missing, m), true
			}
		}
		if q.MaxAge > 0 && stale(x, q.MaxAge) {
			unmet = true
			if maxAge == 0 || q.MaxAge < maxAge {
				maxAge = q.MaxAge
			}
		}
	}
	if !unmet {
		return nil
	}
	challenge := `Bearer error="insufficient_user_authentication", error_description="a stronger or fresher authentication is required"`
	if len(acr) > 0 {
		values, ok := quoted(strings.Join(acr, " "))
		if !ok {
			return middleware.Refuse(stageName, middleware.PolicyError, "the policy demands an authentication that cannot be named")
		}
		challenge += ", acr_values=" + values
	}
	if maxAge > 0 {
		challenge += fmt.Sprintf(", max_age=\"%d\"", maxAge)
	}
	detail := "this needs a stronger or fresher authentication"
	if len(missing) > 0 {
		slices.Sort(missing)
		detail += ": " + strings.Join(slices.Compact(missing), ", ")
	}
	r := middleware.Refuse(stageName, middleware.StepUpRequired, detail)
	r.Header = http.Header{"Www-Authenticate": {challenge}}
	return r
}

// quoted makes a quoted string for a challenge (RFC 9110, section 5.6.4), unless
// s holds what none can: a control character, or one beyond ASCII.
func quoted(s string) (string, bool) {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			return "", false
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteByte(s[i])
		}
	}
	b.WriteByte('"')
	return b.String(), true
}

func stale(x *middleware.Exchange, maxAge int64) bool {
	if x.Subject == nil || x.Subject.AuthTime <= 0 {
		return true
	}
	age := x.Start.Unix() - x.Subject.AuthTime
	return age > maxAge
}
