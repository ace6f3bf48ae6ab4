package authn

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func TestSubject(t *testing.T) {
	none := []string{}
	for _, c := range []struct {
		name   string
		claims string
		change func(*config.Claims)
		want   policies.Subject
	}{
		{
			"id alone", `{"sub":"u7"}`, nil,
			policies.Subject{ID: "u7", Roles: none, Branches: none, AMR: none},
		},
		{
			"single values", `{"sub":"u7","role":"hr","branch":"lagos","tenant":"t1","acr":"1"}`, nil,
			policies.Subject{
				ID: "u7", Role: "hr", Roles: []string{"hr"}, Branch: "lagos", Branches: []string{"lagos"},
				Tenant: "t1", ACR: "1", AMR: none,
			},
		},
		{
			"lists alone", `{"sub":"u7","roles":["hr","lead"],"branches":["lagos","abuja"],"amr":["pwd","otp"]}`, nil,
			policies.Subject{
				ID: "u7", Role: "hr", Roles: []string{"hr", "lead"}, Branch: "lagos", Branches: []string{"lagos", "abuja"},
				AMR: []string{"pwd", "otp"},
			},
		},
		{
			"both are left as they are", `{"sub":"u7","role":"guest","roles":["hr"]}`, nil,
			policies.Subject{ID: "u7", Role: "guest", Roles: []string{"hr"}, Branches: none, AMR: none},
		},
		{
			"a single text is a list of one", `{"sub":"u7","roles":"hr","amr":"pwd"}`, nil,
			policies.Subject{ID: "u7", Role: "hr", Roles: []string{"hr"}, Branches: none, AMR: []string{"pwd"}},
		},
		{
			"null is missing", `{"sub":"u7","role":null,"roles":null,"branch":null,"tenant":null}`, nil,
			policies.Subject{ID: "u7", Roles: none, Branches: none, AMR: none},
		},
		{
			"steps into objects", `{"sub":"u7","realm_access":{"roles":["hr"]},"org":{"unit":{"id":"lagos"}}}`,
			func(c *config.Claims) {
				c.Roles, c.Branch, c.Tenant = "realm_access.roles", "org.unit.id", "org.none.id"
			},
			policies.Subject{ID: "u7", Role: "hr", Roles: []string{"hr"}, Branch: "lagos", Branches: []string{"lagos"}, AMR: none},
		},
		{
			"a name that is a URL", `{"sub":"u7","https://erp.example.com/role":"hr"}`,
			func(c *config.Claims) { c.Role = "https://erp.example.com/role" },
			policies.Subject{ID: "u7", Role: "hr", Roles: []string{"hr"}, Branches: none, AMR: none},
		},
		{
			"another id", `{"sub":"u7","email":"ada@example.com"}`,
			func(c *config.Claims) { c.Subject = "email" },
			policies.Subject{ID: "ada@example.com", Roles: none, Branches: none, AMR: none},
		},
		{
			"a field without a claim", `{"sub":"u7","":"x","role":"hr"}`,
			func(c *config.Claims) { c.Role, c.Tenant = "", "" },
			policies.Subject{ID: "u7", Roles: none, Branches: none, AMR: none},
		},
		{
			"time of login", `{"sub":"u7","auth_time":1700000000.9}`, nil,
			policies.Subject{ID: "u7", Roles: none, Branches: none, AMR: none, AuthTime: 1700000000},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := issuerConfig()
			if c.change != nil {
				c.change(&conf.Claims)
			}
			claims, err := Claims([]byte(c.claims))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Subject("auth", conf, claims)
			if err != nil {
				t.Fatal(err)
			}
			c.want.Issuer, c.want.Claims = "auth", claims
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubjectMistakes(t *testing.T) {
	for claims, want := range map[string]string{
		`{}`:                             `the claim "sub", the caller's id, is missing`,
		`{"sub":""}`:                     `the claim "sub", the caller's id, is missing`,
		`{"sub":{}}`:                     `the claim "sub" is not a text`,
		`{"sub":"u7","org":"x"}`:         `the claim "org.unit" goes through something that is not an object`,
		`{"sub":"u7","roles":{}}`:        `the claim "roles" is not a list of texts`,
		`{"sub":"u7","roles":[[]]}`:      `the claim "roles" holds something else than texts`,
		`{"sub":"u\u0000"}`:              `the claim "sub" holds a character that is not plain text`,
		`{"sub":"u7","auth_time":"now"}`: "the token's auth_time is not a number",
	} {
		conf := issuerConfig(func(c *config.Issuer) { c.Claims.Branch = "org.unit" })
		read, err := Claims([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		if s, err := Subject("auth", conf, read); err == nil || err.Error() != want {
			t.Errorf("%s: %v, %v; want %q", claims, s, err, want)
		}
	}
}

func TestClaims(t *testing.T) {
	got, err := Claims([]byte(` {"a":1e3,"b":[true,null,"x",{"c":{}}],"A":2} `))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"a": json.Number("1e3"), "b": []any{true, nil, "x", map[string]any{"c": map[string]any{}}}, "A": json.Number("2"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []string{
		``, `null`, `[]`, `"a"`, `1`, `{`, `{"a"}`, `{"a":1,}`, `{"a":01}`, `{"a":1} {}`, `{"a":1}x`,
		`{"a":1,"a":1}`, `{"b":[{"a":1,"\u0061":1}]}`, "{\"a\":\"\xc3\"}", "{\"a\":\"\x01\"}", `{"a":NaN}`, `{'a':1}`,
		`{"a":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}`,
		`{"a":"\ud83d"}`, `{"a":"\ude00\ud83d"}`, `{"a":"\ud83dx"}`, `{"a":"\ud83d\n"}`, `{"a":"\ud83d\u0041"}`,
		`{"a":"\u12g4"}`, `{"a":"\x41"}`, `{"a":"\`, `{"a":"\u12`, `{"a":"b`, `{"a":tru}`, `{"a":nul`, `{"a":-}`, `{"a":1.}`,
		`{"a":.5}`, `{"a":1e}`, `{"a":+1}`, `{"a":0x1}`, `{"a":1e309}`, `{"a":[1,]}`, `{"a":[1 2]}`, `{"a" 1}`, `{"a":1 "b":2}`,
		`{,}`, `{"a":}`, "{\"a\":1}\x00", "\ufeff{}", `{"a":` + strings.Repeat("1", 65) + `}`, "{\"a\":\"\t\"}", "{\"a\":1}\v",
	} {
		if v, err := Claims([]byte(bad)); err == nil {
			t.Errorf("%s is read as %v", bad, v)
		}
	}
}

// What would look like another text, or like none, is not a text of a subject.
func TestSubjectGrammar(t *testing.T) {
	conf := issuerConfig()
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"u7", true},
		{"auth0|65f1-2", true},
		{"Ada Lovelace", true},
		{"ada@example.com", true},
		{"José 山田", true},
		{strings.Repeat("a", 256), true},
		{strings.Repeat("a", 257), false},
		{strings.Repeat("é", 129), false},
		{" u7", false},
		{"u7 ", false},
		{" ", false},
		{"u7\t", false},
		{"u\n7", false},
		{"u\x7f7", false},
		{"u\u00857", false},
		{"u\u00a07", false},     // no-break space
		{"u\u00ad7", false},     // soft hyphen
		{"u\u061c7", false},     // Arabic letter mark
		{"u\u200b7", false},     // zero width space
		{"u\u200d7", false},     // zero width joiner
		{"u\u202e7", false},     // right-to-left override
		{"u\u20297", false},     // paragraph separator
		{"u\u20667", false},     // left-to-right isolate
		{"u\u30007", false},     // ideographic space
		{"u\u31647", false},     // Hangul filler
		{"u\ufe0f7", false},     // variation selector
		{"\ufeffu7", false},     // byte order mark
		{"u\ufffd7", false},     // replacement
		{"u\ue0007", false},     // private use
		{"u\U000e00417", false}, // tag
	} {
		for _, claims := range []map[string]any{
			{"sub": c.text},
			{"sub": "u7", "role": c.text},
			{"sub": "u7", "roles": []any{"hr", c.text}},
			{"sub": "u7", "tenant": c.text},
			{"sub": "u7", "branch": c.text},
			{"sub": "u7", "branches": []any{c.text}},
			{"sub": "u7", "acr": c.text},
			{"sub": "u7", "amr": []any{c.text}},
		} {
			if _, err := Subject("auth", conf, claims); (err == nil) != c.ok {
				t.Errorf("%q in %d claims: %v, want ok %t", c.text, len(claims), err, c.ok)
			}
		}
	}
}

func TestRequiredFields(t *testing.T) {
	const all = `{"sub":"u7","role":"hr","roles":["hr"],"tenant":"t1","branch":"lagos","branches":["lagos"],"acr":"1","amr":["pwd"],"auth_time":1700000000}`
	for field, gives := range map[string][]string{ // the claims of which one is enough
		"role": {"role", "roles"}, "roles": {"role", "roles"}, "tenant": {"tenant"}, "branch": {"branch", "branches"},
		"branches": {"branch", "branches"}, "acr": {"acr"}, "amr": {"amr"}, "auth_time": {"auth_time"},
	} {
		conf := issuerConfig(func(c *config.Issuer) { c.Claims.Required = []string{field} })
		claims, err := Claims([]byte(all))
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range gives {
			if _, err := Subject("auth", conf, claims); err != nil {
				t.Errorf("%s: %v", field, err)
			}
			delete(claims, g)
		}
		want := "no claim gives the required " + field
		if _, err := Subject("auth", conf, claims); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	conf := issuerConfig(func(c *config.Issuer) { c.Claims.Required = []string{"title"} })
	if _, err := Subject("auth", conf, map[string]any{"sub": "u7", "title": "x"}); err == nil {
		t.Error("a field that is not known counts as filled")
	}
}
