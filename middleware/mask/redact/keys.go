package redact

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Keyring holds the master secrets of the actions hash and tokenize.
type Keyring struct {
	primary string
	secrets map[string][]byte
}

// minSecret is the least length of a master secret, in bytes.
const minSecret = 32

// NewKeyring makes a keyring of secrets by key id. Ids are letters and digits,
// secrets at least 32 bytes. New values are made with the primary key, which
// may be left empty where there is one key; the others only serve
// [Keyring.Detokenize]. Without secrets the keyring is nil, and plans that need
// a key do not compile.
func NewKeyring(primary string, secrets map[string]string) (*Keyring, error) {
	if len(secrets) == 0 {
		if primary != "" {
			return nil, fmt.Errorf("primary key %q is not among the keys", primary)
		}
		return nil, nil
	}
	k := &Keyring{primary: primary, secrets: make(map[string][]byte, len(secrets))}
	for id, secret := range secrets {
		for i := range len(id) {
			if !nameByte(id[i], true) || id[i] == '_' || id[i] >= 0x80 {
				return nil, fmt.Errorf("key id %q: only letters and digits can stand in it", id)
			}
		}
		switch {
		case id == "":
			return nil, errors.New("a key has an empty id")
		case len(secret) < minSecret:
			return nil, fmt.Errorf("key %q has %d bytes, at least %d are needed", id, len(secret), minSecret)
		}
		k.secrets[id] = []byte(secret)
		if primary == "" {
			k.primary = id
		}
	}
	switch {
	case primary == "" && len(secrets) > 1:
		return nil, errors.New("there are several keys: primary must name one")
	case k.secrets[k.primary] == nil:
		return nil, fmt.Errorf("primary key %q is not among the keys", primary)
	}
	return k, nil
}

// sealer makes hashes and tokens for one tenant and one class of fields.
type sealer struct {
	id      string
	hashKey []byte
	ivKey   []byte
	aead    cipher.AEAD
}

// sealer derives the keys of (key id, tenant, class) from the master secret
// with HKDF (RFC 5869). Each part is preceded by its length, so that no two
// triples read the same.
func (k *Keyring) sealer(id, tenant, class string) (*sealer, error) {
	info := []byte("gatehouse mask v1")
	for _, part := range []string{id, tenant, class} {
		info = binary.BigEndian.AppendUint64(info, uint64(len(part)))
		info = append(info, part...)
	}
	key, err := hkdf.Key(sha256.New, k.secrets[id], nil, string(info), 96)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key[64:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &sealer{id: id, hashKey: key[:32], ivKey: key[32:64], aead: aead}, nil
}

// Tags of the type of a value, so that "1" and 1 differ.
const (
	tagText   = 's'
	tagNumber = 'n'
)

func tag(isText bool) byte {
	if isText {
		return tagText
	}
	return tagNumber
}

// appendHash appends "h<key id>_<128 bits of HMAC-SHA256>". Numbers are equal
// whatever their spelling.
func (s *sealer) appendHash(dst, text []byte, isText bool) []byte {
	mac := hmac.New(sha256.New, s.hashKey)
	mac.Write([]byte{tag(isText)})
	if d, ok := parseDecimal(nil, text); ok && !isText {
		text = []byte(d.canonical())
	}
	mac.Write(text)
	dst = append(append(append(dst, `"h`...), s.id...), '_')
	dst = base64.RawURLEncoding.AppendEncode(dst, mac.Sum(nil)[:16])
	return append(dst, '"')
}

// tokenPad is what plaintexts are padded to a multiple of, so that a token
// tells little of the length of its value.
const tokenPad = 32

// appendToken appends "t<key id>_<nonce, ciphertext, tag>": AES-256-GCM whose
// nonce is an HMAC of the plaintext under a key of its own. A nonce repeats
// only with its plaintext, there is no random number to fail, and equal values
// have equal tokens as they have equal hashes.
func (s *sealer) appendToken(dst, text []byte, isText bool) []byte {
	plain := append([]byte{tag(isText)}, text...)
	plain = append(plain, 0x80) // ISO/IEC 7816-4 padding
	for len(plain)%tokenPad != 0 {
		plain = append(plain, 0)
	}
	mac := hmac.New(sha256.New, s.ivKey)
	mac.Write(plain)
	nonce := mac.Sum(nil)[:s.aead.NonceSize()]
	head := append(append([]byte{'t'}, s.id...), '_')
	dst = append(append(dst, '"'), head...)
	dst = base64.RawURLEncoding.AppendEncode(dst, s.aead.Seal(nonce, nonce, plain, head))
	return append(dst, '"')
}

// Detokenize gives the JSON text of the value that tokenize has made token of,
// for the tenant and the last name of the path of the mask ("*" where the path
// names none). Tokens of every key of the ring are understood.
func (k *Keyring) Detokenize(tenant, field, token string) ([]byte, error) {
	id, encoded, ok := strings.Cut(strings.TrimPrefix(token, "t"), "_")
	if !ok || !strings.HasPrefix(token, "t") {
		return nil, errors.New("not a token")
	}
	if k == nil || k.secrets[id] == nil {
		return nil, fmt.Errorf("key %q is not among the keys", id)
	}
	s, err := k.sealer(id, tenant, foldString(field))
	if err != nil {
		return nil, err
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(sealed) < s.aead.NonceSize() {
		return nil, errors.New("not a token")
	}
	nonce, sealed := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, sealed, []byte("t"+id+"_"))
	if err != nil {
		return nil, fmt.Errorf("token of another tenant, field or key: %w", err)
	}
	text, _, ok := cutLast(plain, 0x80)
	if !ok || len(text) == 0 {
		return nil, errors.New("token without a value")
	}
	if text[0] == tagText {
		return appendQuoted(nil, text[1:]), nil
	}
	return text[1:], nil
}

// cutLast cuts b at the last c.
func cutLast(b []byte, c byte) (before, after []byte, ok bool) {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == c {
			return b[:i], b[i+1:], true
		}
	}
	return b, nil, false
}
