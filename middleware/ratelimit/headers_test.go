package ratelimit

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// told is what an answer says of limits, the upstream's under those names
// included.
func told(h http.Header) map[string][]string {
	out := map[string][]string{}
	for _, name := range []string{policyField, limitField, oldLimit, oldRemaining, oldReset, "Retry-After"} {
		if v := h[name]; v != nil {
			out[name] = v
		}
	}
	return out
}

// Which fields are sent, and what becomes of those of the upstream. The virtual
// clock begins in
// 2000.
func TestFields(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	upstreams := map[string][]string{
		limitField: {`"up";r=1`}, policyField: {`"up";q=1`}, oldLimit: {"1"}, oldRemaining: {"0"}, oldReset: {"5"},
	}
	ietf := map[string][]string{policyField: {`"user";q=5;w=60`, `"address";q=10;w=60`}, limitField: {`"user";r=4;t=12`, `"address";r=9;t=6`}}
	old := map[string][]string{oldLimit: {"5"}, oldRemaining: {"4"}, oldReset: {itoa(start + 12)}}
	for name, tt := range map[string]struct {
		fields  []string
		address int64
		want    []map[string][]string
	}{
		"ietf":               {[]string{"ietf"}, 10, []map[string][]string{ietf, upstreams}},
		"old":                {[]string{"x-ratelimit"}, 10, []map[string][]string{old, upstreams}},
		"both":               {[]string{"ietf", "x-ratelimit"}, 10, []map[string][]string{ietf, old}},
		"none":               {nil, 10, []map[string][]string{upstreams}},
		"the outer has less": {[]string{"x-ratelimit"}, 3, []map[string][]string{{oldLimit: {"3"}, oldRemaining: {"2"}, oldReset: {itoa(start + 20)}}, upstreams}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rs := rules(t, NewStore(nil), []string{"address", "user"}, map[string]config.RateLimit{
					"address": {Key: []string{"client.address"}, Rate: rate(tt.address, time.Minute)},
					"user":    {Key: []string{"subject.id"}, Rate: rate(5, time.Minute)},
				})
				for _, r := range rs {
					r.Telling(tt.fields)
				}
				up := middlewaretest.NewUpstream(t, 200, "", "")
				h := middleware.Chain(func(x *middleware.Exchange) (*http.Response, error) {
					res, err := up.Handle(x)
					for name, v := range upstreams {
						res.Header[name] = v
					}
					return res, err
				}, New(ByAddress, authn(), rs), New(BySubject, authn(), rs))
				res, err := h(middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(&policies.Subject{ID: "u1"})))
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				want := map[string][]string{}
				for _, m := range tt.want { // what comes first goes before
					for name, v := range m {
						if want[name] == nil {
							want[name] = v
						}
					}
				}
				if d := cmp.Diff(want, told(res.Header)); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// A refusal says when to come back, whatever else it says; half a second is one.
func TestRefusalFields(t *testing.T) {
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	for name, tt := range map[string]struct {
		fields []string
		want   map[string][]string
	}{
		"none": {nil, map[string][]string{"Retry-After": {"1"}}},
		"both": {[]string{"ietf", "x-ratelimit"}, map[string][]string{
			"Retry-After": {"1"}, policyField: {`"rule";q=1;w=1`}, limitField: {`"rule";r=0;t=1`},
			oldLimit: {"1"}, oldRemaining: {"0"}, oldReset: {itoa(start + 1)},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := open(t, config.RateLimit{Rate: rate(1, 500*time.Millisecond)}, nil).Telling(tt.fields)
				stage := New(ByAddress, authn(), []*Rule{r})
				up := middlewaretest.NewUpstream(t, 200, "", "")
				var refusal *middleware.Refusal
				for range 2 {
					_, _, err := middlewaretest.Run(t, stage, middlewaretest.Exchange(t, "GET", "/", nil), up.Handle)
					errors.As(err, &refusal)
				}
				if refusal == nil {
					t.Fatal("the second request is admitted")
				}
				if d := cmp.Diff(tt.want, told(refusal.Header)); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
