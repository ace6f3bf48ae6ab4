package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// issuer signs whatever a scenario asks for and publishes its key.
type issuer struct {
	key *ecdsa.PrivateKey
	set []byte // RFC 7517
}

func startIssuer(ts *testscript.TestScript, _ bool, _ []string) {
	w := of(ts)
	w.issuer = newScriptIssuer(ts)
	set := w.issuer.set
	ts.Check(os.WriteFile(ts.MkAbs("jwks.json"), set, 0o600))
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/jwk-set+json")
		_, _ = rw.Write(set)
	}))
	w.closers = append(w.closers, srv.Close)
	w.set(ts, "ISSUER", srv.URL)
}

func newScriptIssuer(ts *testscript.TestScript) *issuer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	point, err := key.PublicKey.Bytes()
	ts.Check(err)
	enc := encodeSegment
	set, err := json.Marshal(map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k1", "x": enc(point[1:33]), "y": enc(point[33:]),
	}}})
	ts.Check(err)
	return &issuer{key, set}
}

// setToken makes a token: `as bayo role=staff tenant=acme branches=a,b`.
func setToken(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	w.token = ""
	if len(args) == 0 || args[0] == "nobody" {
		return
	}
	alg, secret, now := "ES256", "", time.Now()
	claims := map[string]any{"iss": "https://auth.gatehouse.example", "aud": "erp", "sub": args[0]}
	for _, a := range args[1:] {
		k, v, _ := strings.Cut(a, "=")
		switch k {
		case "age":
			d, err := time.ParseDuration(v)
			ts.Check(err)
			now = now.Add(-d)
		case "alg":
			alg = v
		case "secret":
			secret = v
		case "branches", "roles", "amr":
			claims[k] = strings.Split(v, ",")
		default:
			claims[k] = v
		}
	}
	claims["iat"], claims["auth_time"], claims["exp"] = now.Unix(), now.Unix(), now.Add(time.Hour).Unix()
	head := map[string]any{"alg": alg, "typ": "JWT", "kid": "k1"}
	if secret != "" {
		delete(head, "kid") // a shared secret has no name
	}
	signed := segment(ts, head) + "." + segment(ts, claims)
	var signature []byte
	switch alg {
	case "ES256":
		signature = w.issuer.sign(ts, signed)
	case "HS256":
		m := hmac.New(sha256.New, []byte(secret))
		m.Write([]byte(signed))
		signature = m.Sum(nil)
	}
	w.token = signed + "." + encodeSegment(signature)
}

// sign gives two numbers of fixed width, not ASN.1 (RFC 7518, section 3.4).
func (i *issuer) sign(ts *testscript.TestScript, text string) []byte {
	if i == nil {
		ts.Fatalf("as: there is no issuer")
	}
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	ts.Check(err)
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out
}

func segment(ts *testscript.TestScript, v any) string {
	b, err := json.Marshal(v)
	ts.Check(err)
	return encodeSegment(b)
}

func encodeSegment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// carry says how the token goes from now on: in a cookie, or in the header.
func carry(ts *testscript.TestScript, _ bool, args []string) {
	of(ts).cookie = ""
	if len(args) == 1 && args[0] != "header" {
		of(ts).cookie = args[0]
	}
}

// keep makes a header of the last answer a variable: `keep VAR HEADER`.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	if len(args) != 2 || w.res == nil || w.res.Header.Get(args[1]) == "" {
		ts.Fatalf("usage: keep VAR HEADER, of an answer that has it")
	}
	w.set(ts, args[0], w.res.Header.Get(args[1]))
}

func rawToken(ts *testscript.TestScript, _ bool, args []string) {
	of(ts).token = strings.Join(args, " ")
}
