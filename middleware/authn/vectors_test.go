package authn

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// vector is a token of a standard with the key it was made with.
type vector struct {
	name  string
	alg   string
	key   members // a JWK
	token string
	// why the whole check refuses it nevertheless: these are no tokens for
	// anybody. All that stands behind the signature proves the signature.
	why string
}

const joe = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

func vectors(t *testing.T) []vector {
	ed, err := hex.DecodeString("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
	if err != nil {
		t.Fatal(err)
	}
	return []vector{
		{
			"RFC 7515, A.1", "HS256",
			members{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"},
			"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + joe + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
			"the token names no audience",
		},
		{
			"RFC 7515, A.2", "RS256",
			members{"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
			"eyJhbGciOiJSUzI1NiJ9." + joe + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
			"the token names no audience",
		},
		{
			"RFC 7515, A.3", "ES256",
			members{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
			"eyJhbGciOiJFUzI1NiJ9." + joe + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
			"the token names no audience",
		},
		{
			"RFC 7515, A.4", "ES512",
			members{"kty": "EC", "crv": "P-521", "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk", "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"},
			"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
			"payload: not one JSON object",
		},
		{
			"RFC 8037, A.4", "EdDSA",
			members{"kty": "OKP", "crv": "Ed25519", "x": b64(ed)},
			"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
			"payload: not one JSON object",
		},
	}
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, func(t *testing.T) {
			conf := issuerConfig(func(i *config.Issuer) { i.Issuer, i.Algorithms = "joe", []string{v.alg} })
			var key any
			var err error
			if k, ok := v.key["k"].(string); ok {
				secret, err := base64.RawURLEncoding.DecodeString(k)
				if err != nil {
					t.Fatal(err)
				}
				key, conf.Secret = secret, config.Secret(secret)
			} else if key, err = publicKey([]byte(encode(t, v.key))); err != nil {
				t.Fatal(err)
			} else {
				conf.JWKSFile = writeFile(t, jwks(t, v.key))
			}
			dot := strings.LastIndexByte(v.token, '.')
			sig, err := segment(v.token[dot+1:])
			if err != nil {
				t.Fatal(err)
			}
			if err := verifySignature(v.alg, key, []byte(v.token[:dot]), sig); err != nil {
				t.Errorf("the signature: %v", err)
			}
			sig[7] ^= 1
			if verifySignature(v.alg, key, []byte(v.token[:dot]), sig) == nil {
				t.Error("another signature passes too")
			}
			s := stageOf(t, conf)
			_, err = ask(t, s, "Bearer "+v.token)
			because(t, err, v.why)
			if v.why == "the token names no audience" {
				_, err = ask(t, s, "Bearer "+v.token[:dot+1]+b64(sig))
				because(t, err, "signature")
			}
		})
	}
}

// RFC 7515, A.5: what nobody has signed is nothing, whatever issuers accept.
func TestUnsecuredVector(t *testing.T) {
	a := newArena(t)
	for _, s := range []*Stage{a.main.(*Stage), a.secret.(*Stage)} {
		_, err := ask(t, s, "Bearer eyJhbGciOiJub25lIn0."+joe+".")
		because(t, err, "an empty segment")
	}
}

// RFC 9068, figure 2: the access token of the standard, in its time. It is good
// for 245 days, which must be allowed first.
func TestAccessTokenVector(t *testing.T) {
	const (
		header = `{"typ":"at+jwt","alg":"RS256","kid":"RjEwOwOA"}`
		claims = `{"iss":"https://authorization-server.example.com/","sub":"5ba552d67","aud":"https://rs.example.com/","exp":1639528912,"iat":1618354090,"jti":"dbe39bf3a3ba4238a513f51d6e1691c4","client_id":"s6BhdRkqt3","scope":"openid profile reademail"}`
	)
	k := keysOnce()
	file := writeFile(t, jwks(t, jwkOf(t, "RjEwOwOA", k.rsa, nil)))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Unix(1618354090, 0)))
		standard := func(lifetime time.Duration) *Stage {
			return stageOf(t, issuerConfig(func(i *config.Issuer) {
				i.Issuer, i.Audiences, i.Profile = "https://authorization-server.example.com/", []string{"https://rs.example.com/"}, "at+jwt"
				i.JWKSFile, i.MaxLifetime = file, config.Duration(lifetime)
			})).(*Stage)
		}
		_, err := ask(t, standard(24*time.Hour), "Bearer "+signText(t, "RS256", k.rsa, header, claims))
		because(t, err, "max_lifetime")
		s := standard(21174822 * time.Second)
		x, err := ask(t, s, "Bearer "+signText(t, "RS256", k.rsa, header, claims))
		if err != nil {
			t.Fatal(err)
		}
		if x.Subject.ID != "5ba552d67" || x.Subject.Claims["client_id"] != "s6BhdRkqt3" || x.IssuedAt.Unix() != 1618354090 || x.Expires.Unix() != 1639528912 {
			t.Errorf("subject %+v, issued %v, expires %v", x.Subject, x.IssuedAt, x.Expires)
		}
		_, err = ask(t, s, "Bearer "+signText(t, "RS256", k.rsa, strings.Replace(header, "at+jwt", "JWT", 1), claims))
		because(t, err, "typ is not at+jwt")
		for _, n := range []string{"sub", "iat", "jti", "client_id"} {
			_, err = ask(t, s, "Bearer "+signText(t, "RS256", k.rsa, header, strings.Replace(claims, `"`+n+`"`, `"x"`, 1)))
			because(t, err, n)
		}
	})
}
