package guard

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func staff() *policies.Subject {
	return &policies.Subject{
		ID: "u7", Role: "team_lead", Roles: []string{"team_lead", "staff"}, Tenant: "acme", Branch: "lagos", Branches: []string{"lagos", "abuja"},
		Claims: map[string]any{"scope": "orders:read orders:write", "is_staff": true, "level": json.Number("3")},
	}
}

func TestPromotesSelf(t *testing.T) {
	for _, tt := range []struct {
		name, method, target, media, body string
		want                              bool
	}{
		{"a role", "PUT", "/api/users/u7", "", `{"name":"Ada","role":"admin"}`, true},
		{"by a word", "PATCH", "/api/users/me", "", `{"role":"admin"}`, true},
		{"Me", "PATCH", "/api/users/Me", "", `{"role":"admin"}`, true},
		{"profile", "POST", "/profile/", "", `{"isAdmin":true}`, true},
		{"account", "PUT", "/account/settings", "", `{"is_superuser":1}`, true},
		{"self", "PUT", "/self", "", `{"Permissions":["*"]}`, true},
		{"another tenant", "PUT", "/users/u7", "", `{"tenant_id":"globex"}`, true},
		{"another branch", "PUT", "/users/u7", "", `{"branchId":"kano"}`, true},
		{"one role more", "PUT", "/users/u7", "", `{"roles":["staff","admin"]}`, true},
		{"one level below", "PUT", "/users/u7", "", `{"user":{"role":"admin"}}`, true},
		{"behind the same", "PUT", "/users/u7", "", `{"role":"staff","role":"admin"}`, true},
		{"before the same", "PUT", "/users/u7", "", `{"role":"admin","role":"staff"}`, true},
		{"by an escape", "PUT", "/users/u7", "", `{"r\u006fle":"admin"}`, true},
		{"an object", "PUT", "/users/u7", "", `{"role":{"id":1,"name":"admin"}}`, true},
		{"a scope more", "PUT", "/users/u7", "", `{"scopes":["orders:read","users:write"]}`, true},
		{"a patch", "PATCH", "/users/u7", "application/json-patch+json", `[{"op":"test","path":"/a","value":1},{"op":"replace","path":"/role","value":"admin"}]`, true},
		{"a patch of a list", "PATCH", "/users/u7", "application/json-patch+json", `[{"op":"add","path":"/roles/-","value":"admin"}]`, true},
		{"a patch of the whole", "PATCH", "/users/u7", "application/json-patch+json", `[{"op":"replace","path":"","value":{"role":"admin"}}]`, true},
		{"a merge patch", "PATCH", "/users/u7", "application/merge-patch+json; charset=utf-8", `{"role":"admin"}`, true},

		{"the whole record", "PUT", "/users/u7", "", `{"id":"u7","role":"Team Lead","roles":["staff","team_lead"],"tenant":"acme","branch":"abuja","is_staff":true,"is_admin":false,"scope":"orders:read"}`, false},
		{"the record with objects", "PUT", "/users/u7", "", `{"role":{"id":3,"name":"staff"},"tenant":{"id":9,"slug":"acme","plan":"gold"}}`, false},
		{"numbers for names", "PUT", "/users/u7", "", `{"role_id":3,"tenant_id":7}`, false},
		{"a role that is taken away", "PUT", "/users/u7", "", `{"role":null,"roles":[],"tenant":""}`, false},
		{"nothing of the kind", "PUT", "/users/u7", "", `{"name":"admin","scopeOfWork":"all","rolex":"gold"}`, false},
		{"two levels below", "PUT", "/users/u7", "", `{"a":{"b":{"role":"admin"}}}`, false},
		{"another user", "PUT", "/users/u8", "", `{"role":"admin"}`, false},
		{"a longer id", "PUT", "/users/u77", "", `{"role":"admin"}`, false},
		{"a word within", "PUT", "/meters/accounts", "", `{"role":"admin"}`, false},
		{"roles of oneself", "POST", "/users/u7/roles/", "", `{"role":"admin"}`, true},
		{"a member of an account", "PUT", "/account/members/42", "", `{"role":"admin"}`, false},
		{"an invitation", "POST", "/account/invitations", "", `{"email":"a@b.c","role":"viewer"}`, false},
		{"a member of a team", "PATCH", "/users/me/teams/3/members", "", `{"role":"viewer"}`, false},
		{"the root", "PUT", "/", "", `{"role":"admin"}`, false},
		{"reading", "GET", "/users/u7", "", `{"role":"admin"}`, false},
		{"deleting", "DELETE", "/users/u7", "", `{"role":"admin"}`, false},
		{"not JSON by its type", "PUT", "/users/u7", "text/plain", `{"role":"admin"}`, false},
		{"not JSON", "PUT", "/users/u7", "", `role=admin`, false},
		{"broken before", "PUT", "/users/u7", "", `{"name":x,"role":"admin"}`, false},
		{"empty", "PUT", "/users/u7", "", ``, false},
		{"a test of a patch", "PATCH", "/users/u7", "application/json-patch+json", `[{"op":"test","path":"/role","value":"admin"}]`, false},
		{"large", "PUT", "/users/u7", "", `{"a":"` + strings.Repeat("x", maxSelfUpdate) + `","role":"admin"}`, false},
	} {
		if tt.media == "" {
			tt.media = "application/json"
		}
		for _, sized := range []bool{true, false} {
			x := middlewaretest.Exchange(t, tt.method, tt.target, strings.NewReader(tt.body), middlewaretest.Subject(staff()), middlewaretest.Header("Content-Type", tt.media))
			if !sized {
				x.Request.ContentLength = -1
			}
			got, err := PromotesSelf(x)
			if got != tt.want || err != nil {
				t.Errorf("%s: %v, want %v (%v)", tt.name, got, tt.want, err)
			}
			if sent, err := io.ReadAll(x.Request.Body); string(sent) != tt.body || err != nil {
				t.Errorf("%s: the upstream gets %.80q (%v)", tt.name, sent, err)
			}
		}
	}
	x := middlewaretest.Exchange(t, "PUT", "/users/me", strings.NewReader(`{"role":"admin"}`), middlewaretest.Header("Content-Type", "application/json"))
	if got, err := PromotesSelf(x); got || err != nil {
		t.Errorf("nobody: %v %v", got, err)
	}
	x = middlewaretest.Exchange(t, "PUT", "/users/me", strings.NewReader(`{"role":"admin"}`), middlewaretest.Subject(staff()),
		middlewaretest.Header("Content-Type", "application/json"), middlewaretest.Header("Content-Encoding", "gzip"))
	if got, err := PromotesSelf(x); got || err != nil {
		t.Errorf("encoded: %v %v", got, err)
	}
	x = middlewaretest.Exchange(t, "PUT", "/users/me", broken{}, middlewaretest.Subject(staff()), middlewaretest.Header("Content-Type", "application/json"))
	x.Request.ContentLength = 100
	if got, err := PromotesSelf(x); got || middlewaretest.Code(err) != string(middleware.BodyMalformed) {
		t.Errorf("broken off: %v %v", got, err)
	}
}

// Whatever a body is, it is judged, and a record that says what the token does is
// never a promotion.
func FuzzPromotes(f *testing.F) {
	f.Add([]byte(`{"role":"admin"}`))
	f.Add([]byte(`[{"op":"add","path":"/roles/-","value":"admin"}]`))
	f.Add([]byte(`{"a":{"role":{"name":"admin"}}}`))
	f.Add([]byte(`{"tenant":[[1e999,{"id":null}]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		found := promotes(body, staff())
		if !json.Valid(body) {
			return
		}
		var m map[string]any
		if json.Unmarshal(body, &m) != nil {
			return
		}
		for name := range m {
			if middleware.NamesStanding(name) {
				return
			}
			if inner, ok := m[name].(map[string]any); ok {
				for name := range inner {
					if middleware.NamesStanding(name) {
						return
					}
				}
			}
		}
		if found {
			t.Errorf("%q names no standing", body)
		}
	})
}
