package authn

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// counted counts how often a key is asked for, which is once for each token
// that is verified. Its keys can be put in the place of others.
type counted struct {
	finds atomic.Int64
	set   atomic.Pointer[keySet]
}

func (c *counted) find(_ context.Context, kid, alg string) (*key, error) {
	c.finds.Add(1)
	if k := c.set.Load().find(kid, alg); k != nil {
		return k, nil
	}
	return nil, errUnknownKey
}

func (c *counted) keys() *keySet      { return c.set.Load() }
func (*counted) confirmed() time.Time { return time.Time{} }
func (*counted) ready() error         { return nil }
func (*counted) detail() string       { return "" }
func (*counted) close()               {}

func (c *counted) publish(t testing.TB, keys ...members) {
	t.Helper()
	set, err := parseKeySet([]byte(jwks(t, keys...)), []string{"ES256"})
	if err != nil {
		t.Fatal(err)
	}
	c.set.Store(set)
}

// es256 signs by the key called k1.
func es256(t testing.TB, claims members) string {
	return sign(t, "ES256", keysOnce().p256, members{"kid": "k1"}, claims)
}

// countedIssuer accepts what [es256] signs, and counts.
func countedIssuer(t testing.TB, name string, changes ...func(*config.Issuer)) (*Issuer, *counted) {
	t.Helper()
	keys := &counted{}
	keys.publish(t, jwkOf(t, "k1", keysOnce().p256, nil))
	c := issuerConfig(func(i *config.Issuer) { i.Algorithms = []string{"ES256"} })
	for _, f := range changes {
		f(c)
	}
	return &Issuer{name: name, config: c, keys: keys, former: &former{}}, keys
}

func asked(t testing.TB, keys *counted, want int64) {
	t.Helper()
	if n := keys.finds.Load(); n != want {
		t.Errorf("%d tokens were verified until now, want %d", n, want)
	}
}

func TestVerifiedOnce(t *testing.T) {
	issuer, keys := countedIssuer(t, "auth")
	issuers := map[string]*Issuer{"auth": issuer}
	s := New(route(true, "auth"), issuers, nil)
	raw := es256(t, goodClaims())
	first, err := ask(t, s, "Bearer "+raw)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		x, err := ask(t, s, "Bearer "+raw)
		if err != nil || x.Subject != first.Subject || x.IssuedAt != first.IssuedAt || x.Expires != first.Expires {
			t.Errorf("got %+v, %v; want %+v", x.Subject, err, first.Subject)
		}
	}
	asked(t, keys, 1)
	// The issuer outlives a plan, and what it remembers does too.
	if _, err := ask(t, New(route(true, "auth"), issuers, nil), "Bearer "+raw); err != nil {
		t.Error(err)
	}
	asked(t, keys, 1)
	// Another signature over the same claims is another token.
	if _, err := ask(t, s, "Bearer "+raw[:len(raw)-8]+"AAAAAAAA"); middlewaretest.Code(err) != invalid {
		t.Errorf("a token with another signature: %v", err)
	}
	asked(t, keys, 2)
}

// A refusal is not remembered as anything.
func TestRefusedTokensAreNotRemembered(t *testing.T) {
	issuer, keys := countedIssuer(t, "auth")
	s := New(route(true, "auth"), map[string]*Issuer{"auth": issuer}, nil)
	for name, change := range map[string]members{
		"another audience": {"aud": "crm"}, "a role that is a number": {"role": 1},
		"a binding that is not known": {"cnf": members{"kid": "k"}}, "expired within the leeway": {"exp": seconds(-5 * time.Second)},
	} {
		raw, before := es256(t, with(goodClaims(), change)), keys.finds.Load()
		for range 2 {
			if _, err := ask(t, s, "Bearer "+raw); (err == nil) != (name == "expired within the leeway") {
				t.Errorf("%s: %v", name, err)
			}
		}
		asked(t, keys, before+2)
	}
}

func TestVerifiedAgainAfterAMinute(t *testing.T) {
	keysOnce()
	synctest.Test(t, func(t *testing.T) {
		issuer, keys := countedIssuer(t, "auth")
		s := New(route(true, "auth"), map[string]*Issuer{"auth": issuer}, nil)
		raw := es256(t, goodClaims())
		for _, c := range []struct {
			after time.Duration // since the last
			want  int64
		}{{0, 1}, {59 * time.Second, 1}, {time.Second, 2}, {59 * time.Second, 2}, {2 * time.Second, 3}} {
			time.Sleep(c.after)
			if _, err := ask(t, s, "Bearer "+raw); err != nil {
				t.Fatal(err)
			}
			asked(t, keys, c.want)
		}
	})
}

// A token ends when it ends, not when what is remembered of it does.
func TestExpiryIsJudgedOnEveryRequest(t *testing.T) {
	keysOnce()
	synctest.Test(t, func(t *testing.T) {
		issuer, keys := countedIssuer(t, "auth", func(i *config.Issuer) { i.Leeway = config.Duration(10 * time.Second) })
		s := New(route(true, "auth"), map[string]*Issuer{"auth": issuer}, nil)
		raw := es256(t, with(goodClaims(), members{"exp": seconds(20 * time.Second)}))
		for _, c := range []struct {
			after time.Duration
			want  int64
			code  string
		}{{0, 1, ""}, {19 * time.Second, 1, ""}, {time.Second, 2, ""}, {9 * time.Second, 3, ""}, {time.Second, 4, string(middleware.TokenExpired)}} {
			time.Sleep(c.after)
			if _, err := ask(t, s, "Bearer "+raw); middlewaretest.Code(err) != c.code {
				t.Errorf("got %v, want %q", err, c.code)
			}
			asked(t, keys, c.want)
		}
	})
}

// A key that was taken back takes all it has signed along, at once.
func TestKeysThatChangeFlush(t *testing.T) {
	k := keysOnce()
	issuer, keys := countedIssuer(t, "auth")
	s := New(route(true, "auth"), map[string]*Issuer{"auth": issuer}, nil)
	raw := es256(t, goodClaims())
	for _, c := range []struct {
		name string
		key  members
		code string
		want int64
	}{
		{"first", jwkOf(t, "k1", k.p256, nil), "", 1},
		{"the same, published again", jwkOf(t, "k1", k.p256, nil), "", 2},
		{"another name", jwkOf(t, "k2", k.p256, nil), invalid, 3},
		{"back again", jwkOf(t, "k1", k.p256, nil), "", 4},
	} {
		keys.publish(t, c.key)
		if _, err := ask(t, s, "Bearer "+raw); middlewaretest.Code(err) != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
		asked(t, keys, c.want)
	}
	// Keys that may not be used any more answer nothing.
	keys.set.Store(&keySet{})
	if _, err := ask(t, s, "Bearer "+raw); middlewaretest.Code(err) != invalid {
		t.Errorf("without keys: %v", err)
	}
}

// What one issuer or one configuration has found good says nothing to another.
func TestCachesAreTheIssuers(t *testing.T) {
	ours, _ := countedIssuer(t, "auth")
	strict, strictKeys := countedIssuer(t, "strict", func(i *config.Issuer) { i.Audiences = []string{"payroll"} })
	other, _ := countedIssuer(t, "other", func(i *config.Issuer) { i.Issuer = "https://partner.example.com" })
	issuers := map[string]*Issuer{"auth": ours, "strict": strict, "other": other}
	raw := es256(t, goodClaims())
	for _, c := range []struct {
		route []string
		code  string
	}{
		{[]string{"auth"}, ""},
		{[]string{"strict"}, invalid},         // the same iss, other audiences
		{[]string{"strict", "auth"}, invalid}, // of two with one iss, the first is asked
		{[]string{"auth", "strict"}, ""},
		{[]string{"other"}, invalid},
		{[]string{"other", "auth"}, ""},
	} {
		if _, err := ask(t, New(route(true, c.route...), issuers, nil), "Bearer "+raw); middlewaretest.Code(err) != c.code {
			t.Errorf("a route of %v: %v, want %q", c.route, err, c.code)
		}
	}
	asked(t, strictKeys, 2)
}

// Whose hands a token is in is asked of each request.
func TestBindingIsCheckedOnEveryRequest(t *testing.T) {
	issuer, keys := countedIssuer(t, "auth")
	s := New(route(true, "auth"), map[string]*Issuer{"auth": issuer}, nil)
	own, other := &x509.Certificate{Raw: []byte("own")}, &x509.Certificate{Raw: []byte("other")}
	raw := es256(t, with(goodClaims(), members{"cnf": members{"x5t#S256": "Wzl1ZRw8q5LQRMCW3DChwtlSVJdFdHLeSMUeyzY9H0o"}}))
	for i, c := range []struct {
		shown *x509.Certificate
		code  string
	}{{other, invalid}, {own, ""}, {other, invalid}, {nil, invalid}, {own, ""}} {
		x := middlewaretest.Exchange(t, "GET", "https://api.example.com/", nil, middlewaretest.Header("Authorization", "Bearer "+raw))
		x.Certificate = c.shown
		up := middlewaretest.NewUpstream(t, 200, "text/plain", "ok")
		if _, _, err := middlewaretest.Run(t, s, x, up.Handle); middlewaretest.Code(err) != c.code {
			t.Errorf("request %d: %v, want %q", i+1, err, c.code)
		}
	}
	asked(t, keys, 1)
}

// However many tokens there are, their room is bounded, and the oldest go.
func TestCacheIsBounded(t *testing.T) {
	var (
		c    cache
		keys = &keySet{}
		now  = time.Now()
		v    = verified{subject: &policies.Subject{}, times: times{expires: now.Add(time.Hour)}}
	)
	token := func(i int) *digest { return &digest{7, byte(i >> 16), byte(i >> 8), byte(i)} } // all of one shard
	const size = 700
	fit := maxVerified / shards / (size + overhead)
	for i := range 3 * fit {
		c.put(token(i), size, v, keys, now)
		if s := c.shard(token(i)); s.size > maxVerified/shards || len(s.tokens)*(size+overhead) != s.size {
			t.Fatalf("%d entries with %d bytes", len(s.tokens), s.size)
		}
	}
	for i := range 3 * fit {
		if there := c.get(token(i), keys, now) != nil; there != (i >= 2*fit) {
			t.Fatalf("token %d of %d is there: %t", i, 3*fit, there)
		}
	}
	// What is older than a minute makes room whether it is needed or not.
	c.put(token(-1), size, v, keys, now.Add(keepVerified))
	if s := c.shard(token(0)); len(s.tokens) != 1 || s.oldest != s.newest || s.size != size+overhead {
		t.Errorf("%d entries with %d bytes are left", len(s.tokens), s.size)
	}
	// One that is there stays what it is.
	c.put(token(-1), size, v, keys, now.Add(keepVerified))
	if s := c.shard(token(0)); len(s.tokens) != 1 || s.oldest.next != nil {
		t.Error("a token is there twice")
	}
	// Keys that cannot be used remember nothing.
	c.put(token(1), size, v, nil, now)
	if c.get(token(1), nil, now) != nil {
		t.Error("remembered without keys")
	}
}

// Many requests with few tokens while keys come and go.
func TestCacheUnderLoad(t *testing.T) {
	k := keysOnce()
	issuer, keys := countedIssuer(t, "auth")
	s := New(route(true, "auth"), map[string]*Issuer{"auth": issuer}, nil).(*Stage)
	var tokens [8]string
	for i := range tokens {
		tokens[i] = es256(t, with(goodClaims(), members{"sub": fmt.Sprint("u", i)}))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				n := (g + i) % len(tokens)
				if i%50 == 49 && g == 0 {
					keys.publish(t, jwkOf(t, "k1", k.p256, nil))
				}
				v, err := s.verify(t.Context(), tokens[n], time.Now())
				if err != nil || v.subject.ID != fmt.Sprint("u", n) {
					t.Errorf("token %d gives %+v, %v", n, v, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := keys.finds.Load(); n >= 8*200/2 {
		t.Errorf("%d of 1600 requests were verified", n)
	}
}

// A token that was seen costs no memory. How long it takes is for BenchmarkCached.
func TestCachedAllocatesNothing(t *testing.T) {
	issuer, _ := countedIssuer(t, "auth")
	s := New(route(true, "auth"), map[string]*Issuer{"auth": issuer}, nil).(*Stage)
	raw := es256(t, goodClaims())
	x := middlewaretest.Exchange(t, "GET", "https://api.example.com/", nil)
	if n := testing.AllocsPerRun(100, func() {
		if err := s.identify(x, credentials{token: raw}); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Who has many tokens and shows each once does not push out one that is in use, nor
// is that believed for longer because it stays.
func TestFloodLeavesWhatIsUsed(t *testing.T) {
	var (
		c    cache
		keys = &keySet{}
		now  = time.Now()
		v    = verified{subject: &policies.Subject{}, times: times{expires: now.Add(time.Hour)}}
	)
	token := func(i int) *digest { return &digest{7, byte(i >> 16), byte(i >> 8), byte(i)} } // all of one shard
	const size = 700
	fit := maxVerified / shards / (size + overhead)
	hot, idle := token(-1), token(-2)
	c.put(hot, size, v, keys, now)
	c.put(idle, size, v, keys, now)
	for i := range 5 * fit {
		if c.get(hot, keys, now) == nil {
			t.Fatalf("it is gone after %d others", i)
		}
		c.put(token(i), size, v, keys, now)
		if s := c.shard(hot); s.size > maxVerified/shards || len(s.tokens)*(size+overhead) != s.size {
			t.Fatalf("%d entries with %d bytes", len(s.tokens), s.size)
		}
	}
	if c.get(idle, keys, now) != nil {
		t.Error("what nobody uses stays too")
	}
	if c.get(hot, keys, now.Add(keepVerified)) != nil {
		t.Error("it is believed for longer than a minute")
	}
	n := 0
	for e := c.shard(hot).oldest; e != nil; e = e.next {
		n++
	}
	if s := c.shard(hot); n != len(s.tokens) || s.newest.next != nil {
		t.Errorf("%d entries in order, %d by token", n, len(s.tokens))
	}
}
