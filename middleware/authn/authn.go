// Package authn finds out who asks: it turns the bearer token of a request
// (JWT, RFC 7519, as a compact JWS, RFC 7515) into a [policies.Subject].
//
// The token comes in the Authorization header or, where the route says so, in
// a cookie (cookie.go).
//
// The order of a check is the point of the package. A token is first read by
// rules stricter than the standards' (one spelling per token, no name twice,
// no header that could bring a key along), then an issuer of the route is
// chosen by its iss claim, then one key is chosen by the issuer's settings and
// the token's kid, then the signature is checked with that key and an
// algorithm that was fixed before the token arrived, and only then are its
// claims read and mean anything. Nothing is tried twice: a token that could be read in
// two ways is refused, not interpreted.
//
// A token that cannot be a JWT is good if the one issuer of the route that is
// asked about such tokens (RFC 7662) says so, and then its answer is judged as
// the claims of a JWT are (introspect.go). A JWT is never put to anybody.
//
// A token that is bound to a client certificate (RFC 8705) is good only over a
// connection whose client has proven to own that certificate, and one that is
// bound to a key (DPoP, RFC 9449) only with a proof of that key for this very
// request (proof.go). One that is bound in a way that cannot be checked is good
// for nothing (binding.go), and tokens of other kinds than access tokens are none
// (kind.go).
//
// What was verified is remembered for a minute at most, by the hash of the
// whole token (cache.go). That saves the signature and nothing else: expiry and
// whose hands the token is in are judged on every request, here, and all that a
// session can end by is judged by the stages behind.
//
// Keys come from a file, a secret, or over the network. Keys from the network
// ([Issuer]) are refreshed in the background; requests read an immutable set
// behind an atomic pointer and wait for the issuer only if they name a key
// that is not known yet.
//
// A cryptographic library is used in one file, verify.go, for two things: to
// build a public key from a JWK and to check one signature with one key.
package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unsafe"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/internal/cookies"
)

const name = "authn"

// Stage checks the bearer token and sets the exchange's Subject, IssuedAt,
// Expires and ByCookie.
type Stage struct {
	issuers []*Issuer
	asked   *Issuer // about tokens that cannot be JWTs; nil where they are refused
	forward bool
	cookie  string // "" where tokens come in the header only
	proofs  *Proofs
}

// New makes the stage of a route, nil where the route has no authn. Issuers
// are the opened issuers by their names in the configuration; one that the
// route names and that is not among them vouches for nothing. Of two with the
// same iss the first that the route names is asked, and of two with introspection
// the first is. Proofs are those of all routes.
func New(route *config.Route, issuers map[string]*Issuer, proofs *Proofs) middleware.Stage {
	if route.Authn == nil {
		return nil
	}
	s := &Stage{forward: route.Authn.ForwardToken, cookie: route.Authn.Cookie, proofs: proofs}
	for _, n := range route.Authn.Issuers {
		// Of two with the same iss the second is never asked, nor what it remembers.
		if i := issuers[n]; i != nil && s.of(i.config.Issuer) == nil {
			s.issuers = append(s.issuers, i)
			if s.asked == nil && i.introspects != nil {
				s.asked = i
			}
		}
	}
	return s
}

// Name is "authn".
func (*Stage) Name() string { return name }

// Inward says that it does nothing to an answer.
func (*Stage) Inward() {}

// Describe says whose tokens are accepted.
func (s *Stage) Describe() string {
	texts := make([]string, len(s.issuers))
	for i, issuer := range s.issuers {
		texts[i] = issuer.describe()
	}
	text := "tokens of " + strings.Join(texts, ", or of ")
	if s.cookie != "" {
		text += "; in the cookie " + s.cookie + " too"
	}
	if !s.forward {
		text += "; not forwarded"
	}
	return text
}

// Handle refuses the request unless it carries one good token. The answer
// never says which check failed; the record does, and what is suspicious about it
// is told to the exchange (suspicion.go).
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	c, err := s.token(x)
	if err != nil {
		return nil, refusal(err)
	}
	if err := s.identify(x, c); err != nil {
		blame(x, err)
		return nil, refusal(err)
	}
	if !s.forward {
		delete(x.Request.Header, "Authorization")
		delete(x.Request.Header, "Dpop") // the canonical form of DPoP
		if s.cookie != "" {
			cookies.Remove(x.Request.Header, s.cookie)
		}
	}
	return next(x)
}

// identify checks the token and writes what it says into the exchange. Whose
// hands it came from is a matter of the request and never remembered.
func (s *Stage) identify(x *middleware.Exchange, c credentials) error {
	now := time.Now()
	v, err := s.verify(x.Request.Context(), c.token, now)
	if err != nil {
		return err
	}
	if err := s.checkBinding(v.bound, x, c, now); err != nil {
		return err
	}
	x.Subject, x.IssuedAt, x.Expires = v.subject, v.times.issued, v.times.expires
	return nil
}

// verify says what the token says, if it is good. One that was a moment ago
// and whose issuer still has the same keys is not checked again.
func (s *Stage) verify(ctx context.Context, raw string, now time.Time) (*verified, error) {
	if len(raw) > maxToken {
		return nil, errLong
	}
	// The bytes of raw, to be read only: []byte(raw) is a copy on the heap.
	token := sha256.Sum256(unsafe.Slice(unsafe.StringData(raw), len(raw)))
	if s.asked != nil && opaque(raw) {
		return s.asked.introspects.verify(ctx, &token, raw, now)
	}
	for _, i := range s.issuers {
		if v := i.cache.get(&token, i.keys.keys(), now); v != nil {
			return v, nil
		}
	}
	t, err := parse(raw)
	if err != nil {
		return nil, s.fair(raw, err)
	}
	i, err := s.issuer(t)
	if err != nil {
		return nil, err
	}
	keys := i.keys.keys() // before the key is found: if they change meanwhile, nothing is remembered
	v, err := i.verify(ctx, t, now)
	if err != nil {
		return nil, err
	}
	i.cache.put(&token, len(raw), v, keys, now)
	return &v, nil
}

// issuer chooses among the route's issuers by the token's own word, which
// decides nothing but whose key must have signed it.
func (s *Stage) issuer(t *token) (*Issuer, error) {
	iss, err := member(t.payload, "iss")
	switch {
	case err != nil:
		return nil, fmt.Errorf("payload: %w", err)
	case iss == "":
		return nil, errors.New("the token names no issuer")
	}
	if i := s.of(iss); i != nil {
		return i, nil
	}
	return nil, errors.New("the route accepts no tokens of this issuer")
}

// of gives the issuer whose tokens have this iss, nil where there is none.
func (s *Stage) of(iss string) *Issuer {
	for _, i := range s.issuers {
		if i.config.Issuer == iss {
			return i
		}
	}
	return nil
}

// Reasons that a client is told apart. Everything else is an invalid token.
var (
	errMissing     = errors.New("no bearer token")
	errExpired     = errors.New("the token has expired")
	errUnavailable = errors.New("the issuer's keys are not available")
)

// credentials are a token as it came.
type credentials struct {
	token string
	dpop  bool // with a proof of the key that it is bound to
}

// fromHeader takes the token out of the Authorization header (RFC 6750, section
// 2.1; RFC 9449, section 7.1): one header, the scheme in any case, one space, the
// token.
func fromHeader(values []string) (credentials, error) {
	switch {
	case len(values) == 0:
		return credentials{}, errMissing
	case len(values) > 1:
		return credentials{}, errors.New("more than one Authorization header")
	}
	scheme, token, found := strings.Cut(values[0], " ")
	dpop := strings.EqualFold(scheme, "DPoP")
	if !dpop && !strings.EqualFold(scheme, "Bearer") {
		return credentials{}, errMissing
	}
	if !found || token == "" {
		return credentials{}, errors.New("the Authorization header has no token")
	}
	return credentials{token, dpop}, nil
}

// refusal puts an error into the words of RFC 6750, section 3.
func refusal(err error) *middleware.Refusal {
	const challenge = `Bearer realm="gatehouse"`
	switch {
	case errors.Is(err, errMissing):
		return middleware.Refuse(name, middleware.TokenMissing, "a bearer token is required").
			With(err).Set("WWW-Authenticate", challenge)
	case errors.Is(err, errProof), errors.Is(err, errReplay):
		return middleware.Refuse(name, middleware.TokenInvalid, "the DPoP proof is not valid here").
			With(err).Set("WWW-Authenticate", `DPoP realm="gatehouse", error="invalid_dpop_proof", algs="`+strings.Join(proofAlgorithms(), " ")+`"`)
	case errors.Is(err, errProofs):
		return middleware.Refuse(name, middleware.Overloaded, "there are too many requests to remember their proofs").
			With(err).Set("Retry-After", "5")
	case errors.Is(err, errUnavailable), errors.Is(err, errUnanswered):
		return middleware.Refuse(name, middleware.AuthenticationUnavailable, "tokens cannot be checked at the moment").
			With(err).Set("Retry-After", "5")
	case errors.Is(err, errExpired):
		return middleware.Refuse(name, middleware.TokenExpired, "the token has expired").
			With(err).Set("WWW-Authenticate", challenge+`, error="invalid_token", error_description="the token has expired"`)
	}
	return middleware.Refuse(name, middleware.TokenInvalid, "the token is not valid here").
		With(err).Set("WWW-Authenticate", challenge+`, error="invalid_token"`)
}
