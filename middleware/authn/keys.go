package authn

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

const (
	maxKeys   = 100
	maxKeySet = 512 << 10 // bytes
	maxKeyID  = 1 << 10   // bytes
	maxTold   = 5         // how many of the keys that are not used are told why
)

// keySet is an issuer's keys as they were at one moment. It never changes, and
// an issuer has another one only when its keys are others: what was verified
// with a set stays verified for as long as that set is in use.
type keySet struct {
	keys   []key
	unused []string // why keys that were published are not among them
	others []string // the names of those that are for signatures

	// unnamed keys came without names and bear their thumbprints.
	unnamed bool
}

// key is one key and what it may be used for.
type key struct {
	id   string   // kid; "" where it has none
	alg  string   // the one algorithm it is published for; "" where that is left open
	algs []string // of the issuer's algorithms those that the key fits
	raw  any      // *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or []byte
}

// find gives the one key for a token, or nil. A token that names a key gets
// the key of that name; one that names none is accepted only where there is no
// choice. Where the keys have no names, what the token calls its own matters
// only where there is a choice.
func (s *keySet) find(kid, alg string) *key {
	if s.unnamed {
		if k := s.named("", alg); k != nil {
			return k
		}
	}
	return s.named(kid, alg)
}

// named gives the one key of a name, of any name where kid is "".
func (s *keySet) named(kid, alg string) *key {
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
	var doc map[string]json.RawMessage // no struct: it would take "KEYS" for keys
	var keys []json.RawMessage
	err := json.Unmarshal(data, &doc)
	if list := doc["keys"]; err == nil && list != nil {
		err = json.Unmarshal(list, &keys)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("not a JWK set: %w", err)
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("%d keys; at most %d are read", len(keys), maxKeys)
	case len(keys) == 0:
		return nil, errors.New("the JWK set has no keys")
	}
	s := &keySet{}
	for i, raw := range keys {
		k, err := parseKey(raw, algs)
		if err != nil {
			s.unused = append(s.unused, fmt.Sprintf("key %d %v", i+1, err))
			if k.id != "" {
				s.others = append(s.others, k.id)
			}
			continue
		}
		s.keys = append(s.keys, k)
	}
	if len(s.keys) == 0 {
		return nil, fmt.Errorf("the JWK set has no usable key: %s", s.reasons())
	}
	return s, nil
}

// told says which keys are not used and why, "" where all are.
func (s *keySet) told() string {
	switch n := len(s.unused); n {
	case 0:
		return ""
	case 1:
		return "1 key is not used: " + s.unused[0]
	default:
		return fmt.Sprintf("%d keys are not used: %s", n, s.reasons())
	}
}

// reasons names keys by their place: what an issuer calls them is its own word.
func (s *keySet) reasons() string {
	if n := len(s.unused); n > maxTold {
		return fmt.Sprintf("%s; and %d more", strings.Join(s.unused[:maxTold], "; "), n-maxTold)
	}
	return strings.Join(s.unused, "; ")
}

// parseKey reads a key. One that is for signatures and cannot be used is given with
// its name beside the error.
func parseKey(data []byte, algs []string) (key, error) {
	about, err := readAbout(data)
	if err != nil {
		return key{}, err
	}
	raw, err := publicKey(data)
	if err != nil {
		return key{id: about.id}, err
	}
	k := key{id: about.id, alg: about.alg, raw: raw}
	for _, a := range algs {
		if (about.alg == "" || about.alg == a) && fits(a, raw) {
			k.algs = append(k.algs, a)
		}
	}
	if len(k.algs) == 0 {
		return key{id: about.id}, fmt.Errorf("is for none of %s", strings.Join(algs, ", "))
	}
	return k, nil
}

// about is what a JWK says of itself beside the key (RFC 7517, section 4).
type about struct{ id, alg string }

// readAbout reads it by the rules for tokens, so that no name can be there twice
// or in another case, and refuses keys that are not for checking signatures.
func readAbout(data []byte) (about, error) {
	m, err := Claims(data)
	if err != nil {
		return about{}, errors.New("is malformed")
	}
	var a about
	var use string
	for name, to := range map[string]*string{"kid": &a.id, "alg": &a.alg, "use": &use} {
		v := m[name] // null is nothing, as it is to most
		s, ok := v.(string)
		if v != nil && !ok {
			return about{}, errors.New("is malformed")
		}
		*to = s
	}
	ops := m["key_ops"]
	list, ok := ops.([]any)
	switch {
	case ops != nil && !ok:
		return about{}, errors.New("is malformed")
	case use != "" && use != "sig" || ops != nil && !slices.Contains(list, any("verify")):
		return about{}, errors.New("is not for signatures")
	case len(a.id) > maxKeyID:
		return about{}, fmt.Errorf("has a kid of %d bytes; at most %d are read", len(a.id), maxKeyID)
	}
	return a, nil
}

// publicMembers are what makes a public key and nothing else, by the names of a JWK
// and in its spelling; nil for what is no public key for signatures. Written as
// JSON they are what the key's thumbprint is over (RFC 7638, section 3.2).
func publicMembers(raw any) map[string]string {
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := raw.(type) {
	case *rsa.PublicKey:
		return map[string]string{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 4, x, y
		if err != nil {
			return nil
		}
		half := len(point) / 2
		return map[string]string{"kty": "EC", "crv": k.Params().Name, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:])}
	case ed25519.PublicKey:
		return map[string]string{"kty": "OKP", "crv": "Ed25519", "x": b64(k)}
	}
	return nil
}
