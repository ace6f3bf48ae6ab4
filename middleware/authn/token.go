package authn

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// maxToken is the largest token that is read, in bytes. It bounds what an
// unknown caller can make us decode.
const maxToken = 8 << 10

var (
	errLong    = fmt.Errorf("the token is longer than %d bytes", maxToken)
	errSegment = errors.New("the token has an empty segment")
)

// token is a compact JWS that was read and not yet believed.
type token struct {
	alg       string
	kid       string // "" where the token names no key
	typ       string // jwt or at+jwt, whatever its spelling; "" where absent
	payload   string // JSON of which nothing is known but the bytes
	signed    []byte // the bytes the signature is over: header, dot, payload
	signature []byte
}

// compact is a compact JWS that was read, whatever it is for.
type compact struct {
	header    map[string]any
	payload   string // JSON of which nothing is known but the bytes
	signed    []byte // the bytes the signature is over: header, dot, payload
	signature []byte
}

// readJWS reads a JWS by rules that leave one spelling for each: three segments
// of canonical base64url without padding (RFC 7515, section 7.1), a header that is
// a small JSON object without repeated names. What the header says is judged
// before anything else, and what the payload says ([claimsOf]) is read
// when the signature is known to be good: whoever can make up tokens could
// otherwise make one that takes ten times as long to read as to refuse.
func readJWS(raw string, judge func(header map[string]any) error) (j compact, err error) {
	if len(raw) > maxToken {
		return j, errLong
	}
	var segments [3]string
	rest, dot := raw, false
	for i := range segments {
		if segments[i], rest, dot = strings.Cut(rest, "."); dot != (i < 2) {
			return j, errors.New("the token is not three segments")
		}
	}
	var parts [3][]byte
	for i, s := range segments {
		if i == 2 && s == "" {
			break // the header may say why
		}
		if parts[i], err = segment(s); err != nil {
			return j, err
		}
	}
	if j.header, err = read(string(parts[0]), maxHeader); err != nil {
		err = fmt.Errorf("header: %w", err)
		if errors.Is(err, errTwice) {
			err = suspect(middleware.ForgedHeader, err)
		}
		return j, err
	}
	if err := judge(j.header); err != nil {
		return j, err
	}
	if segments[2] == "" {
		what := middleware.BadSignature
		if alg, _ := j.header["alg"].(string); unsigned(alg) {
			what = middleware.AlgorithmGame
		}
		return j, suspect(what, errSegment)
	}
	j.payload, j.signature = string(parts[1]), parts[2]
	j.signed = []byte(raw[:len(raw)-len(segments[2])-1])
	return j, nil
}

// claimsOf reads a payload whose signature is good.
func claimsOf(payload string) (map[string]any, error) {
	claims, err := read(payload, len(payload))
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return claims, nil
}

// parse reads an access token.
func parse(raw string) (*token, error) { return parseAs(raw, "at+jwt") }

// parseAs reads a token that is to be of a kind: its typ, where it has one, is
// that of the kind or JWT.
func parseAs(raw, kind string) (*token, error) {
	t := &token{}
	j, err := readJWS(raw, func(h map[string]any) error { return t.header(h, kind) })
	if err != nil {
		return nil, err
	}
	t.payload, t.signed, t.signature = j.payload, j.signed, j.signature
	return t, nil
}

// segment decodes one segment. The decoder of the standard library takes line
// breaks, so these are looked for first. The last character may have bits to
// spare; they must be zero (RFC 4648, section 3.5).
func segment(s string) ([]byte, error) {
	if s == "" {
		return nil, errSegment
	}
	if strings.IndexByte(s, '\n') >= 0 || strings.IndexByte(s, '\r') >= 0 {
		return nil, errors.New("the token has a line break")
	}
	const (
		spare4 = "AQgw"             // what ends with four zero bits
		spare2 = "AEIMQUYcgkosw048" // with two
	)
	canonical, last := true, s[len(s)-1]
	switch len(s) % 4 {
	case 1:
		canonical = false
	case 2:
		canonical = strings.IndexByte(spare4, last) >= 0
	case 3:
		canonical = strings.IndexByte(spare2, last) >= 0
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || !canonical {
		return nil, errors.New("the token is not canonical base64url")
	}
	return b, nil
}

// header takes alg, kid and typ and refuses what would change how the token is
// to be read or bring a key of its own along (RFC 8725, section 3.10).
func (t *token) header(h map[string]any, kind string) error {
	if err := plainHeader(h); err != nil {
		return err
	}
	if _, there := h["jwk"]; there {
		return forged("the token's header has jwk")
	}
	var ok bool
	if t.alg, ok = h["alg"].(string); !ok {
		return forged("the token names no algorithm")
	}
	if kid, there := h["kid"]; there {
		if t.kid, ok = kid.(string); !ok || t.kid == "" {
			return forged("the token's kid is not a text")
		}
	}
	if typ, there := h["typ"]; there {
		if t.typ = mediaType(typ); t.typ != "jwt" && t.typ != kind {
			return forged("the token's typ is neither JWT nor " + kind)
		}
	}
	if cty, there := h["cty"]; there {
		switch s := mediaType(cty); {
		case s == "", s == "jwt", strings.HasSuffix(s, "+jwt"):
			return forged("the token holds another token")
		}
	}
	return nil
}

// forged is what is wrong with a header that no issuer of ours writes.
func forged(text string) error { return suspect(middleware.ForgedHeader, errors.New(text)) }

// plainHeader refuses what would change how a JWS is to be read, or point to a
// key. A key in the header itself is for the caller to judge.
func plainHeader(h map[string]any) error {
	for _, n := range [...]string{"crit", "b64", "jku", "x5u", "x5c", "enc", "zip"} {
		if _, there := h[n]; there {
			return forged("the token's header has " + n)
		}
	}
	return nil
}

// mediaType gives the one spelling of a typ or cty (RFC 7515, section 4.1.9),
// "" for what is not a text.
func mediaType(v any) string {
	s, _ := v.(string)
	return strings.TrimPrefix(strings.ToLower(s), "application/")
}
