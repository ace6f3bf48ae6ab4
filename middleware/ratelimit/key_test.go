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
		if got, ok := appendAddress(nil, x); string(got) != want || !ok {
			t.Errorf("%s: %q", addr, got)
		}
	}
	if got, ok := appendAddress(nil, &middleware.Exchange{}); !ok {
		t.Errorf("an unknown address: %q", got)
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
