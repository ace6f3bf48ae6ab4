package authn

import (
	"errors"
	"fmt"

	"github.com/gatehouse-dev/gatehouse/config"
)

// One issuer signs several kinds of tokens with one key, and each is worth
// something else. This file keeps the other kinds from passing as access
// tokens (RFC 8725, sections 3.11 and 3.12).
//
// An issuer with the profile at+jwt says in each token that it is an access
// token, and that settles it. With the profile jwt a token may leave open what
// it is. Then the claims that only other kinds have tell:
//
//   - events is of security event tokens (RFC 8417, section 2.2), of which
//     logout tokens are a kind (OpenID Connect Back-Channel Logout 1.0);
//   - at_hash, c_hash and s_hash are of ID tokens that were handed out beside
//     an access token, a code or a state (OpenID Connect Core 1.0, section
//     3.3.2.11; Financial-grade API 1.0, part 2).
//
// nonce alone tells nothing: widely used issuers copy it into access tokens.
// An ID token without any of these is told apart by its audience, which is the
// client that users sign in to. Where that is an audience of the gateway's too,
// only the profile at+jwt keeps ID tokens out.

// checkTyp wants a typ where the profile does.
func checkTyp(profile, typ string) error {
	if profile == "at+jwt" && typ != "at+jwt" {
		return errors.New("the token's typ is not at+jwt")
	}
	return nil
}

// checkKind wants no claims of another kind than access tokens. The ids among them
// are what a revocation names: they are texts or not there.
func checkKind(claims map[string]any) error {
	if _, set := claims["events"].(map[string]any); set {
		return errors.New("the token is a security event, such as a logout token")
	}
	for _, n := range [...]string{"at_hash", "c_hash", "s_hash"} {
		if _, there := claims[n]; there {
			return fmt.Errorf("the token is an ID token: it has %s", n)
		}
	}
	for _, n := range [...]string{"jti", "sid"} {
		if _, err := text(claims, n); err != nil {
			return err
		}
	}
	return nil
}

// checkProfile wants the claims that the profile does (RFC 9068, section 2.2). It
// is for JWTs: what an issuer answers about an opaque token need not have them
// (RFC 7662, section 2.2).
func checkProfile(profile string, claims map[string]any) error {
	if profile != "at+jwt" {
		return nil
	}
	for _, n := range [...]string{"sub", "client_id", "jti"} {
		switch s, err := text(claims, n); {
		case err != nil:
			return err
		case s == "":
			return fmt.Errorf("the token has no %s", n)
		}
	}
	if _, there := claims["iat"]; !there {
		return errors.New("the token has no iat")
	}
	return nil
}

// checkSettings refuses settings of this file that would let everything pass.
func checkSettings(c *config.Issuer) error {
	switch {
	case c.Profile != "" && c.Profile != "jwt" && c.Profile != "at+jwt":
		return fmt.Errorf("profile: %q is not known", c.Profile)
	case c.MaxLifetime.D() <= 0:
		return errors.New("max_lifetime: must be more than 0")
	}
	return nil
}
