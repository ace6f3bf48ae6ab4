package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// issuer signs tokens and publishes its key, unless it is told to hang.
type issuer struct {
	kid string
	key *ecdsa.PrivateKey
	url string

	mu   sync.Mutex
	hang chan struct{}
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{kid: "k1", key: key}
	srv := httptest.NewServer(i)
	t.Cleanup(srv.Close)
	i.url = srv.URL
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	hang := i.hang
	i.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
		return
	}
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": i.kid,
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}}})
}

// freeze makes the issuer hang until the test ends.
func (i *issuer) freeze(t testing.TB) {
	hang := make(chan struct{})
	i.mu.Lock()
	i.hang = hang
	i.mu.Unlock()
	t.Cleanup(func() { close(hang) })
}

func (i *issuer) hangs() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.hang != nil
}

// token signs claims that are good for an hour.
func (i *issuer) token(kid string, claims map[string]any) string {
	now := time.Now().Unix()
	all := map[string]any{"iss": "https://auth.example.com", "aud": "erp", "iat": now, "exp": now + 3600}
	for k, v := range claims {
		all[k] = v
	}
	return jws(i.key, map[string]any{"alg": "ES256", "typ": "JWT", "kid": kid}, all)
}

// jws signs by ES256, whatever the header says.
func jws(key *ecdsa.PrivateKey, header, claims map[string]any) string {
	segment := func(v any) string {
		b, _ := json.Marshal(v) // maps of texts and numbers
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := segment(header) + "." + segment(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}
