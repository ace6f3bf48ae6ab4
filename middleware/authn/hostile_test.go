package authn

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// bomb is a key set with a lot of blanks in it, packed.
func bomb(t *testing.T, set string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	blanks := bytes.Repeat([]byte(" "), 1<<20)
	for range 8 {
		if _, err := z.Write(blanks); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := z.Write([]byte(set)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// text answers 200 with a text.
func text200(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) }
}

// What an issuer's server may answer instead of keys. Before there are any, its
// tokens get 503; after, those there are stay. The reason is told either way.
func TestHostileKeySets(t *testing.T) {
	k := keysOnce()
	good := jwkOf(t, "k1", k.rsa, nil)
	set := jwks(t, good)
	many := make([]members, maxKeys+1)
	for i := range many {
		many[i] = jwkOf(t, strconv.Itoa(i), k.ed, nil)
	}
	many[0] = good
	packed := bomb(t, set)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/good")
			w.WriteHeader(code)
		}
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		why    string
	}{
		{"a page", text200("<!doctype html><title>Sign in</title>"), "not a JWK set"},
		{"nothing", text200(""), "not a JWK set"},
		{"null", text200("null"), "has no keys"},
		{"a list", text200("[" + encode(t, good) + "]"), "not a JWK set"},
		{"a key", text200(encode(t, good)), "has no keys"},
		{"keys by another name", text200(strings.Replace(set, "keys", "KEYS", 1)), "has no keys"},
		{"keys that are a text", text200(`{"keys":"all"}`), "not a JWK set"},
		{"something behind it", text200(set + "{}"), "not a JWK set"},
		{"a mark before it", text200("\ufeff" + set), "not a JWK set"},
		{"deep", text200(`{"keys":[{"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}]}`), "not a JWK set"},
		{"keys that nest", text200(`{"keys":[{"kty":"RSA","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}]}`), "key 1 is malformed"},
		{"a name twice in a key", text200(strings.Replace(set, `"kty"`, `"kty":"RSA","kty"`, 1)), "key 1 is malformed"},
		{"101 keys", text200(jwks(t, many...)), "101 keys; at most 100 are read"},
		{"a kid of 2 KiB", text200(jwks(t, jwkOf(t, strings.Repeat("k", 2<<10), k.rsa, nil))), "key 1 has a kid of 2048 bytes"},
		{"a kid of 1 MiB", text200(jwks(t, jwkOf(t, strings.Repeat("k", 1<<20), k.rsa, nil), good)), "larger than"},
		{"a secret", text200(jwks(t, jwkOf(t, "k1", k.secret, nil))), "no usable key: key 1 is not a public key"},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			for blanks := bytes.Repeat([]byte(" "), 32<<10); ; {
				if _, err := w.Write(blanks); err != nil {
					return
				}
			}
		}, "larger than"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(set)+1))
			_, _ = w.Write([]byte(set))
		}, "unexpected EOF"},
		{"a bomb that says so", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed)
		}, "packed"},
		{"a bomb that does not", text200(string(packed)), "not a JWK set"},
		{"large headers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 1<<20))
			_, _ = w.Write([]byte(set))
		}, "headers exceeded"},
		{"301", status(301), "status 301"},
		{"302", status(302), "status 302"},
		{"307", status(307), "status 307"},
		{"308", status(308), "status 308"},
		{"204", status(204), "status 204"},
		{"206", status(206), "status 206"},
		{"304", status(304), "status 304"},
		{"401", status(401), "status 401"},
		{"500", status(500), "status 500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var well atomic.Bool
			mux := http.NewServeMux()
			mux.HandleFunc("GET /good", text200(set))
			mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) {
				if well.Load() {
					_, _ = w.Write([]byte(set))
					return
				}
				c.answer(w, r)
			})
			srv := httptest.NewServer(mux)
			defer srv.Close()
			run := func(first bool) {
				well.Store(first)
				i := openIssuer(t, "auth", issuerConfig(fromURL(srv.URL+"/keys")))
				stage := New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil)
				send := func(kid string) string {
					_, err := ask(t, stage, "Bearer "+sign(t, "RS256", k.rsa, members{"kid": kid}, goodClaims()))
					return middlewaretest.Code(err)
				}
				if first {
					expect(t, "before", send("k1"), "")
					well.Store(false)
					expect(t, "an unknown key", send("k2"), invalid) // which has asked for the keys
					expect(t, "a known key", send("k1"), "")
					if d := i.Detail(); !strings.Contains(d, c.why) || i.Ready() != nil {
						t.Errorf("detail: %q, want %q; ready: %v", d, c.why, i.Ready())
					}
					return
				}
				expect(t, "no keys", send("k1"), unavailable)
				if err := i.Ready(); err == nil || !strings.Contains(err.Error(), c.why) {
					t.Errorf("ready: %v, want %q", err, c.why)
				}
			}
			run(false)
			run(true)
		})
	}
}

// Two keys share a name, and a third is bad: the good ones of other names serve.
func TestAmbiguousNames(t *testing.T) {
	k := keysOnce()
	srv := httptest.NewServer(text200(jwks(t,
		jwkOf(t, "same", k.rsa, nil), jwkOf(t, "same", k.rsa2, nil), jwkOf(t, "short", k.rsa1024, nil), jwkOf(t, "", k.ed, nil), jwkOf(t, "ec", k.p256, nil))))
	defer srv.Close()
	i := openIssuer(t, "auth", issuerConfig(fromURL(srv.URL), func(i *config.Issuer) { i.Algorithms = []string{"RS256", "ES256"} }))
	stage := New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil)
	for _, c := range []struct {
		name, alg, kid string
		key            any
		want           string
	}{
		{"the first of a name", "RS256", "same", k.rsa, invalid},
		{"the second of a name", "RS256", "same", k.rsa2, invalid},
		{"a short key", "RS256", "short", k.rsa1024, invalid},
		{"another", "ES256", "ec", k.p256, ""},
	} {
		_, err := ask(t, stage, "Bearer "+sign(t, c.alg, c.key, members{"kid": c.kid}, goodClaims()))
		expect(t, c.name, middlewaretest.Code(err), c.want)
	}
	const want = "2 keys are not used: key 3 is RSA of 1024 bits; 2048 to 8192 are used; key 4 is for none of RS256, ES256"
	if err := i.Ready(); err != nil || i.Detail() != want {
		t.Errorf("ready: %v, detail: %q", err, i.Detail())
	}
	if n, at, ok := i.Keys(); n != 3 || !ok || at.IsZero() {
		t.Errorf("%d keys, confirmed %v", n, at)
	}
}

// Of many bad keys the first few are told.
func TestManyBadKeys(t *testing.T) {
	k := keysOnce()
	keys := []members{jwkOf(t, "good", k.rsa, nil)}
	for range 99 {
		keys = append(keys, jwkOf(t, "<script>", k.ed, nil))
	}
	set, err := parseKeySet([]byte(jwks(t, keys...)), []string{"RS256"})
	if err != nil {
		t.Fatal(err)
	}
	told := set.told()
	if !strings.HasPrefix(told, "99 keys are not used: key 2 is for none of RS256; ") || !strings.HasSuffix(told, "; and 94 more") || strings.Contains(told, "script") {
		t.Error(told)
	}
}

// Bytes, or heads, that come one by one end with the time a fetch may take.
func TestSlowDrip(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, ask func(string, any) string, i *Issuer) {
		k := keysOnce()
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		s.drip.Store(true)
		start := time.Now()
		expect(t, "no keys", ask("k1", k.rsa), unavailable)
		if d := time.Since(start); d > fetchTimeout+time.Millisecond {
			t.Errorf("waited %v", d)
		}
		if err := i.Ready(); err == nil || !strings.Contains(err.Error(), "deadline exceeded") {
			t.Errorf("ready: %v", err)
		}
		s.drip.Store(false)
		time.Sleep(time.Second)
		expect(t, "keys", ask("k1", k.rsa), "")
		s.drip.Store(true)
		start = time.Now()
		expect(t, "an unknown key", ask("k2", k.rsa2), invalid)
		if d := time.Since(start); d > fetchTimeout+time.Millisecond {
			t.Errorf("an unknown key waited %v", d)
		}
		start = time.Now()
		expect(t, "a known key", ask("k1", k.rsa), "")
		if d := time.Since(start); d != 0 {
			t.Errorf("a known key waited %v", d)
		}
		s.drip.Store(false)
		time.Sleep(2 * fetchTimeout) // for the server to see that nobody listens
	})
}

// What an issuer's metadata may say, at first and later.
func TestHostileMetadata(t *testing.T) {
	k := keysOnce()
	for _, c := range []struct {
		name, meta string // {} stands for the server
		why        string
	}{
		{"a page", "<html>", "not issuer metadata"},
		{"a list", "[]", "not issuer metadata"},
		{"of another", `{"issuer":"https://evil.test","jwks_uri":"{}/keys"}`, "of another issuer"},
		{"with a slash", `{"issuer":"{}/","jwks_uri":"{}/keys"}`, "of another issuer"},
		{"in another case", `{"Issuer":"{}","jwks_uri":"{}/keys"}`, "of another issuer"},
		{"twice", `{"issuer":"https://evil.test","issuer":"{}","jwks_uri":"{}/keys"}`, "a name occurs twice"},
		{"a list of issuers", `{"issuer":["{}"],"jwks_uri":"{}/keys"}`, "of another issuer"},
		{"no keys", `{"issuer":"{}"}`, "jwks_uri: not a plain URL"},
		{"keys that are none", `{"issuer":"{}","jwks_uri":{"keys":[]}}`, "jwks_uri: not a plain URL"},
		{"keys nearby", `{"issuer":"{}","jwks_uri":"/keys"}`, "jwks_uri: not a plain URL"},
		{"keys with a password", `{"issuer":"{}","jwks_uri":"http://u:p@127.0.0.1/keys"}`, "jwks_uri: not a plain URL"},
		{"keys of a file", `{"issuer":"{}","jwks_uri":"file:///etc/passwd"}`, "jwks_uri: not a plain URL"},
		{"keys by plain http", `{"issuer":"{}","jwks_uri":"http://auth.example.com/keys"}`, "jwks_uri: must be https"},
		{"keys by another scheme", `{"issuer":"{}","jwks_uri":"gopher://127.0.0.1/keys"}`, "jwks_uri: must be https"},
		{"keys that moved", `{"issuer":"{}","jwks_uri":"{}/moved"}`, "status 302"},
		{"keys that are the metadata", `{"issuer":"{}","jwks_uri":"{}/.well-known/openid-configuration"}`, "has no keys"},
		{"large", `{"issuer":"{}","jwks_uri":"{}/keys","x":"` + strings.Repeat("x", maxKeySet) + `"}`, "larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var meta atomic.Pointer[string]
			mux := http.NewServeMux()
			srv := httptest.NewServer(mux)
			defer srv.Close()
			mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprint(w, strings.ReplaceAll(*meta.Load(), "{}", srv.URL))
			})
			mux.HandleFunc("GET /keys", text200(jwks(t, jwkOf(t, "k1", k.rsa, nil))))
			mux.Handle("GET /moved", http.RedirectHandler("/keys", http.StatusFound))
			conf := issuerConfig(func(i *config.Issuer) { i.Issuer, i.Discovery = srv.URL, true })
			claims := with(goodClaims(), members{"iss": srv.URL})
			send := func(i *Issuer, kid string) string {
				_, err := ask(t, New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil), "Bearer "+sign(t, "RS256", k.rsa, members{"kid": kid}, claims))
				return middlewaretest.Code(err)
			}
			meta.Store(&c.meta)
			i := openIssuer(t, "auth", conf)
			expect(t, "at first", send(i, "k1"), unavailable)
			if err := i.Ready(); err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("ready: %v, want %q", err, c.why)
			}
			fine := `{"issuer":"{}","jwks_uri":"{}/keys"}`
			meta.Store(&fine)
			i = openIssuer(t, "auth", conf)
			expect(t, "before", send(i, "k1"), "")
			meta.Store(&c.meta)
			expect(t, "an unknown key", send(i, "k2"), invalid)
			expect(t, "a known key", send(i, "k1"), "")
			if d := i.Detail(); !strings.Contains(d, c.why) {
				t.Errorf("detail: %q, want %q", d, c.why)
			}
		})
	}
}
