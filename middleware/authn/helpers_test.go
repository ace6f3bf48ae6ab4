package authn

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestMain(m *testing.M) { middlewaretest.Main(m) }

// The tests sign with the standard library, so that what they expect does not
// come from the library that is under test.

// testKeys are private keys by the algorithm family they are for.
type testKeys struct {
	rsa, rsa2, rsa1024 *rsa.PrivateKey
	p256, p384, p521   *ecdsa.PrivateKey
	partner            *ecdsa.PrivateKey // P-256, of another issuer
	ed                 ed25519.PrivateKey
	secret             []byte
}

var keysOnce = sync.OnceValue(func() *testKeys {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	k := &testKeys{secret: []byte("0123456789abcdef0123456789abcdef")}
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.rsa2, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.rsa1024, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	k.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.partner, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	k.p521, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	must(err)
	_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
})

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// members are the members of a JSON object.
type members = map[string]any

// with gives a copy of m with changes; nil takes a member away.
func with(m, changes members) members {
	out := maps.Clone(m)
	for k, v := range changes {
		if v == nil {
			delete(out, k)
			continue
		}
		out[k] = v
	}
	return out
}

func encode(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// signText makes a token of a header and a payload as they are written. alg
// is what it is signed by, whatever the header says.
func signText(t testing.TB, alg string, key any, header, payload string) string {
	t.Helper()
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	return signed + "." + b64(signature(t, alg, key, signed))
}

func signature(t testing.TB, alg string, key any, signed string) []byte {
	t.Helper()
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:]]
	var sum []byte
	if hash != 0 {
		h := hash.New()
		h.Write([]byte(signed))
		sum = h.Sum(nil)
	}
	var (
		out []byte
		err error
	)
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if strings.HasPrefix(alg, "PS") {
			out, err = rsa.SignPSS(rand.Reader, k, hash, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			out, err = rsa.SignPKCS1v15(rand.Reader, k, hash, sum)
		}
	case *ecdsa.PrivateKey:
		size := (k.Curve.Params().BitSize + 7) / 8
		r, s, serr := ecdsa.Sign(rand.Reader, k, sum)
		if serr != nil {
			t.Fatal(serr)
		}
		out = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case ed25519.PrivateKey:
		out = ed25519.Sign(k, []byte(signed))
	case []byte:
		m := hmac.New(hash.New, k)
		m.Write([]byte(signed))
		out = m.Sum(nil)
	default:
		t.Fatalf("cannot sign with %T", key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sign(t testing.TB, alg string, key any, header, claims members) string {
	t.Helper()
	return signText(t, alg, key, encode(t, with(members{"alg": alg, "typ": "JWT"}, header)), encode(t, claims))
}

// jwkOf writes a public key (or a secret) as a JWK.
func jwkOf(t testing.TB, kid string, key any, more members) members {
	t.Helper()
	m := members{}
	if kid != "" {
		m["kid"] = kid
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		m["kty"], m["n"], m["e"] = "RSA", b64(k.N.Bytes()), "AQAB"
	case *ecdsa.PrivateKey:
		point, err := k.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := (len(point) - 1) / 2
		m["kty"], m["crv"] = "EC", k.Curve.Params().Name
		m["x"], m["y"] = b64(point[1:1+half]), b64(point[1+half:])
	case ed25519.PrivateKey:
		m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", b64(k.Public().(ed25519.PublicKey))
	case []byte:
		m["kty"], m["k"] = "oct", b64(k)
	default:
		t.Fatalf("no JWK for %T", key)
	}
	return with(m, more)
}

func jwks(t testing.TB, keys ...members) string {
	t.Helper()
	return encode(t, members{"keys": append([]members{}, keys...)})
}

func writeFile(t testing.TB, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// issuerConfig is an issuer as the tests want it; changes say where its keys
// are.
func issuerConfig(changes ...func(*config.Issuer)) *config.Issuer {
	c := &config.Issuer{
		Issuer: "https://auth.example.com", Audiences: []string{"erp", "erp-admin"},
		Algorithms: []string{"RS256"}, Leeway: config.Duration(30 * time.Second), MaxLifetime: config.Duration(24 * time.Hour),
		Claims: config.Claims{
			Subject: "sub", Role: "role", Roles: "roles", Tenant: "tenant", Branch: "branch", Branches: "branches",
		},
	}
	for _, f := range changes {
		f(c)
	}
	return c
}

// dialTCP connects over the network of this machine.
func dialTCP(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// openIssuer gives the network of a busy machine a minute for keys.
func openIssuer(t testing.TB, name string, c *config.Issuer) *Issuer {
	t.Helper()
	i, err := open(t.Context(), name, c, "", dialTCP, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	return i
}

// goodClaims are of a token that nothing is wrong with.
func goodClaims() members {
	now := time.Now().Unix()
	return members{
		"iss": "https://auth.example.com", "aud": "erp", "sub": "u7", "iat": now - 10, "exp": now + 300,
		"role": "hr", "tenant": "t1", "branch": "lagos",
	}
}

func seconds(d time.Duration) json.Number {
	return json.Number(strconv.FormatInt(time.Now().Add(d).Unix(), 10))
}
