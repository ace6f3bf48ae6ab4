package authn

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxToken is the largest token that is read, in bytes. It bounds what an
// unknown caller can make us decode.
const maxToken = 8 << 10

// token is a compact JWS that was read and not yet believed.
type token struct {
	alg       string
	kid       string // "" where the token names no key
	claims    map[string]any
	signed    []byte // the bytes the signature is over: header, dot, payload
	signature []byte
}

// parse reads a token by rules that leave one spelling for each: three
// segments of canonical base64url without padding (RFC 7515, section 7.1), a
// header and a payload that are JSON objects without repeated names. A typ that
// the header names must be one of types.
func parse(raw string, types ...string) (*token, error) {
	if len(raw) > maxToken {
		return nil, fmt.Errorf("the token is longer than %d bytes", maxToken)
	}
	segments := strings.SplitN(raw, ".", 4)
	if len(segments) != 3 {
		return nil, errors.New("the token is not three segments")
	}
	var parts [3][]byte
	for i, s := range segments {
		b, err := segment(s)
		if err != nil {
			return nil, err
		}
		parts[i] = b
	}
	header, err := Claims(parts[0])
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	t := &token{signed: []byte(raw[:len(segments[0])+1+len(segments[1])]), signature: parts[2]}
	if err := t.header(header, types); err != nil {
		return nil, err
	}
	if t.claims, err = Claims(parts[1]); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return t, nil
}

// segment decodes one segment. The alphabet is checked first because the
// decoder of the standard library skips line breaks.
func segment(s string) ([]byte, error) {
	if s == "" {
		return nil, errors.New("the token has an empty segment")
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return nil, errors.New("the token has a byte outside of base64url")
		}
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errors.New("the token is not canonical base64url")
	}
	return b, nil
}

// header takes alg and kid and refuses what would change how the token is to
// be read or bring a key of its own along (RFC 8725, sections 3.9 and 3.10).
func (t *token) header(h map[string]any, types []string) error {
	for _, n := range []string{"crit", "b64", "jku", "jwk", "x5u", "x5c", "enc", "zip"} {
		if _, there := h[n]; there {
			return fmt.Errorf("the token's header has %s", n)
		}
	}
	var ok bool
	if t.alg, ok = h["alg"].(string); !ok {
		return errors.New("the token names no algorithm")
	}
	if kid, there := h["kid"]; there {
		if t.kid, ok = kid.(string); !ok || t.kid == "" {
			return errors.New("the token's kid is not a text")
		}
	}
	if typ, there := h["typ"]; there {
		s, _ := typ.(string)
		if !slices.Contains(types, strings.TrimPrefix(strings.ToLower(s), "application/")) {
			return fmt.Errorf("the token's typ is none of %s", strings.Join(types, ", "))
		}
	}
	return nil
}
