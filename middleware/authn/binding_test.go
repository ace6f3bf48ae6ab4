package authn

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// A token that was issued to the holder of a certificate is of no use to
// anybody else.
func TestTokensBoundToACertificate(t *testing.T) {
	k := keysOnce()
	conf := issuerConfig(func(i *config.Issuer) { i.Algorithms = []string{"ES256"} })
	conf.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", k.p256, members{"use": "sig"})))
	s := stageOf(t, conf)
	own, other := &x509.Certificate{Raw: []byte("own")}, &x509.Certificate{Raw: []byte("other")}
	const thumbprint = "Wzl1ZRw8q5LQRMCW3DChwtlSVJdFdHLeSMUeyzY9H0o"

	for _, tt := range []struct {
		name  string
		cnf   any
		shown *x509.Certificate
		ok    bool
	}{
		{"no cnf, no certificate", nil, nil, true},
		{"no cnf, a certificate", nil, own, true},
		{"the certificate it is bound to", members{"x5t#S256": thumbprint}, own, true},
		{"another", members{"x5t#S256": thumbprint}, other, false},
		{"none", members{"x5t#S256": thumbprint}, nil, false},
		{"padded", members{"x5t#S256": thumbprint + "="}, own, false},
		{"empty, no certificate", members{"x5t#S256": ""}, nil, false},
		{"not a text", members{"x5t#S256": []string{thumbprint}}, own, false},
		{"not an object", thumbprint, own, false},
		{"a key, as a bearer token", members{"jkt": thumbprint}, nil, false},
		{"a key and the certificate", members{"jkt": thumbprint, "x5t#S256": thumbprint}, own, false},
		{"a way to confirm that is not known", members{"kid": "k1"}, own, false},
		{"the certificate and a way that is not known", members{"x5t#S256": thumbprint, "jwk": members{}}, own, false},
		{"no way to confirm", members{}, own, false},
		{"null", json.RawMessage("null"), own, false},
		{"both", members{"jkt": thumbprint, "x5t#S256": thumbprint}, other, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := middlewaretest.Exchange(t, "GET", "https://api.example.com/api/employees/7", nil)
			x.Certificate = tt.shown
			// What a header tells of a certificate counts for nothing.
			x.Request.Header.Set("X-Client-Cert-Thumbprint", thumbprint)
			x.Request.Header.Set("Authorization", "Bearer "+sign(t, "ES256", k.p256, members{"kid": "k1"}, with(goodClaims(), members{"cnf": tt.cnf})))
			up := middlewaretest.NewUpstream(t, 200, "text/plain", "ok")
			_, _, err := middlewaretest.Run(t, s, x, up.Handle)
			if (err == nil) != tt.ok || (up.Calls.Load() == 1) != tt.ok {
				t.Fatalf("error %v, want accepted %t", err, tt.ok)
			}
			var r *middleware.Refusal
			if err != nil && (!errors.As(err, &r) || r.Code != string(middleware.TokenInvalid) || x.Subject != nil) {
				t.Errorf("got %v and subject %v", err, x.Subject)
			}
		})
	}
}
