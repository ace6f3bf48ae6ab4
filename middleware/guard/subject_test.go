package guard

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// caller is a subject that signed in so long ago.
func signedIn(id string, ago time.Duration) *policies.Subject {
	return &policies.Subject{Issuer: "auth", ID: id, AuthTime: time.Now().Add(-ago).Unix()}
}

// ask sends a subject through the inner stage.
func ask(t *testing.T, g *opened, s *policies.Subject) (code, retry, challenge string) {
	t.Helper()
	x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(s))
	stage := New(BySubject, &config.Route{Authn: &config.Authn{}}, g.Guard)
	_, _, err := middlewaretest.Run(t, stage, x, middlewaretest.NewUpstream(t, 200, "", "").Handle)
	var r *middleware.Refusal
	if errors.As(err, &r) {
		return r.Code, r.Header.Get("Retry-After"), r.Header.Get("WWW-Authenticate")
	}
	return "", "", ""
}

func give(t *testing.T, g *opened, o orders.Order) {
	t.Helper()
	o.Kind, o.Issuer, o.By = orders.Block, "auth", "admin"
	if _, _, err := g.Book.Give(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func TestBlockedSubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := openGuard(t, &config.Guard{})
		give(t, g, orders.Order{Subject: "ann", Ends: time.Now().Add(time.Hour)})
		give(t, g, orders.Order{Subject: "bob"}) // until it is lifted
		time.Sleep(time.Minute)
		if code, retry, _ := ask(t, g, signedIn("ann", 0)); code != "subject_blocked" || retry != "3540" {
			t.Errorf("%q %q", code, retry)
		}
		if code, retry, _ := ask(t, g, signedIn("bob", 0)); code != "subject_blocked" || retry != "" {
			t.Errorf("%q %q", code, retry)
		}
		if code, _, _ := ask(t, g, &policies.Subject{Issuer: "other", ID: "ann"}); code != "" {
			t.Errorf("somebody else of that name: %q", code)
		}
		time.Sleep(59 * time.Minute)
		if code, _, _ := ask(t, g, signedIn("ann", 0)); code != "" {
			t.Errorf("afterwards: %q", code)
		}
	})
}

// A step-up holds until the subject has signed in since, and the challenge asks for
// what does.
func TestStepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := openGuard(t, &config.Guard{})
		give(t, g, orders.Order{Subject: "ann", Action: orders.ActionStepUp, Ends: time.Now().Add(720 * time.Hour)})
		time.Sleep(90 * time.Second)
		for _, tt := range []struct {
			name    string
			subject *policies.Subject
			want    string
		}{
			{"before", signedIn("ann", 100*time.Second), "step_up_required"},
			{"no time", &policies.Subject{Issuer: "auth", ID: "ann"}, "step_up_required"},
			{"since", signedIn("ann", 80*time.Second), ""},
			{"somebody else", signedIn("bob", 100*time.Second), ""},
		} {
			code, _, challenge := ask(t, g, tt.subject)
			if code != tt.want {
				t.Errorf("%s: %q", tt.name, code)
			}
			if code != "" && !strings.Contains(challenge, `max_age="90"`) {
				t.Errorf("%s: the challenge is %s", tt.name, challenge)
			}
		}
	})
}

// What was served is counted when the answer is over.
func TestDataVolume(t *testing.T) {
	g := openGuard(t, &config.Guard{DataVolume: &config.DataVolume{
		Records: 100, Window: config.Duration(time.Hour), Mode: "enforce", Severity: "high", Action: "step_up", Escalation: steps(time.Hour),
	}})
	s := New(ByAddress, &config.Route{Name: "people"}, g.Guard)
	serve := func(records int64) {
		t.Helper()
		x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(signedIn("ann", time.Minute)))
		up := middlewaretest.NewUpstream(t, 200, "application/json", "[]")
		res, err := s.Handle(x, func(x *middleware.Exchange) (*http.Response, error) {
			res, err := up.Handle(x)
			middleware.OnClose(res, func(int64, error) { x.Served = middleware.Served{Records: records, Sensitive: 1 << 40} })
			return res, err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	serve(99)
	if code, _, _ := ask(t, g, signedIn("ann", time.Minute)); code != "" || len(g.events.list) != 0 {
		t.Errorf("too early: %q", code)
	}
	serve(1)
	if code, _, _ := ask(t, g, signedIn("ann", time.Minute)); code != "step_up_required" || len(g.events.list) != 1 {
		t.Errorf("too much, and %q, with %d events", code, len(g.events.list))
	}
	if o := g.Book.List(); len(o) != 1 || o[0].Ends.Sub(o[0].At) != 30*24*time.Hour {
		t.Errorf("the orders are %+v", o)
	}
}
