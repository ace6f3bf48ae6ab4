package authn

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
)

// Keys in PEM (RFC 7468) have no names. Where one of them fits a token's
// algorithm it is taken, whatever the token calls its key: there is nothing to
// choose. Where several do, the token must name one by its thumbprint (RFC
// 7638), or it is refused.
//
// A certificate stands for the key in it. Neither its dates nor who has issued
// it are judged: the file is what vouches for the key.

// parsePEM reads public keys: PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE. They
// are judged as JWKs are. A private key in the file is a mistake of whoever put
// it there, and an error rather than something to look away from.
func parsePEM(data []byte, algs []string) (*keySet, error) {
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return nil, errors.New("holds a private key, which nobody but the issuer may have; put the public key there")
	}
	s := &keySet{unnamed: true}
	there := map[string]bool{}
	n := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if n++; n > maxKeys {
			return nil, fmt.Errorf("more than %d keys; at most %d are read", maxKeys, maxKeys)
		}
		k, err := parseBlock(block, algs)
		switch {
		case err != nil:
			s.unused = append(s.unused, fmt.Sprintf("key %d %v", n, err))
		case !there[k.id]: // a key and its certificate are one key
			there[k.id] = true
			s.keys = append(s.keys, k)
		}
	}
	// The decoder skips what is damaged, and so would we a key.
	switch begun := bytes.Count(data, []byte("-----BEGIN ")); {
	case begun == 0:
		return nil, errors.New("neither a JWK set nor PEM")
	case begun != n:
		return nil, fmt.Errorf("%d of %d blocks of PEM are damaged", begun-n, begun)
	case len(s.keys) == 0:
		return nil, fmt.Errorf("no usable key: %s", s.reasons())
	}
	return s, nil
}

func parseBlock(block *pem.Block, algs []string) (key, error) {
	var raw any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		raw, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		raw, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			raw = c.PublicKey
		}
	default:
		return key{}, errors.New("is neither PUBLIC KEY, RSA PUBLIC KEY nor CERTIFICATE")
	}
	if err != nil {
		return key{}, errors.New("is malformed")
	}
	m := publicMembers(raw)
	if m == nil {
		return key{}, errors.New("is not a public key for signatures")
	}
	m["kid"] = thumbprint(raw)
	text, err := json.Marshal(m)
	if err != nil {
		return key{}, err
	}
	return parseKey(text, algs)
}

// thumbprint names a public key by what it is (RFC 7638): the hash of the
// members that make it, in the order of their names, without a blank.
func thumbprint(raw crypto.PublicKey) string {
	text, err := json.Marshal(publicMembers(raw))
	if err != nil {
		return "" // texts by texts always can be written
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
