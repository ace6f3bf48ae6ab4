package overload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// fixed is a cap in use.
func fixed(s Settings) *Cap {
	c := &Cap{NewGate("upstream", "hr"), s}
	c.Use()
	return c
}

func of(tenant string, roles ...string) *policies.Subject {
	return &policies.Subject{ID: "u", Issuer: "i", Tenant: tenant, Roles: roles}
}

// open asks and leaves the answer open.
func open(t testing.TB, s middleware.Stage, who *policies.Subject, media string) (*http.Response, error) {
	t.Helper()
	x := &middleware.Exchange{Request: get(t.Context()), Subject: who}
	return s.Handle(x, func(*middleware.Exchange) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {media}}, Body: io.NopCloser(strings.NewReader("x"))}, nil
	})
}

func TestAbsent(t *testing.T) {
	if New(&config.Route{}, []string{"oncall"}, nil, nil) != nil {
		t.Error("a stage without a gate")
	}
}

func TestRefusal(t *testing.T) {
	c := fixed(Settings{Max: 1})
	s := New(&config.Route{Name: "r"}, nil, c)
	first, err := open(t, s, of("a"), "")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 200 {
		_, err = open(t, s, of("b"), "")
		var r *middleware.Refusal
		if !errors.As(err, &r) || r.Code != "overloaded" || r.Status != 503 {
			t.Fatalf("%v, want a refusal", err)
		}
		after := r.Header.Get("Retry-After")
		if n, err := strconv.Atoi(after); err != nil || n < 1 || n > latestRetry {
			t.Errorf("Retry-After %q", after)
		}
		seen[after] = true
	}
	if len(seen) < 2 {
		t.Errorf("all are told to come back at once: %v", seen)
	}
	_ = first.Body.Close()
	_ = first.Body.Close() // a second time is nothing
	if again, err := open(t, s, of("b"), ""); err != nil {
		t.Errorf("the place did not come back: %v", err)
	} else if _, err := open(t, s, of("b"), ""); err == nil {
		t.Error("it came back twice")
	} else {
		_ = again.Body.Close()
	}
	if st := c.State(); st.InFlight != 0 || st.Refused["full"] != 201 {
		t.Errorf("%+v", st)
	}
}

// TestRetryAfterIsHonest: where places are kept for long and many wait, clients
// are asked to stay away for longer.
func TestRetryAfterIsHonest(t *testing.T) {
	for _, tt := range []struct {
		stay        time.Duration
		waiting     int64
		bound       int64
		least, most int64
	}{
		{0, 0, 10, 1, 3},
		{time.Second, 0, 10, 1, 3},
		{2 * time.Second, 9, 1, 20, 40},
		{10 * time.Second, 9, 10, 10, 20},
		{time.Hour, 100, 1, 30, 60},
	} {
		g := NewGate("upstream", "hr")
		g.stay.Store(int64(tt.stay))
		g.waiting.Store(tt.waiting)
		g.bound.Store(tt.bound)
		for range 1000 {
			if n := g.retryAfter(); n < tt.least || n > tt.most {
				t.Errorf("places kept for %v, %d waiting for %d: %d s, want %d to %d", tt.stay, tt.waiting, tt.bound, n, tt.least, tt.most)
				break
			}
		}
	}
}

// Whose place it is.
func TestKey(t *testing.T) {
	g := NewGate("upstream", "hr")
	at := func(a string) *middleware.Exchange { return &middleware.Exchange{Client: netip.MustParseAddr(a)} }
	who := func(s policies.Subject) *middleware.Exchange {
		return &middleware.Exchange{Client: netip.MustParseAddr("192.0.2.1"), Subject: &s}
	}
	for _, tt := range []struct {
		name string
		a, b *middleware.Exchange
		same bool
	}{
		{"an address", at("192.0.2.1"), at("192.0.2.1"), true},
		{"two addresses", at("192.0.2.1"), at("192.0.2.2"), false},
		{"one address, written twice", at("192.0.2.1"), at("::ffff:192.0.2.1"), true},
		{"a /64", at("2001:db8::1"), at("2001:db8::ffff:1"), true},
		{"two /64", at("2001:db8::1"), at("2001:db8:0:1::1"), false},
		{"a zone", at("fe80::1%eth0"), at("fe80::2%eth1"), true},
		{"no address", &middleware.Exchange{}, &middleware.Exchange{}, true},
		{"a tenant", who(policies.Subject{ID: "u1", Tenant: "t"}), who(policies.Subject{ID: "u2", Tenant: "t"}), true},
		{"two tenants", who(policies.Subject{ID: "u1", Tenant: "t"}), who(policies.Subject{ID: "u1", Tenant: "s"}), false},
		{"no tenant", who(policies.Subject{ID: "u1"}), who(policies.Subject{ID: "u2"}), false},
		{"one id of two issuers", who(policies.Subject{ID: "u1", Issuer: "a"}), who(policies.Subject{ID: "u1", Issuer: "b"}), false},
		{"somebody and their address", who(policies.Subject{ID: "u1"}), at("192.0.2.1"), false},
	} {
		if same := g.keyOf(tt.a) == g.keyOf(tt.b); same != tt.same {
			t.Errorf("%s: one key: %v", tt.name, same)
		}
	}
}

// TestWait: one that waits gets the place that comes free, and is refused when
// none does in time.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := fixed(Settings{Max: 1, Queue: 2, Wait: time.Second})
		s := New(&config.Route{Name: "r"}, nil, c)
		first, err := open(t, s, of("a"), "")
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := open(t, s, of("b"), ""); mt.Code(err) != "overloaded" || time.Since(begin) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		go func() {
			time.Sleep(time.Second / 2)
			_ = first.Body.Close()
		}()
		second, err := open(t, s, of("b"), "")
		if err != nil || time.Since(begin) != 3*time.Second/2 {
			t.Fatalf("%v after %v", err, time.Since(begin))
		}
		_ = second.Body.Close()
		if st := c.State(); st.InFlight != 0 || st.Waiting != 0 || st.Waited != 1 || st.Refused["wait"] != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// TestClientLeaves: one whose client has left waits no longer, and refuses
// nobody: there is nobody to refuse.
func TestClientLeaves(t *testing.T) {
	c := fixed(Settings{Max: 1, Queue: 2, Wait: time.Hour})
	s := New(&config.Route{Name: "r"}, nil, c)
	first, err := open(t, s, of("a"), "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Handle(&middleware.Exchange{Request: get(ctx)}, nil)
		done <- err
	}()
	for c.State().Waiting == 0 {
		time.Sleep(time.Millisecond)
	}
	leave()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was cancelled", err)
	}
	_ = first.Body.Close()
	if st := c.State(); st.InFlight != 0 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

// TestPriority: a tenth is kept for those with priority, who may have the rest
// like everybody; and they starve nobody.
func TestPriority(t *testing.T) {
	c := fixed(Settings{Max: 20, Reserve: true})
	ordinary, high := New(&config.Route{Name: "r"}, []string{"oncall"}, c), New(&config.Route{Name: "login", Priority: "high"}, nil, c)
	var bodies []io.Closer
	ask := func(s middleware.Stage, who *policies.Subject, n int) (passed int) {
		for range n {
			if res, err := open(t, s, who, ""); err == nil {
				bodies = append(bodies, res.Body)
				passed++
			}
		}
		return passed
	}
	for i := range 100 { // everybody comes at once
		ask(ordinary, of(fmt.Sprint(i)), 1)
	}
	if len(bodies) != 18 {
		t.Errorf("%d of 20 are taken, want all but the reserve", len(bodies))
	}
	if n := ask(ordinary, of("x", "staff"), 1); n != 0 {
		t.Error("a role without priority was served")
	}
	if n := ask(ordinary, of("x", "staff", "oncall"), 1); n != 1 {
		t.Error("a role with priority was refused")
	}
	if n := ask(high, nil, 1); n != 1 {
		t.Error("a route with priority was refused")
	}
	if n := ask(high, of("y", "oncall"), 1); n != 0 {
		t.Error("served beyond all places")
	}
	for _, b := range bodies {
		_ = b.Close()
	}
	bodies = nil
	for i := range 100 {
		ask(high, of(fmt.Sprint(i)), 1)
	}
	if len(bodies) != 20 {
		t.Errorf("those with priority have %d, want all 20", len(bodies))
	}
	_ = bodies[0].Close() // one of the rest
	if n := ask(ordinary, of("z"), 1); n != 1 {
		t.Error("those with priority keep everybody else out")
	}
	for _, b := range bodies[1:] {
		_ = b.Close()
	}
}

// TestPriorityWaits: who has priority waits for whichever place comes first.
func TestPriorityWaits(t *testing.T) {
	for _, from := range []int{0, 17, 18, 19} {
		synctest.Test(t, func(t *testing.T) {
			c := fixed(Settings{Max: 20, Queue: 20, Wait: time.Second, Reserve: true})
			s := New(&config.Route{Name: "r", Priority: "high"}, nil, c)
			var bodies []io.Closer
			for i := range 20 {
				res, err := open(t, s, of(fmt.Sprint(i)), "")
				if err != nil {
					t.Fatal(err)
				}
				bodies = append(bodies, res.Body)
			}
			go func() {
				time.Sleep(time.Second / 2)
				_ = bodies[from].Close()
			}()
			res, err := open(t, s, of("late"), "")
			if err != nil {
				t.Fatalf("place %d came free: %v", from, err)
			}
			_ = res.Body.Close()
			for _, b := range bodies {
				_ = b.Close()
			}
			if st := c.State(); st.InFlight != 0 || st.Waiting != 0 || c.common.used+c.reserve.used != 0 {
				t.Errorf("left over: %+v", st)
			}
		})
	}
}

// TestSettle: who waits in two pools and gets a place in both keeps one.
func TestSettle(t *testing.T) {
	for _, tt := range []struct {
		bounds [2]int
		want   int // the pool it is in, -1: none
	}{{[2]int{1, 1}, 0}, {[2]int{0, 1}, 1}, {[2]int{1, 0}, 0}, {[2]int{0, 0}, -1}} {
		g := NewGate("upstream", "hr")
		pools := []*pool{&g.common, &g.reserve}
		var waiters []*waiter
		for _, p := range pools {
			p.resize(0, 1, false)
			w, _ := p.line(1)
			waiters = append(waiters, w)
		}
		for i, p := range pools {
			p.resize(tt.bounds[i], 1, false)
		}
		got, h := g.settle(pools, waiters)
		for i, p := range pools {
			if (got == p) != (i == tt.want) || got == p && h == nil {
				t.Errorf("%v: it is in pool %d: %v", tt.bounds, i, got == p)
			}
			want := 0
			if i == tt.want {
				want = 1
			}
			if p.used != want || p.waiting != 0 || len(p.holders) != want {
				t.Errorf("%v: pool %d has %d used, %d waiting, %d holders", tt.bounds, i, p.used, p.waiting, len(p.holders))
			}
		}
	}
}

// TestStreams: a stream gives its place back with its head, as long as there are
// seats; beyond that it keeps it.
func TestStreams(t *testing.T) {
	c := fixed(Settings{Max: 2})
	s := New(&config.Route{Name: "r"}, nil, c)
	var all []*http.Response
	for i := range 4 {
		res, err := open(t, s, of(fmt.Sprint(i)), "Text/Event-Stream; charset=utf-8")
		if err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		all = append(all, res)
	}
	if st := c.State(); st.Streams != 2 || st.InFlight != 2 {
		t.Errorf("%+v, want 2 streams beside 2 that have a place", st)
	}
	if _, err := open(t, s, of("x"), "text/event-stream"); mt.Code(err) != "overloaded" {
		t.Errorf("a fifth: %v", err)
	}
	for _, res := range all {
		_ = res.Body.Close()
	}
	if st := c.State(); st.Streams != 0 || st.InFlight != 0 || c.common.used != 0 {
		t.Errorf("left over: %+v", st)
	}
	for media, want := range map[string]bool{
		"text/event-stream": true, "text/event-stream;x=y": true, "text/event-streams": false, "text/eve": false, "": false, "text/plain": false,
	} {
		if got := endless(&http.Response{Header: http.Header{"Content-Type": {media}}}); got != want {
			t.Errorf("%q is a stream: %v", media, got)
		}
	}
}

// TestTwoGates: where the second has no place, that of the first comes back.
func TestTwoGates(t *testing.T) {
	route, upstream := fixed(Settings{Max: 5}), fixed(Settings{Max: 1})
	s := New(&config.Route{Name: "r"}, nil, route, upstream)
	first, err := open(t, s, of("a"), "")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := open(t, s, of("b"), ""); mt.Code(err) != "overloaded" {
			t.Fatalf("%v", err)
		}
	}
	if st := route.State(); st.InFlight != 1 {
		t.Errorf("%d have a place of the route, want 1", st.InFlight)
	}
	_ = first.Body.Close()
	if a, b := route.State(), upstream.State(); a.InFlight != 0 || b.InFlight != 0 {
		t.Errorf("left over: %+v, %+v", a, b)
	}
}

// TestSet: changed numbers apply to what is under way.
func TestSet(t *testing.T) {
	c := fixed(Settings{Max: 3})
	s := New(&config.Route{Name: "r"}, nil, c)
	var all []*http.Response
	for range 3 {
		res, err := open(t, s, of("a"), "")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, res)
	}
	c.Set(Settings{Max: 2})
	_ = all[0].Body.Close()
	if _, err := open(t, s, of("b"), ""); err == nil {
		t.Error("served beyond the new bound")
	}
	c.Set(Settings{Max: 3})
	if res, err := open(t, s, of("b"), ""); err != nil {
		t.Errorf("refused below the new bound: %v", err)
	} else {
		_ = res.Body.Close()
	}
	c.Set(Settings{Max: 100, Min: 2, Adaptive: true})
	if st := c.State(); st.Bound != firstBound || st.InFlight != 2 {
		t.Errorf("%+v", st)
	}
	c.Set(Settings{Max: 10, Min: 2, Adaptive: true})
	if st := c.State(); st.Bound != 10 {
		t.Errorf("a bound of %d, want at most 10", st.Bound)
	}
	for _, res := range all[1:] {
		_ = res.Body.Close()
	}
	if st := c.State(); st.InFlight != 0 || c.common.used != 0 {
		t.Errorf("left over: %+v", st)
	}
}

// TestNoPlaceIsLost: thousands of exchanges at once, with every kind of ending,
// while the settings change under them. In the end nothing is taken.
func TestNoPlaceIsLost(t *testing.T) {
	route := &Cap{NewGate("route", "r"), Settings{Max: 40, Reserve: true}}
	up := &Cap{NewGate("upstream", "hr"), Settings{Max: 30, Queue: 20, Wait: 2 * time.Millisecond, Reserve: true}}
	route.Use()
	up.Use()
	s := New(&config.Route{Name: "r"}, []string{"oncall"}, route, up)
	var most, now, ended atomic.Int64
	next := up.Watch(func(x *middleware.Exchange) (*http.Response, error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
		media := "application/json"
		switch rand.IntN(8) {
		case 0:
			return nil, errors.New("broken")
		case 1:
			return nil, middleware.Refuse("upstream", middleware.UpstreamTimeout, "")
		case 2:
			panic("a fault")
		case 3:
			panic(http.ErrAbortHandler)
		case 4:
			media = "text/event-stream"
		}
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {media}}, Body: body{}}, nil
	})
	one := func() {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		if rand.IntN(4) == 0 {
			go func() {
				time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
				leave()
			}()
		}
		defer func() {
			_ = recover()
			ended.Add(1)
		}()
		who := of(fmt.Sprint(rand.IntN(20)))
		if rand.IntN(5) == 0 {
			who.Roles = []string{"oncall"}
		}
		res, err := s.Handle(&middleware.Exchange{Request: get(ctx), Subject: who}, next)
		if err != nil {
			return
		}
		if rand.IntN(2) == 0 {
			_, _ = io.ReadAll(res.Body)
		}
		var closing sync.WaitGroup
		for range 1 + rand.IntN(2) { // and sometimes twice at once
			closing.Go(func() {
				defer func() { _ = recover() }()
				_ = res.Body.Close()
			})
		}
		closing.Wait()
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range 100 {
				one()
			}
		})
	}
	all.Go(func() {
		for ended.Load() < 10_000 {
			up.Set(Settings{
				Max: 5 + rand.IntN(30), Queue: rand.IntN(20), Wait: time.Duration(rand.IntN(3)) * time.Millisecond,
				Adaptive: rand.IntN(2) == 0, Min: 1 + rand.IntN(4), Reserve: rand.IntN(2) == 0,
			})
			time.Sleep(time.Millisecond)
		}
	})
	all.Wait()
	for _, c := range []*Cap{route, up} {
		st := c.State()
		if st.InFlight != 0 || st.Waiting != 0 || st.Streams != 0 {
			t.Errorf("left over: %+v", st)
		}
		for _, p := range []*pool{&c.common, &c.reserve} {
			if p.used != 0 || p.waiting != 0 || len(p.holders) != 0 || len(p.queue) != 0 {
				t.Errorf("left over: %d used, %d waiting, %d holders", p.used, p.waiting, len(p.holders))
			}
		}
	}
	if most.Load() < 2 || most.Load() > 34 {
		t.Errorf("at most %d were under way", most.Load())
	}
}

// body fails in every way.
type body struct{}

func (body) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (body) Close() error {
	if rand.IntN(4) == 0 {
		panic("a fault while closing")
	}
	return errors.New("it does not close")
}

// TestMemory: whoever comes, what is kept is bounded by the gate's own numbers.
func TestMemory(t *testing.T) {
	c := fixed(Settings{Max: 10, Queue: 10, Wait: 0})
	s := New(&config.Route{Name: "r"}, nil, c)
	for i := range 50_000 {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		x := &middleware.Exchange{Request: get(t.Context()), Client: a}
		res, err := s.Handle(x, func(*middleware.Exchange) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if i%5000 != 0 { // ten stay
			_ = res.Body.Close()
			continue
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		if i == 45_000 {
			break
		}
	}
	spare := 0
	for h := c.common.spare; h != nil; h = h.next {
		spare++
	}
	if n := len(c.common.holders); n != 10 || spare > 10 {
		t.Errorf("%d holders and %d spare ones are kept, for 10 places", n, spare)
	}
}

// TestDescribe is what `gatehouse explain` shows.
func TestDescribe(t *testing.T) {
	route := &Cap{NewGate("route", "r"), Settings{Max: 5}}
	up := &Cap{NewGate("upstream", "hr"), Settings{Max: 50, Min: 5, Adaptive: true, Queue: 20, Wait: 100 * time.Millisecond}}
	all := &Cap{NewGate("gateway", ""), Settings{Max: 1000}}
	for _, tt := range []struct {
		stage middleware.Stage
		want  string
	}{
		{New(&config.Route{}, []string{"oncall", "doctor"}, route, up), "route r: 5 at once; upstream hr: 5 to 50 at once, as it can bear, 20 wait for up to 100ms; priority for oncall, doctor"},
		{New(&config.Route{Priority: "high"}, nil, all), "gateway: 1000 at once; priority for all"},
		{New(&config.Route{}, []string{"oncall"}, nil, up), "upstream hr: 5 to 50 at once, as it can bear, 20 wait for up to 100ms; priority for oncall"},
	} {
		if got := tt.stage.(middleware.Describer).Describe(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
