package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-dev/gatehouse/middleware/authn"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

const logoutSettings = `version: 1
listeners:
  public: {address: "127.0.0.1:0", tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}, acl: {deny: [192.0.2.0/24]}}
  plain: {address: "127.0.0.1:0", redirect_to_https: true}
trusted_proxies: [127.0.0.1]
admin: {address: "127.0.0.1:0"}
log: {output: access.log}
issuers:
  auth:
    issuer: https://auth.example.com
    audiences: [erp]
    algorithms: [ES256]
    jwks_url: "{ISSUER}/jwks.json"
    backchannel_logout: {path: /signed-out, audiences: [web]}
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: all, match: {path: /}, upstream: hr, public: true, policy: off}
`

// signedOut makes a logout token; what changes is over what is good.
func (w *world) signedOut(changes map[string]any) string {
	claims := map[string]any{
		"aud": "web", "exp": time.Now().Unix() + 120, "jti": "l1",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	for k, v := range changes {
		claims[k] = v
	}
	return w.issuer.token("k1", claims)
}

// post sends a form to where the issuer posts.
func (w *world) post(c *http.Client, form url.Values, headers ...string) answer {
	w.t.Helper()
	if len(headers) == 0 {
		headers = []string{"Content-Type: application/x-www-form-urlencoded"}
	}
	return do(w.t, c, w.request("POST", "/signed-out", strings.NewReader(form.Encode()), headers...))
}

func logoutWorld(t *testing.T) (w *world, c *http.Client, reached func() int) {
	w = open(t)
	n := make(chan struct{}, 100)
	w.backend("HR", func(http.ResponseWriter, *http.Request) { n <- struct{}{} })
	w.start(logoutSettings, "")
	return w, w.client(true), func() int { return len(n) }
}

// An issuer that has one jti for all is believed each time all the same: who has
// signed out must not stay in for the fault of another.
func TestLogoutsOfOneID(t *testing.T) {
	w, c, _ := logoutWorld(t)
	at := time.Now().Unix()
	for _, sid := range []string{"s1", "s2", "s1"} {
		if a := w.post(c, url.Values{"logout_token": {w.signedOut(map[string]any{"sid": sid, "iat": at})}}); a.StatusCode != 200 {
			t.Errorf("%s: %s %s", sid, a.Status, a.body)
		}
	}
	if got, err := w.g.Orders(); err != nil || len(got) != 2 {
		t.Errorf("%v %v", got, err)
	}
}

// A good logout token is an order, dated as the issuer says, and the answer says
// no more than that all is well.
func TestLogout(t *testing.T) {
	w, c, reached := logoutWorld(t)
	said := time.Now().Add(-3 * time.Second).Truncate(time.Second)
	for _, claims := range []map[string]any{
		{"jti": "l1", "iat": said.Unix(), "sid": "s1", "sub": "u7"},
		{"jti": "l2", "iat": said.Unix() + 1, "sub": "u8"},
		{"jti": "l1", "iat": said.Unix(), "sid": "s1", "sub": "u7"}, // again
	} {
		a := w.post(c, url.Values{"logout_token": {w.signedOut(claims)}, "iss": {"ignored"}})
		if a.StatusCode != 200 || a.body != "" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Request-Id") == "" || a.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%v: %s %v %s", claims, a.Status, a.Header, a.body)
		}
	}
	got, err := w.g.Orders()
	for i := range got {
		if got[i].ID == "" || got[i].Until.IsZero() {
			t.Errorf("%+v", got[i])
		}
		got[i].ID, got[i].Until = "", time.Time{}
	}
	want := []orders.Order{
		{Kind: orders.Revocation, Issuer: "auth", SID: "s1", By: "issuer auth", At: said},
		{Kind: orders.Revocation, Issuer: "auth", Subject: "u8", IssuedBefore: said.Add(time.Second), By: "issuer auth", At: said.Add(time.Second)},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}), cmp.Transformer("utc", func(t time.Time) time.Time { return t.UTC() })); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if reached() > 0 {
		t.Error("it reached a backend")
	}
	var notes []any
	for _, e := range w.exchanges(3) {
		notes = append(notes, e["logout"])
		if e["path"] != "/signed-out" || e["route"] != "" || e["status"] != 200. {
			t.Errorf("%v", e)
		}
	}
	if diff := cmp.Diff([]any{"session", "subject", "repeated"}, notes); diff != "" {
		t.Error(diff)
	}
	if given := w.log("order given"); len(given) != 2 || given[0]["by"] != "issuer auth" || given[0]["level"] != "info" {
		t.Errorf("%v", given)
	}
	if got := w.metric(`gatehouse_orders_total{by="issuer",kind="revocation"}`); got != "2" {
		t.Errorf("the metric says %q", got)
	}
}

// What is not a logout token of the issuer orders nothing, reaches no backend,
// and is told nothing.
func TestLogoutRefuses(t *testing.T) {
	w, c, reached := logoutWorld(t)
	good := func() url.Values { return url.Values{"logout_token": {w.signedOut(map[string]any{"sid": "s1"})}} }
	form := "Content-Type: application/x-www-form-urlencoded"
	forged := good().Get("logout_token")
	forged = forged[:len(forged)-8] + "AAAAAAAA"
	for _, tt := range []struct {
		name    string
		form    url.Values
		headers []string
		status  int
		code    string
	}{
		{"forged", url.Values{"logout_token": {forged}}, nil, 400, "token_invalid"},
		{"an access token", url.Values{"logout_token": {w.as("u7", "hr")}}, nil, 400, "token_invalid"},
		{"for the API", url.Values{"logout_token": {w.signedOut(map[string]any{"sid": "s1", "aud": "erp"})}}, nil, 400, "token_invalid"},
		{"a sid that nobody could keep", url.Values{"logout_token": {w.signedOut(map[string]any{"sid": strings.Repeat("s", 2000)})}}, nil, 400, "token_invalid"},
		{"no token", url.Values{"token": {"x"}}, nil, 400, "body_malformed"},
		{"two tokens", url.Values{"logout_token": {good().Get("logout_token"), good().Get("logout_token")}}, nil, 400, "body_malformed"},
		{"as JSON", good(), []string{"Content-Type: application/json"}, 415, "media_type_unsupported"},
		{"as a form with files", good(), []string{"Content-Type: multipart/form-data; boundary=x"}, 415, "media_type_unsupported"},
		{"packed", good(), []string{form, "Content-Encoding: gzip"}, 415, "media_type_unsupported"},
		{"large", url.Values{"logout_token": {strings.Repeat("x", logoutBytes)}}, nil, 413, "body_too_large"},
		{"from an address that is not served", good(), []string{form, "X-Forwarded-For: 192.0.2.7"}, 403, "address_blocked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.post(c, tt.form, tt.headers...)
			if a.StatusCode != tt.status || !strings.Contains(a.body, `"code":"`+tt.code+`"`) || a.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s, want %d %s", a.Status, a.body, tt.status, tt.code)
			}
			if a.Header.Get("WWW-Authenticate") != "" || strings.Contains(a.body, "signature") {
				t.Errorf("it tells more: %v %s", a.Header, a.body)
			}
		})
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		a := do(t, c, w.request(method, "/signed-out?logout_token="+good().Get("logout_token"), nil))
		if a.StatusCode != 405 || a.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %s %v", method, a.Status, a.Header)
		}
	}
	// In the address it would be in logs on the way.
	if a := do(t, c, w.request("POST", "/signed-out?logout_token="+good().Get("logout_token"), strings.NewReader(""), form)); a.StatusCode != 400 {
		t.Errorf("in the query: %s", a.Status)
	}
	// A listener that only leads to https does nothing else.
	if a := do(t, w.client(false), w.request("POST", w.plain+"/signed-out", strings.NewReader(good().Encode()), form)); a.StatusCode != 308 {
		t.Errorf("over plain HTTP: %s", a.Status)
	}
	if list, _ := w.g.Orders(); len(list) > 0 || reached() > 0 {
		t.Errorf("%d orders, %d requests reached a backend", len(list), reached())
	}
}

// Anybody may post, so one address is heard so often and no more; others go on
// being heard.
func TestLogoutIsBoundByAddress(t *testing.T) {
	w, _, _ := logoutWorld(t)
	public := w.g.Handler("public") // a client would have to be fast
	from := func(address string, n int) (refused int) {
		for i := range n {
			form := url.Values{"logout_token": {fmt.Sprint("x", i)}}
			r := httptest.NewRequest("POST", w.base+"/signed-out", strings.NewReader(form.Encode()))
			r.RemoteAddr = "127.0.0.1:4660"
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Forwarded-For", address)
			rec := httptest.NewRecorder()
			if public.ServeHTTP(rec, r); rec.Code == http.StatusTooManyRequests {
				refused++
			} else if rec.Code != http.StatusBadRequest {
				t.Fatalf("from %s: %d %s", address, rec.Code, rec.Body)
			}
		}
		return refused
	}
	flooded := false
	for range 50 { // a machine that is busy sends slowly
		if flooded = from("198.51.100.1", 300) > 0; flooded {
			break
		}
	}
	if !flooded {
		t.Error("an address that floods is never refused")
	}
	if from("198.51.100.2", 1) > 0 {
		t.Error("another address is refused with it")
	}
}

// A path is the issuer's before it is any route's, and the plan says so.
func TestLogoutIsExplained(t *testing.T) {
	w, _, _ := logoutWorld(t)
	e, err := w.g.Plan().Explain("POST", "https://any.example/signed-out", nil, time.Now())
	if err != nil || e.Logout != "auth" || e.Route != "" || len(e.Stages) == 0 || e.Refused != nil {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := w.g.Plan().Explain("GET", "https://any.example/signed-out", nil, time.Now()); err != nil || e.Refused == nil || e.Refused.Code != "method_not_allowed" {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := w.g.Plan().Explain("GET", "https://any.example/signed-out/x", nil, time.Now()); err != nil || e.Route != "all" {
		t.Errorf("%+v, %v", e, err)
	}
}

// What was said is remembered for as long as it could be said again, and no more
// than a bound of it.
func TestSaid(t *testing.T) {
	s, now := &said{}, time.Now()
	s.add(sayingOf(authn.Logout{JTI: "a"}), now)
	for _, tt := range []struct {
		jti   string
		after time.Duration
		want  bool
	}{{"a", 0, true}, {"b", 0, false}, {"a", saidSpan, true}, {"a", saidSpan + 1, true}, {"a", 3 * saidSpan, false}} {
		if got := s.before(sayingOf(authn.Logout{JTI: tt.jti}), now.Add(tt.after)); got != tt.want {
			t.Errorf("%s after %s: %v", tt.jti, tt.after, got)
		}
	}
	for i := range 5 * saidMost {
		s.add(sayingOf(authn.Logout{JTI: fmt.Sprint(i)}), now)
	}
	if n := len(s.last) + len(s.now); n > 2*saidMost {
		t.Errorf("it remembers %d", n)
	}
	if !s.before(sayingOf(authn.Logout{JTI: fmt.Sprint(5*saidMost - 1)}), now) {
		t.Error("the last one is forgotten")
	}
}
