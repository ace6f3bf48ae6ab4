// Package lockdown is the stage that keeps everyone but some roles out, of a
// route, of a tenant's data or of everything, while an operator's order says so
// (package orders).
//
// It stands behind session on every route, public ones too: who asks is known
// where anybody is, and nothing that costs more has been done. An order holds
// for requests that arrive from then on; what is under way goes on.
//
// A lockdown of all spares routes with login: true, or the roles that it serves
// could not sign in. One that names the route does not.
package lockdown

import (
	"net/http"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

const name = "lockdown"

// Stage refuses with 403 locked_down.
type Stage struct {
	route string
	login bool
	book  *orders.Book
}

var _ interface {
	middleware.Stage
	middleware.Describer
} = (*Stage)(nil)

// New makes the stage of a route, nil where there is no Book.
func New(r *config.Route, book *orders.Book) middleware.Stage {
	if book == nil {
		return nil
	}
	return &Stage{route: r.Name, login: r.Login, book: book}
}

// Name is "lockdown".
func (*Stage) Name() string { return name }

// Inward says that it does nothing to an answer.
func (*Stage) Inward() {}

// Describe says what can close the route.
func (s *Stage) Describe() string {
	if s.login {
		return "by orders that name the route or tenant; open to logins during a lockdown of all"
	}
	return "by orders that name the route, tenant or all"
}

// Handle refuses whom a lockdown keeps out. The record has the order's id; the
// reason is for operators, and stays with the order.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	var tenant string
	var roles []string
	if x.Subject != nil {
		tenant, roles = x.Subject.Tenant, x.Subject.Roles
	}
	o := s.book.Locked(s.route, tenant, roles)
	if o == nil || o.All && s.login {
		return next(x)
	}
	x.Note(name, o.ID)
	return nil, middleware.Refuse(name, middleware.LockedDown, "closed by an operator")
}
