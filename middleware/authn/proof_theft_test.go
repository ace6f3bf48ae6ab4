package authn

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// Who has stolen a token and has not its key makes proofs without end. None of
// them takes room from those of the owner.
func TestProofsOfAThiefAreNotRemembered(t *testing.T) {
	k := keysOnce()
	proofs := NewProofs(nil)
	proofs.max = 3
	s := proving(t, proofs)
	owner, thief := prover{"ES256", k.p256}, prover{"EdDSA", k.ed}
	token := owner.bound(t)
	for range 5 {
		_, err := show(t, s, "DPoP "+token, thief.proof(t, token, nil, nil))
		expect(t, "the thief", middlewaretest.Code(err), string(middleware.TokenInvalid))
	}
	if _, err := show(t, s, "DPoP "+token, owner.proof(t, token, nil, nil)); err != nil {
		t.Errorf("the owner: %v", err)
	}
	if n := len(proofs.seen.ids); n != 1 {
		t.Errorf("%d proofs are remembered", n)
	}
}

// An issuer that says of an opaque token that it comes with proofs, and not of
// which key, has left out what the token is bound to (RFC 9449, section 6.2).
func TestOpaqueTokenForProofsOfNoKey(t *testing.T) {
	k, s, _ := knownOver(t)
	for token, claims := range map[string]members{
		"none":        {"token_type": "DPoP"},
		"lower":       {"token_type": "dpop"},
		"certificate": {"token_type": "DPoP", "cnf": members{"x5t#S256": "Wzl1ZRw8q5LQRMCW3DChwtlSVJdFdHLeSMUeyzY9H0o"}},
	} {
		k.say(token, activeClaims(claims))
		_, err := ask(t, s, "Bearer "+token)
		expect(t, token, middlewaretest.Code(err), invalid)
		if err == nil || !strings.Contains(fmt.Sprint(errors.Unwrap(err)), "names no key") {
			t.Errorf("%s: %s", token, fmt.Sprint(errors.Unwrap(err)))
		}
	}
}
