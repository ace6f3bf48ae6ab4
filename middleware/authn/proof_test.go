package authn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// The example of RFC 9449, sections 4.1 and 6.1.
func TestProofOfTheStandard(t *testing.T) {
	const raw = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19" +
		".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ" +
		".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	p, err := readProof(raw)
	if err != nil {
		t.Fatal(err)
	}
	if want := "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"; p.key != want {
		t.Errorf("the key is %s, want %s", p.key, want)
	}
	if p.text("htu") != "https://server.example.com/token" || p.text("htm") != http.MethodPost {
		t.Errorf("read %v", p.claims)
	}
}

// prover is a client with a key.
type prover struct {
	alg string
	key any
}

func (p prover) jwk(t testing.TB) members { return jwkOf(t, "", p.key, nil) }

// bound is a token for the client's key.
func (p prover) bound(t testing.TB) string {
	t.Helper()
	text := encode(t, p.jwk(t))
	raw, err := publicKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return es256(t, with(goodClaims(), members{"cnf": members{"jkt": thumbprint(raw)}}))
}

// ath is what a proof says of a token.
func ath(token string) string {
	sum := sha256.Sum256([]byte(token))
	return b64(sum[:])
}

// proof makes a proof for GET https://api.example.com/api/employees/7, with
// changes.
func (p prover) proof(t testing.TB, token string, header, claims members) string {
	t.Helper()
	jti := strconv.FormatInt(time.Now().UnixNano(), 36)
	good := members{"jti": jti, "htm": "GET", "htu": "https://api.example.com/api/employees/7", "iat": time.Now().Unix(), "ath": ath(token)}
	return signText(t, p.alg, p.key, encode(t, with(members{"typ": "dpop+jwt", "alg": p.alg, "jwk": p.jwk(t)}, header)), encode(t, with(good, claims)))
}

// proving is the stage of a route that accepts what [es256] signs.
func proving(t testing.TB, proofs *Proofs, changes ...func(*config.Issuer)) middleware.Stage {
	issuer, _ := countedIssuer(t, "auth", changes...)
	return New(route(true, "auth"), map[string]*Issuer{"auth": issuer}, proofs)
}

// show asks with the values of both headers.
func show(t testing.TB, s middleware.Stage, authorization string, proofs ...string) (*middleware.Exchange, error) {
	t.Helper()
	x := middlewaretest.Exchange(t, "GET", "https://api.example.com/api/employees/7?page=1", nil)
	x.Secure = true
	x.Request.Header.Set("Authorization", authorization)
	for _, p := range proofs {
		x.Request.Header.Add("DPoP", p)
	}
	up := middlewaretest.NewUpstream(t, 200, "text/plain", "ok")
	_, _, err := middlewaretest.Run(t, s, x, up.Handle)
	if (err == nil) != (up.Calls.Load() == 1) {
		t.Errorf("%v, and %d requests upstream", err, up.Calls.Load())
	}
	return x, err
}

// Every algorithm with a key of its own can prove.
func TestProofsOfAllKeys(t *testing.T) {
	k := keysOnce()
	s := proving(t, NewProofs(nil))
	for _, p := range []prover{
		{"ES256", k.p256},
		{"ES384", k.p384},
		{"ES512", k.p521},
		{"EdDSA", k.ed},
		{"RS256", k.rsa},
		{"RS512", k.rsa},
		{"PS256", k.rsa},
		{"PS384", k.rsa2},
	} {
		token := p.bound(t)
		for _, scheme := range []string{"DPoP", "dpop", "DPOP"} {
			if x, err := show(t, s, scheme+" "+token, p.proof(t, token, nil, nil)); err != nil || x.Subject == nil || x.ByCookie {
				t.Errorf("%s %s: %v", p.alg, scheme, err)
			}
		}
	}
}

// What a proof can be wrong about (RFC 9449, section 4.3), point by point.
func TestProofs(t *testing.T) {
	k := keysOnce()
	s := proving(t, NewProofs(nil))
	own, other := prover{"ES256", k.p256}, prover{"ES384", k.p384}
	token, plain := own.bound(t), es256(t, goodClaims())
	d, err := k.p256.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	private := members{"kty": "EC", "crv": "P-256", "x": own.jwk(t)["x"], "y": own.jwk(t)["y"], "d": b64(d)}
	claims := func(c members) []string { return []string{own.proof(t, token, nil, c)} }
	header := func(h members) []string { return []string{own.proof(t, token, h, nil)} }
	now := time.Now().Unix()
	for _, tt := range []struct {
		name, authorization string
		proofs              []string
		want                string // of the challenge; "" where it passes
	}{
		{"good", "DPoP " + token, claims(nil), ""},
		{"spelled otherwise", "DPoP " + token, claims(members{"htu": "HTTPS://API.Example.com:443/api/%65mployees/7?a=b#c"}), ""},
		{"a clock that is off", "DPoP " + token, claims(members{"iat": now - 50}), ""},
		{"a clock that is ahead", "DPoP " + token, claims(members{"iat": now + 50}), ""},

		{"none", "DPoP " + token, nil, "invalid_dpop_proof"},
		{"two", "DPoP " + token, append(claims(nil), claims(nil)...), "invalid_dpop_proof"},
		{"two in one", "DPoP " + token, []string{claims(nil)[0] + ", " + claims(nil)[0]}, "invalid_dpop_proof"},
		{"empty", "DPoP " + token, []string{""}, "invalid_dpop_proof"},
		{"not a token", "DPoP " + token, []string{"a.b.c"}, "invalid_dpop_proof"},
		{"no jti", "DPoP " + token, claims(members{"jti": nil}), "invalid_dpop_proof"},
		{"jti is a number", "DPoP " + token, claims(members{"jti": 1}), "invalid_dpop_proof"},
		{"no method", "DPoP " + token, claims(members{"htm": nil}), "invalid_dpop_proof"},
		{"another method", "DPoP " + token, claims(members{"htm": "POST"}), "invalid_dpop_proof"},
		{"the method in lower case", "DPoP " + token, claims(members{"htm": "get"}), "invalid_dpop_proof"},
		{"no address", "DPoP " + token, claims(members{"htu": nil}), "invalid_dpop_proof"},
		{"another path", "DPoP " + token, claims(members{"htu": "https://api.example.com/api/employees/8"}), "invalid_dpop_proof"},
		{"a slash more", "DPoP " + token, claims(members{"htu": "https://api.example.com/api/employees/7/"}), "invalid_dpop_proof"},
		{"the path in capitals", "DPoP " + token, claims(members{"htu": "https://api.example.com/api/EMPLOYEES/7"}), "invalid_dpop_proof"},
		{"another host", "DPoP " + token, claims(members{"htu": "https://api.example.org/api/employees/7"}), "invalid_dpop_proof"},
		{"another port", "DPoP " + token, claims(members{"htu": "https://api.example.com:8443/api/employees/7"}), "invalid_dpop_proof"},
		{"without TLS", "DPoP " + token, claims(members{"htu": "http://api.example.com/api/employees/7"}), "invalid_dpop_proof"},
		{"a user", "DPoP " + token, claims(members{"htu": "https://u@api.example.com/api/employees/7"}), "invalid_dpop_proof"},
		{"no scheme", "DPoP " + token, claims(members{"htu": "//api.example.com/api/employees/7"}), "invalid_dpop_proof"},
		{"no time", "DPoP " + token, claims(members{"iat": nil}), "invalid_dpop_proof"},
		{"long ago", "DPoP " + token, claims(members{"iat": now - 70}), "invalid_dpop_proof"},
		{"long from now", "DPoP " + token, claims(members{"iat": now + 70}), "invalid_dpop_proof"},
		{"a time as a text", "DPoP " + token, claims(members{"iat": strconv.FormatInt(now, 10)}), "invalid_dpop_proof"},
		{"no token", "DPoP " + token, claims(members{"ath": nil}), "invalid_dpop_proof"},
		{"another token", "DPoP " + token, claims(members{"ath": ath(plain)}), "invalid_dpop_proof"},
		{"a token in hex", "DPoP " + token, claims(members{"ath": "00" + ath(token)}), "invalid_dpop_proof"},
		{"no typ", "DPoP " + token, header(members{"typ": nil}), "invalid_dpop_proof"},
		{"typ JWT", "DPoP " + token, header(members{"typ": "JWT"}), "invalid_dpop_proof"},
		{"no key", "DPoP " + token, header(members{"jwk": nil}), "invalid_dpop_proof"},
		{"a key of another", "DPoP " + token, header(members{"jwk": jwkOf(t, "", k.p384, nil)}), "invalid_dpop_proof"},
		{"a private key", "DPoP " + token, header(members{"jwk": private}), "invalid_dpop_proof"},
		{"a shared key", "DPoP " + token, []string{prover{"HS256", k.secret}.proof(t, token, nil, nil)}, "invalid_dpop_proof"},
		{"alg none", "DPoP " + token, header(members{"alg": "none"}), "invalid_dpop_proof"},
		{"an alg that does not fit", "DPoP " + token, header(members{"alg": "ES384"}), "invalid_dpop_proof"},
		{"crit", "DPoP " + token, header(members{"crit": []string{"b64"}, "b64": false}), "invalid_dpop_proof"},
		{"jku", "DPoP " + token, header(members{"jku": "https://evil.example/jwks"}), "invalid_dpop_proof"},
		{"RSA of 1024 bits", "DPoP " + token, []string{prover{"RS256", k.rsa1024}.proof(t, token, nil, nil)}, "invalid_dpop_proof"},
		{"too long", "DPoP " + token, claims(members{"pad": strings.Repeat("x", maxToken)}), "invalid_dpop_proof"},

		{"of another client", "DPoP " + token, []string{other.proof(t, token, nil, nil)}, "invalid_token"},
		{"as a bearer token", "Bearer " + token, claims(nil), "invalid_token"},
		{"as a bearer token, alone", "Bearer " + token, nil, "invalid_token"},
		{"a token that is bound to nobody", "DPoP " + plain, []string{own.proof(t, plain, nil, nil)}, "invalid_token"},
		{"a bearer token with a proof that nobody asks for", "Bearer " + plain, []string{"nonsense"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, err := show(t, s, tt.authorization, tt.proofs...)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err, errors.Unwrap(err))
				}
				return
			}
			var r *middleware.Refusal
			if !errors.As(err, &r) || r.Code != string(middleware.TokenInvalid) || x.Subject != nil {
				t.Fatalf("got %v and subject %v", err, x.Subject)
			}
			if got := r.Header.Get("WWW-Authenticate"); !strings.Contains(got, tt.want) {
				t.Errorf("the challenge is %s", got)
			}
		})
	}
}

// A proof is good once, for as long as it could be taken for a new one, and the
// same jti of another client is another proof.
func TestProofsAreGoodOnce(t *testing.T) {
	k := keysOnce()
	server := storetest.Start(t)
	here, there, alone := NewProofs(server.Patient(false)), NewProofs(server.Patient(false)), NewProofs(nil)
	for _, tt := range []struct {
		name          string
		first, second *Proofs
		refused       bool
	}{{"one replica", alone, alone, true}, {"two that share", here, there, true}, {"two that do not", NewProofs(nil), NewProofs(nil), false}} {
		p, q := prover{"ES256", k.p256}, prover{"EdDSA", k.ed}
		token, others := p.bound(t), q.bound(t)
		proof := p.proof(t, token, nil, members{"jti": "1"})
		if _, err := show(t, proving(t, tt.first), "DPoP "+token, proof); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if _, err := show(t, proving(t, tt.second), "DPoP "+token, proof); (err != nil) != tt.refused || tt.refused && !errors.Is(err, errReplay) {
			t.Errorf("%s: the second time: %v", tt.name, err)
		}
		if _, err := show(t, proving(t, tt.second), "DPoP "+others, q.proof(t, others, nil, members{"jti": "1"})); err != nil {
			t.Errorf("%s: another client: %v", tt.name, err)
		}
	}
}

// A Redis that is gone leaves what the replica knows.
func TestProofsWithoutTheirStore(t *testing.T) {
	server := storetest.Start(t)
	proofs := NewProofs(server.Open())
	server.Kill()
	p := prover{"ES256", keysOnce().p256}
	token := p.bound(t)
	proof := p.proof(t, token, nil, nil)
	for i, want := range []error{nil, errReplay} {
		if _, err := show(t, proving(t, proofs), "DPoP "+token, proof); !errors.Is(err, want) {
			t.Errorf("request %d: %v", i, err)
		}
	}
}

func TestProofsForget(t *testing.T) {
	p := NewProofs(nil)
	p.max = 3
	start := time.Unix(1_700_000_000, 0)
	id := func(n byte) [32]byte { return [32]byte{n} }
	for i, tt := range []struct {
		id    byte
		after time.Duration
		want  error
	}{
		{1, 0, nil},
		{2, proofMemory - 1, nil},
		{1, proofMemory - 1, errReplay},
		{3, proofMemory, nil},
		{2, 2*proofMemory - 2, errReplay}, // remembered for as long as it must
		{1, 2*proofMemory - 2, errReplay}, // and for longer
		{4, 2*proofMemory - 1, errProofs},
		{1, 2 * proofMemory, nil},
		{3, 2*proofMemory + 1, errReplay},
		{3, 5 * proofMemory, nil},
		{1, 5 * proofMemory, nil},
	} {
		if err := p.here("key", id(tt.id), start.Add(tt.after)); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("step %d: %v, want %v", i, err, tt.want)
		}
	}
}

// One client cannot take the room of all.
func TestProofsOfOneKey(t *testing.T) {
	p := NewProofs(nil)
	p.maxOfKey = 2
	now := time.Unix(1_700_000_000, 0)
	for i, tt := range []struct {
		key   string
		after time.Duration
		want  error
	}{
		{"thief", 0, nil},
		{"thief", 0, nil},
		{"thief", 0, errProofs},
		{"other", 0, nil},
		{"thief", proofMemory, errProofs},
		{"thief", 2 * proofMemory, nil},
	} {
		if err := p.here(tt.key, [32]byte{byte(i)}, now.Add(tt.after)); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("step %d: %v, want %v", i, err, tt.want)
		}
	}
}

// Where tokens must be bound, a key will do as well as a certificate.
func TestSenderConstrainedByKey(t *testing.T) {
	p := prover{"ES256", keysOnce().p256}
	s := proving(t, NewProofs(nil), func(c *config.Issuer) { c.SenderConstrained = true })
	token, plain := p.bound(t), es256(t, goodClaims())
	if _, err := show(t, s, "DPoP "+token, p.proof(t, token, nil, nil)); err != nil {
		t.Error(err)
	}
	if _, err := show(t, s, "Bearer "+plain); err == nil {
		t.Error("a token for anybody was accepted")
	}
}

// A token that is bound twice needs both.
func TestBoundTwice(t *testing.T) {
	p := prover{"ES256", keysOnce().p256}
	raw, err := publicKey([]byte(encode(t, p.jwk(t))))
	if err != nil {
		t.Fatal(err)
	}
	s := proving(t, NewProofs(nil))
	own := &x509.Certificate{Raw: []byte("own")}
	token := es256(t, with(goodClaims(), members{"cnf": members{"jkt": thumbprint(raw), "x5t#S256": "Wzl1ZRw8q5LQRMCW3DChwtlSVJdFdHLeSMUeyzY9H0o"}}))
	for _, shown := range []*x509.Certificate{nil, own} {
		x := middlewaretest.Exchange(t, "GET", "https://api.example.com/api/employees/7", nil)
		x.Secure, x.Certificate = true, shown
		x.Request.Header.Set("Authorization", "DPoP "+token)
		x.Request.Header.Set("DPoP", p.proof(t, token, nil, nil))
		up := middlewaretest.NewUpstream(t, 200, "text/plain", "ok")
		if _, _, err := middlewaretest.Run(t, s, x, up.Handle); (err == nil) != (shown != nil) {
			t.Errorf("with %v: %v", shown, err)
		}
	}
}

func FuzzProof(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // all other kinds of keys would cost each worker seconds
	if err != nil {
		f.Fatal(err)
	}
	p := prover{"ES256", key}
	f.Add(p.proof(f, "token", nil, nil))
	f.Add(p.proof(f, "token", members{"jwk": members{"kty": "oct", "k": "AAAA"}}, nil))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, raw string) {
		if read, err := readProof(raw); err == nil {
			if read.key == "" {
				t.Error("a proof of no key")
			}
			if _, err := json.Marshal(read.claims); err != nil {
				t.Error(err)
			}
		}
	})
}
