package authn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// times are the moments of a token that later stages need.
type times struct {
	issued  time.Time // zero where the token does not say
	expires time.Time
}

// checkClaims judges the registered claims (RFC 7519, section 4.1). Expiry is
// judged last: a token that is called expired was good in all other respects.
func checkClaims(c *config.Issuer, claims map[string]any, now time.Time) (times, error) {
	if claims["iss"] != c.Issuer {
		return times{}, errors.New("the token is of another issuer")
	}
	if err := audience(claims["aud"], c.Audiences); err != nil {
		return times{}, err
	}
	if err := checkKind(claims); err != nil {
		return times{}, err
	}
	leeway := c.Leeway.D()
	latest := now.Add(leeway)
	var issued time.Time
	for _, n := range [...]string{"nbf", "auth_time", "iat"} { // iat last: it is kept
		at, there, err := moment(claims, n)
		if err != nil {
			return times{}, err
		}
		if there && at.After(latest) {
			return times{}, fmt.Errorf("the token's %s is in the future", n)
		}
		issued = at
	}
	expires, there, err := moment(claims, "exp")
	if err != nil {
		return times{}, err
	}
	if !there {
		return times{}, errors.New("the token never expires")
	}
	since := issued
	if since.IsZero() {
		since = latest
	}
	if expires.Sub(since) > c.MaxLifetime.D() {
		return times{}, errors.New("the token is good for longer than the issuer's max_lifetime")
	}
	if !now.Before(expires.Add(leeway)) {
		return times{}, errExpired
	}
	return times{issued: issued, expires: expires}, nil
}

// audience wants one of ours in the aud claim, a text or a list of texts.
func audience(aud any, ours []string) error {
	list, ok := aud.([]any)
	if s, one := aud.(string); one {
		list, ok = []any{s}, true
	}
	if !ok {
		return errors.New("the token names no audience")
	}
	found := false
	for _, a := range list {
		s, ok := a.(string)
		if !ok {
			return errors.New("an audience of the token is not a text")
		}
		found = found || slices.Contains(ours, s)
	}
	if !found {
		return errors.New("the token is for another audience")
	}
	return nil
}

// moment reads a NumericDate (RFC 7519, section 2): seconds since 1970, which
// may have a fraction, up to the year 9999.
func moment(claims map[string]any, name string) (at time.Time, there bool, err error) {
	v, there := claims[name]
	if !there {
		return time.Time{}, false, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, true, fmt.Errorf("the token's %s is not a number", name)
	}
	const year9999 = 253402300800
	f, err := n.Float64()
	if err != nil || f < 0 || f >= year9999 {
		return time.Time{}, true, fmt.Errorf("the token's %s is not a date", name)
	}
	seconds, fraction := math.Modf(f)
	return time.Unix(int64(seconds), int64(fraction*1e9)), true, nil
}
