package ratelimit

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// limited lists who met the rule, one line each.
func limited(s State) (out []string) {
	for _, l := range s.Limited {
		line := fmt.Sprintf("%d× %s", l.Count, l.Rate)
		for _, p := range l.Who {
			if line += " " + p.By + "=" + p.Value; p.Issuer != "" {
				line += "@" + p.Issuer
			}
			if p.Address != "" {
				line += "!" + p.Address
			}
			if p.Digest != "" {
				line += "#"
			}
		}
		out = append(out, line)
	}
	return out
}

// A rule in the shadow lists whom it would have refused, an enforced one whom it
// did: names that operators know, and nothing that may be secret.
func TestWhoWasLimited(t *testing.T) {
	for _, mode := range []string{"shadow", "enforce"} {
		synctest.Test(t, func(t *testing.T) {
			c := config.RateLimit{
				Key:  []string{"client.address", "subject.id", "subject.tenant", "subject.role", "route", "claim:plan", "header:X-Api-Key"},
				Rate: rate(1, time.Hour), Mode: mode, Rates: tableOf("subject.role", map[string]config.Rate{"gold": rate(2, time.Hour)}),
			}
			r := open(t, c, nil)
			stage := New(BySubject, authn(), []*Rule{r})
			up := middlewaretest.NewUpstream(t, 200, "", "")
			ask := func(times int, s *policies.Subject, key string) {
				for range times {
					x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(s), func(x *middleware.Exchange) {
						if key != "" {
							x.Request.Header.Set("X-Api-Key", key)
						}
					})
					_, _, _ = middlewaretest.Run(t, stage, x, up.Handle)
				}
			}
			ada := &policies.Subject{ID: "ada", Issuer: "auth", Tenant: "acme", Role: "gold", Claims: map[string]any{"plan": "s3cr3t-plan"}}
			ask(1, ada, "s3cr3t-key")
			time.Sleep(time.Second)
			ask(4, ada, "s3cr3t-key")
			time.Sleep(time.Second)
			ask(2, &policies.Subject{ID: strings.Repeat("x", 500)}, "")
			s := r.State()
			if d := cmp.Diff([]string{
				"3× 2/1h client.address=192.0.2.1 subject.id=ada@auth subject.tenant=acme subject.role=gold route=test claim:plan=# header:X-Api-Key=#",
				"1× 1/1h client.address=192.0.2.1 subject.id=" + strings.Repeat("x", 128) + "… subject.tenant=!192.0.2.1 subject.role=!192.0.2.1 route=test claim:plan=!192.0.2.1 header:X-Api-Key=!192.0.2.1",
			}, limited(s)); d != "" {
				t.Error(d)
			}
			if l := s.Limited[0]; l.Last.Before(l.First) || time.Since(l.First) != time.Second {
				t.Errorf("from %v to %v", l.First, l.Last)
			}
			text, err := json.Marshal(s)
			if err != nil || strings.Contains(string(text), "s3cr3t") {
				t.Errorf("%v in %s", err, text)
			}
			if s.Mode != mode || s.Decisions["shadow"]+s.Decisions["refused"] != 4 || s.Decisions["admitted"] != 3 {
				t.Errorf("%s: %v", s.Mode, s.Decisions)
			}
			time.Sleep(25 * time.Hour)
			if s := r.State(); len(s.Limited) != 0 {
				t.Errorf("remembered for longer than a day: %v", limited(s))
			}
		})
	}
}

// The list is bounded. Callers who turn up once push out each other and not those
// who come again and again.
func TestListIsBounded(t *testing.T) {
	r := open(t, config.RateLimit{Rate: rate(1, time.Hour), Mode: "shadow"}, nil)
	stage := New(ByAddress, authn(), []*Rule{r})
	up := middlewaretest.NewUpstream(t, 200, "", "")
	ask := func(addr netip.Addr, times int) {
		for range times {
			x := middlewaretest.Exchange(t, "GET", "/", nil, func(x *middleware.Exchange) { x.Client = addr })
			_, _, _ = middlewaretest.Run(t, stage, x, up.Handle)
		}
	}
	greedy := netip.MustParseAddr("198.51.100.1")
	ask(greedy, 12)
	addr := netip.MustParseAddr("203.0.113.0")
	for range 5 * maxSeen {
		ask(addr, 2)
		addr = addr.Next()
	}
	s := r.State()
	if len(s.Limited) != maxSeen || s.Limited[0].Count != 11 || s.Limited[0].Who[0].Value != greedy.String() || s.More != 4*maxSeen+1 {
		t.Errorf("%d listed, the first %+v, %d of others", len(s.Limited), s.Limited[0], s.More)
	}
}

// A reload keeps the list and the counts. A rule that was in the shadow and is
// enforced now tells of those that it refused.
func TestListOutlivesReloads(t *testing.T) {
	store := NewStore(nil)
	up := middlewaretest.NewUpstream(t, 200, "", "")
	ask := func(r *Rule) {
		_, _, _ = middlewaretest.Run(t, New(ByAddress, authn(), []*Rule{r}), middlewaretest.Exchange(t, "GET", "/", nil), up.Handle)
	}
	c := config.RateLimit{Rate: rate(1, time.Hour), Mode: "shadow"}
	before := open(t, c, store)
	ask(before)
	ask(before)
	c.Mode = ""
	after := open(t, c, store)
	runtime.KeepAlive(before)
	if s := after.State(); len(s.Limited) != 0 || s.Decisions["shadow"] != 1 || s.Decisions["admitted"] != 1 {
		t.Errorf("%v %v", limited(s), s.Decisions)
	}
	ask(after)
	if s := after.State(); len(s.Limited) != 1 || s.Limited[0].Count != 1 || s.Decisions["refused"] != 1 {
		t.Errorf("%v %v", limited(s), s.Decisions)
	}
}

// Where one rule refuses, the others neither admit nor refuse, but for one in the
// shadow, which would have.
func TestDecisionsAreCountedOnce(t *testing.T) {
	rs := rules(t, NewStore(nil), []string{"wide", "narrow", "tried"}, map[string]config.RateLimit{
		"wide":   {Key: []string{"route"}, Rate: rate(9, time.Hour)},
		"narrow": {Key: []string{"route"}, Rate: rate(2, time.Hour)},
		"tried":  {Key: []string{"route"}, Rate: rate(1, time.Hour), Mode: "shadow"},
	})
	stage := New(ByAddress, authn(), rs)
	up := middlewaretest.NewUpstream(t, 200, "", "")
	for range 3 {
		_, _, _ = middlewaretest.Run(t, stage, middlewaretest.Exchange(t, "GET", "/", nil), up.Handle)
	}
	var got [][]uint64
	for _, r := range rs {
		got = append(got, r.Decided())
	}
	want := [][]uint64{{2, 0, 0, 0, 0}, {2, 1, 0, 0, 0}, {1, 0, 2, 0, 0}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%v: %s", Decisions(), d)
	}
}
