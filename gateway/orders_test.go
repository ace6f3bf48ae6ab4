package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// A lockdown holds on every route from the next request on, and the record says
// whose order it was. Public routes are no exception, but for logins.
func TestLockdown(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(one+`  - {name: news, match: {path: /news}, upstream: hr, public: true, policy: off}
  - {name: login, match: {path: /login}, upstream: hr, public: true, policy: off, login: true}
`, masking)
	c := w.client(false)
	want := func(staff, news, login int) {
		t.Helper()
		got := [3]int{
			do(t, c, w.request("GET", "/api/employees/7", nil, w.as("e2", "staff"))).StatusCode,
			do(t, c, w.request("GET", "/news", nil)).StatusCode,
			do(t, c, w.request("GET", "/login", nil)).StatusCode,
		}
		if got != [3]int{staff, news, login} {
			t.Errorf("%d, want %d %d %d", got, staff, news, login)
		}
	}
	book := w.g.Plan().orders
	want(200, 200, 200)
	for _, tt := range []struct {
		o                  orders.Order
		staff, news, login int
	}{
		{orders.Order{All: true}, 403, 403, 200},
		{orders.Order{All: true, Roles: []string{"staff"}}, 200, 403, 200},
		{orders.Order{Route: "news"}, 200, 403, 200},
		{orders.Order{Route: "login"}, 200, 200, 403},
		{orders.Order{Tenant: "elsewhere"}, 200, 200, 200},
	} {
		tt.o.Kind = orders.Lockdown
		o, _, err := book.Give(t.Context(), tt.o)
		if err != nil {
			t.Fatal(err)
		}
		want(tt.staff, tt.news, tt.login)
		if _, err := book.Lift(t.Context(), o.ID, "admin", ""); err != nil {
			t.Fatal(err)
		}
	}
	want(200, 200, 200)
	o, _, err := book.Give(t.Context(), orders.Order{Kind: orders.Lockdown, All: true, Reason: "breach"})
	if err != nil {
		t.Fatal(err)
	}
	a := do(t, c, w.request("GET", "/news", nil))
	if a.StatusCode != 403 || !strings.Contains(a.body, `"code":"locked_down"`) || strings.Contains(a.body, "breach") || strings.Contains(a.body, o.ID) {
		t.Errorf("%s %s", a.Status, a.body)
	}
	eventually(t, "the order is on record", func() bool {
		for _, line := range w.log("exchange") {
			if line["lockdown"] == o.ID {
				return true
			}
		}
		return false
	})
}

// Orders outlive reloads, other settings of theirs too, and the process.
func TestOrdersSurvive(t *testing.T) {
	w := open(t)
	redis(w)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.write("state/.keep", "")
	settings := preamble + plain + "store: {folder: state}\n"
	w.start(settings, "")
	closed := func() bool {
		return do(t, w.client(false), w.request("GET", "/plain/x", nil)).StatusCode == 403
	}
	book := w.g.Plan().orders
	if _, _, err := book.Give(t.Context(), orders.Order{Kind: orders.Lockdown, All: true}); err != nil || !closed() {
		t.Fatal(err)
	}
	for _, next := range []string{
		settings + "revocation: {keep: 1000h}\n",
		strings.Replace(settings, "folder: state", `folder: state, redis: {addresses: ["{REDIS}"]}`, 1) + "revocation: {on_store_error: closed}\n",
	} {
		w.write("gatehouse.yaml", next)
		if err := w.reloader.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.g.Plan().orders != book || !closed() {
			t.Error("a reload has forgotten them")
		}
	}
	eventually(t, "the new store is in use", func() bool { return book.Stale() == nil })
	w.kill()
	eventually(t, "and its end is noticed", func() bool { return book.Stale() != nil })
	conditions := w.g.Plan().Conditions(t.Context())
	found := false
	for _, c := range conditions {
		found = found || c.Name == "revocations" && c.OK && strings.Contains(c.Detail, "the store does not share them")
	}
	if !found {
		t.Errorf("%+v", conditions)
	}
	w.close()
	w.start(settings, "")
	if !closed() {
		t.Error("a restart has forgotten them")
	}
}

// A file of orders that cannot be read is a mistake, for check as for serve, and
// check leaves it alone.
func TestOrdersUnreadable(t *testing.T) {
	w := open(t)
	w.vars["HR"] = "http://127.0.0.1:1"
	w.write("gatehouse.yaml", preamble+plain+"store: {folder: state}\n")
	w.write("state/orders.json", "{}\n")
	c := w.load()
	for _, rehearsal := range []bool{true, false} {
		_, err := Compile(t.Context(), c, &Deps{Metrics: telemetry.New(), Rehearsal: rehearsal})
		m, ok := err.(config.Mistakes) //nolint:errorlint // Compile gives them so
		if !ok || len(m) != 1 || m[0].Line == 0 || !strings.Contains(m[0].Message, "orders.json:1: this is not a file of orders") {
			t.Errorf("%v", err)
		}
	}
	file := filepath.Join(w.dir, "state", "orders.json")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	p, err := Compile(t.Context(), c, &Deps{Metrics: telemetry.New(), Rehearsal: true})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("check made the file: %v", err)
	}
}
