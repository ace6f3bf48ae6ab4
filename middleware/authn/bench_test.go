package authn

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// tokenOf700 is a token of a usual size, signed by RS256: 12 claims, some 700
// bytes.
func tokenOf700(tb testing.TB) string {
	return sign(tb, "RS256", keysOnce().rsa, members{"kid": "k1"}, with(goodClaims(), members{
		"jti": "0f4c9a52e7c14b0f", "acr": "mfa", "amr": []string{"pwd", "otp"}, "auth_time": seconds(0),
	}))
}

func benchStage(tb testing.TB) *Stage {
	return stageOf(tb, issuerConfig(func(i *config.Issuer) {
		i.JWKSFile = writeFile(tb, jwks(tb, jwkOf(tb, "k1", keysOnce().rsa, nil)))
	})).(*Stage)
}

// BenchmarkCached is the whole stage for a token that was seen before. ns/stage
// is the median of batches: what else the machine does falls on few of them.
func BenchmarkCached(b *testing.B) {
	s, raw := benchStage(b), tokenOf700(b)
	x := middlewaretest.Exchange(b, "GET", "https://api.example.com/", nil)
	x.Request.Header.Set("Authorization", "Bearer "+raw)
	answer := &http.Response{}
	next := func(*middleware.Exchange) (*http.Response, error) { return answer, nil }
	if _, err := s.Handle(x, next); err != nil {
		b.Fatal(err)
	}
	const batch = 32
	batches, n, start := make([]time.Duration, 0, 1<<20), 0, time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Handle(x, next); err != nil {
			b.Fatal(err)
		}
		if n++; n%batch == 0 && len(batches) < cap(batches) {
			now := time.Now()
			batches, start = append(batches, now.Sub(start)), now
		}
	}
	if slices.Sort(batches); len(batches) > 0 {
		b.ReportMetric(float64(batches[len(batches)/2].Nanoseconds())/batch, "ns/stage")
	}
}

// BenchmarkUncached is the whole stage for a token that was not seen before,
// and right beside it its signature alone, checked by the standard library.
// x-signature is how much longer the stage takes, by the medians: what else the
// machine does falls on both.
func BenchmarkUncached(b *testing.B) {
	s, raw := benchStage(b), tokenOf700(b)
	x := middlewaretest.Exchange(b, "GET", "https://api.example.com/", nil)
	dot := strings.LastIndexByte(raw, '.')
	signed := []byte(raw[:dot])
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	public := &keysOnce().rsa.PublicKey
	var whole, bare []time.Duration
	for b.Loop() {
		forget(s)
		start := time.Now()
		if err := s.identify(x, credentials{token: raw}); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		sum := sha256.Sum256(signed)
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature); err != nil {
			b.Fatal(err)
		}
		whole, bare = append(whole, middle.Sub(start)), append(bare, time.Since(middle))
	}
	slices.Sort(whole)
	slices.Sort(bare)
	half := len(whole) / 2
	b.ReportMetric(float64(len(raw)), "bytes/token")
	b.ReportMetric(float64(whole[half].Nanoseconds()), "ns/stage")
	b.ReportMetric(float64(bare[half].Nanoseconds()), "ns/signature")
	b.ReportMetric(float64(whole[half])/float64(bare[half]), "x-signature")
}

// forget empties what a stage's issuers remember.
func forget(s *Stage) {
	for _, i := range s.issuers {
		for n := range i.cache.shards {
			i.cache.shards[n].flush()
		}
	}
}

func BenchmarkParse(b *testing.B) {
	raw := tokenOf700(b)
	b.ReportAllocs()
	for b.Loop() {
		parsed, err := parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := claimsOf(parsed.payload); err != nil {
			b.Fatal(err)
		}
	}
}
