package authn

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// What is signed by the issuer, for us and in time, and is still no access
// token.
func TestKindsOfTokens(t *testing.T) {
	k := keysOnce()
	file := writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, nil)))
	full := members{"jti": "j1", "client_id": "web"} // beside goodClaims: what RFC 9068 asks for
	for _, c := range []struct {
		name    string
		profile string
		header  members
		claims  members
		why     string // what the record says; "" where it passes
	}{
		{"JWT", "jwt", members{"typ": "JWT"}, nil, ""},
		{"no typ", "jwt", members{"typ": nil}, nil, ""},
		{"an access token", "jwt", members{"typ": "at+jwt"}, full, ""},
		{"nonce", "jwt", nil, members{"nonce": "n"}, ""},
		{"events that are no events", "jwt", nil, members{"events": []string{"meeting"}}, ""},
		{"typ logout+jwt", "jwt", members{"typ": "logout+jwt"}, nil, "neither JWT nor at+jwt"},
		{"typ secevent+jwt", "jwt", members{"typ": "secevent+jwt"}, nil, "neither JWT nor at+jwt"},
		{"typ dpop+jwt", "jwt", members{"typ": "dpop+jwt"}, nil, "neither JWT nor at+jwt"},
		{"typ JOSE", "jwt", members{"typ": "JOSE"}, nil, "neither JWT nor at+jwt"},
		{"a logout token", "jwt", nil, members{"events": members{logoutEvent: members{}}}, "a logout token"},
		{"any security event", "jwt", nil, members{"events": members{}}, "a logout token"},
		{"a logout token that says at+jwt", "at+jwt", members{"typ": "at+jwt"}, with(full, members{"events": members{logoutEvent: members{}}}), "a logout token"},
		{"at_hash", "jwt", nil, members{"at_hash": "x"}, "an ID token"},
		{"c_hash", "jwt", nil, members{"c_hash": "x"}, "an ID token"},
		{"s_hash", "jwt", nil, members{"s_hash": "x"}, "an ID token"},
		{"jti is a number", "jwt", nil, members{"jti": 1}, `"jti" is not a text`},
		{"sid is a list", "jwt", nil, members{"sid": []string{"s"}}, `"sid" is not a text`},
		{"a token in the token", "jwt", members{"cty": "JWT"}, nil, "holds another token"},
		{"an access token in the token", "jwt", members{"cty": "application/at+jwt"}, nil, "holds another token"},
		{"cty is a number", "jwt", members{"cty": 1}, nil, "holds another token"},
		{"cty is something else", "jwt", members{"cty": "json"}, nil, ""},

		{"at+jwt", "at+jwt", members{"typ": "at+jwt"}, full, ""},
		{"at+jwt in full", "at+jwt", members{"typ": "application/at+jwt"}, full, ""},
		{"JWT where at+jwt is asked for", "at+jwt", members{"typ": "JWT"}, full, "typ is not at+jwt"},
		{"no typ where at+jwt is asked for", "at+jwt", members{"typ": nil}, full, "typ is not at+jwt"},
		{"at+jwt without sub", "at+jwt", members{"typ": "at+jwt"}, with(full, members{"sub": ""}), "has no sub"},
		{"at+jwt without iat", "at+jwt", members{"typ": "at+jwt"}, with(full, members{"iat": absent}), "has no iat"},
		{"at+jwt without jti", "at+jwt", members{"typ": "at+jwt"}, with(full, members{"jti": ""}), "has no jti"},
		{"at+jwt without client_id", "at+jwt", members{"typ": "at+jwt"}, with(full, members{"client_id": nil}), "has no client_id"},
		{"at+jwt with a client_id that is a number", "at+jwt", members{"typ": "at+jwt"}, with(full, members{"client_id": 1}), `"client_id" is not a text`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stageOf(t, issuerConfig(func(i *config.Issuer) { i.JWKSFile, i.Profile = file, c.profile }))
			header := with(members{"alg": "RS256", "kid": "k1", "typ": "JWT"}, c.header)
			claims := with(goodClaims(), c.claims)
			for n, v := range claims {
				if v == absent {
					delete(claims, n)
				}
			}
			_, err := ask(t, s, "Bearer "+signText(t, "RS256", k.rsa, encode(t, header), encode(t, claims)))
			because(t, err, c.why)
		})
	}
}

// absent takes a member away where [with] is used twice.
const absent = "\x00absent"

// because wants a refusal whose reason, on record, says why; none for "".
func because(t testing.TB, err error, why string) {
	t.Helper()
	var r *middleware.Refusal
	switch {
	case why == "" && err == nil:
	case why == "":
		t.Errorf("refused: %v", err)
	case !errors.As(err, &r) || r.Code != invalid || r.Err == nil || !strings.Contains(r.Err.Error(), why):
		t.Errorf("got %v, want a refusal because %q", err, why)
	}
}

// A token that is good for a year is not, whatever its issuer meant.
func TestMaxLifetime(t *testing.T) {
	file := writeFile(t, jwks(t, jwkOf(t, "k1", keysOnce().p256, nil)))
	const why = "longer than the issuer's max_lifetime"
	for _, c := range []struct {
		name     string
		iat, exp any // a duration is from now
		why      string
	}{
		{"as long as allowed", -time.Minute, 59 * time.Minute, ""},
		{"a second longer", -time.Minute, 59*time.Minute + time.Second, why},
		{"almost over", -2 * time.Hour, time.Minute, why},
		{"to the end of days", time.Duration(0), 253402300799, why},
		{"no iat", nil, time.Hour, ""},
		{"no iat, longer from now", nil, time.Hour + time.Minute, why},
		{"iat at the beginning of time", 0, time.Minute, why},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := stageOf(t, issuerConfig(func(i *config.Issuer) {
				i.JWKSFile, i.Algorithms, i.MaxLifetime = file, []string{"ES256"}, config.Duration(time.Hour)
			}))
			claims := with(goodClaims(), members{"iat": c.iat, "exp": c.exp})
			for n, v := range claims {
				if d, ok := v.(time.Duration); ok {
					claims[n] = seconds(d)
				}
			}
			_, err := ask(t, s, "Bearer "+es256(t, claims))
			if got := cause(err); !strings.HasSuffix(got, c.why) || (got == "") != (c.why == "") {
				t.Errorf("%s: %v, want %q", c.name, err, c.why)
			}
		})
	}
}

// The leeway is as long as it says, to the second.
func TestLeeway(t *testing.T) {
	k := keysOnce()
	file := writeFile(t, jwks(t, jwkOf(t, "k1", k.p256, nil)))
	for _, c := range []struct {
		claim string
		off   time.Duration // from now; the leeway is 30 s
		why   string
	}{
		{"nbf", 30 * time.Second, ""},
		{"nbf", 31 * time.Second, "nbf is in the future"},
		{"iat", 30 * time.Second, ""},
		{"iat", 31 * time.Second, "iat is in the future"},
		{"auth_time", 30 * time.Second, ""},
		{"auth_time", 31 * time.Second, "auth_time is in the future"},
		{"exp", -29 * time.Second, ""},
		{"exp", -30 * time.Second, errExpired.Error()},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := stageOf(t, issuerConfig(func(i *config.Issuer) { i.JWKSFile, i.Algorithms = file, []string{"ES256"} }))
			_, err := ask(t, s, "Bearer "+es256(t, with(goodClaims(), members{c.claim: seconds(c.off)})))
			if why := cause(err); !strings.HasSuffix(why, c.why) || (why == "") != (c.why == "") {
				t.Errorf("%s %v from now: %v, want %q", c.claim, c.off, err, c.why)
			}
		})
	}
}

// cause is why a request was refused, for the record.
func cause(err error) string {
	var r *middleware.Refusal
	if errors.As(err, &r) {
		return r.Err.Error()
	}
	return ""
}

// An issuer that binds its tokens binds all of them.
func TestSenderConstrained(t *testing.T) {
	k := keysOnce()
	s := stageOf(t, issuerConfig(func(i *config.Issuer) {
		i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, nil)))
		i.SenderConstrained = true
	}))
	for cnf, why := range map[string]string{
		"none":     "bound to nobody",
		"x5t#S256": "came without one",
		"jkt":      "came without a proof of it",
	} {
		claims := goodClaims()
		if cnf != "none" {
			claims["cnf"] = members{cnf: "Wzl1ZRw8q5LQRMCW3DChwtlSVJdFdHLeSMUeyzY9H0o"}
		}
		_, err := ask(t, s, "Bearer "+sign(t, "RS256", k.rsa, members{"kid": "k1"}, claims))
		because(t, err, why)
	}
}

// Settings under which everything would pass open no issuer, whoever made them.
func TestSettingsOfKinds(t *testing.T) {
	for want, change := range map[string]func(*config.Issuer){
		`profile: "at" is not known`:        func(c *config.Issuer) { c.Profile = "at" },
		"max_lifetime: must be more than 0": func(c *config.Issuer) { c.MaxLifetime = 0 },
	} {
		c := issuerConfig(change, func(c *config.Issuer) {
			c.Algorithms, c.Secret = []string{"HS256"}, "0123456789abcdef0123456789abcdef"
		})
		if _, err := Open(t.Context(), "auth", c, ""); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
