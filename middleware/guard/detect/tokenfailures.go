package detect

import (
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// TokenFailures counts tokens that nobody may have come by honestly, by address:
// with a signature that its key did not make, by a key that the issuer does not
// have, or with a forged header. Expired tokens are no such thing: everybody's
// tokens expire, and a browser tab that polls with one never counts.
type TokenFailures struct {
	counter *counter
}

// NewTokenFailures makes a detector that has seen nothing. The default is 10 in 5
// minutes. One who forges tokens tries many; a client whose token was signed by a
// key that its issuer took back meets a few refusals before it signs in anew, and
// a handful of those may share an address.
func NewTokenFailures(l Limit) *TokenFailures {
	return &TokenFailures{newCounter(l.or(10, 5*time.Minute))}
}

// forgery says whether a suspicion counts, and its kind in a counter.
func forgery(s middleware.Suspicion) (kind uint16, ok bool) {
	switch s {
	case middleware.BadSignature:
		return 1, true
	case middleware.UnknownKey:
		return 2, true
	case middleware.ForgedHeader:
		return 3, true
	}
	return 0, false
}

func forgeryName(kind uint16) string {
	return string([]middleware.Suspicion{middleware.BadSignature, middleware.UnknownKey, middleware.ForgedHeader}[kind-1])
}

// See counts a signal once, however much is wrong with its token.
func (d *TokenFailures) See(s *Signal) []Finding {
	for _, suspicion := range s.Suspicions {
		kind, ok := forgery(suspicion)
		if !ok {
			continue
		}
		met := d.counter.count(at(s.Address), s.Time, kind)
		if met == nil {
			return nil
		}
		f := d.counter.finding(len(met), [2]string{"suspicions", kinds(met, forgeryName)}, [2]string{"route", s.Route})
		f.Target, f.Address = TargetAddress, s.Address
		return []Finding{f}
	}
	return nil
}
