package authn

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// attack is what somebody sends who should not get in, or somebody careless.
type attack struct {
	name   string
	values []string         // of Authorization
	want   middleware.Code  // token_invalid where empty
	at     middleware.Stage // where the arena's main stage is not meant
}

// class is a kind of attacks.
type class struct {
	name    string
	attacks []attack
}

// arena is what is attacked.
type arena struct {
	t testing.TB
	*testKeys
	main   middleware.Stage // RS256 with the key k1, ES256 with e1, EdDSA with d1; of the issuer partner ES256 with p1
	secret middleware.Stage // HS256 with a secret
	strict middleware.Stage // as main, by the profile at+jwt
	good   string           // the payload that nothing is wrong with
}

func newArena(t testing.TB) *arena {
	k := keysOnce()
	a := &arena{t: t, testKeys: k, good: encode(t, goodClaims())}
	file := writeFile(t, jwks(t, jwkOf(t, "k1", k.rsa, nil), jwkOf(t, "e1", k.p256, nil), jwkOf(t, "e2", k.p384, nil), jwkOf(t, "d1", k.ed, nil)))
	public := func(i *config.Issuer) { i.Algorithms, i.JWKSFile = []string{"RS256", "ES256", "EdDSA"}, file }
	a.main = New(route(true, "auth", "partner"), map[string]*Issuer{
		"auth": openIssuer(t, "auth", issuerConfig(public)),
		"partner": openIssuer(t, "partner", issuerConfig(func(i *config.Issuer) {
			i.Issuer, i.Algorithms = "https://partner.example.com", []string{"ES256"}
			i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "p1", k.partner, nil)))
		})),
	}, nil)
	a.secret = stageOf(t, issuerConfig(func(i *config.Issuer) {
		i.Algorithms, i.Secret = []string{"HS256"}, config.Secret(k.secret)
	}))
	a.strict = stageOf(t, issuerConfig(public, func(i *config.Issuer) { i.Profile = "at+jwt" }))
	return a
}

// rs signs by RS256 whatever the header says.
func (a *arena) rs(header, payload string) string {
	return signText(a.t, "RS256", a.rsa, header, payload)
}

// hs signs by HS256 with any bytes.
func (a *arena) hs(header string, key []byte) string {
	return signText(a.t, "HS256", key, header, a.good)
}

const k1 = `{"alg":"RS256","kid":"k1"}`

// headers makes attacks of headers over good claims, signed as they should be.
func (a *arena) headers(list ...string) (out []attack) {
	for _, h := range list {
		out = append(out, a.bearer(h, a.rs(h, a.good)))
	}
	return out
}

// payloads makes attacks of payloads under a good header, signed as they should
// be.
func (a *arena) payloads(list ...string) (out []attack) {
	for _, p := range list {
		name := p
		if len(name) > 60 {
			name = name[:60]
		}
		out = append(out, a.bearer(name, a.rs(k1, p)))
	}
	return out
}

// claims makes an attack of one claim that is not what it should be; nil takes
// it away.
func (a *arena) claims(name string, values ...any) (out []attack) {
	for _, v := range values {
		out = append(out, a.bearer(fmt.Sprintf("%s: %v", name, v), a.rs(k1, encode(a.t, with(goodClaims(), members{name: v})))))
	}
	return out
}

func (a *arena) bearer(name, token string) attack {
	return attack{name: name, values: []string{"Bearer " + token}}
}

// want says what all of these are answered with.
func want(code middleware.Code, list ...attack) []attack {
	for i := range list {
		list[i].want = code
	}
	return list
}

func join(lists ...[]attack) (out []attack) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// TestAttackTable sends what should not get in, and prints what became of it:
// go test -v -run TestAttackTable ./middleware/authn
func TestAttackTable(t *testing.T) {
	a := newArena(t)
	classes := a.algorithms()
	classes = append(classes, a.keyGames()...)
	classes = append(classes, a.headerGames()...)
	classes = append(classes, a.claimGames()...)
	classes = append(classes, a.signatures()...)
	classes = append(classes, a.spellings()...)
	w := tabwriter.NewWriter(t.Output(), 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "class\tcases\tresult")
	cases := 0
	for _, c := range classes {
		failed := 0
		for _, k := range c.attacks {
			if !a.repelled(t, c.name, k) {
				failed++
			}
		}
		result := "all refused"
		if failed > 0 {
			result = fmt.Sprintf("%d NOT REFUSED as they should be", failed)
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%s\n", c.name, len(c.attacks), result)
		cases += len(c.attacks)
	}
	controls, failed := a.controls(), 0
	for _, k := range controls {
		if _, err := ask(t, a.stage(k), k.values...); err != nil {
			t.Errorf("control %s: %v", k.name, err)
			failed++
		}
	}
	_, _ = fmt.Fprintf(w, "controls: what the attacks differ from\t%d\t%d let in\n", len(controls), len(controls)-failed)
	_, _ = fmt.Fprintf(w, "all attacks\t%d\t\n", cases)
	_ = w.Flush()
	if cases < 120 {
		t.Errorf("only %d attacks", cases)
	}
}

func (a *arena) stage(k attack) middleware.Stage {
	if k.at != nil {
		return k.at
	}
	return a.main
}

// repelled reports whether an attack is answered as it should be, twice: what
// was refused once is not remembered as good.
func (a *arena) repelled(t *testing.T, class string, k attack) bool {
	if k.want == "" {
		k.want = middleware.TokenInvalid
	}
	for range 2 {
		if _, err := ask(t, a.stage(k), k.values...); middlewaretest.Code(err) != string(k.want) {
			t.Errorf("%s: %s: answered with %v, want %s", class, k.name, err, k.want)
			return false
		}
	}
	return true
}

// controls are careful callers, who get in.
func (a *arena) controls() (out []attack) {
	for _, c := range []struct {
		name   string
		header members
		change members
		scheme string
	}{
		{"plain", nil, nil, "Bearer "},
		{"scheme in lower case", nil, nil, "bearer "},
		{"scheme in upper case", nil, nil, "BEARER "},
		{"typ at+jwt", members{"typ": "at+jwt"}, nil, "Bearer "},
		{"typ in full", members{"typ": "application/AT+JWT"}, nil, "Bearer "},
		{"no typ", members{"typ": absent}, nil, "Bearer "},
		{"no kid where one key fits", members{"kid": absent}, nil, "Bearer "},
		{"thumbprint", members{"x5t#S256": "abc"}, nil, "Bearer "},
		{"a parameter that nobody knows", members{"Crit": []string{"x"}}, nil, "Bearer "},
		{"list of audiences", nil, members{"aud": []string{"crm", "erp-admin"}}, "Bearer "},
		{"no iat", nil, members{"iat": nil}, "Bearer "},
		{"a fraction of a second", nil, members{"exp": float64(time.Now().Unix()) + 100.5}, "Bearer "},
		{"expired within the leeway", nil, members{"exp": seconds(-10 * time.Second)}, "Bearer "},
		{"issued ahead within the leeway", nil, members{"iat": seconds(10 * time.Second)}, "Bearer "},
		{"good from now on within the leeway", nil, members{"nbf": seconds(10 * time.Second)}, "Bearer "},
		{"almost as long as allowed", nil, members{"iat": seconds(0), "exp": seconds(24*time.Hour - time.Minute)}, "Bearer "},
		{"no role", nil, members{"role": nil}, "Bearer "},
		{"large numbers", nil, members{"x": 1e300}, "Bearer "},
		{"a name twice in different objects", nil, members{"x": members{"iss": "a"}, "y": members{"iss": "b"}}, "Bearer "},
	} {
		header := with(members{"alg": "RS256", "typ": "JWT", "kid": "k1"}, c.header)
		for n, v := range header {
			if v == absent {
				delete(header, n)
			}
		}
		out = append(out, attack{name: c.name, values: []string{c.scheme + a.rs(encode(a.t, header), encode(a.t, with(goodClaims(), c.change)))}})
	}
	at := members{"jti": "j", "client_id": "web"}
	return append(
		out,
		a.bearer("ES256", signText(a.t, "ES256", a.p256, `{"alg":"ES256","kid":"e1"}`, a.good)),
		a.bearer("EdDSA", signText(a.t, "EdDSA", a.ed, `{"alg":"EdDSA","kid":"d1"}`, a.good)),
		a.bearer("the partner's", signText(a.t, "ES256", a.partner, `{"alg":"ES256","kid":"p1"}`, encode(a.t, with(goodClaims(), members{"iss": "https://partner.example.com"})))),
		a.bearer("white space in the JSON", a.rs(" {\t\"alg\" : \"RS256\" ,\r\n\"kid\":\"k1\" } ", " "+a.good+"\n")),
		a.bearer("ECDSA with a high s", a.ecdsa(func(r, s []byte) []byte { return append(r, a.negated(s)...) })),
		attack{name: "HS256", values: []string{"Bearer " + a.hs(`{"alg":"HS256"}`, a.testKeys.secret)}, at: a.secret},
		attack{name: "an access token", values: []string{"Bearer " + a.rs(`{"alg":"RS256","kid":"k1","typ":"at+jwt"}`, encode(a.t, with(goodClaims(), at)))}, at: a.strict},
	)
}

func publicPEM(t testing.TB, key *rsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// leftover gives another last character of a segment of 256 bytes that
// decodes to the same bits where the decoder is lax.
func leftover(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)|1])
}
