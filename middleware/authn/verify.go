package authn

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// This file is all that is known here of github.com/lestrrat-go/jwx/v2. Its
// parsers of tokens, its key sets and its cache are not used: they accept more
// than we do. It never signs.

// verifySignature checks a signature with exactly this algorithm and key.
// The key has been found fit for the algorithm by [fits].
func verifySignature(alg string, key any, signed, signature []byte) error {
	v, err := jws.NewVerifier(jwa.SignatureAlgorithm(alg))
	if err != nil {
		return err
	}
	return v.Verify(signed, signature, key)
}

// publicKey builds the key that a JWK (RFC 7517) holds and refuses all but
// sound public keys: a symmetric or private key in a published set is anyone's.
func publicKey(data []byte) (any, error) {
	k, err := jwk.ParseKey(data)
	if err != nil {
		return nil, errors.New("is of an unknown type or malformed")
	}
	var raw any
	if err := k.Raw(&raw); err != nil {
		return nil, errors.New("is malformed")
	}
	switch raw := raw.(type) {
	case *rsa.PublicKey:
		bits := raw.N.BitLen()
		if bits < 2048 || bits > 8192 {
			return nil, fmt.Errorf("is RSA of %d bits; 2048 to 8192 are used", bits)
		}
		if raw.E < 3 || raw.E&1 == 0 {
			return nil, errors.New("has an unsound RSA exponent")
		}
		return raw, nil
	case *ecdsa.PublicKey:
		if _, err := raw.ECDH(); err != nil {
			return nil, errors.New("is not a point on its curve")
		}
		return raw, nil
	case ed25519.PublicKey:
		if len(raw) != ed25519.PublicKeySize {
			return nil, errors.New("has the wrong length for Ed25519")
		}
		return raw, nil
	}
	return nil, errors.New("is not a public key for signatures")
}

// algorithms lists what is accepted at all (RFC 7518, section 3.1; RFC 8037),
// each with the one kind of key it may be used with.
func algorithms() map[string]string {
	return map[string]string{
		"RS256": "RSA", "RS384": "RSA", "RS512": "RSA",
		"PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
		"ES256": "P-256", "ES384": "P-384", "ES512": "P-521",
		"EdDSA": "Ed25519",
		"HS256": "secret", "HS384": "secret", "HS512": "secret",
	}
}

// fits reports whether a key may be used with an algorithm. It is what keeps
// a public key from being taken for an HMAC secret.
func fits(alg string, key any) bool {
	var kind string
	switch k := key.(type) {
	case *rsa.PublicKey:
		kind = "RSA"
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			kind = k.Curve.Params().Name
		}
	case ed25519.PublicKey:
		kind = "Ed25519"
	case []byte:
		kind = "secret"
	}
	return kind != "" && algorithms()[alg] == kind
}
