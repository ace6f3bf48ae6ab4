package gateway

import (
	"net"
	"strings"
	"testing"
)

// hostSettings are those of an arena whose routes all name hosts.
const hostSettings = preamble + `upstreams: {hr: {endpoints: ["{HR}"]}}
policies: {path: rego, budget: 5s, tests: "off"}
routes:
  - {name: open, match: {hosts: [a.example.com], path: /}, upstream: hr, public: true, policy: "on"}
  - {name: any, match: {hosts: [xn--bcher-kva.example, 192.0.2.1, "2001:db8::1"], path: /}, upstream: hr, public: true, policy: "on"}
  - {name: admin, match: {hosts: [inside.example.com], path: /}, upstream: hr, authn: {issuers: [auth]}, policy: "on"}
`

func (s *arenas) hosts(t *testing.T) *arena { return s.get(t, hostSettings, arenaPolicy) }

// servedAs holds that a request was judged under a host, and that the backend
// was told the same one.
func (a *arena) servedAs(host, what string, o outcome, got []received) {
	a.t.Helper()
	q, ok := a.passed(what, o, got)
	if !ok {
		return
	}
	if in := q.judged(a.t.(*testing.T)); in.Resource.Host != host {
		a.t.Errorf("%s was judged as %s, want %s", what, in.Resource.Host, host)
	}
	told := q.values("X-Forwarded-Host")
	if len(told) != 1 {
		a.t.Errorf("%s: the backend was told the hosts %q", what, told)
		return
	}
	name := told[0]
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	if strings.Trim(name, "[]") != host {
		a.t.Errorf("%s was judged as %s, and the backend was told %s", what, host, told[0])
	}
}

// hostSpellings: each host is one host however it is written, and what is none
// that routes name is no other one either.
func (s *arenas) hostSpellings(t *testing.T, p proto) int {
	a, n := s.hosts(t), 0
	for spelled, want := range map[string]string{
		"a.example.com": "a.example.com", "A.EXAMPLE.COM": "a.example.com", "a.example.com.": "a.example.com", "A.Example.Com.": "a.example.com", "a.example.com:443": "a.example.com", "a.example.com:8443": "a.example.com", "a.example.com.:8443": "a.example.com",
		"xn--bcher-kva.example": "xn--bcher-kva.example", "XN--BCHER-KVA.EXAMPLE": "xn--bcher-kva.example", "xn--bcher-kva.example.": "xn--bcher-kva.example", "Xn--Bcher-Kva.Example:443": "xn--bcher-kva.example",
		"192.0.2.1": "192.0.2.1", "192.0.2.1:443": "192.0.2.1", "[2001:db8::1]": "2001:db8::1", "[2001:DB8::1]:443": "2001:db8::1",
	} {
		o, got := a.send(p, raw{host: spelled})
		a.servedAs(want, spelled, o, got)
		n++
	}
	for _, spelled := range []string{"inside.example.com", "INSIDE.example.com", "inside.example.com.", "Inside.Example.Com.:443", "inside.example.com:80"} {
		o, got := a.send(p, raw{host: spelled})
		a.refused(spelled, o, got, "token_missing")
		n++
	}
	for _, spelled := range []string{
		"example.com", "b.example.com", "a.example.com.evil", "evil.a.example.com", "a.example.comevil", "localhost", "127.0.0.1", "a", "com", "a.example",
		"a.example.com..", ".a.example.com", "a..example.com", "a.example.com:", "a.example.com:x", "a.example.com:99999", "a.example.com:-1", "a.example.com:80:80", "a.example.com:80a", ":443", ":", ".", "..", "*", "*.example.com", "a.example.com:+443",
		"[a.example.com]", "[2001:db8::1", "2001:db8::1]", "2001:db8::1", "[2001:db8::1]x", "[2001:db8::1%25eth0]", "[2001:db8::1%eth0]", "[::ffff:192.0.2.1]", "[]", "[:]:443", "192.0.2.01", "0xc0.0.2.1", "3221225985", "192.0.513", "192.0.2.1.1",
		"user@a.example.com", "inside.example.com@a.example.com", "a.example.com/", "a.example.com/x", "a.example.com?x", "a.example.com#x", `a.example.com\x`, "a.example.com;x", "a.example.com,b.example.com", "a.example.com%00", "a.example.com%2e", "a.example.com%20", "a%2eexample.com", "a.example.com%0d%0aX:y",
		"a.example.com b.example.com", "b\u00fccher.example", "b%c3%bccher.example", "xn--bcher-kva\u3002example", "\uff41.example.com", "a\u00ad.example.com", "xn--a.example.com", "xn--.example.com", "a_.example.com", "a\x00.example.com", "a.example.com\x7f", "a.example.com\xff", "http://a.example.com", "a.example.com!",
		strings.Repeat("a", 64) + ".example.com", strings.Repeat("a.", 140) + "com",
	} {
		o, got := a.send(p, raw{host: spelled})
		a.refused(spelled, o, got, "host_unknown", "path_invalid", "header_invalid", "400", "reset")
		n++
	}
	return n
}

// letterCase: the letters of a host do not count, those of a path do, and the
// backend gets them as they were judged.
func (s *arenas) letterCase(t *testing.T, p proto) int {
	a, n := s.hosts(t), 0
	for _, host := range []string{"a.example.com", "A.example.com", "a.EXAMPLE.com", "a.example.COM", "A.EXAMPLE.COM"} {
		o, got := a.send(p, raw{host: host, target: "/MiXed/Path"})
		a.servedAs("a.example.com", host, o, got)
		if len(got) == 1 && got[0].target != "/MiXed/Path" {
			t.Errorf("/MiXed/Path arrived as %s", got[0].target)
		}
		n++
	}
	for _, host := range []string{"inside.example.com", "Inside.example.com", "INSIDE.EXAMPLE.COM", "inside.example.coM"} {
		o, got := a.send(p, raw{host: host})
		a.refused(host, o, got, "token_missing")
		n++
	}
	b := s.main(t)
	for _, target := range []string{"/ADMIN/x", "/Admin/x", "/admiN/x", "/aDmin/reports/x", "/%41dmin/x", "/OPEN/x", "/Open/../admin/x", "/API/admin/x", "/adm\u0131n/x", "/\u017fealed/x", "/V1/x"} {
		o, got := b.send(p, raw{target: target, headers: [][2]string{bearer(b.staff)}})
		b.refused(target, o, got, "route_unknown", "path_invalid")
		n++
	}
	for _, target := range []string{"/api/ADMIN/x", "/api/Admin/x", "/api/a/B"} {
		o, got := b.send(p, raw{target: target, headers: [][2]string{bearer(b.staff)}})
		if q, ok := b.passed(target, o, got); ok {
			sameAsJudged(t, target, q, "")
			if q.target != target {
				t.Errorf("%s arrived as %s", target, q.target)
			}
		}
		n++
	}
	return n
}

// twoHosts: a request that names more than one host is refused, or it is one for
// the host that it was judged under.
func (s *arenas) twoHosts(t *testing.T, p proto) int {
	a, n := s.hosts(t), 0
	const inside, outside = "inside.example.com", "a.example.com"
	for _, try := range []raw{
		{target: "http://" + inside + "/x", host: outside},
		{target: "http://" + outside + "/x", host: inside},
		{target: "https://" + inside + "/x", host: outside},
		{target: "HTTP://" + strings.ToUpper(inside) + "/x", host: outside},
		{target: "http://" + outside + "@" + inside + "/x", host: outside},
		{target: "http://" + inside + "@" + outside + "/x", host: inside},
		{target: "http://" + outside + ":80@" + inside + "/", host: outside},
		{target: "http://" + inside + ".:80/x", host: outside},
		{target: "http:///x", host: inside},
		{target: "http:///x", host: outside},
		{target: "http://" + outside + `\` + inside + "/x", host: inside},
		{target: "http://" + outside + "?@" + inside + "/x", host: inside},
		{target: "http://" + outside + "#@" + inside + "/x", host: outside},
		{target: "ftp://" + inside + "/x", host: outside},
		{target: "file:///x", host: inside},
		{target: "//" + inside + "/x", host: outside},
		{target: inside + "/x", host: outside},
		{target: "http://unknown.example/x", host: outside},
		{target: "gopher://" + outside + "/x", host: inside},
		{target: "http:" + inside + "/x", host: outside},
		{target: "/x", host: outside, headers: [][2]string{{"Host", inside}}},
		{target: "/x", host: inside, headers: [][2]string{{"Host", outside}}},
		{target: "/x", host: outside, headers: [][2]string{{"host", outside}}},
		{target: "/x", host: outside, headers: [][2]string{{"X-Forwarded-Host", inside}}},
		{target: "/x", host: outside, headers: [][2]string{{"X-Host", inside}, {"X-Original-Host", inside}, {"Forwarded", "host=" + inside}}},
		{target: "/x", host: outside + "," + inside},
		{target: "/x", host: outside + " " + inside},
		{target: "/x", host: outside + "/" + inside},
		{target: "/x", host: outside, headers: [][2]string{{":authority", inside}}},
		{target: "/x", host: outside, headers: [][2]string{{"Host ", inside}}},
		{target: "/x", host: outside, headers: [][2]string{{" Host", inside}}},
		{target: "/x", host: outside, headers: [][2]string{{"X", "y\r\n Host: " + inside}}},
	} {
		o, got := a.send(p, try)
		what := try.target + " with Host " + try.host
		for _, q := range got {
			// Without a token only the open host can have been the judged one: the
			// backend must hear of no other.
			path, _, _ := strings.Cut(q.target, "?")
			if in := q.judged(t); in.Resource.Host != outside || strings.Contains(strings.Join(append(q.twins("Host"), path), " "), inside) || strings.Join(q.values("X-Forwarded-Host"), ",") != outside {
				t.Errorf("%s: judged as %s, and the backend got %s %q", what, in.Resource.Host, q.target, q.headers)
			}
		}
		if ok := o.err == nil && o.status == 200; ok != (len(got) == 1) || len(got) > 1 {
			t.Errorf("%s: %v, and %d requests reached the backend", what, o, len(got))
		}
		n++
	}
	return n
}
