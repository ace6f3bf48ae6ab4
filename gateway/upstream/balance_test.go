package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// answers is a sender that answers without a network.
type answers struct {
	answer func(r *http.Request) (*http.Response, error)
	closed int // how often its idle connections were closed
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) { return a.answer(r) }
func (a *answers) CloseIdleConnections()                             { a.closed++ }

// status is an answer of a sender.
func status(code int) (*http.Response, error) {
	return &http.Response{
		StatusCode: code, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, ContentLength: 2, Body: io.NopCloser(strings.NewReader("ok")),
	}, nil
}

// fleet begins an upstream without a network. answer is asked for every request,
// with the address it goes to.
func fleet(t testing.TB, c *config.Upstream, answer func(address string, r *http.Request) (*http.Response, error)) *Upstream {
	t.Helper()
	return fleetOf(t, c, system, answer)
}

func fleetOf(t testing.TB, c *config.Upstream, look lookup, answer func(address string, r *http.Request) (*http.Response, error)) *Upstream {
	t.Helper()
	u, err := begin(c, time.Minute, look, func(one *target) sender {
		return &answers{answer: func(r *http.Request) (*http.Response, error) {
			if answer == nil {
				return status(200)
			}
			return answer(one.address, r)
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return u
}

// at is an endpoint on a port, so that its address is short.
func at(port int, region string, weight int) config.Endpoint {
	return config.Endpoint{URL: fmt.Sprintf("http://10.0.0.1:%d", port), Region: region, Weight: weight}
}

func ports(of ...int) (out []config.Endpoint) {
	for _, p := range of {
		out = append(out, at(p, "", 1))
	}
	return out
}

// port of a target, "" of none.
func port(t *target) string {
	if t == nil {
		return ""
	}
	_, p, _ := net.SplitHostPort(t.address)
	return p
}

// picks asks n times and counts by port.
func picks(u *Upstream, n int, a ask) map[string]int {
	got := map[string]int{}
	for range n {
		got[port(u.pick(a))]++
	}
	return got
}

func anybody(t testing.TB) ask { return ask{x: middlewaretest.Exchange(t, "GET", "/", nil)} }

func caller(t testing.TB, s policies.Subject) ask {
	return ask{x: middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(&s))}
}

func TestTurnsByWeight(t *testing.T) {
	for want, weights := range map[string][]int{
		"123123123": {1, 1, 1},
		"123112311": {2, 1, 1},
		"121121121": {50, 25},
	} {
		c := &config.Upstream{}
		for i, w := range weights {
			c.Endpoints = append(c.Endpoints, at(i+1, "", w))
		}
		u := fleet(t, c, nil)
		got := ""
		for range 9 {
			got += port(u.pick(anybody(t)))
		}
		if got != want {
			t.Errorf("weights %v: %s, want %s", weights, got, want)
		}
	}
}

// Weights stay in proportion where there are more turns than a group has.
func TestTurnsAreBounded(t *testing.T) {
	var all []choice
	for i := range 200 {
		all = append(all, choice{&target{}, int64(99 + 2*(i%2)*99/2)})
	}
	s := slots(all)
	n := map[uint32]int{}
	for _, i := range s {
		n[i]++
	}
	if len(s) > mostSlots+len(all) || len(n) != len(all) || n[1] <= n[0] {
		t.Errorf("%d turns for %d targets; the light one has %d, the heavy one %d", len(s), len(n), n[0], n[1])
	}
}

func TestLeastInFlight(t *testing.T) {
	u := fleet(t, &config.Upstream{Balance: "least_in_flight", Endpoints: []config.Endpoint{at(1, "", 1), at(2, "", 1), at(3, "", 2)}}, nil)
	u.targets[0].inFlight.Store(4)
	u.targets[1].inFlight.Store(3)
	u.targets[2].inFlight.Store(6) // half of it for each of its weight
	for range 3 {
		if got := port(u.pick(anybody(t))); got != "3" {
			t.Errorf("picked %s, want 3", got)
		}
	}
	u.targets[2].inFlight.Store(8)
	if got := port(u.pick(anybody(t))); got != "2" {
		t.Errorf("picked %s, want 2", got)
	}
	if got := port(u.pick(ask{tried: u.targets[1:2]})); got != "3" {
		t.Errorf("picked %s beside the one that was tried, want 3", got)
	}
	for _, one := range u.targets {
		one.inFlight.Store(0)
	}
	if got := picks(fleet(t, &config.Upstream{Balance: "least_in_flight", Endpoints: ports(1, 2, 3)}, nil), 9, anybody(t)); got["1"] != 3 || got["2"] != 3 || got["3"] != 3 {
		t.Errorf("equals do not take turns: %v", got)
	}
}

func TestPowerOfTwo(t *testing.T) {
	u := fleet(t, &config.Upstream{Balance: "power_of_two", Endpoints: ports(1, 2, 3)}, nil)
	u.targets[1].inFlight.Store(100)
	got := picks(u, 3000, anybody(t))
	if got["2"] != 0 { // whoever is drawn beside it has less
		t.Errorf("the busy one was picked %d times", got["2"])
	}
	if got["1"] < 900 || got["3"] < 900 {
		t.Errorf("the others have %d and %d of 3000", got["1"], got["3"])
	}
	if got := picks(u, 100, ask{tried: []*target{u.targets[0], u.targets[2]}}); got["2"] != 100 {
		t.Errorf("what was tried is picked before the busy one: %v", got)
	}
}

// With every policy, what was tried is picked again only where there is nothing
// else.
func TestTried(t *testing.T) {
	for _, by := range []string{"round_robin", "least_in_flight", "power_of_two", "hash"} {
		t.Run(by, func(t *testing.T) {
			u := fleet(t, &config.Upstream{Balance: by, Endpoints: ports(1, 2, 3)}, nil)
			a := caller(t, policies.Subject{ID: "e2", Tenant: "acme"})
			for range 50 {
				a.tried = nil
				seen := map[*target]bool{}
				for range 3 {
					one := u.pick(a)
					if seen[one] {
						t.Fatal("one was picked twice before all were tried")
					}
					seen[one] = true
					a.tried = append(a.tried, one)
				}
				if u.pick(a) == nil {
					t.Fatal("nothing is left once all were tried")
				}
			}
		})
	}
}

func TestHash(t *testing.T) {
	c := func(p ...int) *config.Upstream {
		return &config.Upstream{Balance: "hash", Hash: &config.Hash{By: "subject", Otherwise: "round_robin"}, Endpoints: ports(p...)}
	}
	four, again, three := fleet(t, c(1, 2, 3, 4), nil), fleet(t, c(4, 3, 2, 1), nil), fleet(t, c(1, 2, 3), nil)
	got := map[string]int{}
	for i := range 4000 {
		a := caller(t, policies.Subject{ID: fmt.Sprint("e", i), Issuer: "hr"})
		one := port(four.pick(a))
		got[one]++
		if port(four.pick(a)) != one || port(again.pick(a)) != one {
			t.Fatalf("%s is not always at one endpoint", a.x.Subject.ID)
		}
		if left := port(three.pick(a)); one != "4" && left != one {
			t.Fatalf("%s moved from %s to %s, and 4 is what is gone", a.x.Subject.ID, one, left)
		}
	}
	for p, n := range got {
		if n < 850 || n > 1150 {
			t.Errorf("%s has %d of 4000", p, n)
		}
	}
	if got := picks(four, 8, anybody(t)); got["1"] != 2 || got["4"] != 2 {
		t.Errorf("without a subject they do not take turns: %v", got)
	}
	other := 0
	for i := range 100 {
		s := policies.Subject{ID: fmt.Sprint("e", i), Issuer: "hr"}
		one := port(four.pick(caller(t, s)))
		if s.Issuer = "partner"; port(four.pick(caller(t, s))) != one {
			other++
		}
	}
	if other < 50 {
		t.Errorf("only %d of 100 subjects of another issuer are elsewhere", other)
	}
}

func TestHashByTenantAndWeight(t *testing.T) {
	u := fleet(t, &config.Upstream{Balance: "hash", Endpoints: []config.Endpoint{at(1, "", 1), at(2, "", 3)}}, nil)
	got := map[string]int{}
	for i := range 4000 {
		got[port(u.pick(caller(t, policies.Subject{ID: fmt.Sprint(i), Tenant: fmt.Sprint("t", i)})))]++
	}
	if got["2"] < 2850 || got["2"] > 3150 {
		t.Errorf("three quarters of 4000 are %d", got["2"])
	}
	one := port(u.pick(caller(t, policies.Subject{ID: "a", Tenant: "acme"})))
	for i := range 20 {
		if got := port(u.pick(caller(t, policies.Subject{ID: fmt.Sprint(i), Tenant: "acme"}))); got != one {
			t.Error("a tenant is at two endpoints")
		}
	}
	if got := picks(u, 8, caller(t, policies.Subject{ID: "a"})); got["1"] != 2 {
		t.Errorf("a subject without a tenant does not take turns: %v", got)
	}
}

// A region is kept to whatever the policy, and whatever else there would be.
func TestRegions(t *testing.T) {
	for _, by := range []string{"round_robin", "least_in_flight", "power_of_two", "hash"} {
		t.Run(by, func(t *testing.T) {
			c := &config.Upstream{Balance: by, Panic: 100, Health: &config.Health{Path: "/"}, Endpoints: []config.Endpoint{
				at(1, "eu", 1), at(2, "us", 1), at(3, "eu", 1), at(4, "", 1),
			}}
			u := fleet(t, c, nil)
			a := caller(t, policies.Subject{ID: "e2", Tenant: "acme"})
			for range 100 {
				a.region = "eu"
				if got := port(u.pick(a)); got != "1" && got != "3" {
					t.Fatalf("eu is served by %q", got)
				}
				a.tried = u.view.Load().groups["eu"].targetsOf()
				if got := port(u.pick(a)); got != "1" && got != "3" {
					t.Fatalf("where all of eu were tried, it is served by %q", got)
				}
				a.tried, a.region = nil, "us"
				if got := port(u.pick(a)); got != "2" {
					t.Fatalf("us is served by %q", got)
				}
				for _, unknown := range []string{"apac", "EU", " eu"} {
					if a.region = unknown; u.pick(a) != nil {
						t.Fatalf("%q is served", unknown)
					}
				}
			}
			if got := picks(u, 400, anybody(t)); by != "hash" && len(got) != 4 {
				t.Errorf("without a region only some serve: %v", got)
			}
		})
	}
}

func (g *group) targetsOf() (out []*target) {
	for _, c := range g.usable {
		out = append(out, c.target)
	}
	return out
}

func TestRegionIsNamed(t *testing.T) {
	u := fleet(t, &config.Upstream{Endpoints: []config.Endpoint{at(1, "us", 1)}}, func(string, *http.Request) (*http.Response, error) {
		t.Error("another region was asked")
		return status(200)
	})
	x := middlewaretest.Exchange(t, "GET", "/", nil, func(x *middleware.Exchange) {
		x.Decision = &policies.Decision{Allow: true, Region: "eu"}
	})
	_, _, err := handle(t, u, x)
	var r *middleware.Refusal
	if !errors.As(err, &r) || r.Code != "upstream_unavailable" || r.Status != 503 || !strings.Contains(r.Detail, `"eu"`) || x.Upstream != "" {
		t.Errorf("got %v", err)
	}
}

// What is under way counts until the body of the answer is closed, once, and not
// longer than the call where there is no answer.
func TestInFlight(t *testing.T) {
	u := fleet(t, &config.Upstream{Endpoints: ports(1)}, func(_ string, r *http.Request) (*http.Response, error) {
		switch r.URL.Path {
		case "/fails":
			return nil, errors.New("broken")
		case "/panics":
			panic("broken")
		case "/odd":
			return &http.Response{StatusCode: 99, Header: http.Header{}, Body: http.NoBody}, nil
		}
		return status(200)
	})
	count := func() int64 { return u.Endpoints()[0].InFlight }
	res, err := u.Handle(middlewaretest.Exchange(t, "GET", "/", nil))
	if err != nil || count() != 1 {
		t.Fatalf("%v; %d under way", err, count())
	}
	if _, err := io.ReadAll(res.Body); err != nil || count() != 1 {
		t.Errorf("%v; %d under way before the body is closed", err, count())
	}
	for range 2 {
		_ = res.Body.Close()
	}
	if count() != 0 {
		t.Errorf("%d under way after the body was closed twice", count())
	}
	for _, path := range []string{"/fails", "/odd", "/panics"} {
		func() {
			defer func() { _ = recover() }()
			if _, err := u.Handle(middlewaretest.Exchange(t, "GET", path, nil)); err == nil {
				t.Errorf("%s: no error", path)
			}
		}()
		if count() != 0 {
			t.Errorf("%s: %d under way", path, count())
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for _, by := range []string{"round_robin", "least_in_flight", "power_of_two", "hash"} {
		for _, n := range []int{3, 20} {
			b.Run(fmt.Sprintf("%s/%d", by, n), func(b *testing.B) {
				c := &config.Upstream{Balance: by}
				for i := range n {
					c.Endpoints = append(c.Endpoints, at(i+1, "eu", 1))
				}
				u := fleet(b, c, nil)
				a := caller(b, policies.Subject{ID: "e2", Tenant: "acme"})
				a.region = "eu"
				b.ReportAllocs()
				for b.Loop() {
					t := u.pick(a)
					t.begin()
					t.end()
				}
			})
		}
	}
}

// Picking is on the path of every request.
func TestPickAllocatesNothing(t *testing.T) {
	for _, by := range []string{"round_robin", "least_in_flight", "power_of_two", "hash"} {
		u := fleet(t, &config.Upstream{Balance: by, Endpoints: []config.Endpoint{at(1, "eu", 1), at(2, "eu", 2), at(3, "eu", 1)}}, nil)
		a := caller(t, policies.Subject{ID: "e2", Tenant: "acme"})
		a.region, a.tried = "eu", u.targets[:1]
		if n := testing.AllocsPerRun(100, func() { u.pick(a) }); n != 0 {
			t.Errorf("%s: %v allocations", by, n)
		}
	}
}
