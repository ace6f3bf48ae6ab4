package detect

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// PrivilegeEscalationSettings say which reach for more is to be noticed.
type PrivilegeEscalationSettings struct {
	// Limit is by default 1 in 15 minutes: nobody does this by mistake.
	Limit
	// IdentityHeader is the threshold for headers that say who the client is. It is
	// one of its own because a proxy in a company may send them with everything.
	// Below 0 they do not count. Default: 1.
	IdentityHeader int
	// ProtectedMember counts members in bodies that the policy lets nobody like the
	// caller write. Programs that send back whole what they got do this too.
	ProtectedMember bool
	// Codes are the refusals with 403 that say that the caller's role does not allow
	// it. Default: forbidden.
	Codes []middleware.Code
	// Routes are the names of the routes for administrators, on which such refusals
	// count. Default: none.
	Routes []string
}

// PrivilegeEscalation notices who reaches for rights of others: by updates of
// themselves with a role or tenant, by games with the algorithm of a token, by
// headers that say who they are, and by asking for what is for administrators.
// Findings are about the subject or, where nobody is known, the address.
type PrivilegeEscalation struct {
	s        PrivilegeEscalationSettings
	reaches  *counter
	identity *counter // nil: does not count
}

// The kinds of marks.
const (
	kindDenied = iota
	kindPromotion
	kindAlgorithm
	kindMember
	kindIdentity
)

// NewPrivilegeEscalation makes a detector that has seen nothing.
func NewPrivilegeEscalation(s PrivilegeEscalationSettings) *PrivilegeEscalation {
	s.Limit = s.or(1, 15*time.Minute)
	if len(s.Codes) == 0 {
		s.Codes = []middleware.Code{middleware.Forbidden}
	}
	d := &PrivilegeEscalation{s: s, reaches: newCounter(s.Limit)}
	if s.IdentityHeader >= 0 {
		l := s.Limit
		l.Threshold = max(1, s.IdentityHeader)
		d.identity = newCounter(l)
	}
	return d
}

// See counts a signal once for each counter that it concerns.
func (d *PrivilegeEscalation) See(s *Signal) []Finding {
	if len(s.Suspicions) == 0 && s.Status != http.StatusForbidden {
		return nil
	}
	if kind, ok := d.reach(s); ok {
		if f := d.count(d.reaches, s, kind); f != nil {
			return f
		}
	}
	if d.identity != nil && slices.Contains(s.Suspicions, middleware.IdentityHeader) {
		return d.count(d.identity, s, kindIdentity)
	}
	return nil
}

// reach says what a signal is about, identity headers aside.
func (d *PrivilegeEscalation) reach(s *Signal) (kind uint16, ok bool) {
	for _, suspicion := range s.Suspicions {
		switch {
		case suspicion == middleware.SelfPromotion:
			return kindPromotion, true
		case suspicion == middleware.AlgorithmGame:
			return kindAlgorithm, true
		case suspicion == middleware.ProtectedMember && d.s.ProtectedMember:
			return kindMember, true
		}
	}
	denied := s.Status == http.StatusForbidden && s.Subject != (Subject{}) &&
		slices.Contains(d.s.Codes, s.Code) && slices.Contains(d.s.Routes, s.Route)
	return kindDenied, denied
}

func (d *PrivilegeEscalation) count(c *counter, s *Signal, kind uint16) []Finding {
	met := c.count(whoever(s), s.Time, kind)
	if met == nil {
		return nil
	}
	return []Finding{c.finding(len(met),
		[2]string{"reasons", kinds(met, d.name)},
		[2]string{"route", s.Route}, [2]string{"status", strconv.Itoa(s.Status)}).about(s)}
}

// name of a kind, as suspicions are called.
func (d *PrivilegeEscalation) name(kind uint16) string {
	switch kind {
	case kindPromotion:
		return string(middleware.SelfPromotion)
	case kindAlgorithm:
		return string(middleware.AlgorithmGame)
	case kindMember:
		return string(middleware.ProtectedMember)
	case kindIdentity:
		return string(middleware.IdentityHeader)
	}
	return "denied"
}
