package gateway

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Tokens that only the provider can read: the gateway asks it (RFC 7662), judges
// its answer as it does the claims of a JWT, and believes it for a while. JWTs
// must be of RFC 9068 all the same.
func TestProviderOpaqueTokens(t *testing.T) {
	w := open(t)
	op := w.provider("")
	m := &mirror{}
	w.backend("HR", m.ServeHTTP)
	w.start(door+strings.Replace(discovered, "profile: at+jwt", `profile: at+jwt
    introspection: {url: "{OP}/token/introspection", client_id: gateway, client_secret: the secret of the gateway, cache: 1s, timeout: 20s}`, 1)+`
routes:
  - {name: api, match: {path: /api/}, upstream: hr, authn: {issuers: [op]}, policy: "on"}
policies: {path: rego, budget: 1m}
`, `
allow if input.subject.role == "clerk"
headers["X-Subject"] := {"input": "subject.id"}
headers["X-Tenant"] := {"input": "subject.tenant"}
headers["X-Branch"] := {"input": "subject.branch"}
headers["X-Amr"] := {"input": "subject.amr"}
headers["X-Sid"] := {"input": "subject.claims.sid"}
`)
	bob, carol := op.visitor(), op.visitor()
	his := bob.signIn(login{name: "bob", otp: true, resource: forOpaque})
	if strings.Contains(his.Access, ".") {
		t.Fatal("the token is not opaque")
	}
	if got := w.get("/api/", his.header()); got != "200" {
		t.Fatalf("an opaque token: %s", got)
	}
	got := m.values("X-Subject", "X-Tenant", "X-Branch", "X-Amr", "X-Sid")
	sid := got["X-Sid"]
	want := map[string]string{"X-Subject": "bob", "X-Tenant": "acme", "X-Branch": "oslo", "X-Amr": "pwd,otp", "X-Sid": decoded(t, his.ID, 1)["sid"].(string)}
	if diff := cmp.Diff(want, got); diff != "" || sid == "" {
		t.Errorf("bob is (-want +got):\n%s", diff)
	}
	hers := carol.signIn(login{name: "carol", resource: forOpaque})
	for name, tt := range map[string]struct{ token, want string }{
		"a JWT of the same issuer":       {carol.signIn(login{name: "carol"}).Access, "200"},
		"of somebody who may not":        {op.visitor().signIn(login{name: "alice", resource: forOpaque}).Access, "403 forbidden"},
		"another's":                      {hers.Access, "200"},
		"for another interface":          {op.visitor().signIn(login{name: "bob", resource: forOpaqueCRM}).Access, "401 token_invalid"},
		"for nobody but the provider":    {his.Refresh, "401 token_invalid"},
		"one that the provider has not":  {"aXQgZG9lcyBub3Qga25vdyB0aGlzIG9uZQ", "401 token_invalid"},
		"one that is none, but for dots": {"a.b.c", "401 token_invalid"},
	} {
		if got := w.get("/api/", "Authorization: Bearer "+tt.token); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}

	res := bob.as("app", "the secret of the app", "/token/revocation", url.Values{"token": {his.Access}})
	if res.StatusCode != http.StatusOK {
		t.Fatalf("revoking: %d %s", res.StatusCode, res.body)
	}
	eventually(t, "a token that the provider has revoked is refused", func() bool { return w.get("/api/", his.header()) == "401 token_invalid" })
	if got := w.get("/api/", hers.header()); got != "200" {
		t.Errorf("another's: %s", got)
	}

	op.kill()
	eventually(t, "what was heard of the provider is too old", func() bool { return w.get("/api/", hers.header()) == "503 authentication_unavailable" })
}
