package ratelimit

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func keyed(t testing.TB, key ...string) *Rule {
	t.Helper()
	return open(t, config.RateLimit{Key: key, Rate: rate(1, time.Minute)}, nil)
}

func TestKey(t *testing.T) {
	subject := &policies.Subject{
		ID: "u7", Issuer: "iss", Tenant: "t1", Role: "hr",
		Claims: map[string]any{
			"plan": "gold", "level": json.Number("3"), "staff": false, "list": []any{"a"}, "empty": "", "https://x/y:z": "url",
		},
	}
	x := middlewaretest.Exchange(t, "GET", "/", nil, middlewaretest.Subject(subject), middlewaretest.Header("X-Device", "d1"))
	anonymous := middlewaretest.Exchange(t, "GET", "/", nil)
	for _, tt := range []struct {
		key  string
		x    *middleware.Exchange
		want string
	}{
		{"client.address", x, "9:192.0.2.1"},
		{"route", x, "4:test"},
		{"subject.id", x, "7:3:issu7"},
		{"subject.tenant", x, "2:t1"},
		{"subject.role", x, "2:hr"},
		{"claim:plan", x, "4:gold"},
		{"claim:level", x, "1:3"},
		{"claim:staff", x, "5:false"},
		{"claim:https://x/y:z", x, "3:url"},
		{"subject.tenant subject.role", x, "2:t12:hr"},
		// No value: the address in its place.
		{"claim:list", x, "9@192.0.2.1"},
		{"claim:empty", x, "9@192.0.2.1"},
		{"claim:absent", x, "9@192.0.2.1"},
		{"header:X-Absent", x, "9@192.0.2.1"},
		{"subject.id", anonymous, "9@192.0.2.1"},
		{"subject.tenant", anonymous, "9@192.0.2.1"},
		{"subject.role", anonymous, "9@192.0.2.1"},
		{"claim:plan", anonymous, "9@192.0.2.1"},
		{"route subject.id", anonymous, "4:test9@192.0.2.1"},
	} {
		if got := keyed(t, strings.Fields(tt.key)...).key(tt.x); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.key, got, tt.want)
		}
	}
}

func TestAddress(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1":                 "192.0.2.1",
		"::ffff:192.0.2.1":          "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":      "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1":      "2001:db8:1:2::/64",
		"fe80::1%eth0":              "fe80::/64",
		"fe80::2%a-made-up-zone-id": "fe80::/64",
	} {
		x := &middleware.Exchange{Client: netip.MustParseAddr(addr)}
		if got := appendAddress(nil, x); string(got) != want {
			t.Errorf("%s: %q", addr, got)
		}
	}
}

// caller is what a key is made of.
type caller struct {
	addr    string // "" is not known
	subject *policies.Subject
	headers []string // name, value, …
}

func (c caller) exchange(t testing.TB) *middleware.Exchange {
	x := middlewaretest.Exchange(t, "GET", "/", nil)
	x.Client, x.Subject = netip.Addr{}, c.subject
	if c.addr != "" {
		x.Client = netip.MustParseAddr(c.addr)
	}
	for i := 0; i < len(c.headers); i += 2 {
		x.Request.Header.Add(c.headers[i], c.headers[i+1])
	}
	return x
}

// What callers do to be somebody else, or nobody.
func TestKeyTricks(t *testing.T) {
	const a, b = "192.0.2.1", "192.0.2.2"
	header := func(addr string, values ...string) caller { return caller{addr: addr, headers: values} }
	who := func(addr string, s policies.Subject) caller { return caller{addr: addr, subject: &s} }
	claim := func(addr string, v any) caller {
		return who(addr, policies.Subject{ID: "u", Claims: map[string]any{"plan": v}})
	}
	for name, tt := range map[string]struct {
		key    string
		a, b   caller
		differ bool
	}{
		"a header, wherever from":               {"header:X-App", header(a, "X-App", "1"), header(b, "X-App", "1"), false},
		"the case of its name":                  {"header:x-APP", header(a, "X-App", "1"), header(b, "x-app", "1"), false},
		"the case of its value":                 {"header:X-App", header(a, "X-App", "q"), header(a, "X-App", "Q"), true},
		"none":                                  {"header:X-App", header(a), header(b), true},
		"an empty one is none":                  {"header:X-App", header(a, "X-App", ""), header(a), false},
		"empty ones are not one":                {"header:X-App", header(a, "X-App", ""), header(b, "X-App", ""), true},
		"two empty ones are none":               {"header:X-App", header(a, "X-App", "", "X-App", ""), header(a), false},
		"twice is not once":                     {"header:X-App", header(a, "X-App", "1", "X-App", "1"), header(a, "X-App", "1"), true},
		"twice is not the first":                {"header:X-App", header(a, "X-App", "1", "X-App", "2"), header(a, "X-App", "1"), true},
		"twice is not joined":                   {"header:X-App", header(a, "X-App", "1", "X-App", "2"), header(a, "X-App", "12"), true},
		"twice is not joined by a comma":        {"header:X-App", header(a, "X-App", "1", "X-App", "2"), header(a, "X-App", "1, 2"), true},
		"a value like an address":               {"header:X-App", header(a, "X-App", b), header(b), true},
		"a value like a key":                    {"header:X-App", header(a, "X-App", "1:1"), header(a, "X-App", "1"), true},
		"a value in another part":               {"header:A header:B", header(a, "A", "1", "B", ""), header(a, "A", "", "B", "1"), true},
		"a claim, wherever from":                {"claim:plan", claim(a, "gold"), claim(b, "gold"), false},
		"an empty claim is none":                {"claim:plan", claim(a, ""), claim(b, ""), true},
		"a list is none":                        {"claim:plan", claim(a, []any{"gold"}), claim(b, []any{"gold"}), true},
		"nor is it its first":                   {"claim:plan", claim(a, []any{"gold"}), claim(a, "gold"), true},
		"nor is it its text":                    {"claim:plan", claim(a, []any{"gold"}), claim(a, "[gold]"), true},
		"an object is none":                     {"claim:plan", claim(a, map[string]any{"id": "gold"}), claim(a, nil), false},
		"a claim like an address":               {"claim:plan", claim(a, b), claim(b, nil), true},
		"no tenant":                             {"subject.tenant", who(a, policies.Subject{ID: "u"}), who(b, policies.Subject{ID: "u"}), true},
		"no subject is no tenant":               {"subject.tenant", who(a, policies.Subject{ID: "u"}), header(a), false},
		"an id of two issuers":                  {"subject.id", who(a, policies.Subject{ID: "u", Issuer: "i"}), who(a, policies.Subject{ID: "u", Issuer: "j"}), true},
		"an id that begins like another issuer": {"subject.id", who(a, policies.Subject{ID: "ju", Issuer: "i"}), who(a, policies.Subject{ID: "u", Issuer: "ij"}), true},
		"a role besides":                        {"subject.role", who(a, policies.Subject{Role: "r", Roles: []string{"r"}}), who(a, policies.Subject{Role: "r", Roles: []string{"r", "s"}}), false},
		"the case of a role":                    {"subject.role", who(a, policies.Subject{Role: "r"}), who(a, policies.Subject{Role: "R"}), true},
		"one IPv4 address in two forms":         {"client.address", header("::ffff:192.0.2.1"), header(a), false},
		"two IPv4 addresses as IPv6":            {"client.address", header("::ffff:192.0.2.1"), header("::ffff:192.0.2.2"), true},
		"one network of a subscriber":           {"client.address", header("2001:db8::1"), header("2001:db8::ffff:ffff:ffff:ffff"), false},
		"two networks":                          {"client.address", header("2001:db8::1"), header("2001:db8:0:1::1"), true},
		"a zone":                                {"client.address", header("fe80::1%a"), header("fe80::1%b"), false},
		"addresses that are not known":          {"client.address", header(""), header(""), false},
		"which are nobody's":                    {"client.address", header(""), header("::"), true},
		"without one, by what there is":         {"subject.id", who("", policies.Subject{ID: "u"}), who("", policies.Subject{ID: "v"}), true},
	} {
		r := keyed(t, strings.Fields(tt.key)...)
		if x, y := r.key(tt.a.exchange(t)), r.key(tt.b.exchange(t)); (x != y) != tt.differ {
			t.Errorf("%s: %q and %q", name, x, y)
		}
	}
}

// Values of headers are not kept: they may be keys of an API.
func TestKeyHidesHeaders(t *testing.T) {
	x := caller{addr: "192.0.2.1", headers: []string{"X-Api-Key", "s3cr3t"}}.exchange(t)
	if k := keyed(t, "header:X-Api-Key").key(x); strings.Contains(k, "s3cr3t") || len(k) != len("16:")+16 {
		t.Errorf("%q", k)
	}
}

func TestKeyParts(t *testing.T) {
	for _, bad := range []string{"", "client", "client.address ", "subject.name", "claim", "claim:", "header:", "body:x", "route:x"} {
		if _, err := parsePart(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// FuzzKey: whatever callers send, two different lists of values are never one
// key, and no key is long.
func FuzzKey(f *testing.F) {
	f.Add("a", "b", "ab", "")
	f.Add("2:b", "", "", "2:b")
	f.Add("192.0.2.1", "", "", "192.0.2.1")
	f.Add(strings.Repeat("x", 300), "", strings.Repeat("x", 299), "x")
	f.Fuzz(func(t *testing.T, a1, a2, b1, b2 string) {
		r := keyed(t, "subject.tenant", "header:A")
		key := func(tenant, header string) string {
			return r.key(middlewaretest.Exchange(t, "GET", "/", nil,
				middlewaretest.Subject(&policies.Subject{Tenant: tenant}), middlewaretest.Header("A", header)))
		}
		a, b := key(a1, a2), key(b1, b2)
		if (a == b) != (a1 == b1 && a2 == b2) {
			t.Errorf("%q %q and %q %q: %q and %q", a1, a2, b1, b2, a, b)
		}
		if len(a) > longKey {
			t.Errorf("a key of %d bytes", len(a))
		}
	})
}

func BenchmarkKey(b *testing.B) {
	r := keyed(b, "client.address", "subject.id")
	x := middlewaretest.Exchange(b, "GET", "/", nil, middlewaretest.Subject(&policies.Subject{ID: "u7", Issuer: "i"}))
	b.ReportAllocs()
	for b.Loop() {
		r.key(x)
	}
}
