package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/authn"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
	"github.com/gatehouse-dev/gatehouse/middleware/session"
)

// A token that is remembered as verified is judged anew by all that may end
// earlier than it: each of these is asked with the very token that was let in
// seconds ago, within the minute that it is remembered for.
func TestRememberedTokensAreJudgedAnew(t *testing.T) {
	for name, tt := range map[string]struct {
		authn   config.Authn
		session config.Session
		exp     time.Duration
		order   *orders.Order
		want    middleware.Code
	}{
		"nothing":    {},
		"its expiry": {exp: 10 * time.Second, want: middleware.TokenExpired},
		"idle":       {session: config.Session{Idle: config.Duration(20 * time.Second), Max: config.Duration(time.Hour)}, want: middleware.SessionIdle},
		"max":        {session: config.Session{Idle: config.Duration(time.Hour), Max: config.Duration(20 * time.Second)}, want: middleware.SessionExpired},
		"step-up":    {authn: config.Authn{MaxAge: config.Duration(20 * time.Second)}, want: middleware.StepUpRequired},
		"revocation": {order: &orders.Order{Kind: orders.Revocation, Issuer: "auth", SID: "s1"}, want: middleware.SessionRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			synctest.Test(t, func(t *testing.T) {
				settings := issuerOf(t, i)
				issuer, err := authn.Open(context.Background(), "auth", settings, "")
				if err != nil {
					t.Fatal(err)
				}
				defer issuer.Close()
				book, err := orders.Open(orders.Settings{Keep: time.Hour}, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer book.Close()
				store := session.NewStore(10, nil)
				defer store.Close()
				route := &config.Route{Name: "all", Authn: &tt.authn}
				route.Authn.Issuers = []string{"auth"}
				if tt.session.Idle > 0 {
					tt.session.Touch = true
					route.Session = &tt.session
				}
				now, life := time.Now(), tt.exp
				if life == 0 {
					life = 5 * time.Minute
				}
				token := i.token("k1", map[string]any{
					"iss": settings.Issuer, "aud": "erp", "sub": "u7", "sid": "s1",
					"iat": now.Unix(), "auth_time": now.Unix(), "exp": now.Add(life).Unix(),
				})
				ask := func() error {
					x := middlewaretest.Exchange(t, "GET", "https://h/", nil)
					x.Start = time.Now()
					x.Request.Header.Set("Authorization", "Bearer "+token)
					handler := middleware.Chain(func(*middleware.Exchange) (*http.Response, error) {
						return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody}, nil
					}, authn.New(route, map[string]*authn.Issuer{"auth": issuer}, nil), session.New(route, book, store))
					_, err := handler(x)
					return err
				}
				if err := ask(); err != nil {
					t.Fatalf("at first: %v", err)
				}
				time.Sleep(30 * time.Second)
				if tt.order != nil {
					if _, _, err := book.Give(t.Context(), *tt.order); err != nil {
						t.Fatal(err)
					}
				}
				err = ask()
				var r *middleware.Refusal
				if got := errors.As(err, &r); got != (tt.want != "") || got && r.Code != string(tt.want) {
					t.Errorf("after 30 s: %v, want %q", err, tt.want)
				}
			})
		})
	}
}

// issuerOf is an issuer whose keys are in a file.
func issuerOf(t *testing.T, i *issuer) *config.Issuer {
	t.Helper()
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	set, err := json.Marshal(map[string]any{"keys": []map[string]string{{"kty": "EC", "crv": "P-256", "kid": "k1", "x": text(point[1:33]), "y": text(point[33:])}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, set, 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Issuer{Issuer: "https://auth.example.com", Audiences: []string{"erp"}, Algorithms: []string{"ES256"}, JWKSFile: file}
	c.MaxLifetime, c.Claims.Subject = config.Duration(time.Hour), "sub"
	return &c
}
