package authn

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// knower is an issuer's introspection endpoint: it knows tokens by what it says
// of them.
type knower struct {
	mu        sync.Mutex
	tokens    map[string]members
	forms     []url.Values
	headers   []http.Header
	override  http.HandlerFunc // instead of an answer
	hang      atomic.Bool
	underWay  atomic.Int64
	mostAtOne atomic.Int64
}

func (k *knower) say(token string, claims members) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tokens == nil {
		k.tokens = map[string]members{}
	}
	k.tokens[token] = claims
}

func (k *knower) instead(h http.HandlerFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.override = h
}

func (k *knower) asked() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.forms)
}

func (k *knower) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := k.underWay.Add(1)
	defer k.underWay.Add(-1)
	for most := k.mostAtOne.Load(); n > most && !k.mostAtOne.CompareAndSwap(most, n); most = k.mostAtOne.Load() {
	}
	body, err := io.ReadAll(r.Body)
	form, ferr := url.ParseQuery(string(body))
	if err != nil || ferr != nil || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	k.mu.Lock()
	k.forms, k.headers = append(k.forms, form), append(k.headers, r.Header)
	claims, known := k.tokens[form.Get("token")]
	override := k.override
	k.mu.Unlock()
	switch {
	case k.hang.Load():
		<-r.Context().Done()
	case override != nil:
		override(w, r)
	case !known:
		_, _ = io.WriteString(w, `{"active":false}`)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, encodeAny(claims))
	}
}

func encodeAny(m members) string {
	var t testing.T
	return encode(&t, m)
}

// activeClaims are what an issuer says of a token that nothing is wrong with.
func activeClaims(changes members) members {
	return with(with(goodClaims(), members{"active": true, "client_id": "spa", "token_type": "Bearer"}), changes)
}

// introspects has the time for real connections on a busy machine.
func introspects(address string) func(*config.Issuer) {
	return func(i *config.Issuer) {
		i.Algorithms = nil
		i.Introspection = &config.Introspection{
			URL: address, ClientID: "gate:house", ClientSecret: "s3 cret+%é",
			Cache: config.Duration(30 * time.Second), Timeout: config.Duration(time.Minute),
		}
	}
}

// knownOver starts a knower over TCP and makes a stage that asks it.
func knownOver(t *testing.T, changes ...func(*config.Issuer)) (*knower, middleware.Stage, *Issuer) {
	t.Helper()
	k := &knower{}
	srv := httptest.NewServer(k)
	t.Cleanup(srv.Close)
	c := issuerConfig(introspects(srv.URL + "/introspect"))
	for _, f := range changes {
		f(c)
	}
	i := openIssuer(t, "auth", c)
	return k, New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil), i
}

func codeOf(t *testing.T, s middleware.Stage, token string) string {
	t.Helper()
	_, err := ask(t, s, "Bearer "+token)
	return middlewaretest.Code(err)
}

// What is asked, and what becomes of the answer.
func TestIntrospection(t *testing.T) {
	k, s, i := knownOver(t)
	k.say("2YotnFZFEjr1zCsicMWpAA", activeClaims(members{"iss": nil, "acr": "mfa"}))
	x, err := ask(t, s, "Bearer 2YotnFZFEjr1zCsicMWpAA")
	if err != nil {
		t.Fatal(err)
	}
	if u := x.Subject; u.ID != "u7" || u.Issuer != "auth" || u.Role != "hr" || u.Tenant != "t1" || u.ACR != "mfa" || u.Claims["client_id"] != "spa" {
		t.Errorf("subject: %+v", u)
	}
	if x.Expires.IsZero() || x.IssuedAt.IsZero() {
		t.Errorf("issued %v, expires %v", x.IssuedAt, x.Expires)
	}
	form, header := k.forms[0], k.headers[0]
	expect(t, "form", form.Encode(), "token=2YotnFZFEjr1zCsicMWpAA&token_type_hint=access_token")
	expect(t, "type", header.Get("Content-Type"), "application/x-www-form-urlencoded")
	expect(t, "accept", header.Get("Accept"), "application/json")
	pair, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header.Get("Authorization"), "Basic "))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "credentials", string(pair), "gate%3Ahouse:s3+cret%2B%25%C3%A9")
	expect(t, "detail", i.Detail(), "")
	if err := i.Ready(); err != nil {
		t.Error(err)
	}
	if _, _, counted := i.Keys(); counted {
		t.Error("keys of an issuer that has none are counted")
	}
}

// What an issuer may say of a token, and what is made of it.
func TestIntrospectedClaims(t *testing.T) {
	const expired = string(middleware.TokenExpired)
	for _, c := range []struct {
		name   string
		change members
		want   string
	}{
		{"good", nil, ""},
		{"not active", members{"active": false}, invalid},
		{"iss left out", members{"iss": nil}, ""},
		{"iss of another", members{"iss": "https://evil.test"}, invalid},
		{"iss that is no text", members{"iss": 7}, invalid},
		{"iss that is null", members{"iss": json.RawMessage("null")}, invalid},
		{"aud of several", members{"aud": []string{"x", "erp"}}, ""},
		{"aud left out", members{"aud": nil}, invalid},
		{"aud of another", members{"aud": "erp2"}, invalid},
		{"expired", members{"exp": seconds(-time.Hour)}, expired},
		{"within the leeway", members{"exp": seconds(-5 * time.Second)}, ""},
		{"exp left out", members{"exp": nil}, invalid},
		{"good for too long", members{"exp": seconds(48 * time.Hour)}, invalid},
		{"not yet", members{"nbf": seconds(time.Hour)}, invalid},
		{"nobody's", members{"sub": nil}, invalid},
		{"a role that is no text", members{"role": 7}, invalid},
		{"a tenant that cannot be seen", members{"tenant": "t1\u200b"}, invalid},
		{"a refresh token", members{"token_type": "refresh_token"}, invalid},
		{"a refresh token by its use", members{"token_use": "refresh_token"}, invalid},
		{"an access token by its use", members{"token_use": "access_token", "token_type": nil}, ""},
		{"a type in another case", members{"token_type": "bearer"}, ""},
		{"a type that is no text", members{"token_type": true}, invalid},
		{"bound to a key", members{"cnf": members{"jkt": "x"}, "token_type": "DPoP"}, invalid},
		{"bound to a certificate", members{"cnf": members{"x5t#S256": "x"}}, invalid},
		{"a logout token", members{"events": members{}}, invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, s, _ := knownOver(t)
			k.say("token", activeClaims(c.change))
			now := time.Now()
			expect(t, "asked", codeOf(t, s, "token"), c.want)
			// Remembered for who asks at the moment of the first, however late that is.
			if _, err := s.(*Stage).verify(t.Context(), "token", now); errors.Is(err, errUnanswered) {
				t.Error(err)
			}
			if n := k.asked(); n != 1 && c.name != "within the leeway" {
				t.Errorf("asked %d times", n)
			}
			expect(t, "again", codeOf(t, s, "token"), c.want)
		})
	}
	t.Run("required", func(t *testing.T) {
		k, s, _ := knownOver(t, func(i *config.Issuer) { i.Claims.Required = []string{"tenant"} })
		k.say("token", activeClaims(members{"tenant": nil}))
		expect(t, "asked", codeOf(t, s, "token"), invalid)
	})
	t.Run("sender constrained", func(t *testing.T) {
		k, s, _ := knownOver(t, func(i *config.Issuer) { i.SenderConstrained = true })
		k.say("token", activeClaims(nil))
		expect(t, "asked", codeOf(t, s, "token"), invalid)
	})
	// The profile is about JWTs: widely used issuers leave the jti out here.
	t.Run("at+jwt", func(t *testing.T) {
		k, s, _ := knownOver(t, func(i *config.Issuer) { i.Profile = "at+jwt" })
		k.say("without", activeClaims(nil))
		k.say("with", activeClaims(members{"jti": "1"}))
		expect(t, "without jti", codeOf(t, s, "without"), "")
		expect(t, "with jti", codeOf(t, s, "with"), "")
	})
}

// Nobody is asked about what may be a JWT, nor about what is no token.
func TestNeverAsked(t *testing.T) {
	k, s, _ := knownOver(t)
	k.instead(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, encodeAny(activeClaims(nil))) })
	keys := keysOnce()
	jwt := sign(t, "RS256", keys.rsa, nil, goodClaims())
	for _, token := range []string{
		jwt, jwt + "=", "a.b.c", "..", "a..c", strings.Replace(jwt, "e", "~", 1),
		"a b", "a\tb", "a,b", "tökén", "\"a\"", "=", "===", "a=b", "a;b", "a&token=b", strings.Repeat("a", maxToken+1),
	} {
		expect(t, fmt.Sprintf("%.20q", token), codeOf(t, s, token), invalid)
	}
	if n := k.asked(); n != 0 {
		t.Errorf("asked %d times: %v", n, k.forms)
	}
	for _, token := range []string{"a", "a.b", "a.b.c.d", "a.b.c.d.e", "-._~+/==", strings.Repeat("a", maxToken)} {
		if strings.Count(token, ".") == 2 {
			t.Fatal(token)
		}
		expect(t, fmt.Sprintf("%.20q", token), codeOf(t, s, token), "")
	}
}

// One issuer of the route has keys, the other reads its own tokens.
func TestIntrospectionBesideKeys(t *testing.T) {
	keys, k := keysOnce(), &knower{}
	srv := httptest.NewServer(k)
	defer srv.Close()
	signer := openIssuer(t, "signer", issuerConfig(func(i *config.Issuer) { i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k1", keys.rsa, nil))) }))
	both := openIssuer(t, "both", issuerConfig(introspects(srv.URL), func(i *config.Issuer) {
		i.Issuer, i.Algorithms = "https://both.example.com", []string{"RS256"}
		i.JWKSFile = writeFile(t, jwks(t, jwkOf(t, "k2", keys.rsa2, nil)))
	}))
	stage := func(names ...string) middleware.Stage {
		return New(route(true, names...), map[string]*Issuer{"signer": signer, "both": both}, nil)
	}
	k.say("token", activeClaims(members{"iss": "https://both.example.com"}))
	k.say("signers", activeClaims(nil))
	own := sign(t, "RS256", keys.rsa2, members{"kid": "k2"}, with(goodClaims(), members{"iss": "https://both.example.com"}))
	for _, c := range []struct{ name, token, want string }{
		{"a JWT of the one", sign(t, "RS256", keys.rsa, members{"kid": "k1"}, goodClaims()), ""},
		{"a JWT of the other", own, ""},
		{"an opaque token of the other", "token", ""},
		{"an opaque token of the one, by the other's word", "signers", invalid},
	} {
		expect(t, c.name, codeOf(t, stage("signer", "both"), c.token), c.want)
	}
	expect(t, "on a route of the one", codeOf(t, stage("signer"), "token"), invalid)
	if d := stage("both").(interface{ Describe() string }).Describe(); !strings.Contains(d, "both (RS256, introspection)") {
		t.Error(d)
	}
	_, err := ask(t, stage("both"), "Bearer token")
	expect(t, "as whom", middlewaretest.Code(err), "")
}

// What the endpoint may answer that is no answer: 503, told, and not remembered.
func TestIntrospectionFails(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, encodeAny(activeClaims(nil)))
		}
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		why    string
	}{
		{"201", status(201), "status 201"},
		{"302", status(302), "status 302"},
		{"307", status(307), "status 307"},
		{"400", status(400), "status 400"},
		{"401", status(401), "status 401"},
		{"429", status(429), "status 429"},
		{"500", status(500), "status 500"},
		{"a page", text200("<html>"), "not one JSON object"},
		{"nothing", text200(""), "not one JSON object"},
		{"null", text200("null"), "not one JSON object"},
		{"a list", text200(`[{"active":true}]`), "not one JSON object"},
		{"no word", text200(`{"sub":"u7"}`), "does not say"},
		{"a text", text200(`{"active":"true"}`), "does not say"},
		{"a number", text200(`{"active":1}`), "does not say"},
		{"in another case", text200(`{"Active":true}`), "does not say"},
		{"both", text200(`{"active":false,"active":true}`), "occurs twice"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"active":true}`)
		}, "unexpected EOF"},
		{"large", text200(`{"active":true,"x":"` + strings.Repeat("x", maxAnswer) + `"}`), "larger than"},
		{"the connection ends", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, s, i := knownOver(t)
			k.say("token", activeClaims(nil))
			k.instead(c.answer)
			_, err := ask(t, s, "Bearer token")
			expect(t, "asked", middlewaretest.Code(err), unavailable)
			if d := i.Detail(); !strings.Contains(d, "introspection: ") || !strings.Contains(d, c.why) || strings.Contains(d, "cret") {
				t.Errorf("detail: %q, want %q", d, c.why)
			}
			if err := i.Ready(); err != nil {
				t.Errorf("not ready: %v", err)
			}
			k.instead(nil)
			for range 6000 { // a pause may have to pass
				if codeOf(t, s, "token") == "" {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			expect(t, "later", codeOf(t, s, "token"), "")
			expect(t, "detail later", i.Detail(), "")
		})
	}
}

// knownIn is knownOver with a network in memory and a clock of its own.
func knownIn(t *testing.T, f func(t *testing.T, k *knower, s middleware.Stage, i *Issuer), changes ...func(*config.Issuer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, k := &wire{conns: make(chan net.Conn), done: make(chan struct{})}, &knower{}
		srv := &http.Server{Handler: k}
		served := make(chan error)
		go func() { served <- srv.Serve(w) }()
		c := issuerConfig(introspects("http://127.0.0.1/introspect"))
		c.Introspection.Timeout = config.Duration(time.Second)
		for _, f := range changes {
			f(c)
		}
		i, err := open(t.Context(), "auth", c, "", w.dial, fetchTimeout)
		if err != nil {
			t.Fatal(err)
		}
		f(t, k, New(route(true, "auth"), map[string]*Issuer{"auth": i}, nil), i)
		if err := i.Close(); err != nil {
			t.Error(err)
		}
		_ = srv.Close()
		<-served
	})
}

// How long answers are remembered: good ones for the cache's time, no longer
// than the token; others for five seconds.
func TestIntrospectionRemembers(t *testing.T) {
	for _, c := range []struct {
		name         string
		cache        time.Duration
		lives, keeps time.Duration
	}{
		{"for the time of the cache", 30 * time.Second, time.Hour, 30 * time.Second},
		{"until the token ends", time.Minute, 20 * time.Second, 20 * time.Second},
		{"not at all", 0, time.Hour, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			knownIn(t, func(t *testing.T, k *knower, s middleware.Stage, _ *Issuer) {
				k.say("good", activeClaims(members{"exp": time.Now().Add(c.lives).Unix()}))
				expect(t, "first", codeOf(t, s, "good"), "")
				k.say("good", members{"active": false}) // called back
				if c.keeps > 0 {
					time.Sleep(c.keeps - time.Second)
					expect(t, "remembered", codeOf(t, s, "good"), "")
					time.Sleep(time.Second)
				}
				expect(t, "asked again", codeOf(t, s, "good"), invalid)
			}, func(i *config.Issuer) { i.Introspection.Cache = config.Duration(c.cache) })
		})
	}
	knownIn(t, func(t *testing.T, k *knower, s middleware.Stage, _ *Issuer) {
		expect(t, "not yet good", codeOf(t, s, "late"), invalid)
		k.say("late", activeClaims(nil))
		time.Sleep(keepRefused - time.Second)
		expect(t, "remembered", codeOf(t, s, "late"), invalid)
		time.Sleep(time.Second)
		expect(t, "asked again", codeOf(t, s, "late"), "")
		if n := k.asked(); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

// Requests with one token share a question; one that gives up takes nothing from
// the others.
func TestQuestionsAreShared(t *testing.T) {
	knownIn(t, func(t *testing.T, k *knower, s middleware.Stage, i *Issuer) {
		k.say("good", activeClaims(nil))
		k.instead(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(500 * time.Millisecond)
			_, _ = io.WriteString(w, encodeAny(activeClaims(nil)))
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := s.(*Stage).verify(ctx, "good", time.Now())
			expect(t, "gave up", refusal(err).Error(), refusal(fmt.Errorf("%w: %w", errUnanswered, context.DeadlineExceeded)).Error())
		})
		synctest.Wait() // it is the one that asks
		for range 50 {
			wg.Go(func() { expect(t, "shared", codeOf(t, s, "good"), "") })
		}
		wg.Wait()
		if n := k.asked(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		if len(i.introspects.flights) != 0 {
			t.Error("a question is still under way")
		}
	})
}

// An issuer that hangs holds the requests of one timeout, then none; it is
// probed by one question at a time, and used as soon as it answers. What is
// remembered is good meanwhile.
func TestIssuerHangs(t *testing.T) {
	knownIn(t, func(t *testing.T, k *knower, s middleware.Stage, i *Issuer) {
		k.say("good", activeClaims(nil))
		k.say("other", activeClaims(nil))
		expect(t, "before", codeOf(t, s, "good"), "")
		k.hang.Store(true)
		waits := func(what, token, want string, d time.Duration) {
			t.Helper()
			start := time.Now()
			expect(t, what, codeOf(t, s, token), want)
			if got := time.Since(start); got != d {
				t.Errorf("%s: waited %v, want %v", what, got, d)
			}
		}
		var first sync.WaitGroup
		for n := range shutAfter {
			first.Go(func() { waits("the first", fmt.Sprint("first", n), unavailable, time.Second) })
		}
		first.Wait()
		waits("in the pause", "other", unavailable, 0)
		waits("remembered", "good", "", 0)
		time.Sleep(firstPause)
		var wg sync.WaitGroup
		wg.Go(func() { waits("the probe", "other", unavailable, time.Second) })
		synctest.Wait()
		waits("beside the probe", "third", unavailable, 0)
		wg.Wait()
		waits("in the second pause", "other", unavailable, 0)
		asked := k.asked()
		for range 600 { // a minute of requests
			time.Sleep(100 * time.Millisecond)
			_ = codeOf(t, s, "other")
		}
		if n := k.asked() - asked; n < 8 || n > 16 {
			t.Errorf("a hanging issuer was asked %d times in a minute or so", n)
		}
		k.hang.Store(false)
		time.Sleep(maxPause)
		expect(t, "back", codeOf(t, s, "other"), "")
		expect(t, "detail", i.Detail(), "")
	}, func(i *config.Issuer) { i.Introspection.Cache = config.Duration(5 * time.Minute) })
}

// Made-up tokens reach the issuer by so many at once and no more, and those that
// do not get their turn get an answer all the same.
func TestQuestionsAreBounded(t *testing.T) {
	knownIn(t, func(t *testing.T, k *knower, s middleware.Stage, i *Issuer) {
		k.hang.Store(true)
		start := time.Now()
		var wg sync.WaitGroup
		for n := range maxWaiting {
			wg.Go(func() { expect(t, "made up", codeOf(t, s, fmt.Sprint("token", n)), unavailable) })
		}
		synctest.Wait()
		expect(t, "one too many", codeOf(t, s, "more"), unavailable)
		if d := time.Since(start); d > time.Millisecond {
			t.Errorf("one too many waited %v", d)
		}
		wg.Wait()
		if d := time.Since(start); d > time.Second+time.Millisecond {
			t.Errorf("waited %v", d)
		}
		time.Sleep(time.Second)
		if n := k.mostAtOne.Load(); n != maxQuestions {
			t.Errorf("%d questions at once", n)
		}
	})
}

// What is remembered of tokens that are not good takes its own room only.
func TestRefusedTokensTakeTheirOwnRoom(t *testing.T) {
	knownIn(t, func(t *testing.T, k *knower, s middleware.Stage, i *Issuer) {
		k.say("good", activeClaims(nil))
		expect(t, "before", codeOf(t, s, "good"), "")
		for n := range maxRefused + 100 {
			expect(t, "made up", codeOf(t, s, fmt.Sprint("token", n)), invalid)
		}
		asked := k.asked()
		expect(t, "after", codeOf(t, s, "good"), "")
		if k.asked() != asked {
			t.Error("a good token was forgotten for made-up ones")
		}
		if n := len(i.introspects.refused.items); n != maxRefused {
			t.Errorf("%d refused tokens are remembered", n)
		}
	})
}

// Those that were used last stay, and others go only as far as room is needed.
func TestRecent(t *testing.T) {
	now := time.Now()
	r := newRecent[int](10)
	put := func(n, size int, d time.Duration) { r.put(&digest{byte(n)}, n, size, now, now.Add(d)) }
	there := func(want string) {
		t.Helper()
		var got []string
		for e := r.order.Front(); e != nil; e = e.Next() {
			got = append(got, fmt.Sprint(e.Value.(*item[int]).value))
		}
		if strings.Join(got, " ") != want || len(r.items) != len(got) {
			t.Errorf("there are %v, want %s", got, want)
		}
	}
	put(1, 4, time.Minute)
	put(2, 4, time.Minute)
	put(3, 2, time.Second)
	there("3 2 1")
	if v, ok := r.get(&digest{1}, now); !ok || v != 1 {
		t.Error(v, ok)
	}
	put(4, 1, time.Minute)
	there("4 1 3")
	if _, ok := r.get(&digest{3}, now.Add(time.Second)); ok {
		t.Error("what has run out is given")
	}
	there("4 1")
	put(4, 6, time.Minute) // in place of itself
	there("4 1")
	put(5, 1, 0)
	there("4 1")
	put(6, 11, time.Minute) // larger than all the room
	there("")
	if r.room != 10 {
		t.Errorf("%d are left", r.room)
	}
}

// An opaque token is bound to a certificate as a JWT is, on every request.
func TestOpaqueTokenBoundToACertificate(t *testing.T) {
	k, s, _ := knownOver(t)
	k.say("token", activeClaims(members{"cnf": members{"x5t#S256": "Wzl1ZRw8q5LQRMCW3DChwtlSVJdFdHLeSMUeyzY9H0o"}}))
	for name, want := range map[string]string{"own": "", "other": invalid, "": invalid} {
		x := middlewaretest.Exchange(t, "GET", "https://api.example.com/", nil)
		if name != "" {
			x.Certificate = &x509.Certificate{Raw: []byte(name)}
		}
		x.Request.Header.Set("Authorization", "Bearer token")
		_, _, err := middlewaretest.Run(t, s, x, middlewaretest.NewUpstream(t, 200, "", "").Handle)
		expect(t, name, middlewaretest.Code(err), want)
	}
	if n := k.asked(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// FuzzIntrospected reads what no issuer says.
func FuzzIntrospected(f *testing.F) {
	f.Add([]byte(encode(f, activeClaims(nil))))
	f.Add([]byte(`{"active":true,"iss":null,"token_type":["Bearer"]}`))
	i := &Issuer{name: "auth", config: issuerConfig()}
	q := &introspector{judge: i.judge, issuer: i.config.Issuer}
	f.Fuzz(func(t *testing.T, data []byte) {
		claims, err := Claims(data)
		if err != nil {
			return
		}
		v, err := q.believe(claims, time.Now())
		if err == nil && (claims["active"] != true || v.subject == nil || v.subject.ID == "" || claims["iss"] != i.config.Issuer || v.times.expires.IsZero()) {
			t.Fatalf("%s is believed: %+v", data, v)
		}
	})
}

// Closed, an issuer is asked nothing, and who waits goes on without.
func TestIntrospectionCloses(t *testing.T) {
	knownIn(t, func(t *testing.T, k *knower, s middleware.Stage, i *Issuer) {
		k.say("good", activeClaims(nil))
		expect(t, "before", codeOf(t, s, "good"), "")
		k.hang.Store(true)
		var wg sync.WaitGroup
		wg.Go(func() { expect(t, "waits", codeOf(t, s, "other"), unavailable) })
		synctest.Wait()
		_ = i.Close()
		wg.Wait()
		expect(t, "remembered", codeOf(t, s, "good"), "")
		expect(t, "another", codeOf(t, s, "third"), unavailable)
	})
}

func TestIntrospectionMistakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*config.Issuer)
		why    string
	}{
		{"plain http", func(i *config.Issuer) { i.Introspection.URL = "http://auth.example.com/" }, "introspection.url: must be https"},
		{"no URL", func(i *config.Issuer) { i.Introspection.URL = "" }, "introspection.url:"},
		{"no client", func(i *config.Issuer) { i.Introspection.ClientID = "" }, "client_id and client_secret"},
		{"no secret", func(i *config.Issuer) { i.Introspection.ClientSecret = "" }, "client_id and client_secret"},
		{"no time", func(i *config.Issuer) { i.Introspection.Timeout = 0 }, "introspection.timeout:"},
		{"algorithms without keys", func(i *config.Issuer) { i.Algorithms = []string{"RS256"} }, "the issuer has no keys"},
		{"keys without algorithms", func(i *config.Issuer) { i.JWKSFile = "x" }, "algorithms: at least one"},
		{"two kinds of keys", func(i *config.Issuer) {
			i.JWKSFile, i.Discovery, i.Algorithms = "x", true, []string{"RS256"}
		}, "exactly one of"},
		{"no CA", func(i *config.Issuer) { i.CA = "/nowhere" }, "ca: "},
	} {
		i, err := Open(t.Context(), "auth", issuerConfig(introspects("https://auth.example.com/introspect"), c.change), "")
		if err == nil {
			_ = i.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.why) || strings.Contains(err.Error(), "cret+") {
			t.Errorf("%s: %v, want %q", c.name, err, c.why)
		}
	}
}

// What is remembered of an opaque token is found without allocating.
func TestIntrospectionHitAllocatesNothing(t *testing.T) {
	k, s, _ := knownOver(t)
	k.say("token", activeClaims(nil))
	expect(t, "first", codeOf(t, s, "token"), "")
	stage, now := s.(*Stage), time.Now()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := stage.verify(t.Context(), "token", now); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
