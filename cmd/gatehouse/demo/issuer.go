package demo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
)

// Person is somebody the issuer gives tokens to.
type Person struct {
	Name     string // of the token file
	ID       string
	Role     string
	Tenant   string
	Branch   string
	Branches []string
	AMR      []string
}

// People are those the demo speaks for.
func People() []Person {
	return []Person{
		{Name: "hr", ID: "e1", Role: "hr", Tenant: "acme", Branch: "lagos", Branches: []string{"lagos", "abuja"}, AMR: []string{"pwd"}},
		{Name: "hr-mfa", ID: "e1", Role: "hr", Tenant: "acme", Branch: "lagos", Branches: []string{"lagos", "abuja"}, AMR: []string{"pwd", "otp"}},
		{Name: "staff", ID: "e2", Role: "staff", Tenant: "acme", Branch: "lagos", AMR: []string{"pwd"}},
		{Name: "manager", ID: "e3", Role: "manager", Tenant: "acme", Branch: "lagos", AMR: []string{"pwd"}},
		{Name: "hr-globex", ID: "e6", Role: "hr", Tenant: "globex", Branch: "nairobi", AMR: []string{"pwd"}},
		{Name: "candidate", ID: "c1", Role: "candidate", Tenant: "acme", Branch: "lagos", AMR: []string{"pwd"}},
		{Name: "employer", ID: "x1", Role: "employer", Tenant: "acme", AMR: []string{"pwd"}},
	}
}

// issuerURL is the iss of the demo's tokens.
const issuerURL = "https://auth.gatehouse.example"

// keyID names the issuer's one key.
const keyID = "demo-1"

// Issuer signs tokens with ES256 and publishes its key set.
type Issuer struct {
	key *ecdsa.PrivateKey
}

// NewIssuer makes an issuer with a fresh key.
func NewIssuer() (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Issuer{key}, nil
}

// Token makes a token that is good for an hour.
func (i *Issuer) Token(p Person, now time.Time) string {
	claims := map[string]any{
		"iss": issuerURL, "aud": "erp", "sub": p.ID, "role": p.Role, "tenant": p.Tenant, "amr": p.AMR,
		"iat": now.Unix(), "auth_time": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	if p.Branch != "" {
		claims["branch"] = p.Branch
	}
	if p.Branches != nil {
		claims["branches"] = p.Branches
	}
	head := segment(map[string]any{"alg": "ES256", "typ": "JWT", "kid": keyID})
	signed := head + "." + segment(claims)
	sum := sha256.Sum256([]byte(signed))
	r, t, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		return ""
	}
	// Two numbers of fixed width, not ASN.1 (RFC 7518, section 3.4).
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	t.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func segment(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// ServeHTTP answers with the key set (RFC 7517), whatever is asked.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		http.Error(w, "no key", http.StatusInternalServerError)
		return
	}
	enc := base64.RawURLEncoding.EncodeToString
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": keyID, "x": enc(point[1:33]), "y": enc(point[33:]),
	}}})
}
