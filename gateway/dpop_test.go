package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// prover is a client whose tokens are bound to its key (DPoP, RFC 9449).
type prover struct {
	t     *testing.T
	key   *ecdsa.PrivateKey
	jwk   map[string]string
	token string
	made  int
}

func newProver(t *testing.T, w *world) *prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	p := &prover{t: t, key: key, jwk: map[string]string{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}}
	text := fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, p.jwk["x"], p.jwk["y"])
	sum := sha256.Sum256([]byte(text))
	p.token = w.issuer.token(w.issuer.kid, map[string]any{"sub": "e2", "role": "staff", "cnf": map[string]any{"jkt": b64(sum[:])}})
	return p
}

// proof gives the headers of a request for an address.
func (p *prover) proof(method, address string) []string {
	p.t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	ath := sha256.Sum256([]byte(p.token))
	p.made++
	text := ""
	for _, part := range []any{
		map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": p.jwk},
		map[string]any{"jti": fmt.Sprint("proof ", p.made), "htm": method, "htu": address, "iat": time.Now().Unix(), "ath": b64(ath[:])},
	} {
		j, err := json.Marshal(part)
		if err != nil {
			p.t.Fatal(err)
		}
		text += b64(j) + "."
	}
	text = strings.TrimSuffix(text, ".")
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		p.t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return []string{"Authorization: DPoP " + p.token, "DPoP: " + text + "." + b64(signature)}
}

// A proof is for the address that the client has written, whatever the protocol
// is, however the host is spelled, and wherever the route sends it.
func TestProofsOverTheWire(t *testing.T) {
	w := open(t)
	seen := &witness{}
	w.backend("HR", seen.ServeHTTP)
	settings := strings.Replace(one, "{issuers: [auth]}", "{issuers: [auth], forward_token: false}", 1)
	w.start(preamble+settings+"    rewrite: {strip_prefix: /api}\npolicies: {path: rego, budget: 1m}\n", masking)
	host := strings.TrimPrefix(w.base, "https://")
	name, port, _ := strings.Cut(host, ":")
	p := newProver(t, w)
	for _, h2 := range []bool{false, true} {
		c := w.client(h2)
		ask := func(what, method, target, host string, want int, headers ...string) {
			t.Helper()
			r := w.request(method, target, nil, headers...)
			r.Host = host
			if a := do(t, c, r); a.StatusCode != want {
				t.Errorf("h2 %v, %s: %d %s", h2, what, a.StatusCode, a.body)
			}
		}
		const target = "/api/employees/7"
		good := p.proof("GET", w.base+target)
		ask("good", "GET", target+"?page=1", "", 200, good...)
		ask("again", "GET", target+"?page=1", "", 401, good...)
		ask("the host in capitals", "GET", target, strings.ToUpper(host), 200, p.proof("GET", w.base+target)...)
		ask("a full stop", "GET", target, name+".:"+port, 200, p.proof("GET", "https://"+name+".:"+port+target)...)
		ask("what is encoded", "GET", "/api/employees/7%20%C3%A9", "", 200, p.proof("GET", w.base+"/api/employees/7%20%c3%a9")...)
		ask("as it is sent on", "GET", target, "", 401, p.proof("GET", w.base+"/employees/7")...)
		ask("another port", "GET", target, "", 401, p.proof("GET", "https://"+name+target)...)
		ask("another method", "HEAD", target, "", 401, p.proof("GET", w.base+target)...)
		ask("an override", "GET", target, "", 401, append(p.proof("POST", w.base+target), "X-HTTP-Method-Override: POST")...)
		ask("as a bearer token", "GET", target, "", 401, "Authorization: Bearer "+p.token)
		if !h2 {
			ask("named by Connection", "GET", target, "", 401, append(p.proof("GET", w.base+target), "Connection: dpop")...)
		}
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.seen) != 8 {
		t.Errorf("%d requests upstream", len(seen.seen))
	}
	for _, s := range seen.seen {
		if strings.Contains(s, "\nDpop: ") || strings.Contains(s, p.token) {
			t.Errorf("the token or its proof went upstream: %s", s)
		}
	}
}
