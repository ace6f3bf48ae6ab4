package ratelimit

import (
	"encoding/json"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func tableOf(by string, rates map[string]config.Rate) *config.RateTable {
	t := &config.RateTable{By: by, Table: map[string]*config.RateEntry{}}
	for value, r := range rates {
		t.Table[value] = &config.RateEntry{Rate: r}
	}
	return t
}

// Which rate of a table a caller has.
func TestRateTable(t *testing.T) {
	many, some := rate(6000, time.Minute), rate(60, time.Minute)
	byRole := tableOf("subject.role", map[string]config.Rate{"gold": many, "Silver": some})
	byClaim := tableOf("claim:plan", map[string]config.Rate{"gold": many, "7": some, "true": some})
	for name, tt := range map[string]struct {
		table   *config.RateTable
		subject *policies.Subject
		want    string
	}{
		"nobody":              {byRole, nil, "10/1m"},
		"no role":             {byRole, &policies.Subject{}, "10/1m"},
		"one role":            {byRole, &policies.Subject{Role: "gold"}, "6000/1m"},
		"another role":        {byRole, &policies.Subject{Role: "staff", Roles: []string{"staff"}}, "10/1m"},
		"case counts":         {byRole, &policies.Subject{Role: "GOLD", Roles: []string{"silver"}}, "10/1m"},
		"several roles":       {byRole, &policies.Subject{Role: "Silver", Roles: []string{"Silver", "staff", "gold"}}, "6000/1m"},
		"a role outside":      {byRole, &policies.Subject{Role: "gold", Roles: []string{"Silver"}}, "6000/1m"},
		"a tenant of no role": {byRole, &policies.Subject{Tenant: "gold"}, "10/1m"},
		"tenant":              {tableOf("subject.tenant", map[string]config.Rate{"acme": many}), &policies.Subject{Tenant: "acme"}, "6000/1m"},
		"claim":               {byClaim, claims("plan", "gold"), "6000/1m"},
		"claim: number":       {byClaim, claims("plan", json.Number("7")), "60/1m"},
		"claim: truth":        {byClaim, claims("plan", true), "60/1m"},
		"claim: falsehood":    {byClaim, claims("plan", false), "10/1m"},
		"claim: empty":        {byClaim, claims("plan", ""), "10/1m"},
		"claim: list":         {byClaim, claims("plan", []any{"gold"}), "10/1m"},
		"claim: object":       {byClaim, claims("plan", map[string]any{"gold": true}), "10/1m"},
		"claim: null":         {byClaim, claims("plan", nil), "10/1m"},
		"claim: another":      {byClaim, claims("plans", "gold"), "10/1m"},
		"claim: number text":  {byClaim, claims("plan", 7), "10/1m"},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, config.RateLimit{Rate: rate(10, time.Minute), Rates: tt.table}, nil)
			x := middlewaretest.Exchange(t, "GET", "/", nil)
			x.Subject = tt.subject
			q, err := r.quotaOf(x)
			if err != nil || q.spec.rate.Formatted != tt.want {
				t.Errorf("%s, %v, want %s", q.spec.rate.Formatted, err, tt.want)
			}
		})
	}
}

func claims(name string, value any) *policies.Subject {
	return &policies.Subject{Claims: map[string]any{name: value}}
}

// Entries count for themselves, even those with the same rate, and a reload that
// changes one keeps what was counted for the others.
func TestEntriesCountForThemselves(t *testing.T) {
	once := rate(1, time.Hour)
	c := config.RateLimit{Key: []string{"route"}, Rate: once, Rates: tableOf("subject.tenant", map[string]config.Rate{"acme": once, "beta": once})}
	store := NewStore(nil)
	up := middlewaretest.NewUpstream(t, 200, "", "")
	ask := func(r *Rule, tenant string) bool {
		x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(&policies.Subject{ID: "u", Tenant: tenant}))
		_, _, err := middlewaretest.Run(t, New(BySubject, authn(), []*Rule{r}), x, up.Handle)
		return err == nil
	}
	before := open(t, c, store)
	got := []bool{ask(before, "acme"), ask(before, "beta"), ask(before, "none"), ask(before, "acme"), ask(before, "beta"), ask(before, "none")}
	if d := cmp.Diff([]bool{true, true, true, false, false, false}, got); d != "" {
		t.Error(d)
	}
	c.Rates = tableOf("subject.tenant", map[string]config.Rate{"acme": once, "beta": rate(5, time.Hour), "new": once})
	after := open(t, c, store)
	runtime.KeepAlive(before)
	got = []bool{ask(after, "acme"), ask(after, "beta"), ask(after, "none"), ask(after, "new")}
	if d := cmp.Diff([]bool{false, true, false, true}, got); d != "" {
		t.Error(d)
	}
}

// A rule with a table waits for the subject, whatever it counts by.
func TestTableIsAskedAfterAuthentication(t *testing.T) {
	r := open(t, config.RateLimit{Rate: rate(1, time.Hour), Rates: tableOf("subject.role", map[string]config.Rate{"gold": rate(2, time.Hour)})}, nil)
	if New(ByAddress, authn(), []*Rule{r}) != nil || New(BySubject, authn(), []*Rule{r}) == nil {
		t.Error("it is asked before it is known who asks")
	}
}

func TestTableMistakes(t *testing.T) {
	entry := func(e config.RateEntry) *config.RateTable {
		return &config.RateTable{By: "subject.role", Table: map[string]*config.RateEntry{"gold": &e}}
	}
	for want, c := range map[string]config.RateLimit{
		`rates cannot be looked up by "subject.id"`:     {Rates: tableOf("subject.id", nil)},
		`rates cannot be looked up by "claim:"`:         {Rates: tableOf("claim:", nil)},
		`rates for gold: rate is missing`:               {Rates: entry(config.RateEntry{})},
		`rates for gold: burst is only for gcra`:        {Algorithm: "fixed_window", Rates: entry(config.RateEntry{Rate: rate(1, time.Hour), Burst: 1})},
		`rates for gold: rate 10001/1h: sliding_log`:    {Algorithm: "sliding_log", Rates: entry(config.RateEntry{Rate: rate(10_001, time.Hour)})},
		`rates for gold: strict is for gcra with a bur`: {Burst: 1, Strict: true, Rates: entry(config.RateEntry{Rate: rate(5, time.Hour)})},
	} {
		c.Key, c.Rate = []string{"route"}, rate(10, time.Hour)
		if _, err := Open("mine", &c, NewStore(nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if maxLog != config.MaxLogged {
		t.Errorf("the configuration takes %d for the most that a sliding log remembers; it is %d", config.MaxLogged, maxLog)
	}
}

// In Redis entries count for themselves as well, and so do rates of policies; all
// replicas share them.
func TestEntriesInRedis(t *testing.T) {
	s := storetest.Start(t)
	once := rate(1, time.Hour)
	c := config.RateLimit{Key: []string{"route"}, Rate: once, Policy: true, Rates: tableOf("subject.tenant", map[string]config.Rate{"acme": once, "beta": once})}
	var got []bool
	for range 2 { // replicas
		r := open(t, c, NewStore(s.Patient(false)))
		for _, tenant := range []string{"acme", "beta", "none"} {
			for _, rates := range []map[string]policies.Rate{nil, say(2, time.Hour)} {
				x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(&policies.Subject{Tenant: tenant}))
				x.Decision = &policies.Decision{RateLimits: rates}
				_, _, err := middlewaretest.Run(t, New(ByPolicy, authn(), []*Rule{r}), x, middlewaretest.NewUpstream(t, 200, "", "").Handle)
				got = append(got, err == nil)
			}
		}
	}
	// The policy's rate is one for all tenants, since the key is the route.
	want := []bool{true, true, true, true, true, false, false, false, false, false, false, false}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// What it costs to find out whom to count, and against what.
func BenchmarkAsk(b *testing.B) {
	c := config.RateLimit{
		Key: []string{"subject.id"}, Rate: rate(1_000_000_000, time.Second), Policy: true, Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Rates: tableOf("subject.role", map[string]config.Rate{"gold": rate(1_000_000_000, time.Second), "free": rate(1, time.Hour)}),
	}
	r := open(b, c, nil)
	for name, decision := range map[string]*policies.Decision{
		"table":  {},
		"policy": {RateLimits: map[string]policies.Rate{"rule": {Count: 1_000_000_000, Per: time.Second}}},
	} {
		b.Run(name, func(b *testing.B) {
			s := New(ByPolicy, authn(), []*Rule{r}).(*Stage)
			x := middlewaretest.Exchange(b, "GET", "/", nil, middlewaretest.Subject(&policies.Subject{ID: "u7", Issuer: "i", Role: "free", Roles: []string{"free", "gold"}}))
			x.Decision = decision
			var array [4]take
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.ask(x, array[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
