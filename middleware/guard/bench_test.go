package guard

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// all is every detector, and two blocks that are about others.
func all(t *testing.T) *opened {
	window := config.Duration(time.Minute)
	g := openGuard(t, &config.Guard{
		AuthFailures:        &config.AuthFailures{Threshold: 5, Window: window, Distinct: 3},
		TokenFailures:       &config.TokenFailures{Threshold: 5, Window: window},
		CredentialStuffing:  &config.CredentialStuffing{Distinct: 5, Window: window},
		APIAbuse:            &config.APIAbuse{Threshold: 5, Window: window},
		Enumeration:         &config.Enumeration{Threshold: 5, Window: window},
		PrivilegeEscalation: &config.PrivilegeEscalation{Threshold: 1, Window: window, Codes: []string{"forbidden"}},
		Trusted:             []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	})
	for _, o := range []orders.Order{{Address: netip.MustParsePrefix("203.0.113.0/24")}, {Issuer: "auth", Subject: "mallory"}} {
		o.Kind, o.By = orders.Block, "admin"
		if _, _, err := g.Book.Give(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// A request that nothing is wrong with costs nothing.
func TestNoAllocations(t *testing.T) {
	g := all(t)
	x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(signedIn("ann", 0)))
	res := &http.Response{StatusCode: 200, Body: http.NoBody}
	last := func(*middleware.Exchange) (*http.Response, error) { return res, nil }
	for _, s := range []middleware.Stage{
		New(ByAddress, &config.Route{Name: "r"}, g.Guard), New(BySubject, &config.Route{Authn: &config.Authn{}}, g.Guard),
	} {
		if n := testing.AllocsPerRun(100, func() {
			if _, err := s.Handle(x, last); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", s.(middleware.Describer).Describe(), n)
		}
	}
}
