package acl

import (
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/problem"
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func from(listener, address string) func(*middleware.Exchange) {
	return func(x *middleware.Exchange) {
		x.Listener, x.Client = listener, netip.Addr{}
		if address != "" {
			x.Client = netip.MustParseAddr(address)
		}
	}
}

func stage(route *config.Route) middleware.Stage {
	return New(problem.New(nil), map[string]*config.Listener{
		"public": {},
		"office": {ACL: &config.ACL{Allow: prefixes("10.0.0.0/8", "2001:db8::/32"), Deny: prefixes("10.9.0.0/16", "2001:db8:bad::/48")}},
		"wide":   {ACL: &config.ACL{Deny: prefixes("203.0.113.0/24")}},
	}, route)
}

func TestHandle(t *testing.T) {
	narrow := &config.Route{ACL: &config.ACL{Allow: prefixes("10.1.0.0/16", "192.0.2.7/32"), Deny: prefixes("10.1.2.3/32")}}
	for _, tt := range []struct {
		name, listener, address string
		route                   *config.Route
		want                    string // the list that refuses; "" where it is served
	}{
		{"a listener without lists", "public", "203.0.113.5", nil, ""},
		{"allowed", "office", "10.1.2.3", nil, ""},
		{"the first of the network", "office", "10.0.0.0", nil, ""},
		{"the last of it", "office", "10.255.255.255", nil, ""},
		{"the one behind it", "office", "11.0.0.0", nil, "listener: allow"},
		{"the one before it", "office", "9.255.255.255", nil, "listener: allow"},
		{"allowed by IPv6", "office", "2001:db8::1", nil, ""},
		{"not allowed by IPv6", "office", "2001:db9::1", nil, "listener: allow"},
		{"deny wins", "office", "10.9.1.1", nil, "listener: deny"},
		{"deny wins over IPv6", "office", "2001:db8:bad::1", nil, "listener: deny"},
		{"the IPv6 form of an allowed IPv4 address that was never unmapped", "office", "::ffff:10.1.2.3", nil, "listener: allow"},
		{"IPv4-compatible is not IPv4", "office", "::10.1.2.3", nil, "listener: allow"},
		{"not denied", "wide", "198.51.100.1", nil, ""},
		{"denied", "wide", "203.0.113.5", nil, "listener: deny"},
		{"an address that is not known is not allowed", "office", "", nil, "listener: the address is not known"},
		{"and could be a denied one", "wide", "", nil, "listener: the address is not known"},
		{"nobody asks for it", "public", "", nil, ""},
		{"both let it in", "office", "10.1.0.1", narrow, ""},
		{"the route is narrower", "office", "10.2.0.1", narrow, "route: allow"},
		{"the route denies", "office", "10.1.2.3", narrow, "route: deny"},
		{"the route cannot open what the listener closes", "office", "192.0.2.7", narrow, "listener: allow"},
		{"the route alone", "public", "192.0.2.7", narrow, ""},
		{"the route alone refuses", "public", "192.0.2.8", narrow, "route: allow"},
		{"the route does not know the address", "public", "", narrow, "route: the address is not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := mt.NewUpstream(t, 200, "text/plain", "x")
			for _, method := range []string{"GET", "OPTIONS", "POST"} {
				x := mt.Exchange(t, method, "/", nil, from(tt.listener, tt.address))
				res, _, err := mt.Run(t, stage(tt.route), x, u.Handle)
				if err != nil {
					t.Fatal(err)
				}
				if tt.want == "" {
					if res.StatusCode != 200 || x.Refusal != nil || len(x.Notes()) != 0 {
						t.Errorf("%s: %d %v %v", method, res.StatusCode, x.Refusal, x.Notes())
					}
					continue
				}
				if res.StatusCode != http.StatusForbidden || x.Refusal == nil || x.Refusal.Code != "address_blocked" || x.Refusal.Stage != "acl" {
					t.Errorf("%s: %d %v", method, res.StatusCode, x.Refusal)
				}
				if diff := cmp.Diff([]middleware.Note{{Key: "acl", Value: tt.want}}, x.Notes()); diff != "" {
					t.Errorf("%s: notes (-want +got):\n%s", method, diff)
				}
			}
			if n := u.Calls.Load(); tt.want != "" && n != 0 {
				t.Errorf("%d requests reached the upstream", n)
			}
		})
	}
}

func TestAbsent(t *testing.T) {
	for _, r := range []*config.Route{nil, {}} {
		if s := New(problem.New(nil), map[string]*config.Listener{"public": {}}, r); s != nil {
			t.Errorf("a stage without lists: %v", s)
		}
	}
}

func TestDescribe(t *testing.T) {
	r := &config.Route{ACL: &config.ACL{Allow: prefixes("10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24", "10.0.4.0/24", "10.0.5.0/24", "10.0.6.0/24")}}
	want := "listener office: allow 10.0.0.0/8 2001:db8::/32, deny 10.9.0.0/16 2001:db8:bad::/48; listener wide: deny 203.0.113.0/24; " +
		"route: allow 10.0.1.0/24 10.0.2.0/24 10.0.3.0/24 10.0.4.0/24 and 2 more"
	if got := stage(r).(middleware.Describer).Describe(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestNetworks compares the set with a scan of the list, around the ends of its
// networks.
func TestNetworks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var list []netip.Prefix
		for range r.IntN(20) {
			list = append(list, someNetwork(r, 4), someNetwork(r, 16))
		}
		set := newNetworks(list)
		for _, p := range append(list, prefixes("0.0.0.0/0", "::/0")...) {
			last := lastOf(p)
			for _, a := range []netip.Addr{p.Addr(), p.Addr().Prev(), last, last.Next()} {
				want := false
				for _, q := range list {
					want = want || q.Contains(a)
				}
				if got := set.contain(a); got != want {
					t.Fatalf("%v in %v: %v, want %v", a, list, got, want)
				}
			}
		}
	}
}

// someNetwork is one of few, so that networks nest.
func someNetwork(r *rand.Rand, size int) netip.Prefix {
	b := make([]byte, size)
	for i := range min(size, 4) {
		b[i] = byte(r.IntN(3)) << 6
	}
	a, _ := netip.AddrFromSlice(b)
	p, _ := a.Prefix(r.IntN(min(size*8, 34) + 1))
	return p
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// thousand are networks of which none holds 198.51.100.1.
func thousand() []netip.Prefix {
	var out []netip.Prefix
	for i := range uint32(1000) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 10<<24|i<<9)
		out = append(out, netip.PrefixFrom(netip.AddrFrom4(b), 24))
	}
	return out
}

func TestNoAllocations(t *testing.T) {
	s := New(nil, nil, &config.Route{ACL: &config.ACL{Deny: thousand()}})
	x := mt.Exchange(t, "GET", "/", nil, from("public", "198.51.100.1"))
	next := func(*middleware.Exchange) (*http.Response, error) { return nil, nil }
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Handle(x, next) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkThousand shows why the list is sorted.
func BenchmarkThousand(b *testing.B) {
	list, a := thousand(), netip.MustParseAddr("198.51.100.1")
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			for _, p := range list {
				if p.Contains(a) {
					b.Fatal(p)
				}
			}
		}
	})
	set := newNetworks(list)
	b.Run("search", func(b *testing.B) {
		for b.Loop() {
			if set.contain(a) {
				b.Fatal("it is there")
			}
		}
	})
}
