package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestProofs: a token that is bound to a client's key (DPoP, RFC 9449) is good
// with a proof of that key for this very request and with nothing else, by real
// TLS, over HTTP/1.1 and HTTP/2, on a route whose path the backend sees cut.
func TestProofs(t *testing.T) {
	w := open(t)
	w.backend("API", func(rw http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(rw, r.URL.Path) })
	w.start(`
upstreams: {api: {endpoints: ["{API}"]}}
routes:
  - {name: api, match: {path: /api/}, upstream: api, authn: {issuers: [auth]}, policy: off, rewrite: {strip_prefix: /api}}
`, "")
	b64 := base64.RawURLEncoding.EncodeToString
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := b64(point[1:33]), b64(point[33:])
	thumbprint := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, x, y)) // RFC 7638
	token := w.issuer.token(w.issuer.kid, map[string]any{"sub": "e2", "cnf": map[string]any{"jkt": b64(thumbprint[:])}})
	ath := sha256.Sum256([]byte(token))
	n := 0
	proof := func(changes map[string]any) string {
		n++
		claims := map[string]any{"jti": fmt.Sprint(n), "htm": "GET", "htu": w.base + "/api/a%20b", "iat": time.Now().Unix(), "ath": b64(ath[:])}
		for k, v := range changes {
			claims[k] = v
		}
		jwk := map[string]any{"kty": "EC", "crv": "P-256", "x": x, "y": y}
		return jws(key, map[string]any{"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk}, claims)
	}
	once := proof(nil)
	for _, h2 := range []bool{false, true} {
		for _, c := range []struct{ name, scheme, proof, want string }{
			{"for this request", "DPoP", proof(nil), "/a b"},
			{"for the host in capitals", "DPoP", proof(map[string]any{"htu": strings.Replace(w.base, "localhost", "LOCALHOST", 1) + "/api/a%20b"}), "/a b"},
			{"for the path as the backend sees it", "DPoP", proof(map[string]any{"htu": w.base + "/a%20b"}), "token_invalid"},
			{"for another host", "DPoP", proof(map[string]any{"htu": "https://api.example.com/api/a%20b"}), "token_invalid"},
			{"for this host in the clear", "DPoP", proof(map[string]any{"htu": strings.Replace(w.base, "https", "http", 1) + "/api/a%20b"}), "token_invalid"},
			{"for another method", "DPoP", proof(map[string]any{"htm": "POST"}), "token_invalid"},
			{"none", "DPoP", "", "token_invalid"},
			{"as a bearer token", "Bearer", proof(nil), "token_invalid"},
			{"that is shown in two protocols", "DPoP", once, map[bool]string{false: "/a b", true: "token_invalid"}[h2]},
		} {
			headers := []string{"Authorization: " + c.scheme + " " + token}
			if c.proof != "" {
				headers = append(headers, "DPoP: "+c.proof)
			}
			got := do(t, w.client(h2), w.request("GET", "/api/a%20b?page=1", nil, headers...))
			if !strings.Contains(got.body, c.want) || (got.StatusCode == 200) != strings.HasPrefix(c.want, "/") {
				t.Errorf("h2=%t, a proof %s: %s %s, want %s", h2, c.name, got.Status, got.body, c.want)
			}
		}
	}
}
