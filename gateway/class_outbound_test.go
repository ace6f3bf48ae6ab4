package gateway

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// A spate is a server that answers without end, or would.
type spate struct {
	*httptest.Server
	sent atomic.Int64 // bytes it got rid of
}

// enough is more than any answer may be, and more than the buffers between two
// programs hold.
const enough = 256 << 20

func newSpate(t *testing.T, answer func(w http.ResponseWriter, write func(piece string) bool)) *spate {
	t.Helper()
	f := &spate{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, func(piece string) bool {
			n, err := w.Write([]byte(piece))
			return f.sent.Add(int64(n)) < enough && err == nil
		})
	}))
	t.Cleanup(f.Close)
	return f
}

// repeat writes pieces until nobody reads them any more.
func repeat(begin, piece string) func(http.ResponseWriter, func(string) bool) {
	piece = strings.Repeat(piece, 1+(64<<10)/len(piece))
	return func(_ http.ResponseWriter, write func(string) bool) {
		for ok := write(begin); ok; ok = write(piece) {
		}
	}
}

// held fails where more was read, or more memory taken, than one answer is worth.
func (f *spate) held(t *testing.T, name string, before runtime.MemStats) {
	t.Helper()
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if n := f.sent.Load(); n > enough/4 {
		t.Errorf("%s: %d bytes were read", name, n)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 && !raceEnabled {
		t.Errorf("%s: %d bytes of memory were taken", name, used)
	}
}

// endlessKeys: an issuer whose server answers too much has no keys, and the
// routes that need them are closed.
func endlessKeys(t *testing.T, p proto) int {
	key := `{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"k","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},`
	packed := bomb(t, 8<<20, 1)
	floods := map[string]func(http.ResponseWriter, func(string) bool){
		"spaces": repeat("", " "), "keys": repeat(`{"keys":[`, key), "text": repeat(`{"keys":[],"x":"`, "x"), "nesting": repeat(`{"keys":`, "["), "names": repeat(`{"a":1,`, `"a":1,`), "zeros": repeat("", "\x00"),
		"packed": func(w http.ResponseWriter, write func(string) bool) {
			w.Header().Set("Content-Encoding", "gzip")
			write(packed)
		},
		"promised": func(w http.ResponseWriter, write func(string) bool) {
			w.Header().Set("Content-Length", fmt.Sprint(1<<40))
			repeat("", " ")(w, write)
		},
		"headers": func(w http.ResponseWriter, write func(string) bool) {
			for i := range 100_000 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 100))
			}
			write("{}")
		},
	}
	w := open(t)
	backend := newScribe(t)
	w.vars["HR"] = "http://" + backend.Addr().String()
	settings := strings.Replace(preamble, "issuers:", "upstreams: {hr: {endpoints: [\"{HR}\"]}}\nissuers:", 1)
	routes := "routes:\n"
	servers := map[string]*spate{}
	for name, answer := range floods {
		f := newSpate(t, answer)
		servers[name] = f
		settings += fmt.Sprintf("  %s: {issuer: \"https://%s.example.com\", audiences: [erp], algorithms: [ES256], jwks_url: %q}\n", name, name, f.URL)
		routes += fmt.Sprintf("  - {name: %s, match: {path: /%s/}, upstream: hr, authn: {issuers: [%s]}, policy: \"off\"}\n", name, name, name)
	}
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	w.start(settings+routes, "")
	for name, f := range servers {
		token := w.issuer.token("k", map[string]any{"iss": "https://" + name + ".example.com", "sub": "u1"})
		if o := w.ask(p, raw{target: "/" + name + "/", headers: [][2]string{bearer("Bearer " + token)}}); o.code() != "authentication_unavailable" {
			t.Errorf("%s: %v", name, o)
		}
		f.held(t, name, before)
	}
	if got := backend.seen(); len(got) > 0 {
		t.Errorf("%d requests reached the backend", len(got))
	}
	return len(floods)
}

// endlessBundles: a bundle that is too large is refused before it is unpacked.
func endlessBundles(t *testing.T, _ proto) int {
	packed := func(headers ...*tar.Header) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		for _, h := range headers {
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
		}
		_ = z.Close() // the contents that the headers promise are missing
		return b.String()
	}
	one := func(text string) func(http.ResponseWriter, func(string) bool) {
		return func(_ http.ResponseWriter, write func(string) bool) { write(text) }
	}
	zeros := bomb(t, 8<<20, 1)
	var many []*tar.Header
	for i := range 5_000 {
		many = append(many, &tar.Header{Name: fmt.Sprint(i, ".rego"), Mode: 0o600, Typeflag: tar.TypeReg})
	}
	cases := map[string]func(http.ResponseWriter, func(string) bool){
		"endless": repeat("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00", "x"), "endless zeros": repeat("", "\x00"),
		"promised": func(w http.ResponseWriter, write func(string) bool) {
			w.Header().Set("Content-Length", fmt.Sprint(1<<30))
			repeat("", "\x00")(w, write)
		},
		"zeros, packed": one(zeros), "zeros, packed twice": one(bomb(t, 8<<20, 2)), "a file of a gigabyte": one(packed(&tar.Header{Name: "data.json", Size: 1 << 30, Mode: 0o600})), "a file of an exabyte": one(packed(&tar.Header{Name: "data.json", Size: 1 << 60, Mode: 0o600})),
		"a very long name": one(packed(&tar.Header{Name: strings.Repeat("x", 1<<19), Mode: 0o600})), "a very long header": one(packed(&tar.Header{Name: "data.json", PAXRecords: map[string]string{"comment": strings.Repeat("x", 1<<19)}})),
		"very many files": one(packed(many...)), "nothing": one(""), "packed as the transfer": func(w http.ResponseWriter, write func(string) bool) {
			w.Header().Set("Content-Encoding", "gzip")
			write(zeros)
		},
	}
	w := open(t)
	public, _ := keyPair(t)
	w.write("key.pem", public)
	w.write("cache/.keep", "")
	for name, answer := range cases {
		f := newSpate(t, answer)
		w.vars["SOURCE"] = f.URL
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := w.tries(preamble + `
upstreams: {hr: {endpoints: ["http://127.0.0.1:9"]}}
policies: {bundle: {source: "{SOURCE}", keys: {k: key.pem}, cache: cache, size: 1MiB}}
routes: [{name: r, match: {path: /}, upstream: hr, authn: {issuers: [auth]}}]
`); err == nil {
			t.Errorf("%s was taken", name)
		}
		f.held(t, name, before)
	}
	return len(cases)
}

// keyPair makes an Ed25519 key and gives the PEM texts of its halves.
func keyPair(t *testing.T) (public, private string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: p})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k}))
}

// tries loads and compiles settings, and tells what is wrong with them.
func (w *world) tries(settings string) error {
	w.t.Helper()
	w.write("gatehouse.yaml", settings)
	c, err := config.Load(filepath.Join(w.dir, "gatehouse.yaml"))
	if err != nil {
		return err
	}
	p, err := Compile(w.t.Context(), c, &Deps{Metrics: telemetry.New()})
	if err != nil {
		return err
	}
	p.Close()
	return nil
}
