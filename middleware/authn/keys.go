package authn

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxKeys   = 100
	maxKeySet = 512 << 10 // bytes
)

// keySet is an issuer's keys as they were at one moment. It never changes, and
// an issuer has another one only when its keys are others: what was verified
// with a set stays verified for as long as that set is in use.
type keySet struct {
	keys []key
}

// key is one key and what it may be used for.
type key struct {
	id   string   // kid; "" where it has none
	algs []string // of the issuer's algorithms those that the key fits
	raw  any      // *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or []byte
}

// find gives the one key for a token, or nil. A token that names a key gets
// the key of that name; one that names none is accepted only where there is no
// choice.
func (s *keySet) find(kid, alg string) *key {
	var found *key
	for i := range s.keys {
		k := &s.keys[i]
		if kid != "" && k.id != kid || !slices.Contains(k.algs, alg) {
			continue
		}
		if found != nil {
			return nil
		}
		found = k
	}
	return found
}

// parseKeySet reads a JWK set (RFC 7517, section 5) and keeps the keys that
// can be used with the issuer's algorithms. A key that cannot is left out
// without harm to the others; a set of which nothing is left is an error that
// says why.
func parseKeySet(data []byte, algs []string) (*keySet, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("not a JWK set: %w", err)
	}
	if len(doc.Keys) > maxKeys {
		return nil, fmt.Errorf("%d keys; at most %d are read", len(doc.Keys), maxKeys)
	}
	s := &keySet{}
	var dropped []string
	for i, raw := range doc.Keys {
		k, err := parseKey(raw, algs)
		if err != nil {
			dropped = append(dropped, fmt.Sprintf("key %d %v", i+1, err))
			continue
		}
		s.keys = append(s.keys, k)
	}
	if len(s.keys) == 0 {
		if len(dropped) == 0 {
			return nil, errors.New("the JWK set has no keys")
		}
		return nil, fmt.Errorf("the JWK set has no usable key: %s", strings.Join(dropped, "; "))
	}
	return s, nil
}

func parseKey(data []byte, algs []string) (key, error) {
	var about struct {
		ID  string   `json:"kid"`
		Use string   `json:"use"`
		Ops []string `json:"key_ops"`
		Alg string   `json:"alg"`
	}
	if err := json.Unmarshal(data, &about); err != nil {
		return key{}, errors.New("is malformed")
	}
	if about.Use != "" && about.Use != "sig" || about.Ops != nil && !slices.Contains(about.Ops, "verify") {
		return key{}, errors.New("is not for signatures")
	}
	raw, err := publicKey(data)
	if err != nil {
		return key{}, err
	}
	k := key{id: about.ID, raw: raw}
	for _, a := range algs {
		if (about.Alg == "" || about.Alg == a) && fits(a, raw) {
			k.algs = append(k.algs, a)
		}
	}
	if len(k.algs) == 0 {
		return key{}, fmt.Errorf("is for none of %s", strings.Join(algs, ", "))
	}
	return k, nil
}
