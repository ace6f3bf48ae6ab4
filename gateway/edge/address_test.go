package edge

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

func networks(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

const nobody = "invalid IP"

func TestClientAddress(t *testing.T) {
	trusted := networks("10.0.0.0/8", "fd00::/8", "192.0.2.7/32")
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
		{"in lines of its own too", "10.0.0.1:4711", []string{"127.0.0.1", "10.0.0.9", "203.0.113.9,10.0.0.2"}, "203.0.113.9"},
		{"a client that claims to be a proxy", "10.0.0.1:4711", []string{"10.9.9.9, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"all are proxies", "10.0.0.1:4711", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"spaces and tabs", "10.0.0.1:4711", []string{"\t203.0.113.9 ,\t 10.0.0.2 "}, "203.0.113.9"},
		{"with a port", "10.0.0.1:4711", []string{"203.0.113.9:80"}, "203.0.113.9"},
		{"in brackets", "10.0.0.1:4711", []string{"[2001:db8::9], [fd00::2]"}, "2001:db8::9"},
		{"in brackets with a port", "10.0.0.1:4711", []string{"[2001:db8::9]:99"}, "2001:db8::9"},
		{"IPv6 peer", "[2001:db8::1]:4711", []string{"203.0.113.9"}, "2001:db8::1"},
		{"IPv6 proxy", "[fd00::1]:4711", []string{"2001:db8::9"}, "2001:db8::9"},
		{"a zone of the peer is not part of the address", "[fe80::1%eth0]:4711", nil, "fe80::1"},
		{"a proxy with a zone", "[fd00::1%eth0]:4711", []string{"2001:db8::9"}, "2001:db8::9"},
		{"a zone in the header", "10.0.0.1:4711", []string{"2001:db8::9%x"}, "2001:db8::9"},
		{"IPv4 in IPv6 is IPv4", "[::ffff:10.0.0.1]:4711", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"in hexadecimal too", "[::ffff:a00:1]:4711", []string{"::ffff:cb00:7109"}, "203.0.113.9"},
		{"with a zone too", "[::ffff:10.0.0.1%lo]:4711", []string{"::FFFF:203.0.113.9%lo"}, "203.0.113.9"},
		{"the old IPv4-compatible form is an IPv6 address", "10.0.0.1:4711", []string{"::10.0.0.1"}, "::a00:1"},

		{"no address", "@", []string{"203.0.113.9"}, nobody},
		{"none at all", "", []string{"203.0.113.9"}, nobody},
		{"a socket file", "/run/gatehouse.sock", nil, nobody},
		{"unknown", "10.0.0.1:4711", []string{"203.0.113.9, unknown, 10.0.0.2"}, nobody},
		{"hidden", "10.0.0.1:4711", []string{"203.0.113.9, _hidden"}, nobody},
		{"an empty element", "10.0.0.1:4711", []string{"203.0.113.9, "}, nobody},
		{"an empty element in between", "10.0.0.1:4711", []string{"203.0.113.9,,10.0.0.2"}, nobody},
		{"an empty line", "10.0.0.1:4711", []string{"203.0.113.9", ""}, nobody},
		{"leading zeros", "10.0.0.1:4711", []string{"203.0.113.010"}, nobody},
		{"octal", "10.0.0.1:4711", []string{"0177.0.0.1"}, nobody},
		{"hexadecimal and short", "10.0.0.1:4711", []string{"0x7f.1"}, nobody},
		{"one number", "10.0.0.1:4711", []string{"2130706433"}, nobody},
		{"short", "10.0.0.1:4711", []string{"127.1"}, nobody},
		{"a name", "10.0.0.1:4711", []string{"localhost"}, nobody},
		{"IPv4 in brackets", "10.0.0.1:4711", []string{"[203.0.113.9]"}, nobody},
		{"half a bracket", "10.0.0.1:4711", []string{"[2001:db8::9"}, nobody},
		{"two ports", "10.0.0.1:4711", []string{"203.0.113.9:80:81"}, nobody},
		{"quotes", "10.0.0.1:4711", []string{`"203.0.113.9"`}, nobody},
		{"the words of Forwarded", "10.0.0.1:4711", []string{"for=203.0.113.9"}, nobody},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ClientAddress(tt.peer, tt.forwarded, trusted).String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// However long the header is, the work is bounded: where nobody but proxies is
// named, somebody is playing.
func TestTooManyHops(t *testing.T) {
	trusted := networks("10.0.0.0/8")
	many := func(n int) []string { return []string{"203.0.113.9" + strings.Repeat(", 10.0.0.2", n)} }
	if got := ClientAddress("10.0.0.1:1", many(maxHops-2), trusted).String(); got != "203.0.113.9" {
		t.Errorf("%d hops: %s", maxHops, got)
	}
	if got := ClientAddress("10.0.0.1:1", many(maxHops), trusted); got.IsValid() {
		t.Errorf("one hop too many: %s", got)
	}
	long, lines := many(3000), []string{strings.Repeat(",", 30000), "203.0.113.9"}
	if n := testing.AllocsPerRun(10, func() {
		ClientAddress("10.0.0.1:1", long, trusted)
		ClientAddress("10.0.0.1:1", lines, trusted)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAddressOf(t *testing.T) {
	for want, a := range map[string]net.Addr{
		"192.0.2.1":   &net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 1}, // as 16 bytes
		"2001:db8::1": &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Zone: "eth0"},
		nobody:        &net.UnixAddr{Name: "@", Net: "unix"},
	} {
		if got := AddressOf(a).String(); got != want {
			t.Errorf("%v: %s, want %s", a, got, want)
		}
	}
	for _, a := range []net.Addr{nil, &net.TCPAddr{}, &net.UDPAddr{IP: net.ParseIP("192.0.2.1")}} {
		if got := AddressOf(a); got.IsValid() {
			t.Errorf("%v: %s", a, got)
		}
	}
}

func FuzzForwardedFor(f *testing.F) {
	trusted := networks("10.0.0.0/8", "fd00::/8")
	for _, seed := range [][3]string{
		{"10.0.0.1:1", "203.0.113.9, 10.0.0.2", ""},
		{"198.51.100.1:1", "10.0.0.1", "127.0.0.1"},
		{"[fd00::1%x]:1", "::ffff:1.2.3.4%z,,", "[::1]:99"},
		{"[::ffff:10.0.0.1]:1", "unknown", "1.2.3.4:567,10.0.0.2"},
		{"@", "0x7f.1, 010.0.0.1", "::127.0.0.1"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, peer, first, second string) {
		lines := []string{first, second}
		got := ClientAddress(peer, lines, trusted)
		if got != Canonical(got) {
			t.Errorf("%s is not the one form of an address", got)
		}
		// A peer that is not trusted is the client, whatever it says.
		direct := ClientAddress(peer, nil, trusted)
		if !Contains(trusted, direct) && got != direct {
			t.Errorf("%s is believed to be %s", direct, got)
		}
		// The lines are one list.
		if joined := ClientAddress(peer, []string{first + "," + second}, trusted); joined != got {
			t.Errorf("two lines: %s, one: %s", got, joined)
		}
		// Whoever writes further left changes nothing, unless all was trusted.
		for _, more := range [][]string{{"192.0.2.66"}, {"unknown"}, {"10.0.0.1,,"}, {"192.0.2.66", "fd00::1"}} {
			if again := ClientAddress(peer, append(more, lines...), trusted); again != got && !Contains(trusted, got) {
				t.Errorf("%q: %s becomes %s", lines, got, again)
			}
		}
		// What is found was written: by the peer, or as an element of the list,
		// and everything right of it is trusted.
		if got.IsValid() && got != direct && !behindTrusted(got, lines, trusted) {
			t.Errorf("%q: %s stands behind somebody who is not trusted", lines, got)
		}
	})
}

// behindTrusted goes through the whole list the slow way.
func behindTrusted(a netip.Addr, lines []string, trusted []netip.Prefix) bool {
	all := strings.Split(strings.Join(lines, ","), ",")
	for i := len(all) - 1; i >= 0; i-- {
		hop := parseHop(strings.Trim(all[i], " \t"))
		if hop == a {
			return true
		}
		if !Contains(trusted, hop) {
			return false
		}
	}
	return false
}
