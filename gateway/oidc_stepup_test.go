package gateway

import (
	"net/url"
	"regexp"
	"testing"
)

// challenged gives what a challenge asks of the next authentication (RFC 9470, section
// 3), as the parameters of the request for it.
func challenged(t *testing.T, challenge string) url.Values {
	t.Helper()
	out := url.Values{}
	for _, m := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(challenge, -1) {
		out.Set(m[1], m[2])
	}
	if out.Get("error") != "insufficient_user_authentication" {
		t.Fatalf("the challenge is %q", challenge)
	}
	for _, k := range []string{"error", "error_description", "realm", "scope"} {
		out.Del(k)
	}
	return out
}

// Somebody without a second factor is told what is missing, signs in again as
// asked, in the same session, and is served. So is nobody who cannot: a service
// has no second factor.
func TestProviderStepUp(t *testing.T) {
	for name, tt := range map[string]struct{ routes, policy string }{
		"by the route": {`
  - {name: payroll, match: {path: /payroll/}, upstream: hr, authn: {issuers: [op], acr: ["urn:example:mfa"], amr: [otp]}, policy: "off"}
`, ""},
		"by the policy": {`
  - {name: payroll, match: {path: /payroll/}, upstream: hr, authn: {issuers: [op]}, policy: "on"}
`, `
allow if input.resource.route == "payroll"
require contains {"acr": "urn:example:mfa", "amr": ["otp"]}
`},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			op := w.provider("")
			w.backend("HR", (&witness{}).ServeHTTP)
			w.start(door+discovered+api+tt.routes[1:], tt.policy)
			alice := op.visitor()
			token := alice.signIn(login{name: "alice"})
			if got := w.get("/api/", token.header()); got != "200" {
				t.Errorf("where one factor is enough: %s", got)
			}
			res := do(t, w.client(false), w.request("GET", "/payroll/", nil, token.header()))
			if got := w.get("/payroll/", token.header()); got != "401 step_up_required" {
				t.Fatalf("with one factor: %s", got)
			}
			ask := challenged(t, res.Header.Get("WWW-Authenticate"))
			if ask.Get("acr_values") != "urn:example:mfa" || len(ask) != 1 {
				t.Errorf("the challenge asks for %v", ask)
			}
			if got := w.get("/payroll/", alice.signIn(login{name: "alice", otp: true}).header()); got != "401 step_up_required" {
				t.Errorf("signed in before, and not asked for more: %s", got)
			}
			if got := w.get("/payroll/", alice.signIn(login{name: "alice", otp: true, more: ask}).header()); got != "200" {
				t.Errorf("signed in as asked: %s", got)
			}
			if got := w.get("/payroll/", "Authorization: Bearer "+op.service(forERP)); got != "401 step_up_required" {
				t.Errorf("a service: %s", got)
			}
		})
	}
}

// Who signed in too long ago signs in again, as asked.
func TestProviderStepUpByAge(t *testing.T) {
	t.Parallel() // it mostly waits
	for name, tt := range map[string]struct{ routes, policy string }{
		"by the route": {`
  - {name: payroll, match: {path: /payroll/}, upstream: hr, authn: {issuers: [op], max_age: 3s}, policy: "off"}
`, ""},
		"by the policy": {`
  - {name: payroll, match: {path: /payroll/}, upstream: hr, authn: {issuers: [op]}, policy: "on"}
`, `
allow if input.resource.route == "payroll"
require contains {"max_age": 3}
`},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			op := w.provider("")
			w.backend("HR", (&witness{}).ServeHTTP)
			w.start(door+discovered[:len(discovered)-1]+"\n    leeway: 0s\n"+api+tt.routes[1:], tt.policy)
			alice := op.visitor()
			token := alice.signIn(login{name: "alice"})
			eventually(t, "it is too long ago", func() bool { return w.get("/payroll/", token.header()) == "401 step_up_required" })
			res := do(t, w.client(false), w.request("GET", "/payroll/", nil, token.header()))
			ask := challenged(t, res.Header.Get("WWW-Authenticate"))
			if ask.Get("max_age") != "3" || len(ask) != 1 {
				t.Errorf("the challenge asks for %v", ask)
			}
			if got := w.get("/payroll/", alice.refresh(token).header()); got != "401 step_up_required" {
				t.Errorf("a token that was refreshed: %s", got)
			}
			eventually(t, "who signs in again is served", func() bool {
				return w.get("/payroll/", alice.signIn(login{name: "alice", more: ask}).header()) == "200"
			})
		})
	}
}
