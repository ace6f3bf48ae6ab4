package authn

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func route(forward bool, issuers ...string) *config.Route {
	return &config.Route{Name: "employees", Authn: &config.Authn{Issuers: issuers, ForwardToken: forward}}
}

// stageOf makes the stage of a route that accepts one issuer, called auth.
func stageOf(t testing.TB, c *config.Issuer) middleware.Stage {
	t.Helper()
	return New(route(true, "auth"), map[string]*Issuer{"auth": openIssuer(t, "auth", c)}, nil)
}

func ask(t testing.TB, s middleware.Stage, values ...string) (*middleware.Exchange, error) {
	t.Helper()
	x := middlewaretest.Exchange(t, "GET", "https://api.example.com/api/employees/7", nil)
	if len(values) > 0 {
		x.Request.Header["Authorization"] = values
	}
	up := middlewaretest.NewUpstream(t, 200, "text/plain", "ok")
	_, _, err := middlewaretest.Run(t, s, x, up.Handle)
	if passed := up.Calls.Load() == 1; passed != (err == nil) || passed != (x.Subject != nil) {
		t.Errorf("upstream reached: %t, subject %v, error %v", passed, x.Subject, err)
	}
	return x, err
}

func TestAbsent(t *testing.T) {
	if s := New(&config.Route{}, nil, nil); s != nil {
		t.Error("a stage on a route without authn")
	}
}

// Every algorithm verifies with its own kind of key.
func TestAlgorithms(t *testing.T) {
	k := keysOnce()
	for _, c := range []struct {
		alg string
		key any
	}{
		{"RS256", k.rsa},
		{"RS384", k.rsa},
		{"RS512", k.rsa},
		{"PS256", k.rsa},
		{"PS384", k.rsa},
		{"PS512", k.rsa},
		{"ES256", k.p256},
		{"ES384", k.p384},
		{"ES512", k.p521},
		{"EdDSA", k.ed},
		{"HS256", k.secret},
		{"HS384", k.secret},
		{"HS512", k.secret},
	} {
		t.Run(c.alg, func(t *testing.T) {
			conf := issuerConfig(func(i *config.Issuer) { i.Algorithms = []string{c.alg} })
			header := members{"kid": "k1"}
			if secret, ok := c.key.([]byte); ok {
				conf.Secret, header = config.Secret(secret), nil
			} else {
				conf.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", c.key, members{"use": "sig"})))
			}
			s := stageOf(t, conf)
			token := sign(t, c.alg, c.key, header, goodClaims())
			if _, err := ask(t, s, "Bearer "+token); err != nil {
				t.Errorf("a good token: %v", err)
			}
			// One bit of each part changed.
			for i, part := range strings.Split(token, ".") {
				at := strings.Index(token, part) + len(part)/2
				flipped := token[:at] + string(flip(token[at])) + token[at+1:]
				if _, err := ask(t, s, "Bearer "+flipped); middlewaretest.Code(err) != string(middleware.TokenInvalid) {
					t.Errorf("segment %d changed: %v", i, err)
				}
			}
		})
	}
}

func flip(c byte) byte {
	if c == 'A' {
		return 'B'
	}
	return 'A'
}

func TestExchange(t *testing.T) {
	k := keysOnce()
	s := stageOf(t, issuerConfig(func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, nil))) }))
	claims := with(goodClaims(), members{"acr": "mfa", "amr": []string{"pwd", "otp"}, "auth_time": time.Now().Unix() - 60})
	x, err := ask(t, s, "bearer "+sign(t, "RS256", k.rsa, members{"kid": "k1", "typ": "at+jwt"}, claims))
	if err != nil {
		t.Fatal(err)
	}
	read, err := Claims([]byte(encode(t, claims)))
	if err != nil {
		t.Fatal(err)
	}
	want := &policies.Subject{
		ID: "u7", Issuer: "auth", Role: "hr", Roles: []string{"hr"}, Tenant: "t1", Branch: "lagos", Branches: []string{"lagos"},
		ACR: "mfa", AMR: []string{"pwd", "otp"}, AuthTime: claims["auth_time"].(int64), Claims: read,
	}
	if diff := cmp.Diff(want, x.Subject); diff != "" {
		t.Errorf("subject (-want +got):\n%s", diff)
	}
	if x.IssuedAt.Unix() != claims["iat"] || x.Expires.Unix() != claims["exp"] {
		t.Errorf("issued %v, expires %v", x.IssuedAt, x.Expires)
	}
	if x.Request.Header.Get("Authorization") == "" {
		t.Error("the token was not forwarded")
	}
}

func TestForwardToken(t *testing.T) {
	k := keysOnce()
	i := openIssuer(t, "auth", issuerConfig(func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "", k.rsa, nil))) }))
	s := New(route(false, "auth"), map[string]*Issuer{"auth": i}, nil)
	x, err := ask(t, s, "Bearer "+sign(t, "RS256", k.rsa, nil, goodClaims()))
	if err != nil {
		t.Fatal(err)
	}
	if _, there := x.Request.Header["Authorization"]; there {
		t.Error("the token was forwarded")
	}
	if got, want := s.(middleware.Describer).Describe(), "tokens of auth (RS256) for erp, erp-admin; not forwarded"; got != want {
		t.Errorf("described as %q, want %q", got, want)
	}
	i.config.Profile, i.config.SenderConstrained = "at+jwt", true
	if got, want := s.(middleware.Describer).Describe(), "tokens of auth (RS256, at+jwt only, sender-constrained only) for erp, erp-admin; not forwarded"; got != want {
		t.Errorf("described as %q, want %q", got, want)
	}
}

// A token's iss chooses among the issuers of the route and no others.
func TestIssuers(t *testing.T) {
	k := keysOnce()
	file := func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, nil))) }
	partner := func(i *config.Issuer) {
		i.Issuer = "https://partner.example.com"
		i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa2, nil)))
	}
	issuers := map[string]*Issuer{
		"auth":    openIssuer(t, "auth", issuerConfig(file)),
		"partner": openIssuer(t, "partner", issuerConfig(partner)),
	}
	ours := sign(t, "RS256", k.rsa, members{"kid": "k1"}, goodClaims())
	theirs := sign(t, "RS256", k.rsa2, members{"kid": "k1"}, with(goodClaims(), members{"iss": "https://partner.example.com"}))
	forged := sign(t, "RS256", k.rsa2, members{"kid": "k1"}, goodClaims())
	for _, c := range []struct {
		name, token string
		issuers     []string
		want        string // the issuer; "" where it is refused
	}{
		{"ours", ours, []string{"auth", "partner"}, "auth"},
		{"theirs", theirs, []string{"auth", "partner"}, "partner"},
		{"theirs on a route of ours", theirs, []string{"auth"}, ""},
		{"theirs in our name", forged, []string{"auth", "partner"}, ""},
		{"an issuer that was not opened", theirs, []string{"gone"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, err := ask(t, New(route(true, c.issuers...), issuers, nil), "Bearer "+c.token)
			if c.want == "" {
				if middlewaretest.Code(err) != string(middleware.TokenInvalid) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || x.Subject.Issuer != c.want {
				t.Errorf("subject %+v, error %v", x.Subject, err)
			}
		})
	}
}

// What a client is told: the code, the challenge of RFC 6750, and not why.
func TestRefusals(t *testing.T) {
	k := keysOnce()
	s := stageOf(t, issuerConfig(func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, nil))) }))
	for _, c := range []struct {
		name      string
		values    []string
		code      middleware.Code
		challenge string
	}{
		{"missing", nil, middleware.TokenMissing, `Bearer realm="gatehouse"`},
		{"another scheme", []string{"Basic dTpw"}, middleware.TokenMissing, `Bearer realm="gatehouse"`},
		{"invalid", []string{"Bearer x"}, middleware.TokenInvalid, `Bearer realm="gatehouse", error="invalid_token"`},
		{
			"expired",
			[]string{"Bearer " + sign(t, "RS256", k.rsa, members{"kid": "k1"}, with(goodClaims(), members{"exp": seconds(-time.Hour)}))},
			middleware.TokenExpired,
			`Bearer realm="gatehouse", error="invalid_token", error_description="the token has expired"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ask(t, s, c.values...)
			var r *middleware.Refusal
			if !errors.As(err, &r) {
				t.Fatalf("error %v", err)
			}
			if r.Status != http.StatusUnauthorized || r.Code != string(c.code) || r.Header.Get("WWW-Authenticate") != c.challenge {
				t.Errorf("refusal %d %s %q", r.Status, r.Code, r.Header.Get("WWW-Authenticate"))
			}
			if r.Err == nil {
				t.Error("the record does not learn why")
			}
		})
	}
}

// The claims are judged by the issuer whose key was used, not only by the one
// that was chosen before.
func TestIssIsCheckedAgain(t *testing.T) {
	claims, err := Claims([]byte(encode(t, with(goodClaims(), members{"iss": "https://evil.test"}))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkClaims(issuerConfig(), claims, time.Now()); err == nil {
		t.Error("the claims of another issuer pass")
	}
}
