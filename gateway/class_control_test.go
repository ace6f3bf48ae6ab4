package gateway

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
)

// controlClasses are about who rules the gateway, and by what.
func controlClasses(s *arenas) []failure {
	h1 := []proto{plainH1}
	return []failure{
		{id: "I76", name: "a page in the operator's browser, or a stranger, administers the gateway (CVE-2026-27589, CVE-2026-54246, CVE-2025-24030)", over: h1, run: s.strangers},
		{id: "I77", name: "another spelling of a path administers the gateway (GO-2026-5408, CVE-2026-45692)", over: h1, run: s.adminSpellings},
		{id: "I76b", name: "the address that clients use answers what is for operators", run: s.publicAdmin},
		{id: "I78", name: "a value is taken for a rule, a pattern or another setting (CVE-2026-23742, CVE-2026-24470, CVE-2026-22771, CVE-2026-29777)", over: h1, run: injectedRules},
		{id: "I79", name: "a request says which backend it goes to (CVE-2022-38580)", run: s.chosenBackends},
		{id: "I80", name: "a name that leads nowhere opens a route (CVE-2026-54762)", over: h1, run: unresolved},
		{id: "I81", name: "a key that is not known is not noticed", over: h1, run: unknownKeys},
		{id: "I82", name: "a policy reaches out of its box (CVE-2022-36085, CVE-2024-8260)", over: h1, run: unboxedPolicies},
		{id: "I83", name: "policies of somebody else, or of yesterday, decide", over: h1, run: foreignBundles},
		{id: "I84", name: "a request in the middle of a reload is decided wrongly or lost", run: s.reloads},
	}
}

// operated gives the main arena and the address of a listener for operators in
// front of it, which is closed behind the test.
func (s *arenas) operated(t *testing.T) (*arena, string) {
	t.Helper()
	a := s.get(t, strings.Replace(arenaSettings, `admin: {address: "127.0.0.1:0"}`, `admin: {address: "127.0.0.1:0", token: "`+adminToken+`"}`, 1), arenaPolicy)
	ops, err := s.ops(a.g, a.reloader, a.deps.Metrics.Handler())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ops.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return a, ops.Address().String()
}

const adminToken = "a token of the tests, long enough"

// operate sends bytes to the listener for operators and gives the answer.
func operate(t *testing.T, address, request string) outcome {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	l := newLine(c)
	defer l.Close()
	if _, err := l.Write([]byte(request)); err != nil {
		return outcome{err: err}
	}
	o, _ := l.answer("GET")
	return o
}

// fromElsewhere are the headers by which a browser tells that another site asks.
func fromElsewhere() []string {
	return []string{
		"Origin: https://evil.example\r\n", "Origin: null\r\n", "Origin: http://127.0.0.1\r\n", "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\nOrigin: http://localhost:3000\r\n", "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n", "Origin: file://\r\n",
	}
}

func (s *arenas) strangers(t *testing.T, _ proto) int {
	a, address := s.operated(t)
	n, before := 0, a.reloader.Last()
	try := func(want func(outcome) bool, request string) {
		t.Helper()
		n++
		if o := operate(t, address, request); !want(o) {
			t.Errorf("%q: %v %.100q", request, o, o.body)
		}
	}
	closed := func(o outcome) bool { return o.err == nil && o.status >= 400 }
	const host = "Host: localhost\r\n"
	token := "Authorization: Bearer " + adminToken + "\r\n"
	for _, target := range []string{"/admin/reload", "/admin/explain?method=GET&url=/admin/x", "/admin/unclassified", "/admin/shadow", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/debug/pprof/cmdline", "/debug/pprof/trace?seconds=1", "/debug/vars", "/admin/", "/load", "/config/"} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			line := method + " " + target + " HTTP/1.1\r\n"
			for _, proof := range []string{"", "Authorization: Bearer \r\n", "Authorization: Bearer " + adminToken + "x\r\n", "Authorization: Basic " + adminToken + "\r\n", "Cookie: token=" + adminToken + "\r\n", "X-Forwarded-For: 127.0.0.1\r\nX-Real-Ip: 127.0.0.1\r\n"} {
				try(closed, line+host+proof+"\r\n")
			}
			for _, elsewhere := range fromElsewhere() { // with the token, as a browser with a certificate would
				try(closed, line+host+token+elsewhere+"\r\n")
			}
		}
	}
	// A name that an attacker has let point here (DNS rebinding) opens nothing,
	// not even what needs no token.
	for _, name := range []string{"evil.example", "evil.example:9901", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "a@localhost", "[::1", ""} {
		for _, target := range []string{"/metrics", "/readyz", "/livez", "/admin/reload"} {
			try(closed, "GET "+target+" HTTP/1.1\r\nHost: "+name+"\r\n"+token+"\r\n")
		}
	}
	if a.reloader.Last() != before {
		t.Error("somebody has reloaded")
	}
	open := func(o outcome) bool { return o.err == nil && o.status == 200 }
	for _, name := range []string{"localhost", "localhost:9901", address, "127.0.0.1", "[::1]:9901", "LOCALHOST"} {
		for _, target := range []string{"/metrics", "/livez", "/admin/reload"} {
			try(open, "GET "+target+" HTTP/1.1\r\nHost: "+name+"\r\n"+token+"\r\n")
		}
	}
	try(open, "GET /admin/reload HTTP/1.1\r\n"+host+token+"Sec-Fetch-Site: none\r\n\r\n")
	try(open, "GET /admin/reload HTTP/1.1\r\n"+host+token+"Origin: http://localhost\r\n\r\n")
	return n
}

func (s *arenas) adminSpellings(t *testing.T, _ proto) int {
	a, address := s.operated(t)
	n, before := 0, a.reloader.Last()
	for _, target := range []string{"/admin/reload", "/debug/pprof/heap"} {
		first, rest := "admin", "reload"
		if target != "/admin/reload" {
			first, rest = "debug", "pprof/heap"
		}
		for _, form := range append(spellingsOf(), "/metrics/../{P}", "/livez/..;/{P}", "/livez%2f..%2f{P}", "/readyz/{P}", "/metrics/{P}", "/{P}/0", "/{P}/extra", "/{P}[0]") {
			form = strings.ReplaceAll(form, "/open", "/livez")
			spelled := strings.NewReplacer("{P}", target[1:], "{F}", first, "{R}", rest).Replace(form)
			for _, token := range []string{"", "Authorization: Bearer " + adminToken[1:] + "\r\n"} {
				for _, method := range []string{"GET", "POST"} {
					o := operate(t, address, method+" "+spelled+" HTTP/1.1\r\nHost: localhost\r\n"+token+"\r\n")
					n++
					if o.err == nil && o.status < 300 {
						t.Errorf("%s %q: %v", method, spelled, o)
					}
				}
			}
		}
	}
	if a.reloader.Last() != before {
		t.Error("another spelling has reloaded")
	}
	return n
}

// publicAdmin asks clients' listeners for what operators have, and the other way
// round.
func (s *arenas) publicAdmin(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, target := range []string{"/livez", "/readyz", "/metrics", "/admin/reload", "/admin/explain", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/healthz", "/v1/data", "/v1/policies", "/.well-known/gatehouse", "/config", "/status"} {
		for _, method := range []string{"GET", "POST"} {
			for _, headers := range [][][2]string{nil, {bearer("Bearer " + adminToken)}, {{"Host", "127.0.0.1:9901"}}} {
				o, got := a.send(p, raw{method: method, target: target, headers: headers})
				for _, q := range got {
					if !strings.HasPrefix(q.target, "/data") && !strings.HasPrefix(q.target, "/policies") {
						t.Errorf("%s %s: %v", method, target, o)
					}
				}
				if len(got) == 0 && (o.err == nil && o.status < 400 || strings.Contains(o.body, "gatehouse_")) {
					t.Errorf("%s %s: %v", method, target, o)
				}
				n++
			}
		}
	}
	return n
}

// chosenBackends: whatever a request says, it goes where the route says.
func (s *arenas) chosenBackends(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	elsewhere := a.other.Addr().String()
	for _, name := range []string{
		"X-Skipper-Proxy", "X-Upstream", "X-Backend", "X-Forwarded-Host", "X-Forwarded-Server", "X-Forwarded-Uri", "X-Forwarded-Port", "X-Original-Host", "X-Original-Url", "X-Rewrite-Url", "X-Host", "X-Envoy-Original-Dst-Host", "X-Envoy-Upstream-Alt-Stat-Name", "X-Kong-Upstream-Url", "X-Proxy-Url", "X-Real-Host", "X-Target",
		"Proxy-Connection", "Destination", "Forwarded", "Via", "Referer", "Origin", "Proxy", "Http-Proxy", "X-Accel-Redirect", "Location", "X-Route", "Alt-Used", "Alt-Svc",
	} {
		for _, value := range []string{elsewhere, "http://" + elsewhere + "/", "host=" + elsewhere, "http://169.254.169.254/latest/meta-data/"} {
			o, got := a.send(p, raw{target: "/open/x", headers: [][2]string{{name, value}}})
			n++
			if o.status == 400 && p == tlsH2 && name == "Proxy-Connection" {
				continue // there is no such header there
			}
			if q, ok := a.passed(name+": "+value, o, got); ok && (q.target != "/open/x" || strings.Join(q.values("Host"), "") != a.hr.Addr().String()) {
				t.Errorf("%s: %s: the backend got %s for %q", name, value, q.target, q.values("Host"))
			}
			if got := a.other.seen(); len(got) > 0 {
				t.Errorf("%s: %s chose the backend", name, value)
			}
		}
	}
	for _, r := range []raw{
		{target: "http://" + elsewhere + "/open/x"}, {target: "/open/x", host: elsewhere}, {target: "/open/http://" + elsewhere + "/"}, {target: "/open/@" + elsewhere + "/x"}, {target: "/open/x?url=http://" + elsewhere + "/"}, {target: "http://localhost@" + elsewhere + "/open/x"}, {target: "@" + elsewhere + "/open/x"}, {target: "/open/x", host: "169.254.169.254"}, {target: ":@" + elsewhere + "/"},
	} {
		_, got := a.send(p, r)
		n++
		for _, q := range got {
			if strings.Join(q.values("Host"), "") != a.hr.Addr().String() || !strings.HasPrefix(q.target, "/open/") {
				t.Errorf("%s with Host %s: the backend got %s for %q", r.target, r.host, q.target, q.values("Host"))
			}
		}
	}
	return n
}

// reloads: the arena's settings are loaded anew, well and badly, while requests
// go through it.
func (s *arenas) reloads(t *testing.T, p proto) int {
	a := s.main(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 8 {
			a.world.write("gatehouse.yaml", strings.Replace(arenaSettings, "budget: 5s", fmt.Sprintf("budget: %ds", 6+i), 1))
			if err := a.reloader.Reload(context.Background()); err != nil {
				t.Errorf("a reload: %v", err)
			}
			a.world.write("rego/bad.rego", "package gatehouse\n\nallow if {")
			if err := a.reloader.Reload(context.Background()); err == nil {
				t.Error("a policy that cannot be read was taken")
			}
			a.world.write("rego/bad.rego", "package helpers\n")
		}
	}()
	n := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		o, got := a.send(p, raw{target: "/api/x", headers: [][2]string{bearer(a.staff)}})
		if q, ok := a.passed("an allowed request", o, got); ok {
			sameAsJudged(t, "an allowed request", q, "")
		}
		o, got = a.send(p, raw{target: "/api/admin/x", headers: [][2]string{bearer(a.staff)}})
		a.refused("a denied request", o, got, "forbidden")
		o, got = a.send(p, raw{target: "/admin/x"})
		a.refused("a request without a token", o, got, "token_missing")
		n += 3
	}
	return n
}
