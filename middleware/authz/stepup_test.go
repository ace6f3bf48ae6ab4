package authz

import (
	"errors"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// TestChallenge: what a client is told of several requirements is enough to meet
// all that are unmet at once: the classes in the order of the decision, the
// smallest age (RFC 9470, section 3). Methods have no place in a challenge and
// stand in the detail.
func TestChallenge(t *testing.T) {
	const (
		start  = int64(1_800_000_000)
		before = `Bearer error="insufficient_user_authentication", error_description="a stronger or fresher authentication is required"`
		detail = "this needs a stronger or fresher authentication"
	)
	signedIn := func(ago int64) *policies.Subject { return &policies.Subject{ID: "u7", AuthTime: start - ago} }
	tests := []struct {
		name    string
		subject *policies.Subject
		require []policies.Require
		want    string // of the challenge behind before; "-" where the request passes
		detail  string
	}{
		{"the smallest age, whichever comes first", signedIn(1000), []policies.Require{{MaxAge: 900}, {MaxAge: 60}, {MaxAge: 600}}, `, max_age="60"`, detail},
		{"an age that is met is not asked for", signedIn(100), []policies.Require{{MaxAge: 900}, {MaxAge: 60}}, `, max_age="60"`, detail},
		{"exactly as old as allowed", signedIn(60), []policies.Require{{MaxAge: 60}}, "-", ""},
		{"a second older", signedIn(61), []policies.Require{{MaxAge: 60}}, `, max_age="60"`, detail},
		{"signed in by a clock that is ahead", signedIn(-30), []policies.Require{{MaxAge: 60}}, "-", ""},
		{"a moment that is not said", signedIn(start), []policies.Require{{MaxAge: math.MaxInt64}}, `, max_age="9223372036854775807"`, detail},
		{"before there was time", &policies.Subject{AuthTime: math.MinInt64}, []policies.Require{{MaxAge: 60}}, `, max_age="60"`, detail},
		{"classes in order", signedIn(1), []policies.Require{{ACR: "gold"}, {ACR: "bronze"}}, `, acr_values="gold bronze"`, detail},
		{"a class that two ask for, once", signedIn(61), []policies.Require{{ACR: "gold", AMR: []string{"otp"}}, {ACR: "gold", MaxAge: 60}}, `, acr_values="gold", max_age="60"`, detail + ": otp"},
		{
			"a class that is met is not asked for",
			&policies.Subject{ACR: "gold"},
			[]policies.Require{{ACR: "gold"}, {ACR: "platinum"}},
			`, acr_values="platinum"`, detail,
		},
		{"a class is equal or it is not", &policies.Subject{ACR: "Gold "}, []policies.Require{{ACR: "gold"}}, `, acr_values="gold"`, detail},
		{"a class and an age", signedIn(61), []policies.Require{{ACR: "gold", MaxAge: 60}}, `, acr_values="gold", max_age="60"`, detail},
		{"a class with a quote", signedIn(1), []policies.Require{{ACR: `urn:"x"\y`}}, `, acr_values="urn:\"x\"\\y"`, detail},
		{
			"methods, each once", &policies.Subject{AMR: []string{"pwd"}},
			[]policies.Require{{AMR: []string{"pwd", "otp"}}, {AMR: []string{"hwk", "otp"}}},
			"", detail + ": hwk, otp",
		},
		{"a method that another begins with", &policies.Subject{AMR: []string{"otp2", "pwd otp"}}, []policies.Require{{AMR: []string{"otp"}}}, "", detail + ": otp"},
		{
			"nobody at all", nil,
			[]policies.Require{{ACR: "gold", AMR: []string{"otp"}, MaxAge: 60}},
			`, acr_values="gold", max_age="60"`, detail + ": otp",
		},
		{"a program, which has never signed in", &policies.Subject{ID: "export", AMR: []string{}}, []policies.Require{{MaxAge: 60}}, `, max_age="60"`, detail},
		{"an entry that requires nothing", nil, []policies.Require{{}}, "-", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := mt.NewUpstream(t, 200, "application/json", "{}")
			x := mt.Exchange(t, "GET", "https://h/api/payroll/", nil, func(x *middleware.Exchange) { x.Subject = tt.subject })
			x.Start = time.Unix(start, 999_999_999)
			d := allow(func(d *policies.Decision) { d.Require = tt.require })
			_, _, err := mt.Run(t, New(config.Policy{}, &fixed{d: d}, nil, nil), x, u.Handle)
			if tt.want == "-" {
				if err != nil || u.Calls.Load() != 1 {
					t.Fatalf("%v, the upstream saw %d requests", err, u.Calls.Load())
				}
				return
			}
			var r *middleware.Refusal
			if !errors.As(err, &r) || r.Status != http.StatusUnauthorized || r.Code != "step_up_required" || u.Calls.Load() != 0 {
				t.Fatalf("got %v, the upstream saw %d requests", err, u.Calls.Load())
			}
			if got := r.Header.Values("WWW-Authenticate"); len(got) != 1 || got[0] != before+tt.want {
				t.Errorf("challenge %q, want %q", got, before+tt.want)
			}
			if r.Detail != tt.detail {
				t.Errorf("detail %q, want %q", r.Detail, tt.detail)
			}
		})
	}
}

// TestChallengeThatCannotBeNamed: a class that no header can carry is a fault of
// the policy, and nobody gets through because of it.
func TestChallengeThatCannotBeNamed(t *testing.T) {
	for _, acr := range []string{"a\r\nX-Role: admin", "g\u00f6ld", "a\x00", "a\tb"} {
		u := mt.NewUpstream(t, 200, "application/json", "{}")
		x := mt.Exchange(t, "GET", "https://h/api/payroll/", nil)
		d := allow(func(d *policies.Decision) { d.Require = []policies.Require{{ACR: acr}} })
		_, _, err := mt.Run(t, New(config.Policy{}, &fixed{d: d}, nil, nil), x, u.Handle)
		var r *middleware.Refusal
		if !errors.As(err, &r) || r.Code != "policy_error" || r.Header.Get("WWW-Authenticate") != "" || u.Calls.Load() != 0 {
			t.Errorf("%q: %v", acr, err)
		}
	}
}

// TestQuestionHasItsOwnAge: two requests with one token are two questions, and
// the subject that they share is not written to.
func TestQuestionHasItsOwnAge(t *testing.T) {
	shared := &policies.Subject{ID: "u7", AuthTime: 1_800_000_000}
	for _, later := range []int64{0, 300, 301} {
		f := &fixed{d: allow(nil)}
		u := mt.NewUpstream(t, 200, "application/json", "{}")
		x := mt.Exchange(t, "GET", "https://h/api/a", nil, func(x *middleware.Exchange) { x.Subject = shared })
		x.Start = time.Unix(shared.AuthTime+later, 0)
		if _, _, err := mt.Run(t, New(config.Policy{}, f, nil, nil), x, u.Handle); err != nil {
			t.Fatal(err)
		}
		if got := f.seen.Subject.AuthAge; got == nil || *got != later || f.seen.Subject == shared || shared.AuthAge != nil || x.Input != f.seen {
			t.Errorf("%d s later: %v", later, got)
		}
	}
}

// TestNobodyKeepsWhatGoesStale: an answer that took a fresh sign-in, by requirement
// or by what the policies of the route read, is in no cache when the sign-in is
// old. Other answers keep what the upstream says.
func TestNobodyKeepsWhatGoesStale(t *testing.T) {
	require := []policies.Require{{MaxAge: 60}}
	for name, tt := range map[string]struct {
		require []policies.Require
		ages    bool
		want    string
	}{
		"neither":      {nil, false, "max-age=600"},
		"a decision's": {require, false, "private, no-store"},
		"the route's":  {nil, true, "private, no-store"},
	} {
		s := New(config.Policy{}, &fixed{d: allow(func(d *policies.Decision) { d.Require = tt.require })}, nil, nil)
		if tt.ages {
			s = Fleeting(s)
		}
		x := mt.Exchange(t, "GET", "https://h/api/payroll/", nil, func(x *middleware.Exchange) { x.Subject = &policies.Subject{AuthTime: x.Start.Unix()} })
		u := mt.NewUpstream(t, 200, "application/json", "{}")
		res, _, err := mt.Run(t, s, x, func(x *middleware.Exchange) (*http.Response, error) {
			res, err := u.Handle(x)
			res.Header.Set("Cache-Control", "max-age=600")
			res.Header.Set("Expires", "Mon, 02 Nov 2037 10:00:00 GMT")
			return res, err
		})
		if err != nil || res.Header.Get("Cache-Control") != tt.want || (res.Header.Get("Expires") == "") != (tt.want != "max-age=600") {
			t.Errorf("%s: %v, %v", name, res.Header, err)
		}
	}
	if Fleeting(New(config.Policy{Off: true}, nil, nil, nil)) != nil {
		t.Error("a stage although policy is off")
	}
}
