package edge

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	for in, want := range map[string][2]string{
		"":                           {"", ""},
		"api.example.com":            {"api.example.com", "api.example.com"},
		"API.example.com:8443":       {"api.example.com", "api.example.com:8443"},
		"api.example.com.":           {"api.example.com", "api.example.com"},
		"a.example.:1":               {"a.example", "a.example:1"},
		"localhost":                  {"localhost", "localhost"},
		"my_service:8080":            {"my_service", "my_service:8080"},
		"1password.example":          {"1password.example", "1password.example"},
		"192.0.2.1.example":          {"192.0.2.1.example", "192.0.2.1.example"},
		"XN--BCHER-KVA.Example":      {"xn--bcher-kva.example", "xn--bcher-kva.example"},
		"192.0.2.1:80":               {"192.0.2.1", "192.0.2.1:80"},
		"192.0.2.1.":                 {"192.0.2.1", "192.0.2.1"},
		"[::1]":                      {"::1", "[::1]"},
		"[::1]:80":                   {"::1", "[::1]:80"},
		"[2001:DB8:0:0::1]:443":      {"2001:db8::1", "[2001:db8::1]:443"},
		"[::FFFF:192.0.2.1]":         {"::ffff:192.0.2.1", "[::ffff:192.0.2.1]"},
		"a:65535":                    {"a", "a:65535"},
		"r3---sn-abc.example":        {"r3---sn-abc.example", "r3---sn-abc.example"},
		strings.Repeat("a", 63):      {strings.Repeat("a", 63), strings.Repeat("a", 63)},
		"_dmarc.example":             {"_dmarc.example", "_dmarc.example"},
		"0x7f.example":               {"0x7f.example", "0x7f.example"},
		"xn--80ak6aa92e.example.com": {"xn--80ak6aa92e.example.com", "xn--80ak6aa92e.example.com"},
	} {
		host, authority, err := Host(in)
		if err != nil || host != want[0] || authority != want[1] {
			t.Errorf("%q: got %q, %q, %v; want %q", in, host, authority, err, want)
		}
	}
	for _, in := range []string{
		".", "..", "a..", ".a", "a..b", ":", ":80", "a:", "a:0", "a:00", "a:080", "a:65536", "a:x", "a:+1", "a:-1", "a: 1", "a:1:2", "::1", "2001:db8::1",
		"[", "]", "[]", "[::1", "::1]", "[::1]x", "[::1]x:80", "[a]", "[192.0.2.1]", "[::1%eth0]", "[::1%25eth0]", "[v1.a]", "[[::1]]",
		"127.1", "127.0.1", "2130706433", "0x7f.1", "0x7f000001", "0X7F.0.0.1", "017700000001", "0177.0.0.1", "127.0.0.01", "1.2.3.4.5", "256.1.1.1", "a.1", "a.0x", "a.0x1f", "1",
		"a b", "a/b", `a\b`, "a?b", "a#b", "a@b", "me:word@a", "a%2eb", "a%00", "a\x00", "a\r\nb", "a\tb", "a,b", "a;b", "a*", "*.a", "a!", "(a)", "a\xff", "a\x7f",
		"b\u00fccher.example", "\uff41.example", "a\u3002b", "\u212a.example", "a\u00ad.example", "１２７.0.0.1",
		"xn--", "xn--.example", "xn--a", "xn--a-", "xn--admin-", "xn--a.example", "xn--\u00fc", "-a.example", "a-.example",
		strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a",
	} {
		if host, authority, err := Host(in); err == nil {
			t.Errorf("%q is taken for %q, %q", in, host, authority)
		}
	}
}

// What people write in configurations is brought into the form of requests.
func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"api.example.com": "api.example.com", "API.example.com.": "api.example.com", "b\u00fccher.example": "xn--bcher-kva.example", "stra\u00dfe.example": "xn--strae-oqa.example",
		"2001:DB8::1": "2001:db8::1", "[::1]": "::1", "192.0.2.1": "192.0.2.1", "xn--bcher-kva.example": "xn--bcher-kva.example",
	} {
		if got, err := Name(in); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "a:80", "[::1]:80", "127.1", "fe80::1%eth0", "a b", "xn--a-", "\u00fc:80", "https://a"} {
		if got, err := Name(in); err == nil {
			t.Errorf("%q is taken for %q", in, got)
		}
	}
}

// FuzzHost holds that a host that is let in has one form, that every program
// reads the same out of it, and that nobody takes it for an address that it is
// not written as.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"", "a.example:80", "[::1]:80", "127.1", "0x7f.1", "xn--bcher-kva.example", "a..", "A.b.", "a@b", "[::1%25a]", "b\u00fccher", "017700000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		host, authority, err := Host(raw)
		if err != nil || raw == "" {
			return
		}
		if h, a, err := Host(authority); err != nil || h != host || a != authority {
			t.Errorf("%q: %q is read as %q, %q, %v", raw, authority, h, a, err)
		}
		if n, err := Name(host); err != nil || n != host {
			t.Errorf("%q: a route would be for %q, %v, and requests for %q", raw, n, err, host)
		}
		u, err := url.Parse("https://" + authority + "/x")
		if err != nil || u.Hostname() != host || u.Host != authority || u.User != nil || u.Path != "/x" {
			t.Errorf("%q: %q is read as %+v, %v", raw, authority, u, err)
		}
		if h, _, err := net.SplitHostPort(authority); err == nil && h != host {
			t.Errorf("%q: %q is split into %q", raw, authority, h)
		}
		if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._:") != "" {
			t.Errorf("%q: %q has strange characters", raw, host)
		}
		// Addresses in other spellings consist of digits, and of letters of
		// hexadecimal numbers, in the last label.
		last := host[strings.LastIndexByte(host, '.')+1:]
		if a, err := netip.ParseAddr(host); err != nil && (strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == "") {
			t.Errorf("%q: %q may be taken for an address: %v", raw, host, a)
		}
	})
}
