package ratelimit

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// decided asks the stage behind the policies with what they decided.
func decided(t *testing.T, r *Rule, route *config.Route, rates map[string]policies.Rate) error {
	t.Helper()
	x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(&policies.Subject{ID: "u"}))
	x.Decision = &policies.Decision{Allow: true, RateLimits: rates}
	up := middlewaretest.NewUpstream(t, 200, "", "")
	_, _, err := middlewaretest.Run(t, New(ByPolicy, route, []*Rule{r}), x, up.Handle)
	return err
}

func say(n int64, per time.Duration) map[string]policies.Rate {
	return map[string]policies.Rate{"rule": {Count: n, Per: per}, "another": {Count: 1, Per: time.Hour}}
}

// The policy's rate goes before the table's, and that before the rule's own. Each
// is counted for itself.
func TestPolicyRate(t *testing.T) {
	r := open(t, config.RateLimit{
		Key: []string{"subject.id"}, Rate: rate(1, time.Hour), Policy: true,
		Rates: tableOf("subject.role", map[string]config.Rate{"gold": rate(9, time.Hour)}),
	}, nil)
	var got []string
	for _, rates := range []map[string]policies.Rate{say(2, time.Hour), say(2, time.Hour), say(2, time.Hour), nil, nil, say(3, time.Hour)} {
		got = append(got, middlewaretest.Code(decided(t, r, authn(), rates)))
	}
	if d := cmp.Diff([]string{"", "", "rate_limited", "", "rate_limited", ""}, got); d != "" {
		t.Error(d)
	}
	x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(&policies.Subject{ID: "u", Role: "gold"}))
	x.Decision = &policies.Decision{}
	if q, err := r.quotaOf(x); err != nil || q.spec.rate.Limit != 9 {
		t.Errorf("the table's: %v", err)
	}
	x.Decision.RateLimits = say(2, time.Hour)
	if q, err := r.quotaOf(x); err != nil || q.spec.rate.Limit != 2 {
		t.Errorf("the policy's: %v", err)
	}
}

// A rule whose rate a policy may say is asked behind it, and where none is asked
// where it would be otherwise.
func TestPolicyPlace(t *testing.T) {
	r := []*Rule{open(t, config.RateLimit{Key: []string{"subject.id"}, Rate: rate(1, time.Hour), Policy: true}, nil)}
	off := &config.Route{Authn: &config.Authn{}, Policy: config.Policy{Off: true}}
	public := &config.Route{Public: true, Policy: config.Policy{Off: true}}
	for route, want := range map[*config.Route]Place{authn(): ByPolicy, off: BySubject, public: ByAddress} {
		for _, place := range []Place{ByAddress, BySubject, ByPolicy} {
			if got := New(place, route, r) != nil; got != (place == want) {
				t.Errorf("%s, where it belongs %s: %v", place, want, got)
			}
		}
	}
}

// What a policy demands and cannot be carried out is refused, and by a rule in the
// shadow noted.
func TestPolicyRateThatCannotBe(t *testing.T) {
	costly := authn()
	costly.RateCost = 3
	for name, tt := range map[string]struct {
		config.RateLimit
		rate policies.Rate
		code string
	}{
		"a cost above it":     {config.RateLimit{}, policies.Rate{Count: 2, Per: time.Hour}, "policy_error"},
		"a burst below it":    {config.RateLimit{Burst: 2}, policies.Rate{Count: 20, Per: time.Hour}, "policy_error"},
		"a log that is long":  {config.RateLimit{Algorithm: "sliding_log"}, policies.Rate{Count: 10_001, Per: time.Hour}, "policy_error"},
		"too short":           {config.RateLimit{}, policies.Rate{Count: 20, Per: time.Microsecond}, "policy_error"},
		"nothing":             {config.RateLimit{}, policies.Rate{}, "policy_error"},
		"in the shadow":       {config.RateLimit{Mode: "shadow"}, policies.Rate{Count: 2, Per: time.Hour}, ""},
		"as much as it takes": {config.RateLimit{}, policies.Rate{Count: 3, Per: time.Hour}, ""},
		"a strict one":        {config.RateLimit{Burst: 5, Strict: true}, policies.Rate{Count: 4, Per: time.Hour}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := tt.RateLimit
			c.Rate, c.Policy = rate(100, time.Hour), true
			r := open(t, c, nil)
			if got := middlewaretest.Code(decided(t, r, costly, map[string]policies.Rate{"rule": tt.rate})); got != tt.code {
				t.Errorf("%q, want %q", got, tt.code)
			}
			if failed := r.State().Decisions["failed"]; failed != 1 && (tt.code != "" || tt.Mode != "") {
				t.Errorf("%d counted as failed", failed)
			}
		})
	}
}

// A burst that is there to hold callers below the rule's rate lets nobody above the
// rate of a policy; one that is there to let them above it does.
func TestPolicyBurst(t *testing.T) {
	for name, tt := range map[string]struct {
		own   config.Rate
		burst int
		said  int64
		want  int
	}{
		"below the own rate, and the policy's": {rate(100, time.Hour), 20, 50, 20},
		"above the policy's":                   {rate(100, time.Hour), 20, 5, 5},
		"above the own rate":                   {rate(10, time.Hour), 30, 20, 30},
		"above both, and more so":              {rate(10, time.Hour), 30, 5, 30},
		"none":                                 {rate(10, time.Hour), 0, 5, 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, admitted := open(t, config.RateLimit{Rate: tt.own, Burst: tt.burst, Policy: true}, nil), 0
				for range 100 {
					if decided(t, r, authn(), say(tt.said, time.Hour)) == nil {
						admitted++
					}
				}
				if admitted != tt.want {
					t.Errorf("%d were admitted at once, want %d", admitted, tt.want)
				}
			})
		})
	}
}

// Policies that compute rates get so many at once, and no counter that still
// matters is given up for another.
func TestGivenIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, config.RateLimit{Key: []string{"subject.id"}, Rate: rate(1, time.Hour), Policy: true}, nil)
		for n := range int64(maxGiven) {
			if err := decided(t, r, authn(), say(n+1, time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(59 * time.Minute)
		err := decided(t, r, authn(), say(1000, time.Minute))
		if middlewaretest.Code(err) != "policy_error" || !errors.Is(err, errGiven) {
			t.Errorf("one too many: %v", err)
		}
		if got := middlewaretest.Code(decided(t, r, authn(), say(1, time.Hour))); got != "rate_limited" {
			t.Errorf("the first rate: %q", got)
		}
		time.Sleep(time.Hour + time.Second) // nothing counts any more
		if err := decided(t, r, authn(), say(1000, time.Minute)); err != nil {
			t.Errorf("there is room again: %v", err)
		}
	})
}

// New rules on the same store go on with the rates that policies gave before,
// whatever else of the definition stays, though the old rules are gone.
func TestGivenOutlivesReloads(t *testing.T) {
	store := NewStore(nil)
	c := config.RateLimit{Key: []string{"subject.id"}, Rate: rate(10, time.Hour), Policy: true}
	before := open(t, c, store)
	if err := decided(t, before, authn(), say(1, time.Hour)); err != nil {
		t.Fatal(err)
	}
	c.Rate = rate(20, time.Hour) // of those to whom the policies say nothing
	after := open(t, c, store)
	runtime.KeepAlive(before)
	before = nil
	runtime.GC()
	if got := middlewaretest.Code(decided(t, after, authn(), say(1, time.Hour))); got != "rate_limited" {
		t.Errorf("forgotten by a reload: %q", got)
	}
	c.Key = []string{"route"}
	if err := decided(t, open(t, c, store), authn(), say(1, time.Hour)); err != nil {
		t.Errorf("another definition: %v", err)
	}
}
