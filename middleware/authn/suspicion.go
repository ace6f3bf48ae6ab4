package authn

import (
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Most tokens that are refused are nobody's fault: they have expired in a page that
// was left open, they are for another audience or of another issuer because a
// program was pointed at the wrong environment, or what came is no token at all.
// None of that is suspicious. This file tells it from what only somebody does who
// tries to get in.
//
// An issuer that changes its keys does not make anybody suspect: neither who still
// has a token by a former key ([former]), nor who has one by a key that the issuer
// has not been asked about, or that it publishes and that is not used here.

// suspicious is an error that no working client causes. It reads as the error
// that it is.
type suspicious struct {
	error
	what middleware.Suspicion
}

func (s *suspicious) Unwrap() error { return s.error }

func suspect(what middleware.Suspicion, err error) error { return &suspicious{err, what} }

// blame tells the exchange what is suspicious about an error, if anything is.
func blame(x *middleware.Exchange, err error) {
	var s *suspicious
	if errors.As(err, &s) {
		x.Suspect(s.what)
	}
}

// fair takes the suspicion from a token that could not be read and that does not
// even say that it is of an issuer of the route: what others write into their
// headers is no attack on us.
func (s *Stage) fair(raw string, err error) error {
	var f *suspicious
	if !errors.As(err, &f) {
		return err
	}
	if pieces := strings.Split(raw, "."); len(pieces) == 3 {
		if payload, wrong := segment(pieces[1]); wrong == nil {
			if iss, wrong := member(string(payload), "iss"); wrong == nil && iss != "" && s.of(iss) != nil {
				return err
			}
		}
	}
	return f.error
}

// unsigned reports whether an algorithm is "none", in any spelling that somebody
// might take for it.
func unsigned(alg string) bool { return strings.EqualFold(strings.TrimSpace(alg), "none") }

// family is the kind of keys that a registered algorithm is for; "" for a name
// that nobody has registered.
func family(alg string) string {
	switch alg {
	case "HS256", "HS384", "HS512":
		return "secret"
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return "RSA"
	case "ES256", "ES384", "ES512", "ES256K":
		return "EC"
	case "EdDSA", "Ed25519", "Ed448": // RFC 9864 has new names for it
		return "OKP"
	}
	return ""
}

// related reports whether an algorithm is of a family of one of the others.
func related(alg string, others []string) bool {
	f := family(alg)
	return f != "" && slices.ContainsFunc(others, func(o string) bool { return family(o) == f })
}

var errAlgorithm = errors.New("the token's algorithm is not one of the issuer's")

// otherAlgorithm judges a token with an algorithm that is not the issuer's. One of
// the same family is a setting that is missing on one side. Another family of
// public keys is what an issuer may have gone over to: it then publishes the key,
// and while its keys are not known nobody can say.
func (i *Issuer) otherAlgorithm(t *token) error {
	ours := i.config.Algorithms
	if len(ours) == 0 || related(t.alg, ours) {
		return errAlgorithm
	}
	if f := family(t.alg); f != "" && f != "secret" && !related("HS256", ours) {
		set := i.keys.keys()
		if set == nil || t.kid != "" && slices.Contains(set.others, t.kid) {
			return errAlgorithm
		}
	}
	return suspect(middleware.AlgorithmGame, errAlgorithm)
}

// noKey judges a token that no key was found for. One that names no key leaves
// open which of several it is, and that is how its issuer writes them.
func (i *Issuer) noKey(t *token, err error) error {
	set := i.keys.keys()
	nameless := func(k key) bool { return k.id == "" }
	if t.kid == "" || set == nil || set.unnamed || slices.ContainsFunc(set.keys, nameless) || slices.Contains(set.others, t.kid) {
		return err
	}
	if n := slices.IndexFunc(set.keys, func(k key) bool { return k.id == t.kid }); n >= 0 {
		if related(t.alg, set.keys[n].algs) {
			return err
		}
		return suspect(middleware.AlgorithmGame, err)
	}
	if errors.Is(err, errUnsure) || i.former.signed(t) {
		return err
	}
	return suspect(middleware.UnknownKey, err)
}

// badSignature judges a token that its key has not signed. Where keys that come
// over the network have no names, the token may be by one that is newer than ours.
func (i *Issuer) badSignature(t *token, k *key, err error) error {
	if _, changing := i.keys.(*remote); changing && k.id == "" || i.former.signed(t) {
		return err
	}
	return suspect(middleware.BadSignature, err)
}
