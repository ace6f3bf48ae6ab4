package authn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// backchannelLogout is the member of the events claim that makes a token a logout
// token (OpenID Connect Back-Channel Logout 1.0, section 2.4). Its address is
// http: it is a name, and nothing is fetched from there.
const backchannelLogout = "http://schemas.openid.net/event/backchannel-logout"

// logoutAge is how old a logout token may be. Issuers are told to let theirs
// live for two minutes; older ones have been somewhere else meanwhile.
const logoutAge = 5 * time.Minute

// Logout is an issuer's word that somebody has signed out. SID or Subject is
// set, or both.
type Logout struct {
	SID     string    // the session that ended, "" where all of the subject's did
	Subject string    // as the issuer's tokens name the caller, by claims.subject
	JTI     string    // of the logout token, which is said once
	Issued  time.Time // when it ended, by the clock of the issuer
}

// Logout reads a logout token of this issuer (OpenID Connect Back-Channel Logout
// 1.0, section 2.6), which must be meant for one of the audiences. It does not
// know which tokens it has read before. The error is a refusal that tells the
// sender nothing but that it was not believed.
func (i *Issuer) Logout(ctx context.Context, raw string, audiences []string, now time.Time) (Logout, error) {
	l, err := i.logout(ctx, raw, audiences, now)
	if err == nil {
		return l, nil
	}
	if errors.Is(err, errUnavailable) {
		return Logout{}, refusal(err)
	}
	// 400 and no challenge: what the sender is to do better is no authentication
	// of its own (section 2.8).
	f := middleware.Refuse(name, middleware.TokenInvalid, "the logout token is not valid here").With(err)
	f.Status = http.StatusBadRequest
	return Logout{}, f
}

func (i *Issuer) logout(ctx context.Context, raw string, audiences []string, now time.Time) (Logout, error) {
	t, err := parseAs(raw, "logout+jwt")
	if err != nil {
		return Logout{}, err
	}
	claims, err := i.signed(ctx, t)
	if err != nil {
		return Logout{}, err
	}
	if claims["iss"] != i.config.Issuer {
		return Logout{}, errors.New("the logout token is of another issuer")
	}
	if err := audience(claims["aud"], audiences); err != nil {
		return Logout{}, err
	}
	l := Logout{}
	if l.Issued, err = logoutTimes(claims, now, i.config.Leeway.D()); err != nil {
		return Logout{}, err
	}
	if err := logoutPurpose(claims); err != nil {
		return Logout{}, err
	}
	for _, f := range []struct {
		claim string
		to    *string
	}{{"sid", &l.SID}, {i.config.Claims.Subject, &l.Subject}, {"jti", &l.JTI}} {
		if *f.to, err = text(claims, f.claim); err != nil {
			return Logout{}, err
		}
	}
	switch {
	case l.JTI == "":
		return Logout{}, errors.New("the logout token has no jti")
	case l.SID == "" && l.Subject == "":
		return Logout{}, fmt.Errorf("the logout token has neither sid nor %s", i.config.Claims.Subject)
	}
	return l, nil
}

// signed gives the claims of a token that the issuer has signed, or says why it
// has not.
func (i *Issuer) signed(ctx context.Context, t *token) (map[string]any, error) {
	if !slices.Contains(i.config.Algorithms, t.alg) {
		return nil, i.otherAlgorithm(t)
	}
	k, err := i.keys.find(ctx, t.kid, t.alg)
	if errors.Is(err, errUnknownKey) {
		return nil, i.noKey(t, err)
	}
	if err != nil {
		return nil, err
	}
	if err := verifySignature(t.alg, k.raw, t.signed, t.signature); err != nil {
		return nil, i.badSignature(t, k, fmt.Errorf("signature: %w", err))
	}
	return claimsOf(t.payload)
}

// logoutTimes wants a token of these minutes, and gives when it was issued. The
// standard asks for exp as well; issuers that are older than it send none, and
// iat bounds what they send.
func logoutTimes(claims map[string]any, now time.Time, leeway time.Duration) (time.Time, error) {
	issued, there, err := moment(claims, "iat")
	switch {
	case err != nil:
		return time.Time{}, err
	case !there:
		return time.Time{}, errors.New("the logout token does not say when it was issued")
	case issued.After(now.Add(leeway)):
		return time.Time{}, errors.New("the logout token's iat is in the future")
	case now.Sub(issued) > logoutAge+leeway:
		return time.Time{}, errors.New("the logout token is too old")
	}
	expires, there, err := moment(claims, "exp")
	if err != nil {
		return time.Time{}, err
	}
	if there && !now.Before(expires.Add(leeway)) {
		return time.Time{}, errExpired
	}
	return issued, nil
}

// logoutPurpose keeps tokens that were made for something else from being taken
// for logout tokens: these have the event, and an ID token's nonce never.
func logoutPurpose(claims map[string]any) error {
	events, ok := claims["events"].(map[string]any)
	if !ok {
		return errors.New("the logout token has no events")
	}
	if _, ok := events[backchannelLogout].(map[string]any); !ok {
		return errors.New("the logout token's events do not tell of a logout")
	}
	if _, there := claims["nonce"]; there {
		return errors.New("the logout token has a nonce")
	}
	return nil
}
