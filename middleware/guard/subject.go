package guard

import (
	"net/http"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// Subjects keeps blocked subjects out of a route, wherever they come from. It stands
// behind who makes the subject.
type Subjects struct {
	book *orders.Book
	// promotions says that somebody asks whether callers give themselves another role
	// or tenant.
	promotions bool
}

var _ interface {
	middleware.Stage
	middleware.Describer
} = (*Subjects)(nil)

// Name of the stage.
func (*Subjects) Name() string { return stageName }

// Inward says that it does nothing to an answer.
func (*Subjects) Inward() {}

// Describe says who is kept out.
func (s *Subjects) Describe() string {
	if s.promotions {
		return "keeps out blocked subjects; watches updates of oneself"
	}
	return "keeps out blocked subjects"
}

// Handle refuses a blocked subject with 403 subject_blocked, and one that is to
// sign in anew with 401 step_up_required.
func (s *Subjects) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if x.Subject == nil {
		return next(x)
	}
	o := s.book.BlockedSubject(x.Subject.Issuer, x.Subject.ID, x.AuthTime())
	if o == nil {
		return s.pass(x, next)
	}
	x.Note("block", o.ID)
	if o.Action != orders.ActionStepUp {
		return nil, ends(middleware.Refuse(stageName, middleware.SubjectBlocked, "the subject is blocked"), o)
	}
	// Whoever signs in now has done so after the order, and soon enough.
	lacks := middleware.StepUp{MaxAge: max(1, int64(time.Since(o.At)/time.Second))}
	r, ok := lacks.Refuse(stageName)
	if !ok {
		return nil, middleware.Refuse(stageName, middleware.InternalError, "a fresh authentication cannot be asked for")
	}
	return nil, r
}

// pass lets a subject in. Who gives themselves another standing is not refused for
// that here: whether they may is for the policy to say.
func (s *Subjects) pass(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if s.promotions {
		found, err := PromotesSelf(x)
		if err != nil {
			return nil, err
		}
		if found {
			x.Suspect(middleware.SelfPromotion)
		}
	}
	return next(x)
}
