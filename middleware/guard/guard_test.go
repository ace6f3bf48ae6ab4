package guard

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func settings(perAddress bool) config.Guard {
	return config.Guard{AuthFailures: &config.AuthFailures{
		Threshold: 3, Window: config.Duration(10 * time.Minute), Block: config.Duration(time.Hour), PerAddress: perAddress,
	}}
}

// gate is a guard with a login route and another one.
type gate struct {
	t            *testing.T
	login, other middleware.Stage
	status       int // of the upstream
	reached      int // the upstream
}

func newGate(t *testing.T, g *Guard) *gate {
	return &gate{
		t: t, status: 401,
		login: New(&config.Route{Name: "login", Login: true}, g), other: New(&config.Route{Name: "other"}, g),
	}
}

func (g *gate) run(s middleware.Stage, x *middleware.Exchange) (code, retry string, alert bool) {
	g.t.Helper()
	up := middlewaretest.NewUpstream(g.t, g.status, "", "")
	if s == nil {
		return "", "", false
	}
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
				if d := cmp.Diff(tt.want, tt.steps(newGate(t, Open(settings(tt.perAddress))))); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// The block says how long it lasts, and nothing reaches the upstream.
func TestRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, Open(settings(false)))
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
	g := newGate(t, Open(settings(true)))
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

// A route that no block can concern has no stage.
func TestNew(t *testing.T) {
	login, other := &config.Route{Login: true}, &config.Route{}
	byUser, byAddress := Open(settings(false)), Open(settings(true))
	for i, tt := range []struct {
		route *config.Route
		guard *Guard
		want  string
	}{
		{login, Open(config.Guard{}), ""},
		{other, byUser, ""},
		{login, byUser, "auth_failures by address and username: blocked for 1h0m0s after 3 in 10m0s; watches this route"},
		{other, byAddress, "auth_failures by address: blocked for 1h0m0s after 3 in 10m0s"},
	} {
		s := New(tt.route, tt.guard)
		got := ""
		if s != nil {
			got = s.(middleware.Describer).Describe()
		}
		if got != tt.want {
			t.Errorf("%d: %q, want %q", i, got, tt.want)
		}
	}
}
