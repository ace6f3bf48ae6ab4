package authn

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// attack is what somebody sends who should not get in, or somebody careless.
type attack struct {
	name   string
	values []string // of Authorization
	want   middleware.Code
}

// attackStage accepts tokens by RS256 with the key k1, by ES256 with the key
// e1 and nothing else.
func attackStage(t *testing.T) middleware.Stage {
	k := keysOnce()
	return stageOf(t, issuerConfig(func(i *config.Issuer) {
		i.Algorithms = []string{"RS256", "ES256"}
		i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, nil), jwkOf(t, "e1", k.p256, nil), jwkOf(t, "e2", k.p384, nil)))
	}))
}

func TestAttacks(t *testing.T) {
	s := attackStage(t)
	attacks := append(headerAttacks(t), claimAttacks(t)...)
	attacks = append(attacks, spellingAttacks(t)...)
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			if a.want == "" {
				a.want = middleware.TokenInvalid
			}
			if _, err := ask(t, s, a.values...); middlewaretest.Code(err) != string(a.want) {
				t.Errorf("answered with %v, want %s", err, a.want)
			}
		})
	}
	if len(attacks) < 60 {
		t.Errorf("only %d attacks", len(attacks))
	}
}

// headerAttacks have good claims under a header that should not count.
func headerAttacks(t *testing.T) []attack {
	k := keysOnce()
	good := encode(t, goodClaims())
	modulus, pub := k.rsa.N.Bytes(), publicPEM(t, &k.rsa.PublicKey)
	none := func(alg string) string {
		return b64([]byte(`{"alg":"`+alg+`","kid":"k1"}`)) + "." + b64([]byte(good)) + "."
	}
	rs := func(header string) string { return signText(t, "RS256", k.rsa, header, good) }
	hs := func(header string, key []byte) string { return signText(t, "HS256", key, header, good) }
	out := []attack{
		{name: "alg none", values: []string{none("none")}},
		{name: "alg None", values: []string{none("None")}},
		{name: "alg none with a signature", values: []string{none("none") + "AAAA"}},
		{name: "RS256 without signature", values: []string{none("RS256")}},
		{name: "HS256 with the modulus", values: []string{hs(`{"alg":"HS256","kid":"k1"}`, modulus)}},
		{name: "HS256 with the public key as PEM", values: []string{hs(`{"alg":"HS256","kid":"k1"}`, pub)}},
		{name: "HMAC called RS256", values: []string{hs(`{"alg":"RS256","kid":"k1"}`, pub)}},
		{name: "PS256 by the right key, not allowed", values: []string{signText(t, "PS256", k.rsa, `{"alg":"PS256","kid":"k1"}`, good)}},
		{name: "PS256 called RS256", values: []string{signText(t, "PS256", k.rsa, `{"alg":"RS256","kid":"k1"}`, good)}},
		{name: "RS512 called RS256", values: []string{signText(t, "RS512", k.rsa, `{"alg":"RS256","kid":"k1"}`, good)}},
		{name: "RS256 with the EC key's kid", values: []string{rs(`{"alg":"RS256","kid":"e1"}`)}},
		{name: "ES256 with the RSA key's kid", values: []string{signText(t, "ES256", k.p256, `{"alg":"ES256","kid":"k1"}`, good)}},
		{name: "ES256 by a P-384 key", values: []string{signText(t, "ES256", k.p384, `{"alg":"ES256","kid":"e2"}`, good)}},
		{name: "ES256 of zeros", values: []string{b64([]byte(`{"alg":"ES256","kid":"e1"}`)) + "." + b64([]byte(good)) + "." + b64(make([]byte, 64))}},
		{name: "another key", values: []string{signText(t, "RS256", k.rsa2, `{"alg":"RS256","kid":"k1"}`, good)}},
		{name: "another key without kid", values: []string{signText(t, "RS256", k.rsa2, `{"alg":"RS256"}`, good)}},
		{name: "lower case alg", values: []string{rs(`{"alg":"rs256","kid":"k1"}`)}},
		{name: "no alg", values: []string{rs(`{"kid":"k1"}`)}},
		{name: "alg is a list", values: []string{rs(`{"alg":["RS256"],"kid":"k1"}`)}},
		{name: "alg twice", values: []string{rs(`{"alg":"none","alg":"RS256","kid":"k1"}`)}},
		{name: "unknown kid", values: []string{rs(`{"alg":"RS256","kid":"k9"}`)}},
		{name: "kid is a path", values: []string{rs(`{"alg":"RS256","kid":"../../dev/null"}`)}},
		{name: "kid in other case", values: []string{rs(`{"alg":"RS256","kid":"K1"}`)}},
		{name: "empty kid", values: []string{rs(`{"alg":"RS256","kid":""}`)}},
		{name: "kid is a number", values: []string{rs(`{"alg":"RS256","kid":1}`)}},
		{name: "kid is null", values: []string{rs(`{"alg":"RS256","kid":null}`)}},
		{name: "kid twice", values: []string{rs(`{"alg":"RS256","kid":"k9","kid":"k1"}`)}},
		{name: "typ of another kind of token", values: []string{rs(`{"alg":"RS256","kid":"k1","typ":"logout+jwt"}`)}},
		{name: "typ is not a text", values: []string{rs(`{"alg":"RS256","kid":"k1","typ":1}`)}},
		{name: "header is a list", values: []string{rs(`["RS256"]`)}},
		{name: "header is null", values: []string{rs(`null`)}},
		{name: "something after the header", values: []string{rs(`{"alg":"RS256","kid":"k1"}{}`)}},
		{name: "header is not UTF-8", values: []string{rs("{\"alg\":\"RS256\",\"kid\":\"k1\",\"x\":\"\xff\"}")}},
		{name: "header nests deep", values: []string{rs(`{"alg":"RS256","kid":"k1","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`)}},
	}
	own := encode(t, jwkOf(t, "k1", k.rsa2, nil))
	for name, value := range map[string]string{
		"crit": `["exp"]`, "b64": `false`, "jku": `"https://evil.test/jwks"`, "jwk": own,
		"x5u": `"https://evil.test/cert"`, "x5c": `["MIIB"]`, "enc": `"A256GCM"`, "zip": `"DEF"`,
	} {
		out = append(out, attack{name: "header has " + name, values: []string{
			signText(t, "RS256", k.rsa, `{"alg":"RS256","kid":"k1","`+name+`":`+value+`}`, good),
		}})
	}
	out = append(out, attack{name: "brings its own key", values: []string{
		signText(t, "RS256", k.rsa2, `{"alg":"RS256","jwk":`+own+`}`, good),
	}})
	for i := range out {
		out[i].values[0] = "Bearer " + out[i].values[0]
	}
	return out
}

// claimAttacks are signed as they should be and claim what they should not.
func claimAttacks(t *testing.T) []attack {
	k := keysOnce()
	var out []attack
	add := func(name, payload string, want middleware.Code) {
		token := signText(t, "RS256", k.rsa, `{"alg":"RS256","kid":"k1"}`, payload)
		out = append(out, attack{name, []string{"Bearer " + token}, want})
	}
	for _, c := range []struct {
		name   string
		change members
		want   middleware.Code
	}{
		{"no exp", members{"exp": nil}, ""},
		{"exp is a text", members{"exp": "9999999999"}, ""},
		{"exp is true", members{"exp": true}, ""},
		{"exp is negative", members{"exp": -1}, ""},
		{"exp is beyond all dates", members{"exp": 1e300}, ""},
		{"exp is a list", members{"exp": []any{seconds(time.Hour)}}, ""},
		{"expired", members{"exp": seconds(-31 * time.Second)}, middleware.TokenExpired},
		{"expired long ago", members{"exp": 0}, middleware.TokenExpired},
		{"expired and for another audience", members{"exp": 0, "aud": "crm"}, ""},
		{"expired, with an nbf that is a text", members{"exp": 0, "nbf": "x"}, ""},
		{"not valid yet", members{"nbf": seconds(time.Minute)}, ""},
		{"nbf is a text", members{"nbf": "0"}, ""},
		{"issued in the future", members{"iat": seconds(time.Minute)}, ""},
		{"iat is a text", members{"iat": "0"}, ""},
		{"logged in in the future", members{"auth_time": seconds(time.Minute)}, ""},
		{"auth_time is a text", members{"auth_time": "0"}, ""},
		{"no iss", members{"iss": nil}, ""},
		{"another iss", members{"iss": "https://evil.test"}, ""},
		{"iss with a slash more", members{"iss": "https://auth.example.com/"}, ""},
		{"iss in other case", members{"iss": "https://AUTH.example.com"}, ""},
		{"iss is a list", members{"iss": []string{"https://auth.example.com"}}, ""},
		{"no aud", members{"aud": nil}, ""},
		{"another aud", members{"aud": "crm"}, ""},
		{"aud is a prefix", members{"aud": "er"}, ""},
		{"aud is an empty list", members{"aud": []string{}}, ""},
		{"aud is a list of others", members{"aud": []string{"crm", "erp "}}, ""},
		{"aud holds a number", members{"aud": []any{"erp", 1}}, ""},
		{"aud is an object", members{"aud": members{"erp": true}}, ""},
		{"no sub", members{"sub": nil}, ""},
		{"empty sub", members{"sub": ""}, ""},
		{"sub is a number", members{"sub": 7}, ""},
		{"sub with a line break", members{"sub": "u7\nX-Role: admin"}, ""},
		{"role is a list", members{"role": []string{"hr"}}, ""},
		{"role is an object", members{"role": members{"name": "admin"}}, ""},
		{"roles is a number", members{"roles": 1}, ""},
		{"roles holds an empty text", members{"roles": []string{"hr", ""}}, ""},
		{"tenant is a number", members{"tenant": 1}, ""},
		{"branches holds null", members{"branches": []any{nil}}, ""},
		{"amr holds a number", members{"amr": []any{1}}, ""},
		{"acr is a number", members{"acr": 1}, ""},
	} {
		add(c.name, encode(t, with(goodClaims(), c.change)), c.want)
	}
	good := encode(t, goodClaims())
	rest := strings.TrimPrefix(good, "{")
	add("iss twice", `{"iss":"https://evil.test",`+rest, "")
	add("role twice", `{"role":"admin",`+rest, "")
	add("role twice, once escaped", `{"r\u006fle":"admin",`+rest, "")
	add("twice in an object within", `{"x":{"a":1,"a":2},`+rest, "")
	add("something after the claims", good+" {}", "")
	add("claims are a list", "["+good+"]", "")
	add("claims are a text", `"`+b64([]byte(good))+`"`, "")
	add("claims are cut off", good[:len(good)-1], "")
	add("a comma too many", good[:len(good)-1]+",}", "")
	add("a byte order mark", "\ufeff"+good, "")
	return out
}

// spellingAttacks write a good token in another way than the one.
func spellingAttacks(t *testing.T) []attack {
	k := keysOnce()
	good := sign(t, "RS256", k.rsa, members{"kid": "k1"}, goodClaims())
	parts := strings.Split(good, ".")
	flattened := encode(t, members{"protected": parts[0], "payload": parts[1], "signature": parts[2]})
	return []attack{
		{"two headers", []string{"Bearer " + good, "Bearer " + good}, ""},
		{"two headers, one empty", []string{"", "Bearer " + good}, ""},
		{"two spaces", []string{"Bearer  " + good}, ""},
		{"a tab", []string{"Bearer\t" + good}, middleware.TokenMissing},
		{"no scheme", []string{good}, middleware.TokenMissing},
		{"scheme alone", []string{"Bearer"}, ""},
		{"scheme and a space", []string{"Bearer "}, ""},
		{"empty header", []string{""}, middleware.TokenMissing},
		{"another scheme", []string{"DPoP " + good}, middleware.TokenMissing},
		{"two tokens", []string{"Bearer " + good + ", Bearer " + good}, ""},
		{"a parameter", []string{"Bearer " + good + " realm=x"}, ""},
		{"quoted", []string{`Bearer "` + good + `"`}, ""},
		{"padding", []string{"Bearer " + parts[0] + "==." + parts[1] + "." + parts[2]}, ""},
		{"plain base64", []string{"Bearer " + parts[0] + "." + parts[1] + "." + strings.Repeat("+/", 171)}, ""},
		{"line break within", []string{"Bearer " + parts[0] + ".\r\n" + parts[1] + "." + parts[2]}, ""},
		{"bits left over", []string{"Bearer " + good[:len(good)-1] + leftover(good[len(good)-1])}, ""},
		{"two segments", []string{"Bearer " + parts[0] + "." + parts[1]}, ""},
		{"four segments", []string{"Bearer " + good + "."}, ""},
		{"five segments", []string{"Bearer " + good + ".AAAA.AAAA"}, ""},
		{"empty payload", []string{"Bearer " + parts[0] + ".." + parts[2]}, ""},
		{"JSON serialization", []string{"Bearer " + flattened}, ""},
		{"JSON serialization in base64", []string{"Bearer " + b64([]byte(flattened))}, ""},
		{"oversized", []string{"Bearer " + sign(t, "RS256", k.rsa, members{"kid": "k1"}, with(goodClaims(), members{"x": strings.Repeat("a", 9000)}))}, ""},
		{"many dots", []string{"Bearer " + strings.Repeat(".", 8000)}, ""},
	}
}

// leftover gives another last character of a segment of 256 bytes that
// decodes to the same bits where the decoder is lax.
func leftover(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)|1])
}

// Careful callers get in: what the attacks differ from.
func TestGoodTokens(t *testing.T) {
	s, k := attackStage(t), keysOnce()
	for _, c := range []struct {
		name   string
		header members
		change members
		scheme string
	}{
		{"plain", nil, nil, "Bearer "},
		{"scheme in lower case", nil, nil, "bearer "},
		{"scheme in upper case", nil, nil, "BEARER "},
		{"typ at+jwt", members{"typ": "at+jwt"}, nil, "Bearer "},
		{"typ in full", members{"typ": "application/AT+JWT"}, nil, "Bearer "},
		{"no typ", members{"typ": nil}, nil, "Bearer "},
		{"no kid where one key fits", members{"kid": nil}, nil, "Bearer "},
		{"thumbprint", members{"x5t#S256": "abc"}, nil, "Bearer "},
		{"list of audiences", nil, members{"aud": []string{"crm", "erp-admin"}}, "Bearer "},
		{"no iat", nil, members{"iat": nil}, "Bearer "},
		{"a fraction of a second", nil, members{"exp": float64(time.Now().Unix()) + 100.5}, "Bearer "},
		{"expired within the leeway", nil, members{"exp": seconds(-20 * time.Second)}, "Bearer "},
		{"issued ahead within the leeway", nil, members{"iat": seconds(20 * time.Second)}, "Bearer "},
		{"no role", nil, members{"role": nil}, "Bearer "},
		{"large numbers", nil, members{"x": 1e300}, "Bearer "},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := with(members{"kid": "k1"}, c.header)
			if _, there := c.header["typ"]; there && c.header["typ"] == nil {
				header["typ"] = nil
			}
			if _, err := ask(t, s, c.scheme+sign(t, "RS256", k.rsa, header, with(goodClaims(), c.change))); err != nil {
				t.Error(err)
			}
		})
	}
}

func publicPEM(t *testing.T, key *rsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
