package detect

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// APIAbuse counts answers with a status of 400 to 499, by subject, or by address
// where nobody is known.
//
// Some do not count, or a browser tab that polls would block itself. Those are the
// gateway's own token_missing, token_expired, session_idle, session_expired,
// session_revoked and step_up_required, which end when the user signs in; its
// locked_down and address_blocked, which are orders and say nothing about what was
// asked; and 401 on login routes, which [AuthFailures] counts with more care.
type APIAbuse struct {
	counter *counter
}

// NewAPIAbuse makes a detector that has seen nothing. The default is 50 in 5
// minutes.
func NewAPIAbuse(l Limit) *APIAbuse {
	return &APIAbuse{newCounter(l.or(50, 5*time.Minute))}
}

// See counts.
func (d *APIAbuse) See(s *Signal) []Finding {
	if s.Status/100 != 4 || !abusive(s) {
		return nil
	}
	met := d.counter.count(whoever(s), s.Time, uint16(s.Status))
	if met == nil {
		return nil
	}
	statuses := kinds(met, func(kind uint16) string { return strconv.Itoa(int(kind)) })
	return []Finding{d.counter.finding(len(met), [2]string{"statuses", statuses}, [2]string{"route", s.Route}).about(s)}
}

func abusive(s *Signal) bool {
	switch s.Code {
	case middleware.TokenMissing, middleware.TokenExpired, middleware.SessionIdle, middleware.SessionExpired,
		middleware.SessionRevoked, middleware.StepUpRequired, middleware.LockedDown, middleware.AddressBlocked:
		return false
	}
	return !s.Login || s.Status != http.StatusUnauthorized
}
