package authn

import (
	"errors"
	"net/http"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/internal/cookies"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func published(t testing.TB) *config.Issuer {
	return issuerConfig(func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "", keysOnce().rsa, nil))) })
}

// carrier gives a stage that takes tokens from the cookie __Host-t too.
func carrier(t testing.TB, forward bool) middleware.Stage {
	r := route(forward, "auth")
	r.Authn.Cookie = "__Host-t"
	return New(r, map[string]*Issuer{"auth": openIssuer(t, "auth", published(t))}, nil)
}

func TestCookie(t *testing.T) {
	good := sign(t, "RS256", keysOnce().rsa, nil, goodClaims())
	other := sign(t, "RS256", keysOnce().rsa, nil, with(goodClaims(), members{"sub": "u8"}))
	const missing, invalid = string(middleware.TokenMissing), string(middleware.TokenInvalid)
	for _, c := range []struct {
		name          string
		cookie        []string
		authorization []string
		plain         bool
		code          string
		cause         error // nil: any
		byCookie      bool
	}{
		{name: "in the cookie", cookie: []string{"a=1; __Host-t=" + good}, byCookie: true},
		{name: "in a line of its own", cookie: []string{"a=1", "__Host-t=" + good}, byCookie: true},
		{name: "in the header", authorization: []string{"Bearer " + good}},
		{name: "in the header, the cookie empty", cookie: []string{"__Host-t="}, authorization: []string{"Bearer " + good}},
		{name: "the same in both", cookie: []string{"__Host-t=" + good}, authorization: []string{"bearer " + good}},
		{name: "the same in both, over plain HTTP", cookie: []string{"__Host-t=" + good}, authorization: []string{"bearer " + good}, plain: true},
		{name: "neither", code: missing},
		{name: "other cookies", cookie: []string{"__Host-t2=" + good + "; t=" + good}, code: missing},
		{name: "an empty cookie", cookie: []string{"__Host-t="}, code: missing},
		{name: "two tokens", cookie: []string{"__Host-t=" + good}, authorization: []string{"Bearer " + other}, code: invalid, cause: errTwoTokens},
		{name: "a good one and a bad one", cookie: []string{"__Host-t=x"}, authorization: []string{"Bearer " + good}, code: invalid, cause: errTwoTokens},
		{name: "beside a password", cookie: []string{"__Host-t=" + good}, authorization: []string{"Basic dTpw"}, code: invalid, cause: errTwoTokens},
		{name: "beside an empty header", cookie: []string{"__Host-t=" + good}, authorization: []string{""}, code: invalid, cause: errTwoTokens},
		{name: "beside two headers", cookie: []string{"__Host-t=" + good}, authorization: []string{"Bearer " + good, "Bearer " + good}, code: invalid, cause: errTwoTokens},
		{name: "twice", cookie: []string{"__Host-t=" + good + "; __Host-t=" + good}, code: invalid, cause: cookies.ErrAmbiguous},
		{name: "twice, beside the header", cookie: []string{"__Host-t=" + good, "__Host-t=" + other}, authorization: []string{"Bearer " + good}, code: invalid, cause: cookies.ErrAmbiguous},
		{name: "hidden from some", cookie: []string{`a="; __Host-t=` + other + `"; __Host-t=` + good}, code: invalid, cause: cookies.ErrAmbiguous},
		{name: "hidden from us, beside the header", cookie: []string{"a=1,__Host-t=" + other}, authorization: []string{"Bearer " + good}, code: invalid, cause: cookies.ErrAmbiguous},
		{name: "over plain HTTP", cookie: []string{"__Host-t=" + good}, plain: true, code: invalid, cause: errPlain},
		{name: "a bad one", cookie: []string{"__Host-t=" + good[:len(good)-8]}, code: invalid, byCookie: true},
		{name: "in quotes", cookie: []string{`__Host-t="` + good + `"`}, code: invalid, byCookie: true},
		{name: "with its scheme", cookie: []string{"__Host-t=Bearer " + good}, code: invalid, byCookie: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := middlewaretest.Exchange(t, "POST", "https://api.example.com/", nil)
			if c.cookie != nil {
				x.Request.Header["Cookie"] = c.cookie
			}
			if c.authorization != nil {
				x.Request.Header["Authorization"] = c.authorization
			}
			x.Secure = !c.plain
			up := middlewaretest.NewUpstream(t, 200, "", "")
			_, _, err := middlewaretest.Run(t, carrier(t, true), x, up.Handle)
			if got := middlewaretest.Code(err); got != c.code || c.cause != nil && !errors.Is(err, c.cause) {
				t.Fatalf("%v, want %s", err, c.code)
			}
			if x.ByCookie != c.byCookie || (up.Calls.Load() == 1) != (c.code == "") {
				t.Errorf("by cookie: %t, upstream reached %d times", x.ByCookie, up.Calls.Load())
			}
			if r, ok := err.(*middleware.Refusal); ok && r.Header.Get("Www-Authenticate") == "" {
				t.Error("no challenge")
			}
		})
	}
}

// The cookie goes where the header goes.
func TestCookieForwarded(t *testing.T) {
	good := sign(t, "RS256", keysOnce().rsa, nil, goodClaims())
	for _, c := range []struct {
		forward bool
		want    string
	}{
		{true, "a=1; __Host-t=" + good + ";b= 2"},
		{false, "a=1;b= 2"},
	} {
		for _, authorization := range []string{"", "Bearer " + good} {
			x := middlewaretest.Exchange(t, "GET", "https://api.example.com/", nil, middlewaretest.Header("Cookie", "a=1; __Host-t="+good+";b= 2"))
			if authorization != "" {
				x.Request.Header.Set("Authorization", authorization)
			}
			var got http.Header
			if _, err := carrier(t, c.forward).Handle(x, func(x *middleware.Exchange) (*http.Response, error) {
				got = x.Request.Header
				return &http.Response{Body: http.NoBody}, nil
			}); err != nil {
				t.Fatal(err)
			}
			if !c.forward {
				authorization = ""
			}
			if got.Get("Cookie") != c.want || got.Get("Authorization") != authorization {
				t.Errorf("forward %t: %v", c.forward, got)
			}
		}
	}
}

// A route that names no cookie reads none.
func TestCookieNotAsked(t *testing.T) {
	good := sign(t, "RS256", keysOnce().rsa, nil, goodClaims())
	x := middlewaretest.Exchange(t, "GET", "https://api.example.com/", nil, middlewaretest.Header("Cookie", "__Host-t="+good))
	_, _, err := middlewaretest.Run(t, stageOf(t, published(t)), x, middlewaretest.NewUpstream(t, 200, "", "").Handle)
	if middlewaretest.Code(err) != string(middleware.TokenMissing) || x.ByCookie {
		t.Errorf("%v", err)
	}
}
