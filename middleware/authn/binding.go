package authn

import (
	"errors"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// checkBinding refuses a token that was issued to the holder of a certificate
// (RFC 8705, section 3) and comes from anybody else: one that was stolen is of
// no use without the key. The certificate is the one that the client has proven
// to be its own in the handshake; a header that tells of one is not believed.
// Other ways to confirm a holder (RFC 7800) are not known here and bind nothing.
func checkBinding(claims map[string]any, x *middleware.Exchange) error {
	claim, there := claims["cnf"]
	if !there {
		return nil
	}
	cnf, ok := claim.(map[string]any)
	if !ok {
		return errors.New("cnf is not an object")
	}
	claim, there = cnf["x5t#S256"]
	if !there {
		return nil
	}
	want, ok := claim.(string)
	if !ok || want == "" {
		return errors.New("cnf.x5t#S256 is not a text")
	}
	switch x.CertificateThumbprint() {
	case "":
		return errors.New("the token is bound to a certificate and came without one")
	case want:
		return nil
	}
	return errors.New("the token is bound to another certificate")
}
