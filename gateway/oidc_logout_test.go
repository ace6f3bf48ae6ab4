package gateway

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// signOut ends the session of somebody's browser at the provider (OpenID Connect
// RP-Initiated Logout 1.0). When it returns the provider has told the gateway.
func (b *visitor) signOut(k tokens) {
	b.t.Helper()
	page := b.do(http.MethodGet, b.op.url+"/session/end?"+url.Values{"id_token_hint": {k.ID}}.Encode(), nil)
	secret := regexp.MustCompile(`name="xsrf" value="([^"]+)"`).FindStringSubmatch(page.body)
	if secret == nil {
		b.t.Fatalf("no page to sign out: %d %s", page.StatusCode, page.body)
	}
	res := b.do(http.MethodPost, b.op.url+"/session/end/confirm", url.Values{"xsrf": {secret[1]}, "logout": {"yes"}})
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("not signed out: %d %s", res.StatusCode, res.body)
	}
}

// relay listens for what is yet to listen: once it is told the address of that it
// passes connections on to it.
func relay(t testing.TB) (at string, carry func(to string)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	pass := func(in net.Conn, to string) {
		defer in.Close()
		out, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer out.Close()
		all.Go(func() {
			_, _ = io.Copy(in, out)
			_ = in.Close()
		})
		_, _ = io.Copy(out, in)
	}
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String(), func(to string) {
		all.Go(func() {
			for {
				in, err := l.Accept()
				if err != nil {
					return
				}
				all.Go(func() { pass(in, to) })
			}
		})
	}
}

// Who signs out at the provider is signed out everywhere: the provider tells one
// gateway (OpenID Connect Back-Channel Logout 1.0), which tells the others.
func TestProviderLogout(t *testing.T) {
	redis := storetest.Start(t)
	first, second := open(t), open(t)
	at, carry := relay(t)
	op := first.provider("https://" + at + "/backchannel-logout")
	for _, w := range []*world{first, second} {
		w.vars["OP"], w.vars["REDIS"], w.vars["CA"] = op.url, redis.Addr, filepath.Join(first.dir, "certs/ca.pem")
		w.backend("HR", (&witness{}).ServeHTTP)
	}
	for _, w := range []*world{first, second} {
		w.start(`version: 1
listeners:
  public: {address: "127.0.0.1:0", tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}}
  plain: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
log: {output: access.log}
upstreams: {hr: {endpoints: ["{HR}"]}}
store: {redis: {addresses: ["{REDIS}"]}}
issuers:
  op:
    issuer: "{OP}"
    audiences: [erp]
    algorithms: [RS256]
    discovery: true
    ca: "{CA}"
    backchannel_logout: {path: /backchannel-logout, audiences: [app]}
`+api, "")
	}
	carry(strings.TrimPrefix(first.base, "https://"))
	both := func(when string, k tokens, want string) {
		t.Helper()
		for name, w := range map[string]*world{"first": first, "second": second} {
			if got := w.get("/api/", k.header()); got != want {
				t.Errorf("%s, on the %s gateway: %s, want %s", when, name, got, want)
			}
		}
	}
	alice, bob := op.visitor(), op.visitor()
	early, his := alice.signIn(login{name: "alice"}), bob.signIn(login{name: "bob"})
	late := alice.refresh(early)
	both("alice", early, "200")
	both("bob", his, "200")

	alice.signOut(early)
	told := time.Now()
	if got := first.get("/api/", early.header()); got != "401 session_revoked" {
		t.Errorf("the gateway that was told: %s", got)
	}
	eventually(t, "the other gateway knows", func() bool { return second.get("/api/", early.header()) == "401 session_revoked" })
	t.Logf("from the provider's word to the refusal on the other gateway: %s", time.Since(told).Round(time.Millisecond))
	both("alice, signed out, by a token that was refreshed", late, "401 session_revoked")
	both("bob, when alice has signed out", his, "200")
	both("alice, signed in again", alice.signIn(login{name: "alice"}), "200")
}
