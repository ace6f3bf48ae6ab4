package lockdown

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func open(t testing.TB) *orders.Book {
	t.Helper()
	b, err := orders.Open(orders.Settings{Keep: time.Hour}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func give(t testing.TB, b *orders.Book, o orders.Order) orders.Order {
	t.Helper()
	o.Kind = orders.Lockdown
	given, _, err := b.Give(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return given
}

func subject(tenant string, roles ...string) *policies.Subject {
	role, roles := policies.OneAndAll("", roles)
	return &policies.Subject{ID: "u", Tenant: tenant, Role: role, Roles: roles}
}

func TestHandle(t *testing.T) {
	pay, login := &config.Route{Name: "pay"}, &config.Route{Name: "login", Login: true}
	for _, tt := range []struct {
		name  string
		order orders.Order
		route *config.Route
		who   *policies.Subject
		want  string
	}{
		{"all", orders.Order{All: true}, pay, subject("t", "hr"), "locked_down"},
		{"all, nobody known", orders.Order{All: true}, pay, nil, "locked_down"},
		{"a role that is served", orders.Order{All: true, Roles: []string{"admin"}}, pay, subject("t", "hr", "admin"), ""},
		{"another role", orders.Order{All: true, Roles: []string{"admin"}}, pay, subject("t", "hr"), "locked_down"},
		{"nobody known has no role", orders.Order{All: true, Roles: []string{"admin"}}, pay, nil, "locked_down"},
		{"all spares logins", orders.Order{All: true}, login, nil, ""},
		{"and logins of somebody", orders.Order{All: true}, login, subject("t", "hr"), ""},
		{"but not where it names them", orders.Order{Route: "login"}, login, nil, "locked_down"},
		{"the route", orders.Order{Route: "pay"}, pay, nil, "locked_down"},
		{"another route", orders.Order{Route: "login"}, pay, nil, ""},
		{"the tenant", orders.Order{Tenant: "t"}, pay, subject("t", "hr"), "locked_down"},
		{"the tenant, at a login", orders.Order{Tenant: "t"}, login, subject("t", "hr"), "locked_down"},
		{"another tenant", orders.Order{Tenant: "t"}, pay, subject("s", "hr"), ""},
		{"no tenant", orders.Order{Tenant: "t"}, pay, subject("", "hr"), ""},
		{"nobody known has no tenant", orders.Order{Tenant: "t"}, pay, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := open(t)
			tt.order.Reason = "a secret reason"
			o := give(t, b, tt.order)
			up := mt.NewUpstream(t, 200, "text/plain", "ok")
			x := mt.Exchange(t, "GET", "/", nil, mt.Subject(tt.who))
			_, _, err := mt.Run(t, New(tt.route, b), x, up.Handle)
			if got := mt.Code(err); got != tt.want || (up.Calls.Load() == 0) != (tt.want != "") {
				t.Fatalf("%q, want %q; %d calls", got, tt.want, up.Calls.Load())
			}
			var notes []middleware.Note
			if tt.want != "" {
				notes = []middleware.Note{{Key: "lockdown", Value: o.ID}}
				if r := err.(*middleware.Refusal); r.Status != 403 || strings.Contains(r.Error(), "secret") { //nolint:errorlint // a stage gives it itself
					t.Errorf("%d %s", r.Status, r)
				}
			}
			if diff := cmp.Diff(notes, x.Notes()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What all closes does not hide what names the login route.
func TestLoginNamedBesideAll(t *testing.T) {
	b := open(t)
	give(t, b, orders.Order{All: true})
	give(t, b, orders.Order{Route: "login"})
	_, err := New(&config.Route{Name: "login", Login: true}, b).Handle(mt.Exchange(t, "GET", "/", nil), mt.NewUpstream(t, 200, "", "").Handle)
	if mt.Code(err) != "locked_down" {
		t.Errorf("%v", err)
	}
}

// An order holds for the next request, and its end too. Who is inside stays.
func TestUnderWay(t *testing.T) {
	b := open(t)
	s := New(&config.Route{Name: "pay"}, b)
	up := mt.NewUpstream(t, 200, "", "ok")
	var o orders.Order
	_, body, err := mt.Run(t, s, mt.Exchange(t, "GET", "/", nil), func(x *middleware.Exchange) (*http.Response, error) {
		o = give(t, b, orders.Order{All: true})
		return up.Handle(x)
	})
	if err != nil || body != "ok" {
		t.Errorf("under way: %q %v", body, err)
	}
	if _, _, err := mt.Run(t, s, mt.Exchange(t, "GET", "/", nil), up.Handle); mt.Code(err) != "locked_down" {
		t.Errorf("the next one: %v", err)
	}
	if _, err := b.Lift(t.Context(), o.ID, "admin", ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := mt.Run(t, s, mt.Exchange(t, "GET", "/", nil), up.Handle); err != nil {
		t.Errorf("lifted: %v", err)
	}
}

func TestAbsent(t *testing.T) {
	if s := New(&config.Route{}, nil); s != nil {
		t.Errorf("a stage without a Book: %v", s)
	}
}

func TestDescribe(t *testing.T) {
	for want, r := range map[string]*config.Route{
		"by orders that name the route, tenant or all":                                     {},
		"by orders that name the route or tenant; open to logins during a lockdown of all": {Login: true},
	} {
		if got := New(r, open(t)).(middleware.Describer).Describe(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Nothing is spent where nothing is closed, nor where something else is.
func TestNoAllocations(t *testing.T) {
	b := open(t)
	s := New(&config.Route{Name: "pay"}, b)
	x := mt.Exchange(t, "GET", "/", nil, mt.Subject(subject("t", "hr")))
	next := func(*middleware.Exchange) (*http.Response, error) { return nil, nil }
	for range 2 {
		if n := testing.AllocsPerRun(100, func() { _, _ = s.Handle(x, next) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
		give(t, b, orders.Order{Route: "other"})
		give(t, b, orders.Order{All: true, Roles: []string{"hr"}})
	}
}
