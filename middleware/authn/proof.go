package authn

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// proofAge is how far the moment of a proof may be from ours, before or after:
// what a client's clock may be off, and how long a proof may be on its way.
const proofAge = time.Minute

// errProof is about the proof and not about the token (RFC 9449, section 7.1).
var errProof = errors.New("the DPoP proof is not good")

// checkProof wants the client of a request to have proven that it holds the key
// with this thumbprint (RFC 9449, section 4.3): by signing, a moment ago, the
// method and address of this very request and the token that it carries. A proof
// is good once. Server-provided nonces are not asked for.
func (s *Stage) checkProof(x *middleware.Exchange, raw, key string, now time.Time) error {
	values := x.Request.Header.Values("DPoP")
	if len(values) != 1 {
		return fmt.Errorf("%w: the request has %d", errProof, len(values))
	}
	p, err := readProof(values[0])
	if err != nil {
		return fmt.Errorf("%w: %w", errProof, err)
	}
	if err := p.check(x, raw, now); err != nil {
		return fmt.Errorf("%w: %w", errProof, err)
	}
	if p.key != key { // before it is remembered: who has stolen a token makes keys at will
		return errors.New("the token is bound to another key")
	}
	return s.proofs.once(x.Request.Context(), key, p.id(), now)
}

// proof is a DPoP proof whose signature is good. Whose key it is and what was
// signed is yet to be judged.
type proof struct {
	key    string // thumbprint
	claims map[string]any
}

// readProof reads a proof as strictly as a token, and believes the key that it
// brings along: the token says which key that must be.
func readProof(raw string) (*proof, error) {
	j, err := readJWS(raw, func(header map[string]any) error {
		if typ, _ := header["typ"].(string); typ != "dpop+jwt" {
			return forged("its typ is not dpop+jwt")
		}
		return plainHeader(header)
	})
	if err != nil {
		return nil, err
	}
	alg, _ := j.header["alg"].(string)
	if !slices.Contains(proofAlgorithms(), alg) {
		err := errors.New("its algorithm is not known")
		if family(alg) == "secret" || unsigned(alg) { // whoever checks it would have to know the secret
			err = suspect(middleware.AlgorithmGame, err)
		}
		return nil, err
	}
	jwk, ok := j.header["jwk"].(map[string]any)
	if !ok {
		return nil, errors.New("it brings no key")
	}
	text, err := json.Marshal(jwk)
	if err != nil {
		return nil, err
	}
	key, err := publicKey(text)
	if err != nil {
		return nil, fmt.Errorf("its key %w", err)
	}
	if !fits(alg, key) {
		return nil, suspect(middleware.AlgorithmGame, errors.New("its key is not for its algorithm"))
	}
	if err := verifySignature(alg, key, j.signed, j.signature); err != nil {
		return nil, suspect(middleware.BadSignature, fmt.Errorf("signature: %w", err))
	}
	claims, err := claimsOf(j.payload)
	if err != nil {
		return nil, err
	}
	return &proof{thumbprint(key), claims}, nil
}

// proofAlgorithms are those of signatures that only the holder of a key makes.
func proofAlgorithms() []string {
	var out []string
	for alg, kind := range algorithms() {
		if kind != "secret" {
			out = append(out, alg)
		}
	}
	slices.Sort(out)
	return out
}

// check judges what was signed against what was asked for.
func (p *proof) check(x *middleware.Exchange, raw string, now time.Time) error {
	at, there, err := moment(p.claims, "iat")
	switch {
	case err != nil:
		return err
	case !there:
		return errors.New("it does not say when it was made")
	case now.Sub(at).Abs() > proofAge:
		return errors.New("it was not made now")
	case p.text("jti") == "":
		return errors.New("it has no jti")
	case p.text("htm") != x.Request.Method:
		return errors.New("it is for another method")
	case !meant(p.text("htu"), x):
		return errors.New("it is for another address")
	}
	sum := sha256.Sum256([]byte(raw))
	if p.text("ath") != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return errors.New("it is for another token")
	}
	return nil
}

func (p *proof) text(claim string) string {
	s, _ := p.claims[claim].(string)
	return s
}

// id tells proofs apart: two clients may come upon the same jti.
func (p *proof) id() [sha256.Size]byte {
	return sha256.Sum256([]byte(p.key + "\x00" + p.text("jti")))
}

// meant reports whether htu is the address of the request as the client wrote
// it, but for query and fragment. Spellings that mean the same are the same (RFC
// 3986, section 6.2): the case of scheme and host, the port of the scheme, what
// is percent-encoded without need.
func meant(htu string, x *middleware.Exchange) bool {
	u, err := url.Parse(htu)
	if err != nil || u.User != nil || u.Opaque != "" {
		return false
	}
	scheme := "http"
	if x.Secure {
		scheme = "https"
	}
	path := u.Path
	if path == "" {
		path = "/"
	}
	return u.Scheme == scheme && path == x.Path && authority(u.Host, scheme) == authority(x.Request.URL.Host, scheme)
}

// authority gives host and port in one form. A final dot is not in the address of
// a request, whatever its client wrote.
func authority(host, scheme string) string {
	host, port := strings.ToLower(host), ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i:]
	}
	if port == map[string]string{"http": ":80", "https": ":443"}[scheme] {
		port = ""
	}
	return strings.TrimSuffix(host, ".") + port
}
