package authz

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// What is suspicious about a body that writes what is protected.
func TestSuspiciousWrites(t *testing.T) {
	d := allow(func(d *policies.Decision) {
		d.Protect = []policies.Protect{
			{Path: "$..salary", Action: "reject"},
			{Path: "$.account.isAdmin", Action: "reject"},
			{Path: "$.roles", Action: "reject"},
			{Path: "$.tenant", Action: "drop"},
			{Path: "$.users[*].role", Action: "drop"},
			{Path: "$.home_town", Action: "drop"},
		}
	})
	const none, member, both = "", "protected_member", "protected_member self_promotion"
	for _, tt := range []struct{ name, media, body, want string }{
		{"nothing protected", jsonType, `{"a":1,"role":"admin"}`, none},
		{"no body", "", ``, none},
		{"not JSON", jsonType, `{"salary"`, none},
		{"rejected", jsonType, `{"pay":{"salary":1}}`, member},
		{"dropped", jsonType, `{"homeTown":"Lagos"}`, member},
		{"a role that is rejected", jsonType, `{"account":{"is_admin":true}}`, both},
		{"a flag that is not set", jsonType, `{"account":{"is_admin":false}}`, member},
		{"roles of one's own", jsonType, `{"roles":["staff"]}`, member},
		{"roles of others", jsonType, `{"roles":["staff","admin"]}`, both},
		{"a tenant of one's own, dropped", jsonType, `{"tenant":"acme"}`, member},
		{"another tenant, dropped", jsonType, `{"tenant":"globex"}`, both},
		{"a tenant that cannot be compared, dropped", jsonType, `{"tenant":7}`, member},
		{"in a list", jsonType, `{"users":[{"role":"staff"},{"role":"admin"}]}`, both},
		{"in a list, one's own", jsonType, `{"users":[{"role":"staff"}]}`, member},
		{"a patch", patchType, `[{"op":"replace","path":"/roles/0","value":"admin"}]`, both},
		{"a patch of something else", patchType, `[{"op":"replace","path":"/pay/salary","value":1}]`, member},
		{"a merge patch that takes a role's container", mergeType, `{"account":7}`, both},
		{"a form", formType, "a=1&tenant=globex", both},
		{"a form, one's own", formType, "a=1&tenant=acme", member},
		{"a form by brackets", formType, "account[isAdmin]=1", both},
		{"a form of no role", formType, "home_town=Lagos", member},
		{"a part", multipartType, multipart(part("tenant", "", "", "globex")), both},
		{"a part, one's own", multipartType, multipart(part("tenant", "", "", "acme")), member},
		{"JSON in a part", multipartType, multipart(part("x", "", jsonType, `{"roles":["admin"]}`)), both},
		{"JSON in a part, dropped", multipartType, multipart(part("x", "", jsonType, `{"home_town":1}`)), member},
	} {
		s := &policies.Subject{ID: "u7", Role: "staff", Roles: []string{"staff"}, Tenant: "acme"}
		x, _, _ := send(t, config.Policy{}, d, tt.media, tt.body, mt.Subject(s))
		var got []string
		for _, f := range x.Suspicions() {
			got = append(got, string(f))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	x, _, err := send(t, config.Policy{}, d, jsonType, `{"roles":["admin"]}`, func(x *middleware.Exchange) { x.Request.Method = "DELETE" })
	if f := x.Suspicions(); len(f) != 1 || f[0] != middleware.ProtectedMember || mt.Code(err) != "forbidden" {
		t.Errorf("what is no update: %v %v", f, err)
	}
}

func TestLastName(t *testing.T) {
	for place, want := range map[string]string{
		"$.user.role": "role", "$..is_admin": "isadmin", "$.users[*].role": "role", "$['Org-Id']": "orgid", "$": "", "$[": "",
		"/user/role": "role", "/roles/0": "roles", "/user[role]": "role", "/user.role": "role", "/users[0][role]": "role", "/role[]": "role", "": "", "/": "",
	} {
		if got := lastName(place); got != want {
			t.Errorf("%s: %q, want %q", place, got, want)
		}
	}
}
