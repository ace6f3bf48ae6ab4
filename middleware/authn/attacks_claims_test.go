package authn

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// claimGames are signed as they should be and claim what they should not.
func (a *arena) claimGames() []class {
	rest := strings.TrimPrefix(a.good, "{")
	number := func(s string) json.Number { return json.Number(s) }
	event := members{"http://schemas.openid.net/event/backchannel-logout": members{}}
	strict := []attack{}
	for _, missing := range []string{"sub", "iat", "jti", "client_id"} {
		payload := encode(a.t, with(with(goodClaims(), members{"jti": "j", "client_id": "web"}), members{missing: nil}))
		strict = append(strict, attack{name: missing + " is missing", values: []string{"Bearer " + a.rs(`{"alg":"RS256","kid":"k1","typ":"at+jwt"}`, payload)}, at: a.strict})
	}
	return []class{
		{"another issuer", a.claims(
			"iss", nil, "", "https://evil.test", "https://auth.example.com/", "https://AUTH.example.com", "http://auth.example.com", "https://auth.example.com:443", "https://auth.example.com.evil.test",
			"https://auth.example.com@evil.test", "https://auth.example.com#", "https://auth.example.co", " https://auth.example.com", "https://auth.example.com\x00", "https%3A%2F%2Fauth.example.com",
			"auth.example.com", "auth", 1, true, []string{"https://auth.example.com"}, members{"https://auth.example.com": 1},
		)},
		{"another audience", a.claims(
			"aud", nil, "", "crm", "er", "erp2", "xerp", "ERP", "erp ", " erp", "erp/", "erp\x00", "%65rp", "еrp", "erp,erp-admin", "erp erp-admin", "*", 1, true,
			[]string{}, []string{"crm", "erp "}, []string{"er", "rp"}, []string{"erp-admin-x"}, []any{"erp", 1}, []any{"erp", nil}, []any{[]string{"erp"}}, members{"erp": true},
		)},
		{"times that are none", join(
			a.claims("exp", nil, "9999999999", "", true, -1, 1e300, 253402300800, number("99999999999999999999"), number("1e308"), []any{seconds(time.Hour)}, members{}, "NaN", "Infinity", "0x7fffffff", "2100-01-01T00:00:00Z"),
			a.claims("nbf", "0", true, -1, members{}, number("1e20")), a.claims("iat", "0", true, -1, []any{0}), a.claims("auth_time", "0", true, -1),
			a.payloads(`{"exp":NaN,`+rest, `{"exp":1e999999999,`+rest, `{"exp":Infinity,`+rest, `{"exp":0x7fffffff,`+rest, `{"exp":+1,`+rest, `{"exp":null,`+strings.Replace(rest, `"exp"`, `"ex"`, 1)),
		)},
		{"not yet, or for too long", join(
			a.claims("nbf", seconds(4*time.Minute), number("253402300799")), a.claims("iat", seconds(4*time.Minute), number("253402300799")), a.claims("auth_time", seconds(4*time.Minute)),
			a.claims("exp", seconds(25*time.Hour), seconds(24*time.Hour+time.Minute), 253402300799, 4102444800), a.claims("iat", 0, 1),
		)},
		{"expired", want(middleware.TokenExpired, a.claims("exp", seconds(-31*time.Second), seconds(-30*time.Second), seconds(-time.Hour), 0, number("0.5"), number("1e9"))...)},
		{"expired, and not good either", join(
			[]attack{
				a.bearer("another audience", a.rs(k1, encode(a.t, with(goodClaims(), members{"exp": 0, "aud": "crm"})))),
				a.bearer("an nbf that is a text", a.rs(k1, encode(a.t, with(goodClaims(), members{"exp": 0, "nbf": "x"})))),
				a.bearer("a logout token", a.rs(k1, encode(a.t, with(goodClaims(), members{"exp": 0, "events": event})))),
			},
		)},
		{"another kind of token", join(
			a.claims("events", event, members{}, members{"https://schemas.openid.net/secevent/caep/event-type/session-revoked": members{}}), a.claims("at_hash", "x", nil2), a.claims("c_hash", "x"), a.claims("s_hash", "x"), strict,
		)},
		{"a holder that is not shown", a.claims(
			"cnf", members{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, members{"x5t#S256": "Wzl1ZRw8q5LQRMCW3DChwtlSVJdFdHLeSMUeyzY9H0o"}, members{"kid": "k1"}, members{"jwk": members{"kty": "oct"}}, members{"jwe": "x"}, members{"osc": members{}},
			members{}, nil2, "x", []any{}, members{"jkt": ""}, members{"jkt": 1}, members{"x5t#S256": nil2},
		)},
		{"ids, roles, tenants", join(
			a.claims("sub", nil, "", 7, nil2, []any{"u7"}, "u7\nX-Role: admin", "u7\x00", " u7", "u7 ", "u\u200b7", "u\u202e7", "u\u00ad7", "\ufeffu7", strings.Repeat("u", 257)),
			a.claims("role", []string{"hr"}, members{"name": "admin"}, 1, "admin\r\n", "adm\u200din", " admin", strings.Repeat("r", 257)),
			a.claims("roles", 1, []string{"hr", ""}, []any{"hr", 1}, []any{[]string{"admin"}}, []string{"admin\u2066"}), a.claims("tenant", 1, "t1\t", "t1 ", []any{"t1"}),
			a.claims("branches", []any{nil2}, members{}), a.claims("amr", []any{1}, true), a.claims("acr", 1, []any{"1"}), a.claims("jti", 1, []any{}, "j\n"), a.claims("sid", 1, members{}, "s\x00"),
		)},
		{"JSON of the claims", a.payloads(
			`{"iss":"https://evil.test",`+rest, `{"role":"admin",`+rest, `{"r\u006fle":"admin",`+rest, `{"x":{"a":1,"a":2},`+rest, `{"x":[{"a":1,"\u0061":2}],`+rest, `{"exp":1,`+rest, `{"\u0061ud":"erp",`+rest,
			a.good+" {}", a.good+"x", a.good+"\x00", a.good+",", "["+a.good+"]", `"`+b64([]byte(a.good))+`"`, a.good[:len(a.good)-1], a.good[:len(a.good)-1]+",}", "\ufeff"+a.good, "\x00"+a.good, "null", "1", "{}", "[]", " ",
			`{"x":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+`,`+rest, `{"x":`+strings.Repeat(`{"a":`, 16)+`1`+strings.Repeat("}", 16)+`,`+rest, "{\"x\":\"\xff\","+rest, "{\"x\":\"\xc0\xaf\","+rest, "{\"x\":\"\xed\xa0\x80\","+rest,
			`{"x":"\ud800",`+rest, `{"x":"\udc00\ud800",`+rest, "{\"x\":\"a\nb\","+rest, `{"x":1e400,`+rest, `{"x":`+strings.Repeat("9", 400)+`,`+rest, `{"x":01,`+rest, `{"x":1.,`+rest, `{"x":'a',`+rest, `{x:1,`+rest, `{/**/`+rest, `{"x":tru,`+rest,
			"\xff\xfe{\x00}\x00",
		)},
	}
}

// nil2 is null where nil would take a claim away.
var nil2 = json.RawMessage("null")
