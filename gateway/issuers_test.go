package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// issuersPreamble is the preamble of a gateway with other issuers.
func issuersPreamble(issuers string) string {
	return strings.SplitAfter(preamble, "issuers:\n")[0] + issuers
}

// keyFile writes the issuer's public key as PEM.
func (i *issuer) keyFile(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&i.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// staff is a header with a token of an issuer.
func (i *issuer) staff() string {
	return "Authorization: Bearer " + i.token("any", map[string]any{"sub": "e2", "role": "staff"})
}

// A key file is edited: the new key is used from the next look at the files on,
// and what was verified with the old one is not believed any more.
func TestEditedKeyFile(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.write("keys/auth.pem", w.issuer.keyFile(t))
	w.start(issuersPreamble(`  auth: {issuer: "https://auth.example.com", audiences: [erp], algorithms: [ES256], jwks_file: keys/auth.pem}
`)+one+"policies: {path: rego, budget: 1m}\n", masking)
	c := w.client(false)
	ask := func(header string) int {
		return do(t, c, w.request("GET", "/api/employees/7", nil, header)).StatusCode
	}
	old := w.issuer.staff()
	for range 2 {
		if got := ask(old); got != 200 {
			t.Fatalf("the old key before: %d", got)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.issuer.key = key
	next := w.issuer.staff()
	if got := ask(next); got != 401 {
		t.Errorf("the new key before: %d", got)
	}
	w.write("keys/auth.pem", w.issuer.keyFile(t))
	if !w.reloader.changed() {
		t.Fatal("the change is not noticed")
	}
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(next); got != 200 {
		t.Errorf("the new key: %d", got)
	}
	if got := ask(old); got != 401 {
		t.Errorf("the old key: %d", got)
	}

	w.write("keys/auth.pem", "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n")
	err = w.reloader.Reload(t.Context())
	if err == nil || !strings.Contains(err.Error(), "holds a private key") || strings.Contains(err.Error(), "AA==") {
		t.Errorf("a private key: %v", err)
	}
	if got := ask(next); got != 200 {
		t.Errorf("after a refused reload: %d", got)
	}
}

// One issuer is down, one publishes nothing that can be used, one publishes a
// bad key beside a good one, and one is well: each answers for itself alone, and
// readiness names them.
func TestEachIssuerFailsAlone(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.backend("DEAD", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
	w.backend("EMPTY", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write([]byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},{"kty":"OKP"}]}`))
	})
	w.backend("MIXED", func(rw http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		w.issuer.ServeHTTP(rec, r)
		_, _ = rw.Write([]byte(strings.Replace(rec.Body.String(), `{"keys":[`, `{"keys":[{"kty":"OKP"},`, 1)))
	})
	var section strings.Builder
	for name, from := range map[string]string{"well": "{ISSUER}", "dead": "{DEAD}", "empty": "{EMPTY}", "mixed": "{MIXED}"} {
		section.WriteString("  " + name + `: {issuer: "https://` + name + `.example.com", audiences: [erp], algorithms: [ES256], jwks_url: "` + from + `/jwks.json"}` + "\n")
	}
	settings := strings.Replace(one, "[auth]", "[dead, empty, well, mixed]", 1)
	w.start(issuersPreamble(section.String())+settings+"policies: {path: rego, budget: 1m}\n", masking)
	c := w.client(false)
	for name, want := range map[string]int{"well": 200, "mixed": 200, "dead": 503, "empty": 503, "nobody": 401} {
		token := w.issuer.token("k1", map[string]any{"iss": "https://" + name + ".example.com", "sub": "e2", "role": "staff"})
		a := do(t, c, w.request("GET", "/api/employees/7", nil, "Authorization: Bearer "+token))
		if a.StatusCode != want {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
		if want == 503 {
			refused(t, a, 503, "authentication_unavailable")
		}
	}
	told := map[string]Condition{}
	for _, c := range w.g.Plan().Conditions(t.Context()) {
		told[c.Name] = c
	}
	for name, want := range map[string]Condition{
		"well":  {OK: true},
		"mixed": {OK: true, Detail: "1 key is not used: key 1 is of an unknown type or malformed"},
		"dead":  {Detail: "status 502"},
		"empty": {Detail: "no usable key: key 1 is not a public key for signatures; key 2 is"},
	} {
		got := told["issuer/"+name]
		if got.OK != want.OK || !strings.Contains(got.Detail, want.Detail) || (want.Detail == "") != (got.Detail == "") {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	for name, want := range map[string]string{"well": "1", "mixed": "1", "dead": "0", "empty": "0"} {
		if got := w.metric(`gatehouse_issuer_keys{issuer="` + name + `"}`); got != want {
			t.Errorf("%s has %s keys, want %s", name, got, want)
		}
	}
}

// The gateway is started anew while the issuer hangs: the keys of the run before
// are on disk. What only looks at the configuration leaves them alone.
func TestKeysOutliveARestart(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	folder := filepath.Join(w.dir, "state")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	settings := one + "store: {folder: state}\n"
	ask := func() int {
		return do(t, w.client(false), w.request("GET", "/api/employees/7", nil, w.as("e2", "staff"))).StatusCode
	}
	w.start(settings, masking)
	if got := ask(); got != 200 {
		t.Fatalf("first run: %d", got)
	}
	file := filepath.Join(folder, "keys-auth.json")
	eventually(t, "the keys are kept", func() bool { _, err := os.Stat(file); return err == nil })
	w.close()
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := config.Load(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	p, err := Compile(t.Context(), conf, &Deps{Metrics: telemetry.New(), Rehearsal: true})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "keys are fetched", func() bool { _, at, _ := p.issuers["auth"].Keys(); return at.After(start) })
	p.Close() // waits for what would be written
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("a rehearsal writes keys: %v", err)
	}

	w.issuer.freeze(t)
	w.start(settings, masking)
	if got := ask(); got != 200 {
		t.Errorf("second run: %d", got)
	}
	w.close()

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.start(settings, masking)
	if got := ask(); got != 503 {
		t.Errorf("third run, without the file: %d", got)
	}
}

// An issuer that reads its own tokens, through the gateway: whose secret changes,
// who is down, and what is said of it.
func TestIntrospectingIssuer(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	var secret atomic.Value
	secret.Store("first")
	w.backend("AUTH", func(rw http.ResponseWriter, r *http.Request) {
		if _, password, ok := r.BasicAuth(); !ok || password != secret.Load() {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.PostFormValue("token") != "opaque" {
			_, _ = rw.Write([]byte(`{"active":false}`))
			return
		}
		_ = json.NewEncoder(rw).Encode(map[string]any{"active": true, "sub": "e2", "role": "staff", "aud": "erp", "exp": time.Now().Unix() + 300})
	})
	settings := func(secret string) string {
		return issuersPreamble(`  auth:
    issuer: https://auth.example.com
    audiences: [erp]
    introspection: {url: "{AUTH}/introspect", client_id: gatehouse, client_secret: "`+secret+`", cache: 0s, timeout: 20s}
`) + one + "policies: {path: rego, budget: 1m}\n"
	}
	w.start(settings("first"), masking)
	c := w.client(false)
	ask := func(token string) answer {
		return do(t, c, w.request("GET", "/api/employees/7", nil, "Authorization: Bearer "+token))
	}
	if a := ask("opaque"); a.StatusCode != 200 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	refused(t, ask("made-up"), 401, "token_invalid")
	refused(t, ask(w.issuer.token("k1", map[string]any{"sub": "e2", "role": "staff"})), 401, "token_invalid")
	secret.Store("second")
	refused(t, ask("opaque"), 503, "authentication_unavailable")
	for _, c := range w.g.Plan().Conditions(t.Context()) {
		if c.Name == "issuer/auth" && (!c.OK || !strings.Contains(c.Detail, "status 401")) {
			t.Errorf("%+v", c)
		}
	}
	w.write("gatehouse.yaml", settings("second"))
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := ask("opaque"); a.StatusCode != 200 {
		t.Errorf("with the new secret: %s %s", a.Status, a.body)
	}
}
