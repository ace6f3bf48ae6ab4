package guard

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/alert"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// authFailures are three failed logins in ten minutes, and no address is found for
// trying several names unless it is asked for.
func authFailures(change func(*config.AuthFailures)) *config.Guard {
	d := &config.AuthFailures{
		Threshold: 3, Window: config.Duration(10 * time.Minute), Distinct: 100,
		Mode: "enforce", Severity: "medium", Action: "block_address", Escalation: steps(time.Hour, 4*time.Hour, 24*time.Hour),
	}
	if change != nil {
		change(d)
	}
	return &config.Guard{AuthFailures: d}
}

func perAddress(d *config.AuthFailures) { d.PerAddress = true }

func steps(list ...time.Duration) (out []config.Duration) {
	for _, d := range list {
		out = append(out, config.Duration(d))
	}
	return out
}

// events are what a guard has raised.
type events struct {
	mu   sync.Mutex
	list []alert.Event
}

func (e *events) Raise(event alert.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

// opened is a guard with a Book of its own, in memory.
type opened struct {
	*Guard
	events *events
	given  atomic.Int64
}

func openGuard(t *testing.T, c *config.Guard) *opened {
	t.Helper()
	book, err := orders.Rehearse(orders.Settings{Keep: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	o := &opened{events: &events{}}
	give := func(ctx context.Context, order orders.Order) (orders.Order, bool, error) {
		o.given.Add(1)
		return book.Give(ctx, order)
	}
	o.Guard, err = Open(c, Deps{
		Book: book, Give: give, Keep: 30 * 24 * time.Hour, Raiser: o.events, Key: NewKey(""), Memory: NewMemory(), Detector: Local,
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// gate is a guard with a login route and another one.
type gate struct {
	t            *testing.T
	guard        *opened
	login, other middleware.Stage
	status       int // of the upstream
	reached      int // the upstream
}

func newGate(t *testing.T, c *config.Guard) *gate {
	g := openGuard(t, c)
	return &gate{
		t: t, guard: g, status: 401,
		login: New(ByAddress, &config.Route{Name: "login", Login: true}, g.Guard), other: New(ByAddress, &config.Route{Name: "other"}, g.Guard),
	}
}

func (g *gate) run(s middleware.Stage, x *middleware.Exchange) (code, retry string, alert bool) {
	g.t.Helper()
	up := middlewaretest.NewUpstream(g.t, g.status, "", "")
	_, _, err := middlewaretest.Run(g.t, s, x, up.Handle)
	var r *middleware.Refusal
	if errors.As(err, &r) {
		code, retry = r.Code, r.Header.Get("Retry-After")
	}
	g.reached += int(up.Calls.Load())
	for _, n := range x.Notes() {
		alert = alert || n == middleware.Note{Key: "guard_alert", Value: "auth_failures"}
	}
	return code, retry, alert
}

func attemptBy(t *testing.T, addr, user string) *middleware.Exchange {
	return middlewaretest.Exchange(t, "POST", "/login", strings.NewReader(`{"username":"`+user+`","password":"x"}`),
		middlewaretest.Header("Content-Type", "application/json"),
		func(x *middleware.Exchange) { x.Client = netip.MustParseAddr(addr) })
}

// try logs in and reports what came of it: "failed", "alert" or a code.
func (g *gate) try(addr, user string) string {
	g.t.Helper()
	code, _, alert := g.run(g.login, attemptBy(g.t, addr, user))
	switch {
	case code != "":
		return code
	case alert:
		return "alert"
	case g.status == 401:
		return "failed"
	}
	return "in"
}

func (g *gate) succeed(addr, user string) string {
	g.t.Helper()
	g.status = 204
	defer func() { g.status = 401 }()
	return g.try(addr, user)
}

// visit asks for another route.
func (g *gate) visit(addr string) string {
	g.t.Helper()
	x := middlewaretest.Exchange(g.t, "GET", "/", nil, func(x *middleware.Exchange) { x.Client = netip.MustParseAddr(addr) })
	code, _, _ := g.run(g.other, x)
	return code
}

func TestBlock(t *testing.T) {
	const blocked = "address_blocked"
	for _, tt := range []struct {
		name       string
		perAddress bool
		steps      func(g *gate) []string
		want       []string
	}{
		{
			"address and username", false,
			func(g *gate) []string {
				return []string{
					g.try("192.0.2.1", "ann"), g.try("192.0.2.1", "ann"), g.try("192.0.2.1", "ann"), // the third blocks
					g.try("192.0.2.1", "ann"), g.succeed("192.0.2.1", "ANN "), // also with the right password
					g.try("192.0.2.1", "bob"), g.try("192.0.2.2", "ann"), g.visit("192.0.2.1"), // nobody and nothing else
				}
			},
			[]string{"failed", "failed", "alert", blocked, blocked, "failed", "failed", ""},
		},
		{
			"address", true,
			func(g *gate) []string {
				return []string{
					g.try("192.0.2.1", "ann"), g.try("192.0.2.1", "bob"), g.try("192.0.2.1", "cy"),
					g.try("192.0.2.1", "dan"), g.visit("192.0.2.1"), g.visit("192.0.2.2"), g.try("192.0.2.2", "ann"),
				}
			},
			[]string{"failed", "failed", "alert", blocked, blocked, "", "failed"},
		},
		{
			"networks of IPv6", true,
			func(g *gate) []string {
				return []string{
					g.try("2001:db8::1", "a"), g.try("2001:db8::2", "b"), g.try("2001:db8::ffff:0:0:3", "c"),
					g.visit("2001:db8::4"), g.visit("2001:db8:0:1::1"),
					g.try("::ffff:192.0.2.1", "a"), g.try("192.0.2.1", "a"), g.try("::ffff:192.0.2.1", "a"), g.visit("192.0.2.1"),
				}
			},
			[]string{"failed", "failed", "alert", blocked, "", "failed", "failed", "alert", blocked},
		},
		{
			"a success forgives its own user", false,
			func(g *gate) []string {
				return []string{
					g.try("192.0.2.1", "ann"), g.try("192.0.2.1", "ann"), g.succeed("192.0.2.1", "ann"),
					g.try("192.0.2.1", "ann"), g.try("192.0.2.1", "ann"), g.try("192.0.2.1", "ann"),
				}
			},
			[]string{"failed", "failed", "in", "failed", "failed", "alert"},
		},
		{
			"a success forgives nobody else", true,
			func(g *gate) []string {
				return []string{
					g.try("192.0.2.1", "ann"), g.try("192.0.2.1", "mallory"), g.succeed("192.0.2.1", "mallory"),
					g.try("192.0.2.1", "ann"), g.succeed("192.0.2.1", "mallory"), g.try("192.0.2.1", "ann"),
				}
			},
			[]string{"failed", "failed", "in", "failed", "in", "alert"},
		},
		{
			"a window that slides", false,
			func(g *gate) []string {
				a := g.try("192.0.2.1", "ann")
				time.Sleep(5 * time.Minute)
				b := g.try("192.0.2.1", "ann")
				time.Sleep(5 * time.Minute) // the first is over
				c := g.try("192.0.2.1", "ann")
				time.Sleep(5*time.Minute - 1) // the second is not
				return []string{a, b, c, g.try("192.0.2.1", "ann")}
			},
			[]string{"failed", "failed", "failed", "alert"},
		},
		{
			"a block that ends", true,
			func(g *gate) []string {
				for range 3 {
					g.try("192.0.2.1", "ann")
				}
				time.Sleep(time.Hour - 1)
				last := g.visit("192.0.2.1")
				time.Sleep(time.Nanosecond)
				return []string{last, g.visit("192.0.2.1"), g.try("192.0.2.1", "ann")}
			},
			[]string{blocked, "", "failed"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if d := cmp.Diff(tt.want, tt.steps(newGate(t, authFailures(func(d *config.AuthFailures) { d.PerAddress = tt.perAddress })))); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// The block says how long it lasts, and nothing reaches the upstream.
func TestRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, authFailures(nil))
		for range 3 {
			g.try("192.0.2.1", "ann")
		}
		time.Sleep(10*time.Minute + time.Millisecond)
		code, retry, alert := g.run(g.login, attemptBy(t, "192.0.2.1", "ann"))
		if code != "address_blocked" || retry != "3000" || alert || g.reached != 3 {
			t.Errorf("code %q, Retry-After %q, alert %v, %d reached the upstream", code, retry, alert, g.reached)
		}
	})
}

// Only the upstream's 401 counts: no other status, no refusal of a stage, no
// failure to reach the upstream, no other route.
func TestWhatCounts(t *testing.T) {
	g := newGate(t, authFailures(perAddress))
	for _, status := range []int{400, 403, 404, 429, 500} {
		g.status = status
		for range 5 {
			g.try("192.0.2.1", "ann")
		}
	}
	refusal := middleware.Refuse("authn", middleware.TokenExpired, "expired")
	for range 5 {
		_, err := g.login.Handle(attemptBy(t, "192.0.2.1", "ann"), func(*middleware.Exchange) (*http.Response, error) { return nil, refusal })
		if !errors.Is(err, refusal) {
			t.Fatalf("got %v", err)
		}
	}
	g.status = 401
	for range 5 {
		g.visit("192.0.2.1")
	}
	if got := g.try("192.0.2.1", "ann"); got != "failed" {
		t.Errorf("got %q", got)
	}
}

// What a route's stage says of itself in `explain`.
func TestDescribe(t *testing.T) {
	login, other := &config.Route{Name: "login", Login: true}, &config.Route{Name: "other"}
	byUser, byAddress := openGuard(t, authFailures(nil)), openGuard(t, authFailures(perAddress))
	for i, tt := range []struct {
		route *config.Route
		guard *opened
		want  string
	}{
		{login, openGuard(t, &config.Guard{}), "keeps out blocked addresses and logins"},
		{other, byUser, "keeps out blocked addresses"},
		{login, byUser, "keeps out blocked addresses and logins; auth_failures (3 in 10m0s by address and username): enforce, block_address"},
		{login, byAddress, "keeps out blocked addresses and logins; auth_failures (3 in 10m0s by address): enforce, block_address"},
	} {
		if got := New(ByAddress, tt.route, tt.guard.Guard).(middleware.Describer).Describe(); got != tt.want {
			t.Errorf("%d: %q, want %q", i, got, tt.want)
		}
	}
	if New(ByAddress, other, nil) != nil || New(BySubject, other, byUser.Guard) != nil {
		t.Error("a stage that has nothing to do")
	}
}
