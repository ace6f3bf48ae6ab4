package gateway

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// pathClasses are about what is asked for: path, host, query and method.
func pathClasses(s *arenas) []failure {
	return []failure{
		{id: "B11", name: "the policy judges another path than the one that is sent on (CVE-2026-26205)", run: s.judgedPaths},
		{
			id:   "B12",
			name: "a protected path is reached by another spelling of it (CVE-2026-33494, CVE-2021-32701, CVE-2025-66490, CVE-2025-47952, CVE-2025-32431, CVE-2021-43557, CVE-2026-42274)",
			run:  s.spellings,
		},
		{id: "B13", name: "taking a prefix off makes a path that nobody judged (CVE-2026-48020, CVE-2026-40912, CVE-2026-65600, CVE-2026-67309)", run: s.strippedPaths},
		{id: "B14", name: "a fragment in the request target hides a part of it (CVE-2023-47106)", run: s.fragments},
		{id: "B15", name: "a path in other letters is another path to the gateway and the same to the backend, or a host the other way round (CVE-2026-27587, CVE-2026-27588)", run: s.letterCase},
		{id: "B16", name: "a host is known by one spelling and not by another (CVE-2022-23632, GO-2026-5026)", run: s.hostSpellings},
		{id: "B17", name: "the policy judges another query than the one that is sent on (CVE-2022-34296, GO-2026-4976, GO-2022-1038)", run: s.queries},
		{id: "B18", name: "a query, a fragment or a parameter makes a route public (CVE-2025-54576, CVE-2026-41059)", run: s.publicByPath},
		{id: "B19", name: "a header makes a route public (CVE-2026-34457)", run: s.publicByHeader},
		{id: "B20", name: "a request is judged by one method and carried out as another (CVE-2026-71324, CVE-2026-56299)", run: s.methods},
		{id: "B21", name: "a request names two hosts, and one is judged and the other one served (CVE-2026-48710)", run: s.twoHosts},
	}
}

// spellingsOf are ways to write a path below a prefix so that somebody on the
// way takes it for another one. {P} is the path without its first slash, {F} its
// first segment, {R} the rest.
func spellingsOf() []string {
	return []string{
		"//{P}", "///{P}", "/./{P}", "/.//{P}", "//./{P}", "/../{P}", "/../../{P}", "/;/{P}", "/;x=1/{P}", "/.;/{P}", "/..;/{P}",
		"/open/../{P}", "/open/./../{P}", "/open/x/../../{P}", "/open//../{P}", "/open/..//{P}", "/open/.../{P}", "/open/....//{P}",
		"/open/%2e%2e/{P}", "/open/%2E%2E/{P}", "/open/%2e%2E/{P}", "/open/.%2e/{P}", "/open/%2e./{P}", "/open/%2e%2e//{P}", "/open/%2e/../{P}",
		"/open/..%2f{P}", "/open/..%2F{P}", "/open/%2e%2e%2f{P}", "/open%2f..%2f{P}", "/open/%2f..%2f{P}", "/open/..%2f%2f{P}", "/%2f{P}",
		`/open/..\{P}`, `/open\..\{P}`, `\{P}`, `/\{P}`, "/open/..%5c{P}", "/open/..%5C{P}", "/open/%5c..%5c{P}", "/open%5c..%5c{P}", "/%5c{P}",
		"/open/..;/{P}", "/open/..;x=1/{P}", "/open/%2e%2e;/{P}", "/open/..%3b/{P}", "/open/..%3B/{P}", "/open/%2e%2e%3b/{P}", "/open/;/../{P}", "/open/x;/../../{P}", "/open/.;/../{P}", "/open;/../{P}",
		"/open/%252e%252e/{P}", "/open/%252e%252e%252f{P}", "/open/..%252f{P}", "/open/..%255c{P}", "/open/%25252e%25252e/{P}", "/open/%%32%65%%32%65/{P}", "/open/%%2e%%2e/{P}", "/%252f{P}", "/%2561dmin/x",
		"/open/%c0%ae%c0%ae/{P}", "/open/%e0%80%ae%e0%80%ae/{P}", "/open/%f0%80%80%ae%f0%80%80%ae/{P}", "/open/..%c0%af{P}", "/open/..%c1%9c{P}", "/open/..%e0%80%af{P}", "/open/\xc0\xae\xc0\xae/{P}",
		"/open/%ef%bc%8e%ef%bc%8e/{P}", "/open/..%ef%bc%8f{P}", "/open/..%ef%bc%bc{P}", "/open/%e2%80%a5/{P}", "/open/%e2%80%a4%e2%80%a4/{P}", "/open/%ef%b9%92%ef%b9%92/{P}", "/open/\uff0e\uff0e/{P}", "/open/%uff0e%uff0e/{P}", "/open/%u002e%u002e%u002f{P}",
		"/open/..%00/{P}", "/open/%00/../{P}", "/open/%2e%2e%00/{P}", "/%00/{P}", "/open/x%00/../../{P}", "/open/..%01/{P}", "/open/..%09/{P}", "/open/..%0a/{P}", "/open/..%0d%0a/{P}", "/open/..%20/{P}", "/open/..%7f/{P}", "/open/..%ff/{P}", "/open/..%a0/{P}",
		"/open/%23/../{P}", "/open/%3f/../{P}", "/open/x%23/../../{P}", "/open/#/../{P}", "/open#/../{P}", "/open/..#/{P}", "/open/..%23/{P}", "/open/..%3f/{P}",
		"/open/%2/../{P}", "/open/%/../{P}", "/open/%zz/../{P}", "/open/%2e%2/{P}", "/open/..%/{P}", "/open/..%2/{P}",
		"{P}", "*/{P}", "http:/{P}", "http:{P}", "http://localhost//{P}", "http://localhost/open/../{P}", "http://localhost/open/%2e%2e/{P}", "http://localhost/../{P}", `http://localhost\{P}`, "http://localhost;/{P}", "//localhost/{P}",
		"/{F};/{R}", "/{F};v=1/{R}", "/{F}%3b/{R}", "/{F}%3bv=1/{R}", "/{F}/./{R}", "/{F}//{R}", "/{F}/%2e/{R}", "/{F}/;/{R}", "/{F}/x/../{R}", "/{F}%2f{R}", "/{F}%2F{R}", "/{F}%5c{R}", `/{F}\{R}`, "/{F}%252f{R}", "/{F}%c0%af{R}",
		"/{F}%00/{R}", "/{F}%20/{R}", "/{F}%09/{R}", "/{F}%0a/{R}", "/{F}%0d%0a/{R}", "/{F}./{R}", "/{F}%2e/{R}", "/{F}../{R}", "/{F}...%20/{R}", "/{F}%23/{R}", "/{F}%3f/{R}", "/{F}#/{R}", "/{F}%/{R}", "/{F}%ef%bc%8f{R}",
		"/{P};", "/{P};x", "/{P}%00", "/{P}%00.css", "/{P}%23", "/{P}%3f", "/{P}%20", "/{P}.", "/{P}/.", "/{P}/..", "/{P}/", "/{P}//", "/{P}%2f", "/{P}/../x", "/{P};.css", "/{P}/;.css", "/{P}%0a.css", "/{P}.css",
	}
}

// protectedPaths are denied to ordinary callers, one by a route of its own and
// one by the policy of a wider route.
func protectedPaths() []string { return []string{"/admin/x", "/api/admin/x"} }

func (s *arenas) spellings(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, protected := range protectedPaths() {
		o, got := a.send(p, raw{target: protected, headers: [][2]string{bearer(a.boss)}})
		if q, ok := a.passed(protected+" as the boss", o, got); ok && q.target != protected {
			t.Errorf("%s arrived as %s", protected, q.target)
		}
		o, got = a.send(p, raw{target: protected, headers: [][2]string{bearer(a.staff)}})
		a.refused(protected, o, got, "forbidden")
		first, rest := protected[1:strings.LastIndexByte(protected, '/')], protected[strings.LastIndexByte(protected, '/')+1:]
		for _, form := range spellingsOf() {
			target := strings.NewReplacer("{P}", protected[1:], "{F}", first, "{R}", rest).Replace(form)
			n += a.spelling(p, target)
		}
		for _, target := range escapedLetters(protected) {
			n += a.spelling(p, target)
		}
	}
	return n
}

// spelling asks for a target with and without a token.
func (a *arena) spelling(p proto, target string) int {
	for _, headers := range [][][2]string{{bearer(a.staff)}, nil} {
		o, got := a.send(p, raw{target: target, headers: headers})
		for _, q := range got {
			// Where a policy compares a name, as with /api/admin, it is the one that
			// the backend gets: "admin;v=1" and "admin." are other names to it.
			if within(q.target, "/admin", true) || within(q.target, "/api/admin", false) {
				a.t.Errorf("%q: %v, and %q reached the backend", target, o, q.target)
			}
			sameAsJudged(a.t.(*testing.T), target, q, "")
		}
		if ok := o.err == nil && o.status < 300; ok != (len(got) == 1) {
			a.t.Errorf("%q: %v, and %d requests reached the backend", target, o, len(got))
		}
	}
	return 2
}

// escapedLetters writes each character of a path as an escape: those that need
// none mean the same, and are the protected path; the others are refused.
func escapedLetters(path string) []string {
	var out []string
	for i := range len(path) {
		out = append(out, fmt.Sprintf("%s%%%02x%s", path[:i], path[i], path[i+1:]), fmt.Sprintf("%s%%25%02x%s", path[:i], path[i], path[i+1:]))
	}
	return out
}

// judgedPaths asks for paths that are ordinary, odd, and made up of pieces: what
// is refused reaches nobody, and what is not arrives as it was judged.
func (s *arenas) judgedPaths(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for asked, want := range map[string]string{
		"/open/": "/open/", "/open/a": "/open/a", "/open/a/b/": "/open/a/b/", "/open/a.b": "/open/a.b", "/open/...a": "/open/...a", "/open/a..b": "/open/a..b", "/open/.a": "/open/.a",
		"/open/%41%7e": "/open/A~", "/open/a%20b": "/open/a%20b", "/open/%c3%a9": "/open/%C3%A9", "/open/\u00e9": "/open/%C3%A9", "/open/a+b": "/open/a+b", "/open/a@b:c": "/open/a@b:c",
		"/open/a;b": "/open/a;b", "/open/a%3bb": "/open/a%3Bb", "/open/a,b=c&d!$'()*": "/open/a,b=c&d!$'()*", "/open/%e6%97%a5": "/open/%E6%97%A5", "/open/~u": "/open/~u",
		"/%6fpen/x": "/open/x", "/open/x?": "/open/x", "/open/x?/../admin": "/open/x?/../admin", "/open/x?a=%2e%2e%2f": "/open/x?a=%2e%2e%2f", "/open/a%3ab": "/open/a%3Ab",
	} {
		o, got := a.send(p, raw{target: asked})
		q, ok := a.passed(asked, o, got)
		if ok && strings.TrimSuffix(q.target, "?") != want {
			t.Errorf("%s arrived as %s, want %s", asked, q.target, want)
		}
		if ok {
			sameAsJudged(t, asked, q, "")
		}
		n++
	}
	o, got := a.send(p, raw{target: "//admin/x", headers: [][2]string{bearer(a.boss)}})
	a.refused("//admin/x", o, got, "path_invalid")
	pieces := []string{"/", "/", "open", "admin", "api", "a", ".", "..", "%2e", "%2f", "%5c", "%61", "%C3%A9", "%00", "%25", ";", "%3b", "x=1", `\`, "%zz", "?", "#", "~", "%20", "+", "%3f", "%23", "\u00e9", "%ef%bc%8f"}
	random := rand.New(rand.NewPCG(11, 12)) // the same in every run
	for range 300 {
		target := "/open/"
		for range 1 + random.IntN(6) {
			target += pieces[random.IntN(len(pieces))]
		}
		n += a.spelling(p, target)
	}
	return n + 1
}

// strippedPaths asks for paths below a prefix that is taken off.
func (s *arenas) strippedPaths(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for asked, want := range map[string]string{
		"/v1/x": "/x", "/v1/": "/", "/v1/v1/x": "/v1/x", "/v1/%7ex": "/~x", "/%761/x": "/x", "/v1/a%3bb;c": "/a%3Bb;c", "/v1/x?/v1/": "/x?/v1/", "/v1/%c3%a9/": "/%C3%A9/", "/v1/:x": "/:x", "/v1/http:x": "/http:x",
	} {
		o, got := a.send(p, raw{target: asked})
		if q, ok := a.passed(asked, o, got); ok {
			sameAsJudged(t, asked, q, "/v1")
			if q.target != want {
				t.Errorf("%s arrived as %s, want %s", asked, q.target, want)
			}
		}
		n++
	}
	for _, asked := range []string{
		"/v1../x", "/v1..;/x", "/v1/../x", "/v1/..", "/v1/..;/admin", "/v1//x", "/v1//", "/v1///host/x", `/v1/\host/x`, `/v1\x`, "/v1%2fx", "/v1/%2fx", "/v1/%2f%2fhost", "/v1/%2e%2e/admin/x", "/v1/%5c..", "/v1;/x", "/v1;x/../y",
		"/v1%3b/x", "/v1/./x", "/v1/x/..", "/v1/.%2e/", "/v1/..%2fadmin", "/v1/%252e%252e/", "/v1/;/x", "/v1/;x", "/v1/x%00", "/v1.", "/v1./x", "/v1%20/x", "/V1/x", "/v1x/y", "/v1-/x", "/v%31/../x", "/v1/\t/x",
		"/api../admin/x", "/api%2e%2e/x", "/v1", "/v1?/x", "/./v1/x", "//v1/x", "/x/../v1/x", "/v1/v1/../../admin/x", "http://localhost/v1/../x", "http://localhost/v1//x",
	} {
		o, got := a.send(p, raw{target: asked})
		a.refused(asked, o, got, "path_invalid", "route_unknown", "400", "reset")
		n++
	}
	return n
}

// fragments have no place in a request target (RFC 9112, section 3.2).
func (s *arenas) fragments(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, target := range []string{
		"/open/x#", "/open/x#y", "/open/#/../admin/x", "/open#/admin/x", "/open/x?a=b#c", "/open/x?#", "/open/x#?a=b", "/#/open/x", "#/open/x", "/open/#open", "/admin/x#/open/", "/open/x%23#y", "http://localhost/open/x#y", "http://localhost#/open/x", "/open/x?a=#&b=c",
	} {
		o, got := a.send(p, raw{target: target, headers: [][2]string{bearer(a.boss)}})
		a.refused(target, o, got, "path_invalid", "400", "reset")
		n++
	}
	return n
}

// queries: every value that the backend may act on is one that the policy saw.
func (s *arenas) queries(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, query := range []string{
		"a=1", "a=1&a=2", "a=1&A=2", "a[]=1&a[]=2", "a[b]=1&a.b=2", "a", "a=", "=1", "a=1&&b=2", "&a=1", "a=%26b%3d2", "a=b=c", "a+b=c+d", "a%20b=c", "%61=1&a=2", "a=%2e%2e%2f", "a=/../", "a=?b", "a=%C3%A9", "a=1,2", "a=//x", "__proto__=1", "a=%0d%0aX:y",
		strings.TrimSuffix(strings.Repeat("a=1&", 1000), "&"),
	} {
		o, got := a.send(p, raw{target: "/open/x?" + query})
		if q, ok := a.passed(query, o, got); ok {
			sameAsJudged(t, query, q, "")
			if q.target != "/open/x?"+query {
				t.Errorf("%s arrived as %s", query, q.target)
			}
		}
		n++
	}
	for _, query := range []string{"purpose=forbidden", "purpose=x&purpose=forbidden", "purpose=forbidden&purpose=x", "%70urpose=forbidden", "purpose=%66orbidden", "a=1&purpose=forbidden&"} {
		o, got := a.send(p, raw{target: "/api/x?" + query, headers: [][2]string{bearer(a.staff)}})
		a.refused(query, o, got, "forbidden")
		n++
	}
	for _, query := range []string{
		"a=1;purpose=forbidden", "purpose=forbidden;a=1", ";purpose=forbidden", "a=%zz", "a=%ff", "a=%c0%ae", "a=%00", "a=%", "a=%2", "%zz=1", "a=%u0041", "a=1&b=%gg&purpose=forbidden", "a=\x7f", "a=b#c", "a;b",
		strings.TrimSuffix(strings.Repeat("a=1&", 1001), "&"), strings.Repeat("a&", 1000) + "purpose=forbidden",
	} {
		o, got := a.send(p, raw{target: "/api/x?" + query, headers: [][2]string{bearer(a.staff)}})
		a.refused(query[:min(len(query), 40)], o, got, "path_invalid", "400", "reset")
		n++
	}
	return n
}

// publicByPath asks for a protected path without a token, with all of what is
// public somewhere else in the target.
func (s *arenas) publicByPath(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, target := range []string{
		"/admin/x", "/admin/x?/open/", "/admin/x?/open/x", "/admin/x?x=/open/", "/admin/x?path=/open/x", "/admin/open/", "/admin/open/x", "/admin/x/open/", "/admin/x;/open/", "/admin/x;a=/open/", "/admin/x%3f/open/", "/admin/x%3b/open/", "/admin/x#/open/", "/admin/x%23/open/",
		"/admin/x&/open/", "/admin/x%26/open/", "/admin/x?public=true", "/admin/x?access_token=x", "/admin/x%0a/open/", "/admin/x%20/open/", "/admin/%6fpen/", "/admin/x.css", "/admin/x?.css", "/admin/favicon.ico", "/admin/x/../../open/../admin/x", "/admin/x%2f..%2f..%2fopen/",
		"/adminopen/", "/api/open/", "/api/x?/open/", "/api/open", "/sealed/x?/open/x",
	} {
		o, got := a.send(p, raw{target: target})
		a.refused(target, o, got, "token_missing", "path_invalid", "route_unknown", "400", "reset")
		n++
	}
	return n
}

// publicByHeader asks for a protected path without a token, as whoever is let in
// elsewhere.
func (s *arenas) publicByHeader(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, h := range [][2]string{
		{"User-Agent", "kube-probe/1.30"},
		{"User-Agent", "GoogleHC/1.0"},
		{"User-Agent", "ELB-HealthChecker/2.0"},
		{"User-Agent", "gatehouse"},
		{"X-Health-Check", "1"},
		{"Origin", "http://localhost"},
		{"Referer", "http://localhost/open/"},
		{"X-Requested-With", "XMLHttpRequest"},
		{"X-Original-URL", "/open/x"},
		{"X-Rewrite-URL", "/open/x"},
		{"X-Original-URI", "/open/x"},
		{"X-Forwarded-Uri", "/open/x"},
		{"X-Forwarded-Path", "/open/x"},
		{"X-Forwarded-Prefix", "/open"},
		{"X-Envoy-Original-Path", "/open/x"},
		{"X-Accel-Redirect", "/open/x"},
		{"X-Forwarded-Method", "OPTIONS"},
		{"X-HTTP-Method-Override", "OPTIONS"},
		{"X-Forwarded-For", "127.0.0.1"},
		{"X-Forwarded-Host", "localhost"},
		{"X-Real-IP", "127.0.0.1"},
		{"X-Forwarded-User", "u2"},
		{"X-User-Id", "u2"},
		{"X-Auth-Subject", "u2"},
		{"X-Judged", "e30="},
		{"X-Consumer-Username", "u2"},
		{"Authorization", ""},
		{"Authorization", "Bearer"},
		{"Authorization", "Bearer "},
		{"Authorization", "Basic dTI6cA=="},
		{"Authorization", "Negotiate"},
		{"Proxy-Authorization", a.boss},
		{"X-Authorization", a.boss},
		{"Authorization2", a.boss},
		{"Cookie", "token=" + a.boss},
		{"Cookie", "Authorization=" + a.boss},
		{"Access-Control-Request-Method", "GET"},
		{"X-Skip-Auth", "true"},
		{"X-Internal", "1"},
		{"X-Trusted-Proxy", "1"},
		{"Expect", "100-continue"},
		{"Upgrade-Insecure-Requests", "1"},
		{"Sec-Fetch-Site", "same-origin"},
		{"From", "boss@example.com"},
	} {
		for _, method := range []string{"GET", "OPTIONS"} {
			o, got := a.send(p, raw{method: method, target: "/admin/x", headers: [][2]string{h}})
			a.refused(method+" with "+h[0]+": "+h[1], o, got, "token_missing", "token_invalid", "header_invalid")
			n++
		}
	}
	return n
}

// methods: no other method than the judged one can be carried out.
func (s *arenas) methods(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-METHOD-OVERRIDE", "X_HTTP_Method_Override", "X-Forwarded-Method", "x-http_method-override", "X-Original-Method"} {
		for _, target := range []string{"/open/x", "/bare/x"} {
			for _, value := range []string{"DELETE", "delete", "PUT, DELETE"} {
				o, got := a.send(p, raw{method: "POST", target: target, headers: [][2]string{{name, value}}})
				if q, ok := a.passed(name, o, got); ok && (len(q.twins(name)) > 0 || q.method != "POST") {
					t.Errorf("%s: %s reached the backend as %s with %q", target, name, q.method, q.headers)
				}
				n++
			}
		}
	}
	for _, method := range []string{"get", "Get", "gET", "delete", "FOO", "GETX", "GET1", "DEBUG", "PROPFIND", "MOVE", "COPY", "MKCOL", "LOCK", "PURGE", "BAN", "TRACK", "SEARCH", "LINK", "X-DELETE", "GET.", "_GET", "PRI", "M-SEARCH", "CONNECT", "TRACE"} {
		for _, target := range []string{"/open/x", "/admin/x", "/any/x"} {
			o, got := a.send(p, raw{method: method, target: target})
			want := []string{"method_unknown", "400", "reset"}
			if method == "CONNECT" || method == "TRACE" {
				want = []string{"method_not_allowed", "400", "reset"}
			}
			a.refused(method+" "+target, o, got, want...)
			n++
		}
	}
	// A narrow route is not walked around by a method that it does not serve, and
	// a question about methods is one that needs the token too.
	for _, try := range []struct{ method, target, code string }{
		{"POST", "/admin/reports/x", "method_not_allowed"}, {"DELETE", "/any/x", "method_not_allowed"}, {"OPTIONS", "/admin/x", "token_missing"}, {"HEAD", "/admin/x", "401"}, {"OPTIONS", "/write/x", "token_missing"}, {"PUT", "/admin/x", "token_missing"}, {"PATCH", "/any/x", "method_not_allowed"},
	} {
		o, got := a.send(p, raw{method: try.method, target: try.target})
		a.refused(try.method+" "+try.target, o, got, try.code)
		n++
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		o, got := a.send(p, raw{method: method, target: "/open/x"})
		if q, ok := a.passed(method, o, got); ok {
			sameAsJudged(t, method, q, "")
		}
		n++
	}
	return n
}
