// Package acl is the stage that serves some client addresses and not others, by
// the lists of the listener and of the route.
//
// It stands outside of cors, where preflights end, so that an address which is
// not served learns nothing at all, and outside of guard, which reads the body
// of a login. Therefore it makes the answer to what it refuses itself.
package acl

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

const stageName = "acl"

// Stage holds the lists that concern one route.
type Stage struct {
	problem   middleware.Stage
	listeners map[string]*lists // of those that have some
	route     *lists            // nil where the route has none
}

var _ interface {
	middleware.Stage
	middleware.Describer
} = (*Stage)(nil)

// New makes the stage of a route, or, where route is nil, of the requests that
// no route takes. It is nil where neither the route nor any listener has lists.
// problem makes an answer of a refusal.
func New(problem middleware.Stage, listeners map[string]*config.Listener, route *config.Route) middleware.Stage {
	s := &Stage{problem: problem, listeners: map[string]*lists{}}
	for name, l := range listeners {
		if l.ACL != nil {
			s.listeners[name] = newLists("listener", l.ACL)
		}
	}
	if route != nil && route.ACL != nil {
		s.route = newLists("route", route.ACL)
	}
	if s.route == nil && len(s.listeners) == 0 {
		return nil
	}
	return s
}

// Name of the stage.
func (s *Stage) Name() string { return stageName }

// Inward says that it does nothing to an answer.
func (*Stage) Inward() {}

// Describe tells the lists of each listener, and of the route.
func (s *Stage) Describe() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.listeners)) {
		out = append(out, fmt.Sprintf("listener %s: %s", name, s.listeners[name]))
	}
	if s.route != nil {
		out = append(out, "route: "+s.route.String())
	}
	return strings.Join(out, "; ")
}

// Handle refuses with 403 address_blocked whom the listener or the route does
// not serve, and says in the record which list it was.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	by := s.listeners[x.Listener].refuses(x.Client)
	if by == "" {
		by = s.route.refuses(x.Client)
	}
	if by == "" {
		return next(x)
	}
	x.Note("acl", by)
	return s.problem.Handle(x, func(*middleware.Exchange) (*http.Response, error) {
		return nil, middleware.Refuse(stageName, middleware.AddressBlocked, "this address is not served here")
	})
}

// lists are what one acl section says.
type lists struct {
	owner       string // listener or route
	allow, deny networks
	open        bool // nothing is said of who is served, so everyone is
}

func newLists(owner string, c *config.ACL) *lists {
	return &lists{owner: owner, allow: newNetworks(c.Allow), deny: newNetworks(c.Deny), open: len(c.Allow) == 0}
}

// refuses names the list by which an address is not served; "" where it is. An
// address that is not known could be any, and is served by nobody's lists.
func (l *lists) refuses(a netip.Addr) string {
	switch {
	case l == nil:
		return ""
	case !a.IsValid():
		return l.owner + ": the address is not known"
	case l.deny.contain(a):
		return l.owner + ": deny"
	case !l.open && !l.allow.contain(a):
		return l.owner + ": allow"
	}
	return ""
}

func (l *lists) String() string {
	var out []string
	if !l.open {
		out = append(out, "allow "+l.allow.String())
	}
	if len(l.deny) > 0 {
		out = append(out, "deny "+l.deny.String())
	}
	return strings.Join(out, ", ")
}
