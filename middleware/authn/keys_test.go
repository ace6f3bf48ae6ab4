package authn

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// One bad key is left out and says why; the good one beside it stays.
func TestKeysLeftOut(t *testing.T) {
	k := keysOnce()
	offCurve := jwkOf(t, "bad", k.p256, nil)
	offCurve["y"] = offCurve["x"]
	for _, c := range []struct {
		name string
		key  members
		why  string
	}{
		{"secret", jwkOf(t, "bad", k.secret, nil), "is not a public key for signatures"},
		{"private key", jwkOf(t, "bad", k.ed, members{"d": b64(k.ed.Seed())}), "is not a public key for signatures"},
		{"for encryption", jwkOf(t, "bad", k.rsa, members{"use": "enc"}), "is not for signatures"},
		{"for signing only", jwkOf(t, "bad", k.rsa, members{"key_ops": []string{"sign"}}), "is not for signatures"},
		{"for nothing", jwkOf(t, "bad", k.rsa, members{"key_ops": []string{}}), "is not for signatures"},
		{"short RSA", jwkOf(t, "bad", k.rsa1024, nil), "is RSA of 1024 bits"},
		{"even exponent", jwkOf(t, "bad", k.rsa, members{"e": "AQAA"}), "unsound RSA exponent"},
		{"exponent one", jwkOf(t, "bad", k.rsa, members{"e": "AQ"}), "unsound RSA exponent"},
		{"algorithm of another", jwkOf(t, "bad", k.rsa, members{"alg": "RS512"}), "is for none of RS256"},
		{"algorithm of another type", jwkOf(t, "bad", k.p256, members{"alg": "RS256"}), "is for none of RS256"},
		{"type of another", jwkOf(t, "bad", k.p256, nil), "is for none of RS256"},
		{"unknown type", members{"kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA"}, "unknown type or malformed"},
		{"X25519", members{"kty": "OKP", "crv": "X25519", "x": b64(make([]byte, 32))}, "is not a public key for signatures"},
		{"short Ed25519", members{"kty": "OKP", "crv": "Ed25519", "x": b64(make([]byte, 31))}, "wrong length"},
		{"off the curve", offCurve, "not a point on its curve"},
		{"kid is a number", jwkOf(t, "", k.rsa, members{"kid": 7}), "is malformed"},
		{"no members", members{}, "unknown type or malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := parseKeySet([]byte(jwks(t, c.key)), []string{"RS256"}); err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("alone: %v, want %q", err, c.why)
			}
			set, err := parseKeySet([]byte(jwks(t, c.key, jwkOf(t, "good", k.rsa, nil))), []string{"RS256"})
			if err != nil || len(set.keys) != 1 || set.keys[0].id != "good" {
				t.Errorf("beside a good key: %+v, %v", set, err)
			}
		})
	}
}

func TestKeySetMistakes(t *testing.T) {
	k := keysOnce()
	many := make([]members, maxKeys+1)
	for i := range many {
		many[i] = jwkOf(t, strconv.Itoa(i), k.p256, nil)
	}
	for _, c := range []struct{ name, doc, why string }{
		{"empty", "", "not a JWK set"},
		{"no keys", `{"keys":[]}`, "has no keys"},
		{"one key, not a set", encode(t, jwkOf(t, "k1", k.rsa, nil)), "has no keys"},
		{"a page", "<html>", "not a JWK set"},
		{"keys is an object", `{"keys":{}}`, "not a JWK set"},
		{"too many", jwks(t, many...), "at most 100"},
	} {
		if _, err := parseKeySet([]byte(c.doc), []string{"RS256"}); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want %q", c.name, err, c.why)
		}
	}
}

// Which key a token gets, from sets that leave a choice.
func TestFind(t *testing.T) {
	k := keysOnce()
	algs := []string{"RS256", "PS256", "ES256"}
	for _, c := range []struct {
		name     string
		keys     []members
		kid, alg string
		found    bool
	}{
		{"by kid", []members{jwkOf(t, "a", k.rsa, nil), jwkOf(t, "b", k.rsa2, nil)}, "b", "RS256", true},
		{"by kid, of two types", []members{jwkOf(t, "a", k.rsa, nil), jwkOf(t, "a", k.p256, nil)}, "a", "ES256", true},
		{"by kid, of two equals", []members{jwkOf(t, "a", k.rsa, nil), jwkOf(t, "a", k.rsa2, nil)}, "a", "RS256", false},
		{"by kid, bound to another algorithm", []members{jwkOf(t, "a", k.rsa, members{"alg": "PS256"})}, "a", "RS256", false},
		{"kid of a key without one", []members{jwkOf(t, "", k.rsa, nil)}, "a", "RS256", false},
		{"no kid, no choice", []members{jwkOf(t, "", k.rsa, nil), jwkOf(t, "", k.p256, nil)}, "", "RS256", true},
		{"no kid, a choice", []members{jwkOf(t, "a", k.rsa, nil), jwkOf(t, "b", k.rsa2, nil)}, "", "RS256", false},
		{"no kid, one key that has one", []members{jwkOf(t, "a", k.rsa, nil)}, "", "RS256", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := parseKeySet([]byte(jwks(t, c.keys...)), algs)
			if err != nil {
				t.Fatal(err)
			}
			got := set.find(c.kid, c.alg)
			if (got != nil) != c.found {
				t.Fatalf("found %+v", got)
			}
			if got != nil && (got.id != c.kid && c.kid != "" || !fits(c.alg, got.raw)) {
				t.Errorf("found %+v", got)
			}
		})
	}
}

func TestOpenMistakes(t *testing.T) {
	k := keysOnce()
	good := writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, nil)))
	for _, c := range []struct {
		name   string
		change func(*config.Issuer)
		why    string
	}{
		{"no iss", func(i *config.Issuer) { i.Issuer = "" }, "issuer: required"},
		{"no audience", func(i *config.Issuer) { i.Audiences = nil }, "audiences:"},
		{"empty audience", func(i *config.Issuer) { i.Audiences = []string{""} }, "audiences:"},
		{"no algorithm", func(i *config.Issuer) { i.Algorithms = nil }, "algorithms:"},
		{"none", func(i *config.Issuer) { i.Algorithms = []string{"none"} }, `"none" is not known`},
		{"ES256K", func(i *config.Issuer) { i.Algorithms = []string{"ES256K"} }, `"ES256K" is not known`},
		{"secret with public keys", func(i *config.Issuer) { i.Algorithms = []string{"RS256", "HS256"} }, "HS256 and jwks_file do not go together"},
		{"no source", func(i *config.Issuer) { i.JWKSFile = "" }, "exactly one of"},
		{"two sources", func(i *config.Issuer) { i.Discovery = true }, "exactly one of"},
		{"short secret", func(i *config.Issuer) { i.JWKSFile, i.Secret = "", "hush" }, "at least 32 bytes"},
		{"secret with RS256", func(i *config.Issuer) { i.JWKSFile, i.Secret = "", config.Secret(k.secret) }, "RS256 and secret"},
		{"generous leeway", func(i *config.Issuer) { i.Leeway = config.Duration(61 * time.Second) }, "leeway:"},
		{"no subject claim", func(i *config.Issuer) { i.Claims.Subject = "" }, "claims.subject:"},
		{"no file", func(i *config.Issuer) { i.JWKSFile = good + "x" }, "jwks_file: open"},
		{"no key in the file", func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.p256, nil))) }, "no usable key: key 1 is for none of RS256"},
		{"a large file", func(i *config.Issuer) { i.JWKSFile = writeFile(t, strings.Repeat(" ", maxKeySet+1)) }, "larger than"},
		{"plain http", fromURL("http://auth.example.com/jwks"), "jwks_url: must be https"},
		{"plain http to a name like loopback", fromURL("http://localhost.example.com/jwks"), "jwks_url: must be https"},
		{"a password in the URL", fromURL("https://u:p@auth.example.com/jwks"), "jwks_url: not a plain URL"},
		{"a file URL", fromURL("file:///etc/passwd"), "jwks_url: not a plain URL"},
		{"no URL", fromURL("://"), "jwks_url: not a URL"},
		{"discovery by plain http", func(i *config.Issuer) {
			i.JWKSFile, i.Discovery, i.Issuer = "", true, "http://auth.example.com"
		}, "issuer: must be https"},
		{"no CA file", func(i *config.Issuer) { fromURL("https://auth.example.com")(i); i.CA = good + "x" }, "ca: open"},
		{"no CA in the file", func(i *config.Issuer) { fromURL("https://auth.example.com")(i); i.CA = good }, "holds no certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, err := Open(t.Context(), "auth", issuerConfig(func(i *config.Issuer) { i.JWKSFile = good }, c.change), "")
			if err == nil {
				_ = i.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%v, want %q", err, c.why)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("%v gives the secret away", err)
			}
		})
	}
}

func fromURL(url string) func(*config.Issuer) {
	return func(i *config.Issuer) { i.JWKSFile, i.JWKSURL = "", url }
}

// Issuers differ in whether they name the one secret they share.
func TestSecretByAnyName(t *testing.T) {
	k := keysOnce()
	s := stageOf(t, issuerConfig(func(i *config.Issuer) { i.Algorithms, i.Secret = []string{"HS256"}, config.Secret(k.secret) }))
	for _, header := range []members{nil, {"kid": "k1"}} {
		if _, err := ask(t, s, "Bearer "+sign(t, "HS256", k.secret, header, goodClaims())); err != nil {
			t.Errorf("%v: %v", header, err)
		}
	}
	for _, wrong := range []string{
		sign(t, "HS384", k.secret, members{"kid": "k1"}, goodClaims()),
		sign(t, "HS256", []byte("another secret of thirty-two bytes"), members{"kid": "k1"}, goodClaims()),
	} {
		if _, err := ask(t, s, "Bearer "+wrong); middlewaretest.Code(err) != string(middleware.TokenInvalid) {
			t.Errorf("accepted: %v", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	k := keysOnce()
	good := sign(f, "HS256", k.secret, nil, members{"iss": "https://auth.example.com", "sub": "u7"})
	f.Add(good)
	f.Add(strings.ReplaceAll(good, ".", ".."))
	f.Add(good + "=")
	f.Add(b64([]byte(`{"alg":"RS256","kid":"a"}`)) + "." + b64([]byte(`{"a":{"b":[1,null]}}`)) + ".AA")
	f.Add(b64([]byte(`{"alg":"RS256","alg":"none"}`)) + "." + b64([]byte(`{}`)) + ".AA")
	f.Fuzz(func(t *testing.T, raw string) {
		tok, err := parse(raw)
		if err != nil {
			return
		}
		// What is accepted has one spelling: written again it is the same.
		header, payload, _ := strings.Cut(string(tok.signed), ".")
		if raw != header+"."+payload+"."+b64(tok.signature) {
			t.Fatalf("read otherwise than written: %q", raw)
		}
		for _, s := range []string{header, payload} {
			b, err := base64.RawURLEncoding.DecodeString(s)
			if err != nil || b64(b) != s {
				t.Fatalf("not canonical: %q", s)
			}
		}
		claims, err := claimsOf(tok.payload)
		if err != nil {
			return
		}
		if claims == nil {
			t.Fatalf("nothing was read: %q", raw)
		}
		if s, err := Subject("auth", issuerConfig(), claims); err == nil && (s.ID == "" || s.Roles == nil || s.Branches == nil || s.AMR == nil) {
			t.Fatalf("an unfinished subject: %+v", s)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	k := keysOnce()
	f.Add(jwks(f, jwkOf(f, "a", k.rsa, nil), jwkOf(f, "b", k.p256, nil), jwkOf(f, "c", k.ed, nil)))
	f.Add(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)
	f.Add(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`)
	algs, junk := []string{"RS256", "ES256", "EdDSA"}, bytes.Repeat([]byte{1}, 64)
	f.Fuzz(func(t *testing.T, doc string) {
		set, err := parseKeySet([]byte(doc), algs)
		if err != nil {
			return
		}
		for _, k := range set.keys {
			for _, alg := range k.algs {
				// A key that was kept can be used; junk never verifies.
				if verifySignature(alg, k.raw, []byte("a.b"), junk) == nil {
					t.Fatalf("junk verifies by %s", alg)
				}
			}
		}
	})
}
