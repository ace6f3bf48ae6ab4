package orders

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for _, tt := range []struct {
		name string
		o    Order
		want string // in the error; "" where it may be given
	}{
		{"jti", Order{Kind: Revocation, Issuer: "a", JTI: "1"}, ""},
		{"sid", Order{Kind: Revocation, Issuer: "a", SID: "1"}, ""},
		{"subject", Order{Kind: Revocation, Issuer: "a", Subject: "1"}, ""},
		{"subject until then", Order{Kind: Revocation, Issuer: "a", Subject: "1", IssuedBefore: past}, ""},
		{"tenant", Order{Kind: Revocation, Tenant: "1"}, ""},
		{"tenant of an issuer", Order{Kind: Revocation, Issuer: "a", Tenant: "1"}, ""},
		{"everything until then", Order{Kind: Revocation, IssuedBefore: past}, ""},
		{"everything of an issuer", Order{Kind: Revocation, Issuer: "a", IssuedBefore: past}, ""},
		{"given by a clock that is ahead", Order{Kind: Revocation, Issuer: "a", SID: "1", At: time.Now().Add(time.Minute)}, ""},
		{"all", Order{Kind: Lockdown, All: true, Roles: []string{"admin"}}, ""},
		{"route", Order{Kind: Lockdown, Route: "r", Until: soon}, ""},
		{"tenant on a route", Order{Kind: Lockdown, Route: "r", Tenant: "t"}, ""},

		{"nothing", Order{}, "kind is missing"},
		{"another kind", Order{Kind: "curfew"}, `"curfew" is neither`},
		{"revocation of nothing", Order{Kind: Revocation, Issuer: "a"}, "or issued_before"},
		{"of two things", Order{Kind: Revocation, Issuer: "a", JTI: "1", SID: "1"}, "names one of"},
		{"jti of nobody", Order{Kind: Revocation, JTI: "1"}, "issuer is missing"},
		{"sid of nobody", Order{Kind: Revocation, SID: "1"}, "issuer is missing"},
		{"subject of nobody", Order{Kind: Revocation, Subject: "1"}, "issuer is missing"},
		{"sid and issue", Order{Kind: Revocation, Issuer: "a", SID: "1", IssuedBefore: past}, "says nothing about"},
		{"with a route", Order{Kind: Revocation, Tenant: "1", Route: "r"}, "are for lockdowns"},
		{"with roles", Order{Kind: Revocation, Tenant: "1", Roles: []string{"r"}}, "are for lockdowns"},
		{"with an end", Order{Kind: Revocation, Tenant: "1", Until: soon}, "until is for lockdowns"},
		{"issued far ahead", Order{Kind: Revocation, Tenant: "1", IssuedBefore: soon}, "issued_before is more than"},
		{"given far ahead", Order{Kind: Revocation, Issuer: "a", SID: "1", At: soon}, "at is more than"},
		{"lockdown of nothing", Order{Kind: Lockdown}, "names a route, a tenant, or all"},
		{"all and a route", Order{Kind: Lockdown, All: true, Route: "r"}, "leaves nothing"},
		{"lockdown of a subject", Order{Kind: Lockdown, All: true, Subject: "s"}, "are for revocations"},
		{"until then", Order{Kind: Lockdown, All: true, Until: past}, "has passed"},
		{"empty role", Order{Kind: Lockdown, All: true, Roles: []string{""}}, "must not be empty"},
		{"many roles", Order{Kind: Lockdown, All: true, Roles: make([]string, 65)}, "more than 64"},
		{"long role", Order{Kind: Lockdown, All: true, Roles: []string{strings.Repeat("r", 257)}}, "longer than 256"},
		{"long", Order{Kind: Revocation, Tenant: strings.Repeat("t", 1025)}, "tenant is longer than 1024"},
		{"not text", Order{Kind: Revocation, Tenant: "\xff"}, "not UTF-8"},
		{"a line of its own", Order{Kind: Lockdown, All: true, Reason: "a\nb"}, "control character"},
		{"year", Order{Kind: Lockdown, All: true, Until: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, "years"},
	} {
		err := tt.o.Check()
		if got := ""; err != nil {
			got = err.Error()
			if tt.want == "" || !strings.Contains(got, tt.want) {
				t.Errorf("%s: %s, want %q", tt.name, got, tt.want)
			}
		} else if tt.want != "" {
			t.Errorf("%s: it may be given, want %q", tt.name, tt.want)
		}
	}
}

// The JSON is what the admin API, Redis and the file have.
func TestJSON(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	for want, o := range map[string]Order{
		`{"id":"A","kind":"revocation","issuer":"i","sid":"s","by":"issuer i","at":"2026-01-02T03:04:05.6Z","until":"2026-01-03T03:04:05.6Z"}`: {
			ID: "A", Kind: Revocation, Issuer: "i", SID: "s", By: "issuer i", At: at, Until: at.Add(24 * time.Hour),
		},
		`{"id":"B","kind":"lockdown","all":true,"roles":["admin"],"reason":"drill","at":"2026-01-02T03:04:05.6Z"}`: {
			ID: "B", Kind: Lockdown, All: true, Roles: []string{"admin"}, Reason: "drill", At: at,
		},
	} {
		got, err := json.Marshal(o)
		if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
			t.Error(err, diff)
		}
		var back Order
		if err := json.Unmarshal(got, &back); err != nil || !cmp.Equal(back, o, prefixes) {
			t.Error(err, cmp.Diff(o, back, prefixes))
		}
	}
}
