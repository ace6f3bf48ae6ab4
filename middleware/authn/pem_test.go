package authn

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// pemOf writes a block as openssl does.
func pemOf(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func spki(t testing.TB, public any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	return pemOf(t, "PUBLIC KEY", der, err)
}

// pastCertificate is one that has expired, as those of issuers do.
func pastCertificate(t testing.TB) string {
	t.Helper()
	k := keysOnce()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1e9, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.rsa.PublicKey, k.rsa)
	return pemOf(t, "CERTIFICATE", der, err)
}

// Tokens by keys in PEM, whatever they are called.
func TestPEM(t *testing.T) {
	k := keysOnce()
	both := spki(t, &k.rsa.PublicKey) + spki(t, &k.rsa2.PublicKey)
	for _, c := range []struct {
		name, file, alg string
		key             any
		kid             string
		want            string
	}{
		{"RSA", spki(t, &k.rsa.PublicKey), "RS256", k.rsa, "", ""},
		{"RSA, by any name", spki(t, &k.rsa.PublicKey), "RS256", k.rsa, "2026-01", ""},
		{"RSA, of another", spki(t, &k.rsa.PublicKey), "RS256", k.rsa2, "", invalid},
		{"PKCS 1", pemOf(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey), nil), "RS256", k.rsa, "a", ""},
		{"a certificate", pastCertificate(t), "RS256", k.rsa, "a", ""},
		{"P-256", spki(t, &k.p256.PublicKey), "ES256", k.p256, "", ""},
		{"P-384", spki(t, &k.p384.PublicKey), "ES384", k.p384, "a", ""},
		{"P-521", spki(t, &k.p521.PublicKey), "ES512", k.p521, "a", ""},
		{"Ed25519", spki(t, k.ed.Public()), "EdDSA", k.ed, "a", ""},
		{"words around it", "Our key:\n" + spki(t, &k.rsa.PublicKey) + "\nthe end\n", "RS256", k.rsa, "a", ""},
		{"one of each type, RSA", spki(t, &k.p256.PublicKey) + spki(t, &k.rsa.PublicKey), "RS256", k.rsa, "a", ""},
		{"one of each type, EC", spki(t, &k.p256.PublicKey) + spki(t, &k.rsa.PublicKey), "ES256", k.p256, "a", ""},
		{"two, no name", both, "RS256", k.rsa, "", invalid},
		{"two, any name", both, "RS256", k.rsa, "a", invalid},
		{"two, the first's thumbprint", both, "RS256", k.rsa, thumbprint(&k.rsa.PublicKey), ""},
		{"two, the second's thumbprint", both, "RS256", k.rsa2, thumbprint(&k.rsa2.PublicKey), ""},
		{"two, the other's thumbprint", both, "RS256", k.rsa, thumbprint(&k.rsa2.PublicKey), invalid},
		{"a key and its certificate", spki(t, &k.rsa.PublicKey) + pastCertificate(t), "RS256", k.rsa, "a", ""},
		{"beside a bad key", spki(t, &k.rsa1024.PublicKey) + spki(t, &k.rsa.PublicKey), "RS256", k.rsa, "a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stageOf(t, issuerConfig(func(i *config.Issuer) {
				i.JWKSFile, i.Algorithms = writeFile(t, c.file), []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"}
			}))
			header := members{"kid": c.kid}
			if c.kid == "" {
				header = nil
			}
			_, err := ask(t, s, "Bearer "+sign(t, c.alg, c.key, header, goodClaims()))
			expect(t, "asked", middlewaretest.Code(err), c.want)
		})
	}
}

func TestPEMMistakes(t *testing.T) {
	k := keysOnce()
	good := spki(t, &k.rsa.PublicKey)
	private, err := x509.MarshalPKCS8PrivateKey(k.rsa)
	pkcs8 := pemOf(t, "PRIVATE KEY", private, err)
	exchange, err := ecdh.X25519().NewPublicKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	p224, err := x509.MarshalPKIXPublicKey(weakCurve(t))
	for _, c := range []struct{ name, file, why string }{
		{"PKCS 8", good + pkcs8, "holds a private key"},
		{"PKCS 1", pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa), nil), "holds a private key"},
		{"EC", pemOf(t, "EC PRIVATE KEY", []byte{1}, nil), "holds a private key"},
		{"encrypted", pemOf(t, "ENCRYPTED PRIVATE KEY", []byte{1}, nil), "holds a private key"},
		{"OpenSSH", pemOf(t, "OPENSSH PRIVATE KEY", []byte{1}, nil), "holds a private key"},
		{"a damaged private key", strings.Replace(pkcs8, "M", "!", 1), "holds a private key"},
		{"nothing", "", "neither a JWK set nor PEM"},
		{"a page", "<html>", "neither a JWK set nor PEM"},
		{"a JSON list", "[]", "neither a JWK set nor PEM"},
		{"one that is damaged", good + strings.Replace(good, "M", "!", 1), "1 of 2 blocks of PEM are damaged"},
		{"cut off", good[:len(good)/2], "1 of 1 blocks of PEM are damaged"},
		{"short RSA", spki(t, &k.rsa1024.PublicKey), "key 1 is RSA of 1024 bits"},
		{"not of the issuer's algorithms", spki(t, &k.p256.PublicKey), "key 1 is for none of RS256"},
		{"X25519", spki(t, exchange), "key 1 is not a public key for signatures"},
		{"P-224", pemOf(t, "PUBLIC KEY", p224, err), "key 1 is"},
		{"a request for a certificate", pemOf(t, "CERTIFICATE REQUEST", []byte{1}, nil), "key 1 is neither PUBLIC KEY, RSA PUBLIC KEY nor CERTIFICATE"},
		{"junk in a block", pemOf(t, "PUBLIC KEY", []byte("junk"), nil), "key 1 is malformed"},
		{"too many", strings.Repeat(good, maxKeys+1), "at most 100"},
		{"large", good + strings.Repeat("\n", maxKeySet), "larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, err := Open(t.Context(), "auth", issuerConfig(func(i *config.Issuer) { i.JWKSFile = writeFile(t, c.file) }), "")
			if err == nil {
				_ = i.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.why) || !strings.HasPrefix(err.Error(), "jwks_file: ") {
				t.Errorf("%v, want %q", err, c.why)
			}
		})
	}
}

// weakCurve is a key on a curve that no algorithm of ours has.
func weakCurve(t *testing.T) any {
	t.Helper()
	k := *keysOnce().p256
	k.Curve = elliptic.P224()
	k.X, k.Y = elliptic.P224().Params().Gx, elliptic.P224().Params().Gy //nolint:staticcheck // there is no other way to have one
	return &k.PublicKey
}

// The example of RFC 7638, section 3.1.
func TestThumbprint(t *testing.T) {
	const jwk = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	set, err := parseKeySet([]byte(`{"keys":[`+jwk+`]}`), []string{"RS256"})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "thumbprint", thumbprint(set.keys[0].raw), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
	// RFC 8037, appendix A.3.
	var ed struct{ X []byte }
	if err := json.Unmarshal([]byte(`{"x":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}`), &ed); err != nil {
		t.Fatal(err)
	}
	expect(t, "thumbprint", thumbprint(ed25519.PublicKey(ed.X)), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
}

func FuzzPEM(f *testing.F) {
	k := keysOnce()
	f.Add([]byte(spki(f, &k.rsa.PublicKey) + pastCertificate(f)))
	f.Add([]byte(pemOf(f, "PUBLIC KEY", []byte{0x30, 0}, nil)))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parsePEM(data, []string{"RS256", "ES256", "EdDSA"})
		if err != nil {
			return
		}
		for _, k := range s.keys {
			if k.id != thumbprint(k.raw) || len(k.algs) == 0 {
				t.Fatalf("%+v", k)
			}
		}
	})
}

// readKeySet tells the two kinds of files apart by their first byte.
func TestKindsOfFiles(t *testing.T) {
	k := keysOnce()
	for text, unnamed := range map[string]bool{
		"\n\t " + jwks(t, jwkOf(t, "k1", k.rsa, nil)): false,
		"\n\t \n" + spki(t, &k.rsa.PublicKey):         true,
	} {
		file := writeFile(t, text)
		s, err := readKeySet(file, []string{"RS256"})
		if err != nil || s.unnamed != unnamed {
			t.Errorf("%+v, %v", s, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}
