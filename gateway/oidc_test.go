package gateway

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// door is a configuration without issuers.
const door = `version: 1
listeners:
  public:
    address: 127.0.0.1:0
    tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}
  plain: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
log: {output: access.log}
upstreams: {hr: {endpoints: ["{HR}"]}}
`

// discovered is an issuer as most are set up.
const discovered = `
issuers:
  op:
    issuer: "{OP}"
    audiences: [erp]
    algorithms: [RS256]
    discovery: true
    ca: certs/ca.pem
    profile: at+jwt
`

const api = `
routes:
  - {name: api, match: {path: /api/}, upstream: hr, authn: {issuers: [op]}, policy: "off"}
`

// mirror is a backend that remembers the headers it was sent last.
type mirror struct {
	mu   sync.Mutex
	seen http.Header
}

func (m *mirror) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = r.Header
}

func (m *mirror) values(names ...string) map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]string{}
	for _, n := range names {
		if v := m.seen.Values(n); v != nil {
			out[n] = strings.Join(v, "|")
		}
	}
	return out
}

// get sends a request with an Authorization header and gives its status with the
// code of the refusal, such as "401 token_invalid".
func (w *world) get(path, authorization string) string {
	w.t.Helper()
	return w.verdict(w.request("GET", path, nil, authorization))
}

// sure is get, once the provider could be asked in time.
func (w *world) sure(path, authorization string) (got string) {
	w.t.Helper()
	eventually(w.t, "the provider is asked", func() bool {
		got = w.get(path, authorization)
		return got != "503 authentication_unavailable"
	})
	return got
}

func (w *world) verdict(r *http.Request) string {
	w.t.Helper()
	got := do(w.t, w.client(false), r)
	if _, rest, found := strings.Cut(got.body, `"code":"`); found {
		code, _, _ := strings.Cut(rest, `"`)
		return got.Status[:3] + " " + code
	}
	return got.Status[:3]
}

// What an OpenID provider says of users and of services is what policies decide
// by, and what backends are told.
func TestProviderTokens(t *testing.T) {
	w := open(t)
	op := w.provider("")
	m := &mirror{}
	w.backend("HR", m.ServeHTTP)
	w.start(door+discovered+`
routes:
  - {name: user, match: {path: /user/}, upstream: hr, authn: {issuers: [op]}, policy: "on"}
  - {name: service, match: {path: /service/}, upstream: hr, authn: {issuers: [op]}, policy: "on"}
policies: {path: rego, budget: 1m}
`, `
allow if {
	input.resource.route == "user"
	input.subject.auth_time > 1700000000
}

allow if {
	input.resource.route == "service"
	input.subject.role == "service"
	input.subject.claims.client_id == "billing"
}

headers["X-Subject"] := {"input": "subject.id"}
headers["X-Issuer"] := {"input": "subject.issuer"}
headers["X-Role"] := {"input": "subject.role"}
headers["X-Tenant"] := {"input": "subject.tenant"}
headers["X-Branch"] := {"input": "subject.branch"} if input.resource.route == "user"
headers["X-Amr"] := {"input": "subject.amr"} if input.resource.route == "user"
headers["X-Sid"] := {"input": "subject.claims.sid"} if input.resource.route == "user"
`)
	names := []string{"X-Subject", "X-Issuer", "X-Role", "X-Tenant", "X-Branch", "X-Amr", "X-Sid"}

	alice := op.visitor().signIn(login{name: "alice", otp: true})
	if typ := decoded(t, alice.Access, 0)["typ"]; typ != "at+jwt" {
		t.Errorf("the provider's access token is a %v", typ)
	}
	if got := w.get("/user/", alice.header()); got != "200" {
		t.Fatalf("alice: %s", got)
	}
	sid := decoded(t, alice.Access, 1)["sid"].(string)
	want := map[string]string{"X-Subject": "alice", "X-Issuer": "op", "X-Role": "payroll", "X-Tenant": "acme", "X-Branch": "berlin", "X-Amr": "pwd,otp", "X-Sid": sid}
	if diff := cmp.Diff(want, m.values(names...)); diff != "" {
		t.Errorf("alice is (-want +got):\n%s", diff)
	}
	if got := w.get("/service/", alice.header()); got != "403 forbidden" {
		t.Errorf("alice at the services' door: %s", got)
	}

	if got := w.get("/service/", "Authorization: Bearer "+op.service(forERP)); got != "200" {
		t.Fatalf("a service: %s", got)
	}
	want = map[string]string{"X-Subject": "billing", "X-Issuer": "op", "X-Role": "service", "X-Tenant": "acme"}
	if diff := cmp.Diff(want, m.values(names...)); diff != "" {
		t.Errorf("the service is (-want +got):\n%s", diff)
	}
	if got := w.get("/user/", "Authorization: Bearer "+op.service(forERP)); got != "403 forbidden" {
		t.Errorf("a service at the users' door: %s", got)
	}
}

// Tokens of the same issuer that are for somebody else, or not for access at all.
func TestProviderTokensForOthers(t *testing.T) {
	w := open(t)
	op := w.provider("")
	seen := &witness{}
	w.backend("HR", seen.ServeHTTP)
	w.start(door+strings.Replace(discovered, "[erp]", "[erp, app]", 1)+api, "")
	alice := op.visitor().signIn(login{name: "alice"})
	elsewhere := op.visitor().signIn(login{name: "alice", resource: forCRM})
	for name, tt := range map[string]struct{ token, cause string }{
		"a user's for another interface":    {elsewhere.Access, "the token is for another audience"},
		"a service's for another interface": {op.service(forCRM), "the token is for another audience"},
		"an ID token":                       {alice.ID, "at+jwt"},
		"a refresh token":                   {alice.Refresh, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(w.log("exchange"))
			if got := w.get("/api/", "Authorization: Bearer "+tt.token); got != "401 token_invalid" {
				t.Errorf("got %s", got)
			}
			cause, _ := w.exchanges(before + 1)[before]["cause"].(string)
			if !strings.Contains(cause, tt.cause) {
				t.Errorf("the record says %q", cause)
			}
		})
	}
	if got := w.get("/api/", alice.header()); got != "200" {
		t.Errorf("an access token: %s", got)
	}
}

// A refreshed access token is another token of the same session.
func TestProviderRefreshes(t *testing.T) {
	w := open(t)
	op := w.provider("")
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(door+discovered+api, "")
	b := op.visitor()
	first := b.signIn(login{name: "bob", otp: true})
	second := b.refresh(first)
	for _, k := range []tokens{first, second} {
		if got := w.get("/api/", k.header()); got != "200" {
			t.Errorf("got %s", got)
		}
	}
	was, is := decoded(t, first.Access, 1), decoded(t, second.Access, 1)
	for _, claim := range []string{"sid", "sub", "auth_time", "acr", "amr"} {
		if was[claim] == nil || !cmp.Equal(was[claim], is[claim]) {
			t.Errorf("%s was %v and is %v", claim, was[claim], is[claim])
		}
	}
	if was["jti"] == is["jti"] {
		t.Error("it is the same token")
	}
}

// A provider takes a new key: what it signs is good from the first request on.
// What the old key has signed is good for as long as that key is published.
func TestProviderRotatesKeys(t *testing.T) {
	for name, tt := range map[string]struct{ keys, old string }{
		"the old one is still published": {"2 1", "200"},
		"the old one is withdrawn":       {"2", "401 token_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			op := w.provider("")
			w.backend("HR", (&witness{}).ServeHTTP)
			w.start(door+discovered+api, "")
			old := "Authorization: Bearer " + op.service(forERP)
			if got := w.get("/api/", old); got != "200" {
				t.Fatalf("before: %s", got)
			}
			op.keys(tt.keys)
			fresh := op.service(forERP)
			if kid := decoded(t, fresh, 0)["kid"]; kid != "g2" {
				t.Fatalf("the provider signs with %v", kid)
			}
			if got := w.sure("/api/", "Authorization: Bearer "+fresh); got != "200" {
				t.Errorf("the new key at the first request: %s", got)
			}
			if got := w.sure("/api/", old); got != tt.old {
				t.Errorf("the old key: %s, want %s", got, tt.old)
			}
		})
	}
}

// The provider's end is not the end of those who have signed in.
func TestProviderIsGone(t *testing.T) {
	w := open(t)
	op := w.provider("")
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(door+discovered+api, "")
	known, unseen := op.service(forERP), op.service(forERP)
	if got := w.get("/api/", "Authorization: Bearer "+known); got != "200" {
		t.Fatalf("before: %s", got)
	}
	op.kill()
	for name, token := range map[string]string{"that was seen": known, "that was not": unseen} {
		if got := w.get("/api/", "Authorization: Bearer "+token); got != "200" {
			t.Errorf("a token %s: %s", name, got)
		}
	}
}

// A gateway that starts while the provider is down serves by the keys of before,
// where it may keep them.
func TestProviderIsGoneAtStart(t *testing.T) {
	for name, tt := range map[string]struct{ store, want string }{
		"with a folder":    {"store: {folder: state}\n", "200"},
		"without a folder": {"", "503 authentication_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			op := w.provider("")
			w.backend("HR", (&witness{}).ServeHTTP)
			if err := os.Mkdir(filepath.Join(w.dir, "state"), 0o700); err != nil {
				t.Fatal(err)
			}
			w.start(door+discovered+api+tt.store, "")
			known, unseen := op.service(forERP), op.service(forERP)
			if got := w.get("/api/", "Authorization: Bearer "+known); got != "200" {
				t.Fatalf("before: %s", got)
			}
			op.kill()
			w.close()
			w.start(door+discovered+api+tt.store, "")
			for name, token := range map[string]string{"that was seen": known, "that was not": unseen} {
				if got := w.get("/api/", "Authorization: Bearer "+token); got != tt.want {
					t.Errorf("a token %s: %s, want %s", name, got, tt.want)
				}
			}
			if tt.store == "" {
				return // it asks again when it is time to, as it would at any start
			}
			op.again("2")
			if got := w.sure("/api/", "Authorization: Bearer "+op.service(forERP)); got != "200" {
				t.Errorf("the provider is back with another key: %s", got)
			}
		})
	}
}

// An issuer whose metadata name another issuer vouches for nobody, and for
// readiness it is the one that fails.
func TestProviderOfAnotherName(t *testing.T) {
	w := open(t)
	op := w.provider("")
	w.backend("HR", (&witness{}).ServeHTTP)
	alias := strings.Replace(op.url, "localhost", "127.0.0.1", 1)
	w.vars["ALIAS"] = alias
	w.start(door+discovered+`
  alias: {issuer: "{ALIAS}", audiences: [erp], algorithms: [ES256], discovery: true, ca: certs/ca.pem}
routes:
  - {name: api, match: {path: /api/}, upstream: hr, authn: {issuers: [op]}, policy: "off"}
  - {name: alias, match: {path: /alias/}, upstream: hr, authn: {issuers: [alias]}, policy: "off"}
`, "")
	if got := w.get("/api/", "Authorization: Bearer "+op.service(forERP)); got != "200" {
		t.Errorf("the issuer that is well: %s", got)
	}
	forged := w.issuer.token(w.issuer.kid, map[string]any{"iss": alias, "sub": "alice"})
	if got := w.get("/alias/", "Authorization: Bearer "+forged); got != "503 authentication_unavailable" {
		t.Errorf("the issuer of another name: %s", got)
	}
	eventually(t, "readiness names the one that fails, and why", func() bool {
		right := 0
		for _, c := range w.g.Plan().Conditions(t.Context()) {
			if c.Name == "issuer/op" && c.OK || c.Name == "issuer/alias" && !c.OK && strings.Contains(c.Detail, "another issuer") {
				right++
			}
		}
		return right == 2
	})
}
