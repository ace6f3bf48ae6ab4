package authn

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// goodLogout are the claims of a logout token that nothing is wrong with
// (OpenID Connect Back-Channel Logout 1.0, section 2.4).
func goodLogout() members {
	now := time.Now().Unix()
	return members{
		"iss": "https://auth.example.com", "aud": "web", "iat": now - 5, "exp": now + 115, "jti": "l1", "sid": "s1", "sub": "u7",
		"events": members{"http://schemas.openid.net/event/backchannel-logout": members{}},
	}
}

func logoutIssuer(t *testing.T, changes ...func(*config.Issuer)) *Issuer {
	t.Helper()
	changes = append([]func(*config.Issuer){func(c *config.Issuer) {
		c.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", keysOnce().rsa, nil)))
	}}, changes...)
	return openIssuer(t, "auth", issuerConfig(changes...))
}

func TestLogoutTokens(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) any { return now.Add(-d).Unix() }
	for _, tt := range []struct {
		name   string
		header members
		change members // of the claims
		want   string  // in the cause; "" where it is believed
	}{
		{name: "good"},
		{name: "its own typ", header: members{"typ": "logout+jwt"}},
		{name: "its own typ as a media type", header: members{"typ": "application/logout+JWT"}},
		{name: "no typ", header: members{"typ": nil}},
		{name: "without exp", change: members{"exp": nil}},
		{name: "sid alone", change: members{"sub": nil}},
		{name: "sub alone", change: members{"sid": nil}},
		{name: "several audiences", change: members{"aud": []string{"other", "web"}}},
		{name: "five minutes old", change: members{"iat": ago(5 * time.Minute), "exp": nil}},
		{name: "a clock ahead by the leeway", change: members{"iat": ago(-20 * time.Second)}},
		{name: "events of other kinds too", change: members{"events": members{backchannelLogout: members{}, "urn:x": members{}}}},

		{name: "an access token's typ", header: members{"typ": "at+jwt"}, want: "typ"},
		{name: "another typ", header: members{"typ": "secevent+jwt"}, want: "typ"},
		{name: "alg none", header: members{"alg": "none"}, want: "algorithm"},
		{name: "an unknown key", header: members{"kid": "k2"}, want: "not known"},
		{name: "another issuer", change: members{"iss": "https://auth.example.com/"}, want: "another issuer"},
		{name: "no issuer", change: members{"iss": nil}, want: "another issuer"},
		{name: "the audience of the API", change: members{"aud": "erp"}, want: "another audience"},
		{name: "no audience", change: members{"aud": nil}, want: "no audience"},
		{name: "no iat", change: members{"iat": nil}, want: "when it was issued"},
		{name: "iat not a number", change: members{"iat": "now"}, want: "not a number"},
		{name: "from the future", change: members{"iat": ago(-2 * time.Minute)}, want: "in the future"},
		{name: "from yesterday", change: members{"iat": ago(24 * time.Hour), "exp": ago(-time.Hour)}, want: "too old"},
		{name: "expired", change: members{"exp": ago(31 * time.Second)}, want: "expired"},
		{name: "exp not a number", change: members{"exp": "soon"}, want: "not a number"},
		{name: "no jti", change: members{"jti": nil}, want: "no jti"},
		{name: "jti not a text", change: members{"jti": 7}, want: "not a text"},
		{name: "no events", change: members{"events": nil}, want: "no events"},
		{name: "events a list", change: members{"events": []string{backchannelLogout}}, want: "no events"},
		{name: "another event", change: members{"events": members{"http://schemas.openid.net/event/other": members{}}}, want: "do not tell"},
		{name: "the event not an object", change: members{"events": members{backchannelLogout: true}}, want: "do not tell"},
		{name: "a nonce", change: members{"nonce": "n"}, want: "nonce"},
		{name: "a nonce of nothing", change: members{"nonce": ""}, want: "nonce"},
		{name: "neither sid nor sub", change: members{"sid": nil, "sub": nil}, want: "neither"},
		{name: "an empty sid and no sub", change: members{"sid": "", "sub": nil}, want: "neither"},
		{name: "sid not a text", change: members{"sid": members{}}, want: "not a text"},
		{name: "sub with a control character", change: members{"sub": "u\n7"}, want: "plain text"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i, claims := logoutIssuer(t), with(goodLogout(), tt.change)
			raw := sign(t, "RS256", keysOnce().rsa, with(members{"kid": "k1"}, tt.header), claims)
			got, err := i.Logout(t.Context(), raw, []string{"web", "app"}, now)
			if tt.want != "" {
				disbelieved(t, err, tt.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sid, _ := claims["sid"].(string)
			sub, _ := claims["sub"].(string)
			iat, _ := claims["iat"].(int64)
			if diff := cmp.Diff(Logout{SID: sid, Subject: sub, JTI: "l1", Issued: time.Unix(iat, 0)}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// disbelieved wants a refusal that tells the sender nothing.
func disbelieved(t *testing.T, err error, cause string) {
	t.Helper()
	var f *middleware.Refusal
	if !errors.As(err, &f) || f.Status != http.StatusBadRequest || f.Code != string(middleware.TokenInvalid) || len(f.Header) > 0 {
		t.Fatalf("%#v", err)
	}
	if !strings.Contains(f.Err.Error(), cause) || f.Detail != "the logout token is not valid here" {
		t.Errorf("%q because %q, want %q there and not shown", f.Detail, f.Err, cause)
	}
	for _, secret := range []string{"s1", "u7", "l1"} {
		if strings.Contains(f.Err.Error(), secret) {
			t.Errorf("%q tells %s", f.Err, secret)
		}
	}
}

// What signs a logout token is what signs other tokens, and nothing else does.
func TestLogoutTokenOfSomebodyElse(t *testing.T) {
	i := logoutIssuer(t)
	good := sign(t, "RS256", keysOnce().rsa, members{"kid": "k1"}, goodLogout())
	key, head := keysOnce().rsa, members{"kid": "k1"}
	parts := strings.Split(good, ".")
	for _, tt := range []struct{ name, raw, want string }{
		{"another key", sign(t, "RS256", keysOnce().rsa2, head, goodLogout()), "signature"},
		{"claims changed", parts[0] + "." + b64([]byte(encode(t, with(goodLogout(), members{"sid": "s2"})))) + "." + parts[2], "signature"},
		{"no signature", parts[0] + "." + parts[1] + ".", "empty segment"},
		{"a name twice", signText(t, "RS256", key, `{"alg":"RS256","kid":"k1"}`, `{"sid":"s1",`+encode(t, goodLogout())[1:]), "twice"},
		{"not a token", "hello", "three segments"},
		{"nothing", "", "three segments"},
		{"larger than is read", good + strings.Repeat("A", maxToken), "longer"},
		{"an access token", sign(t, "RS256", key, head, with(goodClaims(), members{"aud": "web", "sid": "s1", "jti": "l1"})), "no events"},
		{"the public key as a secret", signText(t, "HS256", key.N.Bytes(), `{"alg":"HS256","kid":"k1"}`, encode(t, goodLogout())), "algorithm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := i.Logout(t.Context(), tt.raw, []string{"web"}, time.Now())
			disbelieved(t, err, tt.want)
		})
	}
}

// Where the subject is known by another claim than sub, a logout token names it
// by that claim too, or it is about the session alone.
func TestLogoutNamesTheSubjectAsTokensDo(t *testing.T) {
	i := logoutIssuer(t, func(c *config.Issuer) { c.Claims.Subject = "employee.id" })
	ask := func(change members) (Logout, error) {
		return i.Logout(t.Context(), sign(t, "RS256", keysOnce().rsa, members{"kid": "k1"}, with(goodLogout(), change)), []string{"web"}, time.Now())
	}
	if l, err := ask(members{"employee": members{"id": "e9"}}); err != nil || l.Subject != "e9" {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err := ask(nil); err != nil || l.Subject != "" || l.SID != "s1" {
		t.Errorf("%+v, %v", l, err)
	}
	_, err := ask(members{"sid": nil})
	disbelieved(t, err, "neither")
}

// Keys that are not there are not the sender's fault: it is told to come again.
func TestLogoutWithoutKeys(t *testing.T) {
	i := &Issuer{name: "auth", config: issuerConfig(), keys: away{}}
	_, err := i.Logout(t.Context(), sign(t, "RS256", keysOnce().rsa, members{"kid": "k1"}, goodLogout()), []string{"web"}, time.Now())
	var f *middleware.Refusal
	if !errors.As(err, &f) || f.Code != string(middleware.AuthenticationUnavailable) || f.Header.Get("Retry-After") == "" {
		t.Errorf("%v", err)
	}
}

type away struct{}

func (away) find(context.Context, string, string) (*key, error) { return nil, errUnavailable }
func (away) keys() *keySet                                      { return nil }
func (away) confirmed() time.Time                               { return time.Time{} }
func (away) detail() string                                     { return "" }
func (away) ready() error                                       { return errUnavailable }
func (away) close()                                             {}
