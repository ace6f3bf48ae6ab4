package middleware

import "slices"

// Suspicion names something in a request that attackers do and working clients do
// not. Whoever notices it says so, besides what they do about it, and the guard
// counts.
type Suspicion string

// The suspicions.
const (
	BadSignature    Suspicion = "bad_signature"    // authn: a token or proof that its key did not sign
	UnknownKey      Suspicion = "unknown_key"      // authn: a token of a known issuer, by a key that it does not have
	ForgedHeader    Suspicion = "forged_header"    // authn: a token's header with what no issuer of ours writes
	AlgorithmGame   Suspicion = "algorithm_game"   // authn: "none", or an algorithm of another kind than the issuer's
	IdentityHeader  Suspicion = "identity_header"  // gateway: a client that says by header who it is
	SelfPromotion   Suspicion = "self_promotion"   // guard: an update of oneself with a role or tenant of another
	ProtectedMember Suspicion = "protected_member" // authz: a member that the policy lets nobody like the caller write
)

// Suspect adds a suspicion, once.
func (x *Exchange) Suspect(s Suspicion) {
	if !slices.Contains(x.suspicions, s) {
		x.suspicions = append(x.suspicions, s)
	}
}

// Suspicions gives what is suspicious so far, oldest first.
func (x *Exchange) Suspicions() []Suspicion { return x.suspicions }

// Served counts what an answer held when it left.
type Served struct {
	// Records are the elements of the answer's list, or 1 where it is an object.
	Records int64
	// Sensitive are the values that some policy masks for somebody, and that this
	// caller was shown.
	Sensitive int64
}
