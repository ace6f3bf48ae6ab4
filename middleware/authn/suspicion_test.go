package authn

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

const (
	noSuspicion = ""
	badSig      = string(middleware.BadSignature)
	unknownKey  = string(middleware.UnknownKey)
	forgedHead  = string(middleware.ForgedHeader)
	algGame     = string(middleware.AlgorithmGame)
)

// suspected gives what is suspicious about a token, and how it is answered.
func suspected(t testing.TB, s middleware.Stage, values ...string) (what string, err error) {
	t.Helper()
	x, err := ask(t, s, values...)
	var out []string
	for _, w := range x.Suspicions() {
		out = append(out, string(w))
	}
	return strings.Join(out, " "), err
}

// What is told of a token, case by case.
func TestSuspicions(t *testing.T) {
	a := newArena(t)
	rs := func(header string) string { return a.rs(header, a.good) }
	payload := func(changes members) string { return encode(t, with(goodClaims(), changes)) }
	none := func(alg, signature string) string {
		return b64([]byte(`{"alg":"`+alg+`","kid":"k1"}`)) + "." + b64([]byte(a.good)) + "." + signature
	}
	elsewhere := payload(members{"iss": "https://staging.example.com"})
	pub := publicPEM(t, &a.rsa.PublicKey)
	for _, tt := range []struct {
		name, token, want string
		at                middleware.Stage
	}{
		{"good", rs(k1), noSuspicion, nil},
		{"another key by our name for it", signText(t, "RS256", a.rsa2, k1, a.good), badSig, nil},
		{"another key by no name", signText(t, "RS256", a.rsa2, `{"alg":"RS256"}`, a.good), badSig, nil},
		{"changed", strings.Replace(rs(k1), "."+b64([]byte(a.good))+".", "."+b64([]byte(payload(members{"role": "admin"})))+".", 1), badSig, nil},
		{"no signature", rs(k1)[:strings.LastIndexByte(rs(k1), '.')+1], badSig, nil},
		{"the partner signs in our name", signText(t, "ES256", a.partner, `{"alg":"ES256","kid":"e1"}`, a.good), badSig, nil},
		{"another secret", a.hs(`{"alg":"HS256"}`, []byte(strings.Repeat("x", 32))), badSig, a.secret},

		{"unknown key", rs(`{"alg":"RS256","kid":"k9"}`), unknownKey, nil},
		{"a file for a key", rs(`{"alg":"RS256","kid":"../../dev/null"}`), unknownKey, nil},
		{"which of two keys is not said", signText(t, "ES256", a.partner, `{"alg":"ES256","kid":""}`, a.good), forgedHead, nil},

		{"jku", rs(`{"alg":"RS256","kid":"k1","jku":"https://evil.example/keys"}`), forgedHead, nil},
		{"x5u", rs(`{"alg":"RS256","kid":"k1","x5u":"https://evil.example/"}`), forgedHead, nil},
		{"x5c", rs(`{"alg":"RS256","kid":"k1","x5c":["MIIB"]}`), forgedHead, nil},
		{"jwk", rs(`{"alg":"RS256","kid":"k1","jwk":{}}`), forgedHead, nil},
		{"crit", rs(`{"alg":"RS256","kid":"k1","crit":["exp"]}`), forgedHead, nil},
		{"b64", rs(`{"alg":"RS256","kid":"k1","b64":false}`), forgedHead, nil},
		{"zip", rs(`{"alg":"RS256","kid":"k1","zip":"DEF"}`), forgedHead, nil},
		{"a name twice", rs(`{"alg":"none","alg":"RS256","kid":"k1"}`), forgedHead, nil},
		{"a name twice by an escape", rs(`{"alg":"RS256","\u0061lg":"RS256","kid":"k1"}`), forgedHead, nil},
		{"no algorithm", rs(`{"kid":"k1"}`), forgedHead, nil},
		{"a list of algorithms", rs(`{"alg":["RS256"],"kid":"k1"}`), forgedHead, nil},
		{"typ of another kind", rs(`{"alg":"RS256","kid":"k1","typ":"dpop+jwt"}`), forgedHead, nil},
		{"a token within", rs(`{"alg":"RS256","kid":"k1","cty":"JWT"}`), forgedHead, nil},

		{"none", none("none", ""), algGame, nil},
		{"None", none("None", ""), algGame, nil},
		{"nOnE with a signature", none("nOnE", "AAAA"), algGame, nil},
		{"none and a blank", none(" none", "AAAA"), algGame, nil},
		{"none for a secret", none("none", ""), algGame, a.secret},
		{"a public key for a secret", a.hs(`{"alg":"HS256","kid":"k1"}`, pub), algGame, nil},
		{"and called RS256", a.hs(`{"alg":"RS256","kid":"k1"}`, pub), badSig, nil},
		{"RS256 where there is a secret", a.rs(`{"alg":"RS256"}`, a.good), algGame, a.secret},
		{"an algorithm that nobody has registered", rs(`{"alg":"rs256","kid":"k1"}`), algGame, nil},
		{"another family, by a key of ours", signText(t, "ES256", a.p256, `{"alg":"ES256","kid":"k1"}`, a.good), algGame, nil},

		{"the same family", signText(t, "RS384", a.rsa, `{"alg":"RS384","kid":"k1"}`, a.good), noSuspicion, nil},
		{"a new name for the algorithm", signText(t, "EdDSA", a.ed, `{"alg":"Ed25519","kid":"d1"}`, a.good), noSuspicion, nil},
		{"a key that is published and not used", signText(t, "ES384", a.p384, `{"alg":"ES256","kid":"e2"}`, a.good), noSuspicion, nil},
		{"expired", a.rs(k1, payload(members{"exp": seconds(-time.Hour), "iat": seconds(-2 * time.Hour)})), noSuspicion, nil},
		{"not yet good", a.rs(k1, payload(members{"nbf": seconds(time.Hour)})), noSuspicion, nil},
		{"another audience", a.rs(k1, payload(members{"aud": "crm"})), noSuspicion, nil},
		{"an ID token", a.rs(k1, payload(members{"at_hash": "x"})), noSuspicion, nil},
		{"typ of an ID token, where at+jwt is asked for", rs(`{"alg":"RS256","kid":"k1","typ":"JWT"}`), noSuspicion, a.strict},
		{"another issuer", signText(t, "ES256", a.partner, `{"alg":"ES256","kid":"s1"}`, elsewhere), noSuspicion, nil},
		{"another issuer's header", signText(t, "ES256", a.partner, `{"alg":"ES256","kid":"s1","jku":"https://staging.example.com/keys"}`, elsewhere), noSuspicion, nil},
		{"garbage", "undefined", noSuspicion, nil},
		{"garbage in three pieces", "a.b.c", noSuspicion, nil},
		{"a header that is no JSON", a.rs("RS256", a.good), noSuspicion, nil},
		{"empty", "", noSuspicion, nil},
		{"encrypted", strings.Repeat("AAAA.", 4) + "AAAA", noSuspicion, nil},
	} {
		s := a.main
		if tt.at != nil {
			s = tt.at
		}
		for range 2 { // what was refused once is as suspicious again
			got, err := suspected(t, s, "Bearer "+tt.token)
			if got != tt.want {
				t.Errorf("%s: %q, want %q (%v)", tt.name, got, tt.want, err)
			}
			if err == nil && tt.name != "good" || err != nil && tt.want != "" && !strings.HasPrefix(err.Error(), "authn: token_invalid") {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	}
	for _, values := range [][]string{nil, {"Bearer"}, {"Basic dTpw"}, {"Bearer a", "Bearer b"}} {
		if got, _ := suspected(t, a.main, values...); got != "" {
			t.Errorf("%v: %q", values, got)
		}
	}
}

// Careful callers are never suspect, nor are careless ones.
func TestNothingSuspicious(t *testing.T) {
	a := newArena(t)
	for _, k := range a.controls() {
		if got, err := suspected(t, a.stage(k), k.values...); got != "" || err != nil {
			t.Errorf("control %s: %q %v", k.name, got, err)
		}
	}
	for _, c := range a.claimGames() {
		for _, k := range c.attacks {
			if got, err := suspected(t, a.stage(k), k.values...); got != "" {
				t.Errorf("%s: %s: %q %v", c.name, k.name, got, err)
			}
		}
	}
}

// The bytes of a token that somebody has read and changed, one at a time, are
// never refused with anything but a suspicion that fits.
func FuzzSuspicion(f *testing.F) {
	a := newArena(f)
	f.Add(a.rs(k1, a.good))
	f.Add(a.rs(`{"alg":"RS256","kid":"k1","jku":"https://evil.example"}`, a.good))
	f.Add(b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(a.good)) + ".")
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := suspected(t, a.main, "Bearer "+token); got != "" && err == nil {
			t.Errorf("%q is good and %s", token, got)
		}
	})
}

// What is suspicious about a proof, of a token that is good.
func TestSuspiciousProofs(t *testing.T) {
	k := keysOnce()
	s := proving(t, NewProofs(nil))
	own, other := prover{"ES256", k.p256}, prover{"ES256", k.partner}
	token := own.bound(t)
	for _, tt := range []struct{ name, proof, want string }{
		{"good", own.proof(t, token, nil, nil), noSuspicion},
		{"another method", own.proof(t, token, nil, members{"htm": "POST"}), noSuspicion},
		{"old", own.proof(t, token, nil, members{"iat": time.Now().Unix() - 3600}), noSuspicion},
		{"not a token", "a.b.c", noSuspicion},
		{"a key that somebody else holds", own.proof(t, token, members{"jwk": other.jwk(t)}, nil), badSig},
		{"none", own.proof(t, token, members{"alg": "none"}, nil), algGame},
		{"a shared key", prover{"HS256", k.secret}.proof(t, token, nil, nil), algGame},
		{"a key of another curve", own.proof(t, token, members{"alg": "ES384"}, nil), algGame},
		{"jku", own.proof(t, token, members{"jku": "https://evil.example"}, nil), forgedHead},
		{"typ", own.proof(t, token, members{"typ": "JWT"}, nil), forgedHead},
	} {
		x, err := show(t, s, "DPoP "+token, tt.proof)
		if got := strings.Trim(fmt.Sprint(x.Suspicions()), "[]"); got != tt.want || (err == nil) != (tt.name == "good") {
			t.Errorf("%s: %q, want %q (%v)", tt.name, got, tt.want, err)
		}
	}
}

// An issuer that changes its keys makes nobody suspect, and hides nobody who is.
func TestRotationIsNotSuspicious(t *testing.T) {
	keysOnce()
	synctest.Test(t, func(t *testing.T) {
		k := keysOnce()
		w, s := &wire{conns: make(chan net.Conn), done: make(chan struct{})}, &idp{}
		srv := &http.Server{Handler: s}
		served := make(chan error)
		go func() { served <- srv.Serve(w) }()
		i, err := open(t.Context(), "auth", issuerConfig(fromURL("http://127.0.0.1/jwks")), "", w.dial, fetchTimeout)
		if err != nil {
			t.Fatal(err)
		}
		stage := New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil)
		send := func(kid string, key any) string {
			t.Helper()
			got, err := suspected(t, stage, "Bearer "+sign(t, "RS256", key, members{"kid": kid}, goodClaims()))
			if err == nil {
				return "in"
			}
			return got
		}
		expect(t, "while no keys are known", send("k1", k.rsa), noSuspicion)
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		time.Sleep(time.Minute)
		expect(t, "the key", send("k1", k.rsa), "in")
		expect(t, "a made-up key, asked for", send("made-up", k.rsa2), unknownKey)
		expect(t, "and again", send("made-up", k.rsa2), unknownKey)
		time.Sleep(time.Second)
		s.publish(t, jwkOf(t, "k2", k.rsa2, nil)) // within the half minute in which nobody is asked again
		expect(t, "a new key that was not asked for", send("k2", k.rsa2), noSuspicion)
		time.Sleep(askEvery)
		expect(t, "the new key", send("k2", k.rsa2), "in")
		time.Sleep(time.Second)
		expect(t, "the key that was withdrawn", send("k1", k.rsa), noSuspicion)
		expect(t, "its name, and another key", send("k1", k.rsa2), noSuspicion) // the issuer was not asked since
		time.Sleep(askEvery)
		expect(t, "the same, when it was", send("k1", k.rsa2), unknownKey)
		expect(t, "the key that was withdrawn, later", send("k1", k.rsa), noSuspicion)
		s.doc.Store(nil)
		time.Sleep(askEvery)
		expect(t, "a made-up key while the issuer is down", send("made-up-2", k.rsa), noSuspicion)
		time.Sleep(maxStale + time.Hour)
		expect(t, "a made-up key when its keys are too old", send("made-up-3", k.rsa), noSuspicion)
		if err := i.Close(); err != nil {
			t.Error(err)
		}
		_ = srv.Close()
		<-served
	})
}

// An issuer that is opened anew, with another file of keys or another secret, still
// knows the tokens by those before.
func TestFormers(t *testing.T) {
	k := keysOnce()
	file := func(key any) func(*config.Issuer) {
		return func(c *config.Issuer) { c.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", key, nil))) }
	}
	var f Formers
	stage := func(changes ...func(*config.Issuer)) middleware.Stage {
		i := openIssuer(t, "auth", issuerConfig(changes...))
		f.Follow(i)
		return New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil)
	}
	old := "Bearer " + sign(t, "RS256", k.rsa, members{"kid": "k1"}, goodClaims())
	s := stage(file(k.rsa))
	if _, err := ask(t, s, old); err != nil {
		t.Fatal(err)
	}
	for n := range 3 { // the last two are opened with the same keys
		s = stage(file(k.rsa2))
		if got, err := suspected(t, s, old); got != noSuspicion || err == nil {
			t.Errorf("%d: a token by the former key: %q %v", n, got, err)
		}
		if got, _ := suspected(t, s, old+"A"); got != badSig && got != noSuspicion {
			t.Errorf("%d: %q", n, got)
		}
		forged := "Bearer " + signText(t, "RS256", k.rsa2, `{"alg":"RS256","kid":"k1"}`, encode(t, goodClaims()))
		if got, err := suspected(t, s, strings.TrimSuffix(forged, forged[len(forged)-8:])+"AAAAAAAA"); got != badSig || err == nil {
			t.Errorf("%d: a made-up token: %q %v", n, got, err)
		}
	}
	for name, iss := range map[string]string{"other": "https://auth.example.com", "auth": "https://other.example"} {
		other := openIssuer(t, name, issuerConfig(file(k.rsa2), func(c *config.Issuer) { c.Issuer = iss }))
		f.Follow(other)
		if n := len(other.former.all()); n != 0 {
			t.Errorf("%s has %d former sets of another issuer", name, n)
		}
	}
}

// However often keys change, what is remembered is bounded.
func TestFormerIsBounded(t *testing.T) {
	var f former
	for range 100 {
		set := &keySet{}
		f.add(set)
		f.add(set)
	}
	f.add(nil)
	if n := len(f.all()); n != maxFormer {
		t.Errorf("%d sets", n)
	}
	r := &remote{}
	r.current.Store(&held{fetched: time.Now().Add(time.Hour)})
	for n := range 1000 {
		if err := r.missing(fmt.Sprint("k", n), time.Now()); errors.Is(err, errUnsure) {
			t.Fatal(err)
		}
	}
	if len(r.absent) != maxAbsent || r.absent[0] != fmt.Sprint("k", 1000-maxAbsent) {
		t.Errorf("%d names, from %s", len(r.absent), r.absent[0])
	}
}

// The suspicion changes nothing of what a client or a record sees.
func TestSuspicionReadsAsItsError(t *testing.T) {
	err := suspect(middleware.BadSignature, errors.New("signature: bad"))
	r := refusal(err)
	text, _ := json.Marshal(r.Detail)
	if r.Err.Error() != "signature: bad" || r.Code != string(middleware.TokenInvalid) || string(text) != `"the token is not valid here"` {
		t.Errorf("%+v", r)
	}
}
