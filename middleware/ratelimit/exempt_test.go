package ratelimit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// Who is exempt, however the address is written.
func TestExempts(t *testing.T) {
	r := open(t, config.RateLimit{Rate: rate(1, time.Hour), Exempt: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8:1::/48"), netip.MustParsePrefix("fe80::/10"),
	}}, nil)
	for addr, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "11.0.0.1": false, "::ffff:11.0.0.1": false,
		"192.0.2.7": true, "192.0.2.8": false,
		"2001:db8:1:2::3": true, "2001:db8:2::1": false, "fe80::1%eth0": true, "::10.1.2.3": false, "::": false, "0.0.0.0": false,
	} {
		if got := r.exempts(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if r.exempts(netip.Addr{}) {
		t.Error("an address that is not known is exempt")
	}
	if open(t, config.RateLimit{Rate: rate(1, time.Hour)}, nil).exempts(netip.MustParseAddr("10.1.2.3")) {
		t.Error("without a list everybody is exempt")
	}
}

// A rule has nothing to do with who is exempt: it neither counts nor tells. The
// other rules of the route do.
func TestExemptFromOne(t *testing.T) {
	inside := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	rs := rules(t, NewStore(nil), []string{"outside", "all"}, map[string]config.RateLimit{
		"outside": {Key: []string{"route"}, Rate: rate(1, time.Hour), Exempt: inside},
		"all":     {Key: []string{"route"}, Rate: rate(4, time.Hour)},
	})
	stage := New(ByAddress, &config.Route{}, rs)
	up := middlewaretest.NewUpstream(t, 200, "", "")
	ask := func(addr string) (code, told string) {
		res, _, err := middlewaretest.Run(t, stage, middlewaretest.Exchange(t, "GET", "/", nil, from(addr)), up.Handle)
		if err != nil {
			return middlewaretest.Code(err), ""
		}
		return "", res.Header.Get("RateLimit-Policy")
	}
	var got []string
	for _, addr := range []string{"10.0.0.1", "10.0.0.1", "192.0.2.1", "192.0.2.2", "10.0.0.2", "10.0.0.3"} {
		code, told := ask(addr)
		got = append(got, addr+" "+code+told)
	}
	want := []string{
		`10.0.0.1 "all";q=4;w=3600`, `10.0.0.1 "all";q=4;w=3600`, `192.0.2.1 "outside";q=1;w=3600`, "192.0.2.2 rate_limited",
		`10.0.0.2 "all";q=4;w=3600`, "10.0.0.3 rate_limited",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := rs[0].State().Decisions; n["exempt"] != 4 || n["admitted"] != 1 || n["refused"] != 1 {
		t.Errorf("%v", n)
	}
	alone := New(ByAddress, &config.Route{}, rs[:1])
	res, _, err := middlewaretest.Run(t, alone, middlewaretest.Exchange(t, "GET", "/", nil, from("10.0.0.1")), up.Handle)
	if err != nil || res.Header.Get("RateLimit") != "" {
		t.Errorf("the only rule: %v", err)
	}
}
