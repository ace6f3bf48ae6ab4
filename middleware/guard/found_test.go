package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/alert"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// Blocks in a row last longer and longer. After a day without one it begins anew.
func TestEscalates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, authFailures(perAddress))
		var got []string
		for i, pause := range []time.Duration{0, time.Minute, 23 * time.Hour, time.Minute, 25 * time.Hour} {
			time.Sleep(pause)
			for range 3 {
				g.try("192.0.2.1", "ann")
			}
			o := g.guard.Book.BlockedAddress(netip.MustParseAddr("192.0.2.1"))
			if o == nil {
				t.Fatalf("no block after %v", got)
			}
			got = append(got, fmt.Sprintf("%d: %s", o.Level, o.Ends.Sub(o.At)))
			time.Sleep(time.Until(o.Ends))
			if g.visit("192.0.2.1") != "" {
				t.Errorf("block %d goes on", i)
			}
		}
		if d := cmp.Diff([]string{"1: 1h0m0s", "2: 4h0m0s", "3: 24h0m0s", "4: 24h0m0s", "1: 1h0m0s"}, got); d != "" {
			t.Error(d)
		}
	})
}

// Who is let off by an operator is counted again soon, and begins at the first
// level.
func TestLifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, authFailures(perAddress))
		for range 2 {
			for range 3 {
				g.try("192.0.2.1", "ann")
			}
			o := g.guard.Book.BlockedAddress(netip.MustParseAddr("192.0.2.1"))
			if o == nil || o.Level != 1 {
				t.Fatalf("the block is %+v", o)
			}
			if _, err := g.guard.Book.Lift(t.Context(), o.ID, "admin", "a mistake"); err != nil {
				t.Fatal(err)
			}
			if got := g.visit("192.0.2.1"); got != "" {
				t.Errorf("lifted: %s", got)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// blocks are the targets of a Book's orders, with what is done to them.
func blocks(b *orders.Book) (out []string) {
	for _, o := range b.List() {
		who := o.Issuer + "/" + o.Subject
		if o.Address.IsValid() {
			who = o.Address.String()
		}
		if o.User != "" {
			who += " and a username"
		}
		if o.Action != "" {
			who += ": " + o.Action
		}
		out = append(out, who)
	}
	return out
}

// What is done about a finding is what the configuration says, and nobody is
// blocked whom a block would not mean.
func TestActions(t *testing.T) {
	ann := &policies.Subject{Issuer: "auth", ID: "ann"}
	abuse := func(mode, action string, trusted ...string) *config.Guard {
		c := &config.Guard{APIAbuse: &config.APIAbuse{
			Threshold: 2, Window: config.Duration(time.Minute), Mode: mode, Severity: "low", Action: action, Escalation: steps(time.Hour),
		}}
		for _, p := range trusted {
			c.Trusted = append(c.Trusted, netip.MustParsePrefix(p))
		}
		return c
	}
	for _, tt := range []struct {
		name     string
		config   *config.Guard
		client   string
		subject  *policies.Subject
		want     []string
		evidence string // not_blocked
	}{
		{"observed", abuse("observe", "block_address"), "192.0.2.1", nil, nil, ""},
		{"told", abuse("enforce", "alert"), "192.0.2.1", nil, nil, ""},
		{"an address", abuse("enforce", "block_address"), "192.0.2.1", nil, []string{"192.0.2.1/32"}, ""},
		{"the address of a subject", abuse("enforce", "block_address"), "192.0.2.1", ann, []string{"192.0.2.1/32"}, ""},
		{"an address of IPv6", abuse("enforce", "block_address"), "2001:db8::7", nil, []string{"2001:db8::/64"}, ""},
		{"an IPv4 address as IPv6", abuse("enforce", "block_address"), "::ffff:192.0.2.1", nil, []string{"192.0.2.1/32"}, ""},
		{"a subject", abuse("enforce", "block_subject"), "192.0.2.1", ann, []string{"auth/ann"}, ""},
		{"a step-up", abuse("enforce", "step_up"), "192.0.2.1", ann, []string{"auth/ann: step_up"}, ""},
		{"a subject that nobody knows", abuse("enforce", "block_subject"), "192.0.2.1", nil, nil, "nobody was signed in"},
		{"an unknown address", abuse("enforce", "block_address"), "", nil, nil, "the address of the client is not known"},
		{"a subject from an unknown address", abuse("enforce", "block_subject"), "", ann, []string{"auth/ann"}, ""},
		{"a trusted address", abuse("enforce", "block_address", "192.0.2.0/24"), "192.0.2.1", nil, nil, "the address is trusted"},
		{"a subject from a trusted address", abuse("enforce", "block_subject", "192.0.2.0/24"), "192.0.2.1", ann, []string{"auth/ann"}, ""},
		{"a network with a trusted address in it", abuse("enforce", "block_address", "2001:db8::7/128"), "2001:db8::1", nil, []string{"2001:db8::/64"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := openGuard(t, tt.config)
			s := New(ByAddress, &config.Route{Name: "r"}, g.Guard)
			for range 2 {
				x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(tt.subject), client(tt.client))
				if _, _, err := middlewaretest.Run(t, s, x, middlewaretest.NewUpstream(t, 404, "", "").Handle); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(tt.want, blocks(g.Book)); d != "" {
				t.Error(d)
			}
			if len(g.events.list) != 1 {
				t.Fatalf("%d events", len(g.events.list))
			}
			e := g.events.list[0]
			evidence := ""
			for _, pair := range e.Evidence {
				if pair[0] == "not_blocked" {
					evidence = pair[1]
				}
			}
			if evidence != tt.evidence || e.Enforced != (len(tt.want) > 0) || (e.Block != "") != e.Enforced {
				t.Errorf("the event is %+v", e)
			}
			x := middlewaretest.Exchange(t, "GET", "/", nil, client(tt.client))
			_, _, err := middlewaretest.Run(t, s, x, middlewaretest.NewUpstream(t, 200, "", "").Handle)
			want := ""
			if len(tt.want) > 0 && !strings.HasPrefix(tt.want[0], "auth/") {
				want = "address_blocked"
			}
			if got := middlewaretest.Code(err); got != want {
				t.Errorf("afterwards: %q, want %q", got, want)
			}
		})
	}
}

func client(a string) func(*middleware.Exchange) {
	return func(x *middleware.Exchange) {
		if x.Client = (netip.Addr{}); a != "" {
			x.Client = netip.MustParseAddr(a)
		}
	}
}

// A trusted address passes what an operator has blocked, and what is in its /64
// does not.
func TestTrustedIsNotBlocked(t *testing.T) {
	g := openGuard(t, &config.Guard{Trusted: []netip.Prefix{netip.MustParsePrefix("2001:db8::7/128")}})
	order := orders.Order{Kind: orders.Block, Address: netip.MustParsePrefix("2001:db8::/64"), By: "admin", Reason: "test"}
	if _, _, err := g.Book.Give(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	s := New(ByAddress, nil, g.Guard)
	for addr, want := range map[string]string{"2001:db8::7": "", "2001:db8::8": "address_blocked", "": ""} {
		x := middlewaretest.Exchange(t, "GET", "/", nil, client(addr))
		_, _, err := middlewaretest.Run(t, s, x, middlewaretest.NewUpstream(t, 200, "", "").Handle)
		if got := middlewaretest.Code(err); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}

// Requests that were under way when a block began are no reason for another one, nor
// for an event; where it only asks to sign in anew, one that keeps out is.
func TestBlockedAlready(t *testing.T) {
	for _, tt := range []struct {
		name  string
		order orders.Order
		want  int64 // blocks given
	}{
		{"the subject", orders.Order{Issuer: "auth", Subject: "ann"}, 0},
		{"the subject, until it signs in anew", orders.Order{Issuer: "auth", Subject: "ann", Action: orders.ActionStepUp}, 1},
		{"somebody else", orders.Order{Issuer: "auth", Subject: "bob"}, 1},
	} {
		g := openGuard(t, &config.Guard{APIAbuse: &config.APIAbuse{
			Threshold: 2, Window: config.Duration(time.Minute), Mode: "enforce", Action: "block_subject", Escalation: steps(time.Hour),
		}})
		tt.order.Kind, tt.order.By = orders.Block, "admin"
		if _, _, err := g.Book.Give(t.Context(), tt.order); err != nil {
			t.Fatal(err)
		}
		s := New(ByAddress, nil, g.Guard)
		for range 2 {
			x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(&policies.Subject{Issuer: "auth", ID: "ann"}))
			if _, _, err := middlewaretest.Run(t, s, x, middlewaretest.NewUpstream(t, 404, "", "").Handle); err != nil {
				t.Fatal(err)
			}
		}
		if n := g.given.Load(); n != tt.want || int64(len(g.events.list)) != tt.want {
			t.Errorf("%s: %d blocks, %d events", tt.name, n, len(g.events.list))
		}
	}
}

// The event says who, where, how much and what was done, and holds no username; so
// does the order.
func TestEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, authFailures(nil))
		for range 3 {
			g.try("192.0.2.1", "ann")
		}
		list := g.guard.Book.List()
		if len(list) != 1 || len(g.guard.events.list) != 1 {
			t.Fatalf("%d blocks, %d events", len(list), len(g.guard.events.list))
		}
		user := userText(g.guard.Key.Digest("ann"))
		want := alert.Event{
			Class: alert.Finding, Time: time.Now(), Detector: "auth_failures", Severity: alert.Medium, Enforced: true, Action: "block_address",
			Client: netip.MustParseAddr("192.0.2.1"), Address: netip.MustParsePrefix("192.0.2.1/32"), User: user,
			Route: "login", RequestID: "test-1", Count: 3, Threshold: 3, Window: 10 * time.Minute,
			Block: list[0].ID, Until: list[0].Ends,
		}
		if d := cmp.Diff(want, g.guard.events.list[0], cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.IgnoreFields(alert.Event{}, "Evidence")); d != "" {
			t.Error(d)
		}
		if o := list[0]; o.By != "guard" || o.Detector != "auth_failures" || o.User != user || o.Reason != "3 failed logins within 10m0s" || o.Ends.Sub(o.At) != time.Hour {
			t.Errorf("the order is %+v", o)
		}
		if strings.Contains(fmt.Sprintf("%+v %+v", list, g.guard.events.list), "ann") {
			t.Error("a username is kept")
		}
	})
}

// Whoever is blocked and asks again is not blocked for longer by that, nor is
// whoever is told to try later by the guard itself.
func TestOwnRefusalsDoNotCount(t *testing.T) {
	c := authFailures(nil)
	c.APIAbuse = &config.APIAbuse{Threshold: 10, Window: config.Duration(time.Minute), Mode: "observe", Action: "alert"}
	g := newGate(t, c)
	for range 3 {
		g.try("192.0.2.1", "ann")
	}
	for range 50 {
		if got := g.try("192.0.2.1", "ann"); got != "address_blocked" {
			t.Fatalf("got %q", got)
		}
	}
	inner := middleware.Refuse(stageName, middleware.SubjectBlocked, "")
	for range 50 {
		_, err := g.other.Handle(attemptBy(t, "192.0.2.1", "ann"), func(*middleware.Exchange) (*http.Response, error) { return nil, inner })
		if !errors.Is(err, inner) {
			t.Fatal(err)
		}
	}
	if n := len(g.guard.events.list); n != 1 {
		t.Errorf("%d events", n)
	}
}

// A block that cannot be given is told as one that was not.
func TestBlockThatFails(t *testing.T) {
	g := newGate(t, authFailures(nil))
	g.guard.Give = func(context.Context, orders.Order) (orders.Order, bool, error) {
		return orders.Order{}, false, errors.New("full")
	}
	for range 3 {
		g.try("192.0.2.1", "ann")
	}
	e := g.guard.events.list
	if len(e) != 1 || e[0].Enforced || !slices.Contains(e[0].Evidence, [2]string{"not_blocked", "the block could not be given"}) {
		t.Errorf("the events are %+v", e)
	}
}

// Logins are told where that is wanted, and how they ended only where the upstream
// said so.
func TestLogins(t *testing.T) {
	for _, tt := range []struct {
		logins string
		want   []string
	}{
		{"off", nil},
		{"failed", []string{"failed"}},
		{"all", []string{"in", "failed"}},
	} {
		c := authFailures(nil)
		c.Logins = tt.logins
		g := newGate(t, c)
		g.succeed("192.0.2.1", "ann")
		g.try("192.0.2.1", "ann")
		g.status = 500
		g.try("192.0.2.1", "ann")
		refusal := middleware.Refuse("csrf", middleware.CSRFFailed, "")
		_, _ = g.login.Handle(attemptBy(t, "192.0.2.1", "ann"), func(*middleware.Exchange) (*http.Response, error) { return nil, refusal })
		var got []string
		for _, e := range g.guard.events.list {
			text := "in"
			if e.Failed {
				text = "failed"
			}
			if got = append(got, text); e.Class != alert.Authentication || e.User != userText(g.guard.Key.Digest("ann")) || e.Route != "login" {
				t.Errorf("%s: %+v", tt.logins, e)
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.logins, d)
		}
	}
}
