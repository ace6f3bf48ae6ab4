package ratelimit

import (
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func note(x *middleware.Exchange, key string) any {
	for _, n := range x.Notes() {
		if n.Key == key {
			return n.Value
		}
	}
	return nil
}

func header(err error, name string) string {
	var r *middleware.Refusal
	if !errors.As(err, &r) {
		return ""
	}
	return r.Header.Get(name)
}

func from(addr string) func(*middleware.Exchange) {
	return func(x *middleware.Exchange) { x.Client = netip.MustParseAddr(addr) }
}

// rules opens rules by name on one store.
func rules(t *testing.T, store *Store, names []string, cs map[string]config.RateLimit) (out []*Rule) {
	t.Helper()
	for _, n := range names {
		c := cs[n]
		r, err := Open(n, &c, store)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func authn() *config.Route { return &config.Route{Authn: &config.Authn{}} }

// Each rule is asked in one place; a stage without rules is not there.
func TestPlaces(t *testing.T) {
	store := NewStore(nil)
	rs := rules(t, store, []string{"address", "user", "both", "device", "claim"}, map[string]config.RateLimit{
		"address": {Key: []string{"client.address", "route"}, Rate: rate(100, time.Minute), Burst: 20},
		"user":    {Key: []string{"subject.id"}, Rate: rate(600, time.Minute), Mode: "shadow"},
		"both":    {Key: []string{"client.address", "subject.role"}, Rate: rate(5, time.Second), Algorithm: "fixed_window"},
		"device":  {Key: []string{"header:X-Device"}, Rate: rate(1, time.Hour)},
		"claim":   {Key: []string{"claim:plan"}, Rate: rate(1, time.Hour)},
	})
	describe := func(place Place, route *config.Route, rs []*Rule) string {
		s := New(place, route, rs)
		if s == nil {
			return ""
		}
		if s.Name() != "ratelimit" {
			t.Errorf("name %q", s.Name())
		}
		return s.(middleware.Describer).Describe()
	}
	got := []string{
		describe(ByAddress, authn(), rs), describe(BySubject, authn(), rs),
		describe(ByAddress, &config.Route{Public: true}, rs), describe(BySubject, &config.Route{Public: true}, rs),
		describe(BySubject, authn(), rs[:1]), describe(ByAddress, authn(), rs[1:2]), describe(ByAddress, authn(), nil),
	}
	const byAddress = "address 100/1m burst 20 by client.address+route"
	const bySubject = "user 600/1m by subject.id (shadow), both 5/1s by client.address+subject.role fixed_window"
	const device, claim = "device 1/1h by header:X-Device", "claim 1/1h by claim:plan"
	want := []string{
		"by address: " + byAddress + ", " + device, "by subject: " + bySubject + ", " + claim,
		"by address: " + byAddress + ", " + bySubject + ", " + device + ", " + claim, "", "", "", "",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// What the client is told, admitted and refused.
func TestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs := rules(t, NewStore(nil), []string{"wide", "narrow", "watched"}, map[string]config.RateLimit{
			"wide":    {Key: []string{"client.address"}, Rate: rate(600, time.Minute)},
			"narrow":  {Key: []string{"client.address"}, Rate: rate(2, 1500*time.Millisecond), Algorithm: "sliding_log"},
			"watched": {Key: []string{"client.address"}, Rate: rate(1, time.Hour), Mode: "shadow"},
		})
		stage := New(ByAddress, authn(), rs)
		up := middlewaretest.NewUpstream(t, 200, "text/plain", "hello")
		type answer struct {
			Code, Policy, Limit, RetryAfter string
			Shadow, Refused                 any
		}
		ask := func() answer {
			x := middlewaretest.Exchange(t, "GET", "/", nil)
			res, _, err := middlewaretest.Run(t, stage, x, up.Handle)
			a := answer{Code: middlewaretest.Code(err), Shadow: note(x, "ratelimit_shadow"), Refused: note(x, "ratelimit")}
			get := func(n string) string { return header(err, n) }
			if res != nil {
				get = res.Header.Get
			}
			a.Policy, a.Limit, a.RetryAfter = get("RateLimit-Policy"), get("RateLimit"), get("Retry-After")
			return a
		}
		got := []answer{ask(), ask(), ask()}
		time.Sleep(1600 * time.Millisecond)
		got = append(got, ask())
		const policy = `"narrow";q=2;w=2`
		want := []answer{
			{Policy: policy, Limit: `"narrow";r=1;t=2`},
			{Policy: policy, Limit: `"narrow";r=0;t=2`, Shadow: "watched"},
			{Code: "rate_limited", Policy: policy, Limit: `"narrow";r=0;t=2`, RetryAfter: "2", Refused: "narrow", Shadow: "watched"},
			{Policy: policy, Limit: `"narrow";r=1;t=2`, Shadow: "watched"},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if n := up.Calls.Load(); n != 3 {
			t.Errorf("%d requests reached the upstream", n)
		}
	})
}

// The inner stage's quota and the outer one's are one list; refusals of inner
// stages pass as they are.
func TestTwoStages(t *testing.T) {
	rs := rules(t, NewStore(nil), []string{"address", "user"}, map[string]config.RateLimit{
		"address": {Key: []string{"client.address"}, Rate: rate(10, time.Minute)},
		"user":    {Key: []string{"subject.id"}, Rate: rate(5, time.Minute)},
	})
	up := middlewaretest.NewUpstream(t, 200, "", "")
	h := middleware.Chain(up.Handle, New(ByAddress, authn(), rs), New(BySubject, authn(), rs))
	x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(&policies.Subject{ID: "u1"}))
	res, err := h(x)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	want := []string{`"user";r=4;t=12`, `"address";r=9;t=6`}
	if d := cmp.Diff(want, res.Header.Values("RateLimit")); d != "" {
		t.Error(d)
	}
	boom := errors.New("boom")
	outer := New(ByAddress, authn(), rs)
	if _, err := outer.Handle(x, func(*middleware.Exchange) (*http.Response, error) { return nil, boom }); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
}

// A request that one rule refuses weighs on no other, in whatever order.
func TestRefusalIsFree(t *testing.T) {
	cs := map[string]config.RateLimit{
		"address": {Key: []string{"client.address"}, Rate: rate(10, time.Hour)},
		"user":    {Key: []string{"subject.id"}, Rate: rate(1, time.Hour)},
	}
	for _, order := range [][]string{{"address", "user"}, {"user", "address"}} {
		rs := rules(t, NewStore(nil), order, cs)
		stage := New(ByAddress, &config.Route{}, rs)
		up := middlewaretest.NewUpstream(t, 200, "", "")
		ask := func(id string) string {
			x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(&policies.Subject{ID: id}))
			_, _, err := middlewaretest.Run(t, stage, x, up.Handle)
			return middlewaretest.Code(err)
		}
		for i := range 50 {
			if got, want := ask("greedy"), i > 0; (got == "rate_limited") != want {
				t.Fatalf("%v: request %d: %q", order, i, got)
			}
		}
		for i, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
			if got := ask(id); got != "" {
				t.Errorf("%v: neighbour %d: %q", order, i, got)
			}
		}
		if got := ask("j"); got != "rate_limited" {
			t.Errorf("%v: the address is past its limit: %q", order, got)
		}
	}
}

// A shadow rule counts as an enforced one would and refuses nothing.
func TestShadow(t *testing.T) {
	rs := rules(t, NewStore(nil), []string{"watched"}, map[string]config.RateLimit{
		"watched": {Key: []string{"client.address"}, Rate: rate(2, time.Hour), Mode: "shadow"},
	})
	stage := New(ByAddress, authn(), rs)
	up := middlewaretest.NewUpstream(t, 200, "", "")
	for i := range 5 {
		x := middlewaretest.Exchange(t, "GET", "/", nil)
		res, _, err := middlewaretest.Run(t, stage, x, up.Handle)
		if err != nil {
			t.Fatal(err)
		}
		if got := note(x, "ratelimit_shadow") != nil; got != (i >= 2) {
			t.Errorf("request %d: noted %v", i, got)
		}
		if res.Header.Get("RateLimit") != "" {
			t.Error("a shadow rule tells the client about itself")
		}
	}
}

// Nobody escapes by lacking what a rule counts by: they share their address.
func TestMissingParts(t *testing.T) {
	rs := rules(t, NewStore(nil), []string{"user"}, map[string]config.RateLimit{
		"user": {Key: []string{"subject.id"}, Rate: rate(1, time.Hour)},
	})
	stage := New(ByAddress, &config.Route{Public: true}, rs)
	up := middlewaretest.NewUpstream(t, 200, "", "")
	ask := func(addr string) string {
		_, _, err := middlewaretest.Run(t, stage, middlewaretest.Exchange(t, "GET", "/", nil, from(addr)), up.Handle)
		return middlewaretest.Code(err)
	}
	got := []string{ask("192.0.2.1"), ask("192.0.2.1"), ask("192.0.2.2"), ask("2001:db8::1"), ask("2001:db8::ffff:2"), ask("2001:db8:0:1::1")}
	want := []string{"", "rate_limited", "", "", "rate_limited", ""}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
