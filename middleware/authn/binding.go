package authn

import (
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// binding is whose hands a token is good in. A token that was stolen is of no
// use to anybody else.
type binding struct {
	// certificate is the thumbprint of the client's certificate (RFC 8705,
	// section 3.1); "" where the token is not bound to one.
	certificate string
	// key is the thumbprint of the client's key (DPoP, RFC 9449, section 6.1);
	// "" where the token is not bound to one.
	key string
}

// bindingOf reads the cnf claim (RFC 7800). Whoever is to be confirmed in a way
// that is not known here cannot be: such a token is refused. That is stricter
// than RFC 7800, section 3.1, which lets members that are not understood be
// ignored, and with them what they bind.
func bindingOf(claims map[string]any, required bool) (binding, error) {
	claim, there := claims["cnf"]
	if !there {
		if required {
			return binding{}, errors.New("the token is bound to nobody")
		}
		return binding{}, nil
	}
	cnf, ok := claim.(map[string]any)
	if !ok || len(cnf) == 0 {
		return binding{}, errors.New("cnf is not an object that names a way to confirm the holder")
	}
	var b binding
	for name, v := range cnf {
		var to *string
		switch name {
		case "x5t#S256":
			to = &b.certificate
		case "jkt":
			to = &b.key
		default:
			return binding{}, errors.New("cnf names a way to confirm the holder that is not known")
		}
		if *to, ok = v.(string); !ok || *to == "" {
			return binding{}, fmt.Errorf("cnf.%s is not a text", name)
		}
	}
	return b, nil
}

// checkBinding refuses a request that comes from anybody but the holder. Nothing
// of it may be remembered: the token of a hundred requests may come from a
// hundred hands.
func (s *Stage) checkBinding(b binding, x *middleware.Exchange, c credentials, now time.Time) error {
	if b.certificate != "" {
		if err := b.checkCertificate(x); err != nil {
			return err
		}
	}
	switch {
	case c.dpop && b.key == "":
		return errors.New("the token came with a proof and is bound to no key")
	case b.key == "":
		return nil
	case !c.dpop: // RFC 9449, section 7.1
		return errors.New("the token is bound to a key and came without a proof of it")
	}
	return s.checkProof(x, c.token, b.key, now)
}

// checkCertificate wants the certificate that the client has proven to be its
// own in the handshake; a header that tells of one is not believed.
func (b binding) checkCertificate(x *middleware.Exchange) error {
	switch x.CertificateThumbprint() {
	case "":
		return errors.New("the token is bound to a certificate and came without one")
	case b.certificate:
		return nil
	}
	return errors.New("the token is bound to another certificate")
}
