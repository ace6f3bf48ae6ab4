package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// headerClasses are about what a request says of itself, and of who sends it.
func headerClasses(s *arenas) []failure {
	return []failure{
		{
			id:   "C22",
			name: "the backend believes a client who says who he is (CVE-2026-30851, CVE-2026-31908, CVE-2026-39998, CVE-2026-44087, CVE-2026-49231, CVE-2026-33433)",
			run:  s.identities,
		},
		{id: "C23", name: "a header under a name that servers take for another one (CVE-2025-64484, CVE-2026-54763, CVE-2026-52845)", run: s.nearNames},
		{id: "C24", name: "Connection takes away what the gateway tells the backend (CVE-2024-45410, CVE-2026-29054, CVE-2021-33197, CVE-2021-32813, GHSA-w9mr-28mw-j8hg)", run: s.connectionLists},
		{id: "C25", name: "a client says where he comes from and how (CVE-2026-35051, CVE-2026-54764, CVE-2026-39858, CVE-2026-33495, CVE-2026-40575)", run: s.forwardedHeaders},
		{id: "C26", name: "an address is known by one spelling and not by another (GHSA-7jmw-8259-q9jx)", run: s.addressSpellings},
		{id: "C27", name: "of a header that comes twice only one value is judged (CVE-2026-26308)", run: s.repeatedHeaders},
		{id: "C28", name: "a header that is not text makes the judgement fail and the request pass (GHSA-9g5w-hqr3-w2ph)", run: s.oddHeaders},
		{id: "C29", name: "a line end in a value makes a header, or an answer, of its own (CVE-2020-15111)", run: s.lineEnds},
		{id: "C32", name: "credentials go to somebody whom they were not meant for (CVE-2026-41181, CVE-2023-45289, CVE-2024-45336)", run: s.strayCredentials},
		{id: "C33", name: "secrets in a log, a metric or an answer (CVE-2022-24797, CVE-2024-39315, CVE-2022-23469)", run: s.plantedSecrets},
	}
}

const evil = "evil"

// identityNames are headers by which backends are told who asks, from where,
// and for what: by the defaults of the configuration, by the policy, and by
// custom.
func identityNames() []string {
	return []string{
		"X-User", "X-User-Id", "X-User-Roles", "X-User-Email", "X-Auth", "X-Auth-Request-User", "X-Auth-Subject", "X-Role", "X-Tenant", "X-Tenant-Id", "X-Branch",
		"X-Judged", "X-Sometimes", "X-Request-Id",
		"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token", "X-Forwarded-Client-Cert",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded", "Forwarded",
		"X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Cluster-Client-Ip", "Fastly-Client-Ip", "X-Original-Url", "X-Rewrite-Url", "X-Original-Host", "X-Host",
		"X-Http-Method-Override", "X-Http-Method", "X-Method-Override",
	}
}

// forms are the letters that a name may come in.
func forms(name string) []string {
	mixed := []byte(strings.ToLower(name))
	for i := 1; i < len(mixed); i += 2 {
		mixed[i] = strings.ToUpper(string(mixed[i]))[0]
	}
	return slices.Compact([]string{name, strings.ToLower(name), strings.ToUpper(name), string(mixed)})
}

// routesFor are a route whose policy tells who asks, one whose policy tells
// nobody, and one without a policy.
func (a *arena) routesFor() []raw {
	return []raw{{target: "/api/x", headers: [][2]string{bearer(a.staff)}}, {target: "/open/x"}, {target: "/bare/x"}}
}

// ours holds that what the gateway tells is there once, and nothing else is.
func (a *arena) ours(what string, q received) {
	a.t.Helper()
	for _, h := range q.headers {
		if strings.Contains(strings.ToLower(h[1]), evil) && !strings.EqualFold(h[0], "X-Judged") {
			a.t.Errorf("%s: %s: %s reached the backend", what, h[0], h[1])
		}
	}
	want := map[string]string{"X-User-Id": "", "X-Sometimes": "", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost"}
	if strings.HasPrefix(q.target, "/api/") {
		want["X-User-Id"] = "u1"
	}
	for name, value := range want {
		if got := strings.Join(q.twins(name), " and "); got != value {
			a.t.Errorf("%s: the backend was told %s: %q, want %q", what, name, got, value)
		}
	}
	if v := q.values("X-Request-Id"); len(v) != 1 || len(v[0]) != 32 {
		a.t.Errorf("%s: the request ids %q reached the backend", what, v)
	}
	if v := q.values("X-Judged"); len(v) != 1 && !strings.HasPrefix(q.target, "/bare/") {
		a.t.Errorf("%s: what the policy sets reached the backend %d times", what, len(v))
	}
}

func (s *arenas) identities(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, base := range a.routesFor() {
		for _, name := range identityNames() {
			for i, form := range forms(name) {
				if i > 0 && (p == tlsH2 || raceEnabled) {
					break // names are in small letters there, and the race detector is slow
				}
				r := base
				r.headers = append(slices.Clip(base.headers), [2]string{form, evil})
				n += a.impostor(p, r, form)
				r.headers = append(slices.Clip(base.headers), [2]string{form, "1"}, [2]string{form, evil}, [2]string{name, evil})
				n += a.impostor(p, r, form+" three times")
				if p != tlsH2 {
					r.headers = append(slices.Clip(base.headers), [2]string{form, evil}, [2]string{"Connection", form}, [2]string{"Connection", "close, " + form + ", x-user-id"})
					n += a.impostor(p, r, form+" which Connection names")
				}
			}
		}
	}
	return n
}

// impostor sends a request that must pass without its lie, or be refused.
func (a *arena) impostor(p proto, r raw, what string) int {
	a.t.Helper()
	o, got := a.send(p, r)
	if len(got) == 0 {
		a.refused(what, o, got, "header_invalid")
		return 1
	}
	if q, ok := a.passed(r.target+" with "+what, o, got); ok {
		a.ours(r.target+" with "+what, q)
	}
	return 1
}

// nearNames: names that CGI, WSGI, PHP or a lenient parser take for one of ours.
func (s *arenas) nearNames(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, base := range a.routesFor() {
		for _, name := range identityNames() {
			var near []string
			for i := range name {
				if name[i] == '-' {
					near = append(near, name[:i]+"_"+name[i+1:], name[:i]+"."+name[i+1:])
				}
			}
			near = append(near, strings.ReplaceAll(name, "-", "_"), strings.ToUpper(strings.ReplaceAll(name, "-", "_")), strings.ReplaceAll(name, "-", "."))
			for _, form := range near {
				r := base
				r.headers = append(slices.Clip(base.headers), [2]string{form, evil})
				o, got := a.send(p, r)
				if len(got) == 0 {
					a.refused(form, o, got, "header_invalid")
				} else if q, ok := a.passed(form, o, got); ok && len(q.twins(name)) > len(q.values(name)) || ok && slices.Contains(q.values(name), evil) {
					t.Errorf("%s: %s: %q reached the backend", r.target, form, q.headers)
				}
				n++
			}
		}
	}
	return n + a.noNames(p)
}

// noNames: what is no name at all is refused, or taken for a part of a value.
func (a *arena) noNames(p proto) (n int) {
	for _, base := range a.routesFor() {
		for _, name := range []string{"X-User-Id", "X-Judged", "X-Forwarded-For", "X-Role"} {
			for _, form := range []string{
				name + " ", name + "\t", " " + name, name + "\x00", name + "\x0b", name + "\u00a0", name + "\r", "X: y\n" + name, name + ":", "X:y\r\n" + name, "(" + name, name + "\"", "\xef\xbb\xbf" + name, name + "\xff", name + "\r\n ", ":" + name,
			} {
				r := base
				r.headers = append(slices.Clip(base.headers), [2]string{form, evil})
				if got := a.nothingBut(p, r); got != "" {
					a.t.Errorf("%s: %q: %s", r.target, form, got)
				}
				n++
			}
		}
	}
	return n
}

// nothingBut sends a request with a name that is none: it is refused, or the
// backend does not get the value, whatever the parsers made of it.
func (a *arena) nothingBut(p proto, r raw) string {
	a.t.Helper()
	o, got := a.send(p, r)
	for _, q := range got {
		if strings.Contains(fmt.Sprint(q.headers), evil) || q.err != nil {
			return fmt.Sprintf("%v, and %q reached the backend", o, q.headers)
		}
	}
	if len(got) == 0 && o.err == nil && o.status < 400 {
		return o.String()
	}
	return ""
}

// connectionLists: what Connection names is the client's, never ours.
func (s *arenas) connectionLists(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	ours := []string{"X-User-Id", "X-Judged", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Traceparent", "Host", "Authorization", "Content-Length", "Content-Type"}
	base := raw{method: "POST", target: "/api/x", body: `{"a":1}`, headers: [][2]string{bearer(a.staff), {"Content-Type", "application/json"}}}
	for _, name := range ours {
		for _, form := range forms(name) {
			for _, lists := range [][]string{{form}, {"close", form}, {form + ", close"}, {"keep-alive, " + form, form}, {form + "," + form}, {" ,," + form + ";"}, {"X-Other,\t" + form}, {strings.Join(ours, ", ")}} {
				r := base
				r.headers = slices.Clone(base.headers)
				for _, l := range lists {
					r.headers = append(r.headers, [2]string{"Connection", l})
				}
				o, got := a.send(p, r)
				n++
				if p == tlsH2 { // there is no such header there (RFC 9113, section 8.2.2)
					a.refused(fmt.Sprint(lists), o, got, "400", "reset")
					continue
				}
				// It may take the client's own token and type away.
				if len(got) == 0 && (name == "Authorization" || len(lists) == 1 && len(lists[0]) > 60) {
					a.refused(fmt.Sprint(lists), o, got, "token_missing", "header_invalid")
					continue
				}
				q, ok := a.passed(fmt.Sprint(lists), o, got)
				if !ok {
					continue
				}
				a.ours(fmt.Sprint(lists), q)
				if q.body != base.body || len(q.values("Traceparent")) != 1 || len(q.values("Connection")) > 0 || len(q.values("X-Forwarded-Proto")) != 1 {
					t.Errorf("Connection: %q: %q with %q reached the backend", lists, q.body, q.headers)
				}
			}
		}
	}
	return n
}
