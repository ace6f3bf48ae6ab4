package middleware

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// StepUp is what an authentication lacks (RFC 9470, section 3).
type StepUp struct {
	ACR    []string // classes of which the client may choose
	AMR    []string // methods, all of which are missing; a challenge has no word for them
	MaxAge int64    // seconds in which the user must have signed in; 0: whenever
}

// Unmet reports whether anything is lacking.
func (s *StepUp) Unmet() bool { return len(s.ACR) > 0 || len(s.AMR) > 0 || s.MaxAge > 0 }

// Refuse is 401 step_up_required with the challenge. It fails where a class
// cannot be named in one.
func (s *StepUp) Refuse(stage string) (refusal *Refusal, ok bool) {
	challenge := `Bearer error="insufficient_user_authentication", error_description="a stronger or fresher authentication is required"`
	if len(s.ACR) > 0 {
		values, ok := quoted(strings.Join(s.ACR, " "))
		if !ok {
			return nil, false
		}
		challenge += ", acr_values=" + values
	}
	if s.MaxAge > 0 {
		challenge += `, max_age="` + strconv.FormatInt(s.MaxAge, 10) + `"`
	}
	detail := "this needs a stronger or fresher authentication"
	if len(s.AMR) > 0 {
		missing := slices.Clone(s.AMR)
		slices.Sort(missing)
		detail += ": " + strings.Join(slices.Compact(missing), ", ")
	}
	return Refuse(stage, StepUpRequired, detail).Set("WWW-Authenticate", challenge), true
}

// Forgo makes an answer that nobody may keep (RFC 9111, section 5.2.2.5), because
// it took a sign-in that grows old: what is shown now would be read from a
// browser's cache when it is not shown any more.
func Forgo(h http.Header) {
	h.Del("Expires")
	h.Set("Cache-Control", "private, no-store")
}

// AuthenticatedWithin reports whether the user signed in at most so many seconds
// before the exchange. A token that does not say when never meets that, and a
// service account's does not.
func (x *Exchange) AuthenticatedWithin(seconds int64) bool {
	age, known := x.Subject.Age(x.Start)
	return known && age <= seconds
}

// AuthTime is when the user signed in, zero where the token does not say. Unlike
// [Exchange.Authenticated] it is never the time of issue, for a refreshed token
// proves nothing.
func (x *Exchange) AuthTime() time.Time {
	if x.Subject == nil || x.Subject.AuthTime <= 0 {
		return time.Time{}
	}
	return time.Unix(x.Subject.AuthTime, 0)
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
