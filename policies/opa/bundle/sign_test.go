package bundle_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"testing"
)

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func signer(t testing.TB, private []byte) ed25519.PrivateKey {
	t.Helper()
	block, _ := pem.Decode(private)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(ed25519.PrivateKey)
}

// signed completes a token.
func signed(key ed25519.PrivateKey, input string) string {
	return input + "." + b64(string(ed25519.Sign(key, []byte(input))))
}

func hmacSigned(secret []byte, input string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return input + "." + b64(string(h.Sum(nil)))
}

// without takes a claim out of an encoded payload.
func without(t testing.TB, payload, claim string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	delete(claims, claim)
	if text, err = json.Marshal(claims); err != nil {
		t.Fatal(err)
	}
	return b64(string(text))
}
