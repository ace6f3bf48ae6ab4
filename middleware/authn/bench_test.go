package authn

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// tokenOf700 is a token of a usual size, signed by RS256: 12 claims, 700 bytes.
func tokenOf700(tb testing.TB) string {
	return sign(tb, "RS256", keysOnce().rsa, members{"kid": "k1"}, with(goodClaims(), members{
		"jti": "0f4c9a52e7c14b0f", "sid": "8d1c6a9e2b7f4c55", "acr": "mfa", "amr": []string{"pwd", "otp"}, "auth_time": seconds(0), "client_id": "erp-web",
	}))
}

func benchStage(b *testing.B) *Stage {
	return stageOf(b, issuerConfig(func(i *config.Issuer) {
		i.JWKSFile = writeFile(b, jwks(b, jwkOf(b, "k1", keysOnce().rsa, nil)))
	})).(*Stage)
}

// BenchmarkVerify checks a token that was not seen before.
func BenchmarkVerify(b *testing.B) {
	s, raw := benchStage(b), tokenOf700(b)
	x := middlewaretest.Exchange(b, "GET", "https://api.example.com/", nil)
	b.ReportAllocs()
	b.ReportMetric(float64(len(raw)), "bytes/token")
	for b.Loop() {
		if err := s.identify(x, raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSignature checks the signature alone, by the standard library.
func BenchmarkSignature(b *testing.B) {
	raw := tokenOf700(b)
	dot := strings.LastIndexByte(raw, '.')
	signed := []byte(raw[:dot])
	sig, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		sum := sha256.Sum256(signed)
		if err := rsa.VerifyPKCS1v15(&keysOnce().rsa.PublicKey, crypto.SHA256, sum[:], sig); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	raw := tokenOf700(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}
