package gateway

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("192.0.2.7/32"),
	}
	for _, tt := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "198.51.100.1:4711", nil, "198.51.100.1"},
		{"a stranger's header is not believed", "198.51.100.1:4711", []string{"203.0.113.9"}, "198.51.100.1"},
		{"a proxy without a header", "10.0.0.1:4711", nil, "10.0.0.1"},
		{"one proxy", "10.0.0.1:4711", []string{"203.0.113.9"}, "203.0.113.9"},
		{"two proxies", "10.0.0.1:4711", []string{"203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"two lines are one list", "10.0.0.1:4711", []string{"203.0.113.9", "10.0.0.2"}, "203.0.113.9"},
		{"what the client wrote is further left", "10.0.0.1:4711", []string{"192.0.2.7, 127.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		{"a client that claims to be a proxy", "10.0.0.1:4711", []string{"10.9.9.9, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"all are proxies", "10.0.0.1:4711", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"garbage ends the search", "10.0.0.1:4711", []string{"203.0.113.9, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"garbage at the right end", "10.0.0.1:4711", []string{"203.0.113.9, "}, "10.0.0.1"},
		{"an address with a port is garbage", "10.0.0.1:4711", []string{"203.0.113.9:80"}, "10.0.0.1"},
		{"no leading zeros", "10.0.0.1:4711", []string{"203.0.113.010"}, "10.0.0.1"},
		{"IPv6 peer", "[2001:db8::1]:4711", []string{"203.0.113.9"}, "2001:db8::1"},
		{"IPv6 proxy", "[fd00::1]:4711", []string{"2001:db8::9"}, "2001:db8::9"},
		{"a zone of the peer is not part of the address", "[fe80::1%eth0]:4711", nil, "fe80::1"},
		{"a proxy with a zone", "[fd00::1%eth0]:4711", []string{"2001:db8::9"}, "2001:db8::9"},
		{"a zone in the header", "10.0.0.1:4711", []string{"2001:db8::9%x"}, "2001:db8::9"},
		{"IPv4 in IPv6 is IPv4", "[::ffff:10.0.0.1]:4711", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"no address", "@", []string{"203.0.113.9"}, "invalid IP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.forwarded}}
			if got := clientAddress(r, trusted).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzClientAddress(f *testing.F) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	f.Add("10.0.0.1:1", "203.0.113.9, 10.0.0.2")
	f.Add("[fd00::1%x]:1", "::ffff:1.2.3.4%z,,")
	f.Fuzz(func(t *testing.T, peer, header string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {header}}}
		got := clientAddress(r, trusted)
		if got.Zone() != "" || got.Is4In6() {
			t.Errorf("%s is not the one form of an address", got)
		}
		// Whoever puts something in front of the header changes nothing, unless
		// everything behind it was a proxy.
		r.Header.Set("X-Forwarded-For", "192.0.2.66, "+header)
		if again := clientAddress(r, trusted); again != got && !contains(trusted, got) {
			t.Errorf("%q: %s becomes %s by a hop further left", header, got, again)
		}
	})
}

func TestTLSVersion(t *testing.T) {
	for want, s := range map[string]*tls.ConnectionState{"": nil, "1.2": {Version: tls.VersionTLS12}, "1.3": {Version: tls.VersionTLS13}} {
		if got := tlsVersion(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNewID(t *testing.T) {
	a, b := newID(), newID()
	if a == b || len(a) != 32 {
		t.Errorf("%q, %q", a, b)
	}
}
