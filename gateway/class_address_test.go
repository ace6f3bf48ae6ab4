package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// lies are the ways to say where a request comes from.
func lies(address string) [][2]string {
	return [][2]string{
		{"X-Forwarded-For", address},
		{"X-Real-IP", address},
		{"X-Client-IP", address},
		{"True-Client-IP", address},
		{"CF-Connecting-IP", address},
		{"X-Cluster-Client-IP", address},
		{"Fastly-Client-IP", address},
		{"X-Forwarded", "for=" + address},
		{"Forwarded", "for=" + address + ";proto=https;host=evil.example"},
		{"X-Forwarded-Proto", "gopher"},
		{"X-Forwarded-Host", "evil.example"},
		{"X-Forwarded-Port", "1"},
		{"X-Forwarded-Prefix", "/evil"},
		{"X-Forwarded-Uri", "/evil"},
		{"X-Forwarded-Method", "EVIL"},
		{"X-Forwarded-Ssl", "evil"},
		{"X-Forwarded-Server", "evil"},
		{"X-Forwarded-Scheme", "evil"},
		{"X-Forwarded-For", "127.0.0.2, " + address},
		{"X-Forwarded-For", address + ", 127.0.0.2"},
		{"X-Forwarded-For", ""},
		{"X-Forwarded-For", ","},
		{"X-Forwarded-For", "evil"},
	}
}

func (s *arenas) forwardedHeaders(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	proto := "http"
	if p != plainH1 {
		proto = "https"
	}
	check := func(peer, want string, headers ...[2]string) {
		t.Helper()
		what := fmt.Sprintf("from %s with %q", peer, headers)
		o, got := a.sendFrom(peer, p, raw{target: "/open/x", headers: headers})
		n++
		q, ok := a.passed(what, o, got)
		if !ok {
			return
		}
		told := []string{strings.Join(q.twins("X-Forwarded-For"), "+"), strings.Join(q.twins("X-Forwarded-Proto"), "+"), strings.Join(q.twins("X-Forwarded-Host"), "+")}
		if in := q.judged(t); judgedAddress(in) != want || !slices.Equal(told, []string{want, proto, "localhost"}) || strings.Contains(fmt.Sprint(q.headers), evil) {
			t.Errorf("%s: judged as %s, and the backend was told %q", what, in.Context.ClientAddress, q.headers)
		}
	}
	for _, lie := range lies("203.0.113.9") { // of a client that is no proxy
		check("127.0.0.1", "127.0.0.1", lie)
	}
	check("127.0.0.1", "127.0.0.1", lies("203.0.113.9")...)
	for _, lie := range lies("203.0.113.9") { // through a proxy that believes in no other header
		if !strings.EqualFold(lie[0], "X-Forwarded-For") {
			check("127.0.0.2", "127.0.0.2", lie)
		}
	}
	for chain, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", "198.51.100.1, 203.0.113.9": "203.0.113.9", "198.51.100.1,203.0.113.9": "203.0.113.9", "203.0.113.9, 10.0.0.1": "203.0.113.9", "198.51.100.1, 203.0.113.9, 10.1.2.3, 10.0.0.1": "203.0.113.9",
		"10.0.0.1": "10.0.0.1", "10.0.0.2, 10.0.0.1": "10.0.0.2", "127.0.0.1": "127.0.0.1", "evil, 203.0.113.9": "203.0.113.9", "203.0.113.9, evil": "", "203.0.113.9, evil, 10.0.0.1": "", ",": "", "203.0.113.9,": "",
		"unknown": "", "_hidden": "", "203.0.113.9 198.51.100.1": "", "for=203.0.113.9": "", "203.0.113.9;x": "",
	} {
		check("127.0.0.2", want, [2]string{"X-Forwarded-For", chain})
	}
	check("127.0.0.2", "198.51.100.1", [2]string{"X-Forwarded-For", "203.0.113.9"}, [2]string{"X-Forwarded-For", "198.51.100.1"})
	check("127.0.0.2", "203.0.113.9", [2]string{"X-Forwarded-For", "203.0.113.9"}, [2]string{"x-forwarded-for", "10.0.0.1"})
	check("127.0.0.3", "127.0.0.3", [2]string{"X-Forwarded-For", "203.0.113.9"})
	return n
}

// judgedAddress gives the address that the policy was told, "" where it was told
// of none.
func judgedAddress(in *policies.Input) string {
	if _, err := netip.ParseAddr(in.Context.ClientAddress); err != nil {
		return ""
	}
	return in.Context.ClientAddress
}

// addressSpellings: one address is one address, to the policy, to lists and to
// the backend, and what is no address is nobody's.
func (s *arenas) addressSpellings(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for spelled, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", "::ffff:203.0.113.9": "203.0.113.9", "::FFFF:203.0.113.9": "203.0.113.9", "0:0:0:0:0:ffff:203.0.113.9": "203.0.113.9", "::ffff:cb00:7109": "203.0.113.9", " 203.0.113.9 ": "203.0.113.9",
		"2001:db8::1": "2001:db8::1", "2001:DB8::1": "2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001": "2001:db8::1", "2001:db8:0::0:1": "2001:db8::1",
		// None of these is an address: who it is, is not known.
		"0xcb.0.113.9": "", "0313.0.0161.9": "", "203.0.113.09": "", "203.0.113.009": "", "3405803785": "", "203.0.28937": "", "203.113.9": "", "203.0.113.9.": "", "203.0.113.9.0": "", "203.0.113.9/32": "", "203.0.113": "", "203.0.113.256": "", "\uff12\uff10\uff13.0.113.9": "", "2001:db8:::1": "", "2001:db8::g": "", "localhost": "", "-": "",
	} {
		o, got := a.sendFrom("127.0.0.2", p, raw{target: "/open/x", headers: [][2]string{{"X-Forwarded-For", spelled}}})
		n++
		if q, ok := a.passed(spelled, o, got); ok {
			if in := q.judged(t); judgedAddress(in) != want || strings.Join(q.twins("X-Forwarded-For"), "+") != want {
				t.Errorf("%s was judged as %s and told as %q, want %s", spelled, in.Context.ClientAddress, q.twins("X-Forwarded-For"), want)
			}
		}
	}
	return n + a.listed(p)
}

// listed asks a route that serves few addresses, from there and from elsewhere.
func (a *arena) listed(p proto) (n int) {
	for spelled, served := range map[string]bool{
		"203.0.113.9": true, "::ffff:203.0.113.9": true, "0:0:0:0:0:FFFF:203.0.113.9": true, "2001:db8::1": true, "2001:DB8:0::1": true,
		"203.0.113.66": false, "::ffff:203.0.113.66": false, "::ffff:cb00:7142": false, "0:0:0:0:0:ffff:203.0.113.66": false, "198.51.100.1": false, "::ffff:198.51.100.1": false, "2001:db8:bad::1": false, "2001:0DB8:0BAD::1": false, "2001:db9::1": false, "::203.0.113.9": false, "64:ff9b::203.0.113.9": false, "2002:cb00:7109::": false,
		"0xcb.0.113.9": false, "203.0.113.009": false, "3405803785": false, "": false,
	} {
		o, got := a.sendFrom("127.0.0.2", p, raw{target: "/listed/x", headers: [][2]string{{"X-Forwarded-For", spelled}}})
		n++
		if !served {
			a.refused(spelled, o, got, "address_blocked")
			continue
		}
		a.passed(spelled, o, got)
	}
	if o, got := a.send(p, raw{target: "/listed/x"}); o.err == nil {
		a.passed("127.0.0.1", o, got)
	}
	o, got := a.sendFrom("127.0.0.3", p, raw{target: "/listed/x", headers: [][2]string{{"X-Forwarded-For", "203.0.113.9"}}})
	a.refused("a lie of 127.0.0.3", o, got, "address_blocked")
	return n + 2
}
