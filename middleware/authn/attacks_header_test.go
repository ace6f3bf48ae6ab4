package authn

import (
	"bytes"
	"compress/flate"
	"crypto/elliptic"
	"fmt"
	"strings"
	"testing"
)

// algorithms are attacks on what a token is signed by.
func (a *arena) algorithms() []class {
	modulus, pub := a.rsa.N.Bytes(), publicPEM(a.t, &a.rsa.PublicKey)
	point, err := a.p256.PublicKey.Bytes()
	if err != nil {
		a.t.Fatal(err)
	}
	none := func(alg, sig string) attack {
		header := `{"alg":"` + alg + `","kid":"k1"}`
		return a.bearer("alg "+alg+" and the signature "+sig, b64([]byte(header))+"."+b64([]byte(a.good))+"."+sig)
	}
	hs := func(name, header string, key []byte) attack { return a.bearer(name, a.hs(header, key)) }
	const h = `{"alg":"HS256","kid":"k1"}`
	mixed := func(alg string, key any, header string) attack {
		return a.bearer(alg+" with "+header, signText(a.t, alg, key, header, a.good))
	}
	toSecret := []attack{
		a.bearer("RS256 where there is a secret", a.rs(`{"alg":"RS256"}`, a.good)),
		hs("another secret", `{"alg":"HS256"}`, bytes.Repeat([]byte("x"), 32)),
		hs("the empty secret", `{"alg":"HS256"}`, []byte{}),
		none("none", ""), none("none", "AAAA"),
		a.bearer("HS512, not allowed", signText(a.t, "HS512", a.testKeys.secret, `{"alg":"HS512"}`, a.good)),
		a.bearer("half of the code", a.cut(a.hs(`{"alg":"HS256"}`, a.testKeys.secret), 16)),
	}
	for i := range toSecret {
		toSecret[i].at = a.secret
	}
	return []class{
		{"algorithm none", []attack{
			none("none", ""), none("None", ""), none("NONE", ""), none("nOnE", ""), none("none", "AAAA"), none("", "AAAA"), none(" none", "AAAA"), none("null", "AAAA"), none("RS256", ""),
		}},
		{"public key taken for a secret", []attack{
			hs("the modulus", h, modulus), hs("PEM", h, pub), hs("PEM without its last line break", h, bytes.TrimSpace(pub)),
			hs("PEM called RS256", `{"alg":"RS256","kid":"k1"}`, pub), hs("the EC point", `{"alg":"HS256","kid":"e1"}`, point), hs("the Ed25519 key", `{"alg":"HS256","kid":"d1"}`, a.ed[32:]),
			hs("the JWK", h, []byte(encode(a.t, jwkOf(a.t, "k1", a.rsa, nil)))), hs("nothing", h, []byte{}),
		}},
		{"public keys and secrets never mixed", toSecret},
		{"algorithm by another name", join(
			[]attack{
				mixed("PS256", a.rsa, `{"alg":"PS256","kid":"k1"}`), mixed("PS256", a.rsa, k1), mixed("RS512", a.rsa, k1), mixed("RS384", a.rsa, `{"alg":"RS384","kid":"k1"}`),
				mixed("ES384", a.p384, `{"alg":"ES384","kid":"e2"}`), mixed("ES256", a.p256, `{"alg":"ES256K","kid":"e1"}`), mixed("EdDSA", a.ed, `{"alg":"Ed25519","kid":"d1"}`),
			},
			a.headers(`{"alg":"rs256","kid":"k1"}`, `{"alg":"RS256 ","kid":"k1"}`, `{"alg":"RS256\u0000","kid":"k1"}`, `{"alg":"SHA256withRSA","kid":"k1"}`),
		)},
		{"algorithm and key of different types", []attack{
			mixed("RS256", a.rsa, `{"alg":"RS256","kid":"e1"}`), mixed("RS256", a.rsa, `{"alg":"RS256","kid":"d1"}`), mixed("ES256", a.p256, `{"alg":"ES256","kid":"k1"}`),
			mixed("ES256", a.p256, `{"alg":"EdDSA","kid":"e1"}`), mixed("EdDSA", a.ed, `{"alg":"ES256","kid":"e1"}`), mixed("EdDSA", a.ed, `{"alg":"EdDSA","kid":"k1"}`),
		}},
		{"another curve", []attack{
			mixed("ES256", a.p384, `{"alg":"ES256","kid":"e2"}`), mixed("ES256", a.p384, `{"alg":"ES256","kid":"e1"}`), mixed("ES256", a.p521, `{"alg":"ES256","kid":"e1"}`),
			mixed("ES384", a.p256, `{"alg":"ES256","kid":"e1"}`),
		}},
	}
}

// keyGames are attacks on which key it is.
func (a *arena) keyGames() []class {
	own := encode(a.t, jwkOf(a.t, "k1", a.rsa2, nil))
	forged := func(header string) attack {
		return a.bearer(header, signText(a.t, "RS256", a.rsa2, header, a.good))
	}
	es := func(name string, key any, header, iss string) attack {
		return a.bearer(name, signText(a.t, "ES256", key, header, encode(a.t, with(goodClaims(), members{"iss": iss}))))
	}
	const us, partner = "https://auth.example.com", "https://partner.example.com"
	var carried []attack
	for name, value := range map[string]string{
		"jku": `"https://evil.test/jwks"`, "jwk": own, "x5u": `"https://evil.test/cert"`, "x5c": `["MIIB"]`,
	} {
		carried = append(carried, a.headers(`{"alg":"RS256","kid":"k1","`+name+`":`+value+`}`, `{"alg":"RS256","kid":"k1","`+name+`":null}`)...)
	}
	return []class{
		{"kid", join(
			[]attack{forged(k1), forged(`{"alg":"RS256"}`), forged(`{"alg":"RS256","kid":"k9"}`)},
			a.headers(
				`{"alg":"RS256","kid":"k9"}`, `{"alg":"RS256","kid":"../../dev/null"}`, `{"alg":"RS256","kid":"/etc/passwd"}`, `{"alg":"RS256","kid":"k1' OR '1'='1"}`,
				`{"alg":"RS256","kid":"x' UNION SELECT 'AAAA"}`, `{"alg":"RS256","kid":"k1|id"}`, `{"alg":"RS256","kid":"https://evil.test/k1"}`, `{"alg":"RS256","kid":"K1"}`, `{"alg":"RS256","kid":"k1 "}`, `{"alg":"RS256","kid":"k1\u0000"}`,
				`{"alg":"RS256","kid":""}`, `{"alg":"RS256","kid":1}`, `{"alg":"RS256","kid":null}`, `{"alg":"RS256","kid":["k1"]}`, `{"alg":"RS256","kid":{"k1":1}}`, `{"alg":"RS256","kid":"0"}`,
			),
		)},
		{"key of another issuer", []attack{
			es("the partner signs in our name", a.partner, `{"alg":"ES256","kid":"p1"}`, us), es("and calls its key ours", a.partner, `{"alg":"ES256","kid":"e1"}`, us),
			es("and calls it nothing", a.partner, `{"alg":"ES256"}`, us), es("our key signs in the partner's name", a.p256, `{"alg":"ES256","kid":"e1"}`, partner),
			es("and calls it nothing", a.p256, `{"alg":"ES256"}`, partner),
		}},
		{"key that the token brings along", append(carried, forged(`{"alg":"RS256","jwk":`+own+`}`), forged(`{"alg":"RS256","kid":"k1","jku":"https://auth.example.com/jwks"}`))},
	}
}

// headerGames are headers that ask for another reading.
func (a *arena) headerGames() []class {
	var deflated bytes.Buffer
	w, _ := flate.NewWriter(&deflated, 9) // the level is sound
	_, _ = w.Write([]byte(a.good))
	_ = w.Close()
	inner := a.rs(k1, a.good)
	typ := func(values ...string) (out []string) {
		for _, v := range values {
			out = append(out, `{"alg":"RS256","kid":"k1","typ":`+v+`}`)
		}
		return out
	}
	strict := a.headers(append(typ(`"JWT"`, `"jwt"`, `"at"`, `"access_token"`), k1)...)
	for i := range strict {
		strict[i].at = a.strict
	}
	return []class{
		{"crit, b64, zip, enc", join(
			a.headers(`{"alg":"RS256","kid":"k1","crit":["exp"]}`, `{"alg":"RS256","kid":"k1","crit":[]}`, `{"alg":"RS256","kid":"k1","crit":["b64"],"b64":false}`, `{"alg":"RS256","kid":"k1","b64":false}`,
				`{"alg":"RS256","kid":"k1","b64":true}`, `{"alg":"RS256","kid":"k1","enc":"A256GCM"}`, `{"alg":"RS256","kid":"k1","zip":"DEF"}`, `{"alg":"RS256","kid":"k1","zip":null}`),
			[]attack{a.bearer("compressed", a.rs(`{"alg":"RS256","kid":"k1","zip":"DEF"}`, deflated.String())), a.bearer("compressed without saying so", a.rs(k1, deflated.String()))},
		)},
		{"typ of another kind of token", a.headers(typ(`"logout+jwt"`, `"secevent+jwt"`, `"dpop+jwt"`, `"id_token"`, `"JOSE"`, `"JWE"`, `"application/logout+jwt"`, `"token-introspection+jwt"`, `"vc+sd-jwt"`, `"application/"`, `"at+jwt "`, `""`, `1`, `null`, `["JWT"]`)...)},
		{"typ where at+jwt is asked for", strict},
		{"token within a token", join(
			a.headers(`{"alg":"RS256","kid":"k1","cty":"JWT"}`, `{"alg":"RS256","kid":"k1","cty":"at+jwt"}`, `{"alg":"RS256","kid":"k1","cty":1}`),
			[]attack{a.bearer("nested", a.rs(`{"alg":"RS256","kid":"k1","cty":"JWT"}`, inner)), a.bearer("nested without saying so", a.rs(k1, inner)), a.bearer("as a text", a.rs(k1, `"`+inner+`"`))},
		)},
		{"JSON of the header", a.headers(
			`{"kid":"k1"}`, `{"alg":["RS256"],"kid":"k1"}`, `{"alg":null,"kid":"k1"}`, `{"alg":"none","alg":"RS256","kid":"k1"}`, `{"alg":"RS256","alg":"none","kid":"k1"}`, `{"alg":"RS256","\u0061lg":"RS256","kid":"k1"}`,
			`{"alg":"RS256","kid":"k9","kid":"k1"}`, `{"Alg":"RS256","kid":"k1"}`, `{"ALG":"RS256","kid":"k1"}`, `{"alg":"RS256","kid":"k1","x":{"a":1,"a":2}}`, `["RS256"]`, `null`, `"RS256"`, ``, `{}`,
			`{"alg":"RS256","kid":"k1"}{}`, `{"alg":"RS256","kid":"k1"}x`, "{\"alg\":\"RS256\",\"kid\":\"k1\"}\x00", "\ufeff{\"alg\":\"RS256\",\"kid\":\"k1\"}", "{\"alg\":\"RS256\",\"kid\":\"k1\",\"x\":\"\xff\"}",
			`{"alg":"RS256","kid":"k1","x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`, `{'alg':'RS256','kid':'k1'}`, `{alg:"RS256","kid":"k1"}`, `{"alg":"RS256","kid":"k1",}`, `{"alg":"RS256",/**/"kid":"k1"}`, `{"alg":"RS256","kid":"k1","x":"\ud800"}`,
		)},
	}
}

// What is published without being fit signs nothing either: a curve that no
// algorithm of the issuer uses is left out of its keys.
func TestUnfitKeysSignNothing(t *testing.T) {
	k := keysOnce()
	if k.p384.Curve != elliptic.P384() {
		t.Fatal("the wrong key is tried")
	}
	a := newArena(t)
	for _, alg := range []string{"ES256", "ES384"} {
		if !a.repelled(t, "unfit", a.bearer(alg, signText(t, alg, k.p384, fmt.Sprintf(`{"alg":%q}`, alg), a.good))) {
			t.Errorf("%s passes with a key for ES384", alg)
		}
	}
}
