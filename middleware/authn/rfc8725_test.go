package authn

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
)

// RFC 8725, JSON Web Token Best Current Practices, section 3: one test for each
// of its paragraphs. The attack table has more of each.

// practice is an issuer of RS256 by the key k1 unless it is changed.
func practice(t *testing.T, changes ...func(*config.Issuer)) func(token, why string) {
	t.Helper()
	c := issuerConfig(func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", keysOnce().rsa, nil))) })
	for _, f := range changes {
		f(c)
	}
	s := stageOf(t, c)
	return func(token, why string) {
		t.Helper()
		_, err := ask(t, s, "Bearer "+token)
		because(t, err, why)
	}
}

// refused wants settings that open no issuer.
func refused(t *testing.T, why string, changes ...func(*config.Issuer)) {
	t.Helper()
	i, err := Open(t.Context(), "auth", issuerConfig(changes...), "")
	if err == nil {
		_ = i.Close()
		t.Errorf("opened; want %q", why)
	} else if !strings.Contains(err.Error(), why) {
		t.Errorf("%v; want %q", err, why)
	}
}

// The algorithm is the issuer's setting, and one key is used with those alone
// that it is for.
func TestRFC8725_3_1_PerformAlgorithmVerification(t *testing.T) {
	k := keysOnce()
	check := practice(t, func(i *config.Issuer) {
		i.Algorithms = []string{"RS256", "PS256", "ES256"}
		i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, members{"alg": "RS256"}), jwkOf(t, "e1", k.p256, nil)))
	})
	check(sign(t, "RS256", k.rsa, members{"kid": "k1"}, goodClaims()), "")
	check(sign(t, "RS512", k.rsa, members{"kid": "k1"}, goodClaims()), "not one of the issuer's")
	check(sign(t, "PS256", k.rsa, members{"kid": "k1"}, goodClaims()), "a key that is not known")
	check(sign(t, "PS256", k.rsa, members{"kid": "k1", "alg": "RS256"}, goodClaims()), "signature")
	check(sign(t, "RS256", k.rsa, members{"kid": "e1"}, goodClaims()), "a key that is not known")
	check(sign(t, "HS256", publicPEM(t, &k.rsa.PublicKey), members{"kid": "k1"}, goodClaims()), "not one of the issuer's")
}

// What is weak or no signature cannot even be configured.
func TestRFC8725_3_2_UseAppropriateAlgorithms(t *testing.T) {
	k := keysOnce()
	file := func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, nil))) }
	for _, alg := range []string{"none", "None", "", "HS1", "RS1", "RSA1_5", "RSA-OAEP", "ES256K", "rs256"} {
		refused(t, "is not known", file, func(i *config.Issuer) { i.Algorithms = []string{"RS256", alg} })
	}
	refused(t, "do not go together", file, func(i *config.Issuer) { i.Algorithms = []string{"RS256", "HS256"} })
	practice(t)(b64([]byte(`{"alg":"none"}`))+"."+b64([]byte(encode(t, goodClaims())))+".AAAA", "not one of the issuer's")
}

// Every byte of a token counts, and tokens within tokens are not looked into.
func TestRFC8725_3_3_ValidateAllCryptographicOperations(t *testing.T) {
	k := keysOnce()
	s := stageOf(t, issuerConfig(func(i *config.Issuer) {
		i.Algorithms, i.JWKSFile = []string{"EdDSA"}, writeFile(t, jwks(t, jwkOf(t, "", k.ed, nil)))
	})).(*Stage)
	good := sign(t, "EdDSA", k.ed, nil, goodClaims())
	x, err := ask(t, s, "Bearer "+good)
	if err != nil || x.Subject == nil {
		t.Fatal(err)
	}
	for i := range len(good) {
		if _, err := s.verify(t.Context(), good[:i]+string(flip(good[i]))+good[i+1:], x.Start); err == nil {
			t.Errorf("byte %d may be changed", i)
		}
	}
	check := practice(t)
	inner := sign(t, "RS256", k.rsa, members{"kid": "k1"}, goodClaims())
	check(signText(t, "RS256", k.rsa, `{"alg":"RS256","kid":"k1","cty":"JWT"}`, inner), "holds another token")
	check(signText(t, "RS256", k.rsa, k1, inner), "not one JSON object")
}

// Keys and signatures that are no points and no numbers of their kind.
func TestRFC8725_3_4_ValidateCryptographicInputs(t *testing.T) {
	k := keysOnce()
	off := jwkOf(t, "e1", k.p256, nil)
	off["y"] = off["x"]
	refused(t, "not a point on its curve", func(i *config.Issuer) { i.Algorithms, i.JWKSFile = []string{"ES256"}, writeFile(t, jwks(t, off)) })
	refused(t, "unsound RSA exponent", func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, members{"e": "AQ"}))) })
	check := practice(t, func(i *config.Issuer) {
		i.Algorithms, i.JWKSFile = []string{"ES256"}, writeFile(t, jwks(t, jwkOf(t, "e1", k.p256, nil)))
	})
	head := b64([]byte(`{"alg":"ES256","kid":"e1"}`)) + "." + b64([]byte(encode(t, goodClaims()))) + "."
	check(head+b64(make([]byte, 64)), "signature")
	check(head+b64(signature(t, "ES384", k.p384, head[:len(head)-1])), "signature")
}

// Secrets that could be guessed and moduli that could be factored.
func TestRFC8725_3_5_EnsureKeysHaveSufficientEntropy(t *testing.T) {
	hs := func(secret string) func(*config.Issuer) {
		return func(i *config.Issuer) { i.Algorithms, i.Secret = []string{"HS256"}, config.Secret(secret) }
	}
	refused(t, "at least 32 bytes", hs("secret"))
	refused(t, "at least 32 bytes", hs(strings.Repeat("x", 31)))
	refused(t, "RSA of 1024 bits", func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", keysOnce().rsa1024, nil))) })
}

// Nothing is encrypted here, and nothing is unpacked.
func TestRFC8725_3_6_AvoidCompression(t *testing.T) {
	check := practice(t)
	check(sign(t, "RS256", keysOnce().rsa, members{"kid": "k1", "zip": "DEF"}, goodClaims()), "header has zip")
	check(strings.Join([]string{b64([]byte(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`)), "AA", "AA", "AA", "AA"}, "."), "three segments")
}

// Texts are UTF-8, in headers and claims.
func TestRFC8725_3_7_UseUTF8(t *testing.T) {
	k, check := keysOnce(), practice(t)
	claims := encode(t, goodClaims())
	check(signText(t, "RS256", k.rsa, k1, `{"name":"Zoë",`+claims[1:]), "")
	check(signText(t, "RS256", k.rsa, k1, "{\"name\":\"Zo\xeb\","+claims[1:]), "not UTF-8")
	check(signText(t, "RS256", k.rsa, "{\"alg\":\"RS256\",\"kid\":\"k1\",\"x\":\"\xeb\"}", claims), "not UTF-8")
	utf16 := "\xff\xfe"
	for _, c := range claims {
		utf16 += string(c) + "\x00"
	}
	check(signText(t, "RS256", k.rsa, k1, utf16), "not UTF-8")
}

// A key speaks for its issuer alone, and a token is about somebody.
func TestRFC8725_3_8_ValidateIssuerAndSubject(t *testing.T) {
	a, k := newArena(t), keysOnce()
	forged := a.bearer("", signText(t, "ES256", k.partner, `{"alg":"ES256","kid":"p1"}`, a.good))
	_, err := ask(t, a.main, forged.values...)
	because(t, err, "a key that is not known")
	check := practice(t)
	for _, iss := range []any{nil, "https://auth.example.com/", "https://evil.test", 1} {
		check(sign(t, "RS256", k.rsa, members{"kid": "k1"}, with(goodClaims(), members{"iss": iss})), "issuer")
	}
	check(sign(t, "RS256", k.rsa, members{"kid": "k1"}, with(goodClaims(), members{"sub": nil})), "the caller's id, is missing")
	check(sign(t, "RS256", k.rsa, members{"kid": "k1"}, with(goodClaims(), members{"sub": ""})), "the caller's id, is missing")
}

// A token says whom it is for, and that must be us.
func TestRFC8725_3_9_UseAndValidateAudience(t *testing.T) {
	k, check := keysOnce(), practice(t)
	for _, aud := range []any{nil, "crm", []string{}, []string{"crm"}, []any{"erp", 1}} {
		check(sign(t, "RS256", k.rsa, members{"kid": "k1"}, with(goodClaims(), members{"aud": aud})), "audience")
	}
	check(sign(t, "RS256", k.rsa, members{"kid": "k1"}, with(goodClaims(), members{"aud": []string{"crm", "erp"}})), "")
	for _, audiences := range [][]string{nil, {""}, {"erp", ""}} {
		refused(t, "audiences: at least one", func(i *config.Issuer) { i.Audiences = audiences })
	}
}

// A kid is compared and nothing else, and an address in a header is never
// visited.
func TestRFC8725_3_10_DoNotTrustReceivedClaims(t *testing.T) {
	k, check := keysOnce(), practice(t)
	var visits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		visits.Add(1)
		_, _ = w.Write([]byte(jwks(t, jwkOf(t, "k1", k.rsa2, nil))))
	}))
	defer server.Close()
	for _, n := range []string{"jku", "x5u"} {
		check(sign(t, "RS256", k.rsa2, members{"kid": "k1", n: server.URL}, goodClaims()), "header has "+n)
	}
	for _, kid := range []string{server.URL, "../../../../dev/null", "x' OR '1'='1", "x)(uid=*"} {
		check(sign(t, "RS256", k.rsa2, members{"kid": kid}, goodClaims()), "a key that is not known")
	}
	check(sign(t, "RS256", k.rsa2, members{"kid": "k1"}, with(goodClaims(), members{"iss": server.URL})), "no tokens of this issuer")
	check(sign(t, "RS256", k.rsa2, members{"kid": "k1", "jwk": jwkOf(t, "k1", k.rsa2, nil)}, goodClaims()), "header has jwk")
	if n := visits.Load(); n != 0 {
		t.Errorf("%d visits to an address of an attacker's", n)
	}
}

// An issuer that types its tokens is held to it.
func TestRFC8725_3_11_UseExplicitTyping(t *testing.T) {
	k := keysOnce()
	check := practice(t, func(i *config.Issuer) { i.Profile = "at+jwt" })
	claims := with(goodClaims(), members{"jti": "j1", "client_id": "web"})
	check(sign(t, "RS256", k.rsa, members{"kid": "k1", "typ": "at+jwt"}, claims), "")
	check(sign(t, "RS256", k.rsa, members{"kid": "k1", "typ": "JWT"}, claims), "typ is not at+jwt")
	check(signText(t, "RS256", k.rsa, k1, encode(t, claims)), "typ is not at+jwt")
	check(sign(t, "RS256", k.rsa, members{"kid": "k1", "typ": "logout+jwt"}, claims), "neither JWT nor at+jwt")
}

// What one issuer signs for other purposes is no access token, even where all
// tokens are of the type JWT.
func TestRFC8725_3_12_UseMutuallyExclusiveValidationRules(t *testing.T) {
	k, check := keysOnce(), practice(t)
	for name, c := range map[string]struct {
		change members
		why    string
	}{
		"an ID token of another client":  {members{"aud": "web", "nonce": "n"}, "another audience"},
		"an ID token beside a token":     {members{"at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng"}, "an ID token"},
		"an ID token beside a code":      {members{"c_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng"}, "an ID token"},
		"a logout token":                 {members{"events": members{logoutEvent: members{}}}, "a logout token"},
		"a token for the holder of keys": {members{"cnf": members{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, "without a proof"},
	} {
		t.Run(name, func(t *testing.T) {
			check(sign(t, "RS256", k.rsa, members{"kid": "k1"}, with(goodClaims(), c.change)), c.why)
		})
	}
}
