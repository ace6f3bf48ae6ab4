package gateway

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func originClasses() []failure {
	return []failure{
		{"E52", "changes that another site makes a browser send (CVE-2025-24358, CVE-2025-47909, CVE-2025-47910, CVE-2023-45128, CVE-2023-45141)", nil, forgedChanges},
		{"E52b", "one session's value used in another, planted cookies, two tokens in one request", nil, reusedValues},
		{"E53", "origins that only look like a known one, any origin with credentials (CVE-2018-20744, CVE-2024-25124)", nil, strangeOrigins},
		{"E53b", "preflights that ask for much (CVE-2025-47908), and whom they never reach", nil, longPreflights},
	}
}

// origins is a configuration with a route whose token may come in a cookie, one
// whose upstream has cookies of its own, a login and one without settings. The
// plain listener stands behind a load balancer, as it were.
const origins = `version: 1
listeners:
  public: {address: "127.0.0.1:0", tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}}
  plain: {address: "127.0.0.1:0", insecure: true}
admin: {address: "127.0.0.1:0"}
log: {output: access.log}
issuers:
  auth: {issuer: "https://auth.example.com", audiences: [erp], algorithms: [ES256], jwks_url: "{ISSUER}/jwks.json"}
upstreams: {hr: {endpoints: ["{HR}"]}}
csrf: {secret: 0123456789abcdef0123456789abcdef}
rate_limits:
  never: {key: [client.address], rate: 1/1h, mode: enforce}
routes:
  - name: employees
    match: {path: /api/employees/}
    upstream: hr
    authn: {issuers: [auth], cookie: __Host-session, forward_token: false}
    policy: "off"
    cors: {origins: ["https://app.example.com"], credentials: true, methods: [GET, PUT], headers: [x-csrf-token], expose_headers: [x-csrf-token]}
  - name: old
    match: {path: /old/}
    upstream: hr
    public: true
    policy: "off"
    csrf: {mode: on}
  - name: login
    match: {path: /login}
    upstream: hr
    public: true
    login: true
    policy: "off"
    csrf: {mode: on}
  - name: limited
    match: {path: /limited}
    upstream: hr
    public: true
    policy: "off"
    rate_limits: [never]
    cors: {origins: ["*"]}
  - {name: silent, match: {path: /silent}, upstream: hr, public: true, policy: "off"}
`

// browser is the gateway with a user whose browser holds a session.
type browser struct {
	*world
	hr     *witness
	p      proto
	cookie string // the session's
	value  string // of __Host-csrf
}

func openBrowser(t *testing.T, p proto) *browser {
	b := &browser{world: open(t), hr: &witness{HandlerFunc: func(rw http.ResponseWriter, _ *http.Request) {
		for _, h := range []string{"Access-Control-Allow-Origin", "Timing-Allow-Origin"} {
			rw.Header().Set(h, "*")
		}
		rw.Header().Set("Access-Control-Allow-Credentials", "true")
		rw.Header().Set("Access-Control-Allow-Private-Network", "true")
		fmt.Fprint(rw, "done")
	}}, p: p}
	b.backend("HR", b.hr.ServeHTTP)
	b.start(origins, "")
	b.cookie, b.value = b.session("s1")
	return b
}

// session signs somebody in and gets the value that belongs to the session.
func (b *browser) session(sid string) (cookie, value string) {
	b.t.Helper()
	cookie = "__Host-session=" + b.issuer.token(b.issuer.kid, map[string]any{"sub": "u-" + sid, "sid": sid})
	o := b.ask(b.p, raw{target: "/api/employees/7", headers: [][2]string{{"Cookie", cookie}}})
	set := o.header.Get("Set-Cookie")
	value, attributes, _ := strings.Cut(strings.TrimPrefix(set, "__Host-csrf="), "; ")
	if o.status != 200 || attributes != "Path=/; Secure; SameSite=Lax" || len(value) != 64 {
		b.t.Fatalf("no value: %v %v", o, o.header)
	}
	if cc := o.header.Get("Cache-Control"); !strings.HasPrefix(cc, "private") {
		b.t.Errorf("an answer that sets a cookie may be shared: %q", cc)
	}
	return cookie, value
}

// host is what the browser takes for the gateway's host, with its port.
func (b *browser) host() string {
	_, address, _ := strings.Cut(b.base, "https://")
	return "localhost:" + address[strings.LastIndexByte(address, ':')+1:]
}

// attempt is a request, and what it must get: "" passes.
type attempt struct {
	name   string
	raw    raw
	code   string
	status int // where there is no code: 200
}

// try sends them all. Those that are refused must not reach the backend.
func (b *browser) try(list []attempt) int {
	b.t.Helper()
	for _, a := range list {
		before := len(b.hr.requests())
		o := b.ask(b.p, a.raw)
		reached := len(b.hr.requests()) > before
		switch {
		case o.err != nil:
			b.t.Errorf("%s: %v", a.name, o)
		case a.code == "" && a.status == 0 && (o.status != 200 || !reached):
			b.t.Errorf("%s: %v, backend reached: %t", a.name, o, reached)
		case a.code != "" && (o.code() != a.code || reached):
			b.t.Errorf("%s: %v, want %s; backend reached: %t", a.name, o, a.code, reached)
		case a.status != 0 && (o.status != a.status || reached):
			b.t.Errorf("%s: %v, want %d; backend reached: %t", a.name, o, a.status, reached)
		}
	}
	return len(list)
}

func forgedChanges(t *testing.T, p proto) int {
	b := openBrowser(t, p)
	host := b.host()
	at := func(method, target string, headers ...[2]string) raw {
		return raw{method: method, target: target, host: host, headers: headers, body: "amount=1000"}
	}
	const failed = "csrf_failed"
	session := [2]string{"Cookie", "__Host-session=" + strings.TrimPrefix(b.cookie, "__Host-session=") + "; __Host-csrf=" + b.value}
	repeated := [2]string{"X-CSRF-Token", b.value}
	site := func(s string) [2]string { return [2]string{"Sec-Fetch-Site", s} }
	from := func(o string) [2]string { return [2]string{"Origin", o} }
	const theirs = "/old/transfer" // its upstream knows users by a cookie of its own
	return b.try([]attempt{
		{name: "own page", raw: at("PUT", "/api/employees/7", session, repeated, site("same-origin"))},
		{name: "own page, old browser", raw: at("PUT", "/api/employees/7", session, repeated, from("https://"+host))},
		{name: "page that CORS lets in", raw: at("PUT", "/api/employees/7", session, repeated, site("same-site"), from("https://app.example.com"))},
		{name: "no browser at all", raw: at("POST", theirs)},
		{name: "typed by the user", raw: at("POST", theirs, site("none"))},
		{name: "form of another site", raw: at("POST", theirs, site("cross-site"), from("https://evil.test")), code: failed},
		{name: "form of another site, who knows the value", raw: at("PUT", "/api/employees/7", session, repeated, site("cross-site"), from("https://evil.test")), code: failed},
		{name: "subdomain", raw: at("POST", theirs, site("same-site"), from("https://evil.localhost")), code: failed},
		{name: "subdomain, old browser", raw: at("POST", theirs, from("https://evil."+host)), code: failed},
		{name: "other port", raw: at("POST", theirs, from("https://localhost:1")), code: failed},
		{name: "null origin", raw: at("POST", theirs, from("null")), code: failed},
		{name: "null origin of a frame", raw: at("POST", theirs, site("cross-site"), from("null")), code: failed},
		{name: "an origin that begins like ours", raw: at("POST", theirs, from("https://"+host+".evil.test")), code: failed},
		{name: "our host as user name", raw: at("POST", theirs, from("https://"+host+"@evil.test")), code: failed},
		{name: "page in plain text", raw: at("POST", theirs, from("http://"+host)), code: failed},
		{name: "page in plain text, with a referer", raw: at("POST", theirs, from("http://"+host), [2]string{"Referer", "https://" + host + "/"}), code: failed},
		{name: "referer of another site, as Origin is absent", raw: at("PUT", "/api/employees/7", session, [2]string{"Referer", "https://evil.test/"}), code: failed},
		{name: "no Sec-Fetch-Site and no Origin, no value", raw: at("PUT", "/api/employees/7", session), code: failed},
		{name: "unknown word", raw: at("POST", theirs, site("same-origin, cross-site")), code: failed},
		{name: "another case", raw: at("POST", theirs, site("Same-Origin")), code: failed},
		{name: "unusual method", raw: at("DELETE", theirs, site("cross-site")), code: failed},
		{name: "PATCH", raw: at("PATCH", theirs, site("cross-site")), code: failed},
		{name: "another way to write the path", raw: at("POST", "/silent/../old/transfer", site("cross-site")), code: "path_invalid"},
		{name: "a path that a bypass might redirect", raw: at("POST", "//old/transfer", site("cross-site")), code: "path_invalid"},
		{name: "query for path", raw: at("POST", "/old/transfer?next=/silent", site("cross-site")), code: failed},
		{name: "login of another site", raw: at("POST", "/login", site("cross-site"), from("https://evil.test")), code: failed},
		{name: "login in a null frame", raw: at("POST", "/login", from("null")), code: failed},
		{name: "login of our own", raw: at("POST", "/login", site("same-origin"))},
		{name: "a look from elsewhere", raw: raw{target: "/old/balance", host: host, headers: [][2]string{site("cross-site"), from("https://evil.test")}}},
	})
}

func reusedValues(t *testing.T, p proto) int {
	b := openBrowser(t, p)
	otherCookie, otherValue := b.session("s2")
	token := strings.TrimPrefix(b.cookie, "__Host-session=")
	put := func(cookie string, headers ...[2]string) raw {
		return raw{method: "PUT", target: "/api/employees/7", headers: append([][2]string{{"Cookie", cookie}}, headers...), body: "{}"}
	}
	says := func(v string) [2]string { return [2]string{"X-CSRF-Token", v} }
	bearer := func(t string) [2]string { return [2]string{"Authorization", "Bearer " + t} }
	const failed, invalid = "csrf_failed", "token_invalid"
	n := b.try([]attempt{
		{name: "right", raw: put(b.cookie+"; __Host-csrf="+b.value, says(b.value))},
		{name: "right again", raw: put("a=1; __Host-csrf="+b.value+"; "+b.cookie, says(b.value))},
		{name: "the attacker's own value, planted", raw: put(b.cookie+"; __Host-csrf="+otherValue, says(otherValue)), code: failed},
		{name: "planted beside the right one", raw: put(b.cookie+"; __Host-csrf="+b.value+"; __Host-csrf="+otherValue, says(otherValue)), code: failed},
		{name: "planted before the right one", raw: put("__Host-csrf="+otherValue+"; "+b.cookie+"; __Host-csrf="+b.value, says(b.value)), code: failed},
		{name: "the victim's value in the attacker's session", raw: put(otherCookie+"; __Host-csrf="+b.value, says(b.value)), code: failed},
		{name: "made up", raw: put(b.cookie+"; __Host-csrf=x", says("x")), code: failed},
		{name: "empty", raw: put(b.cookie+"; __Host-csrf=", says("")), code: failed},
		{name: "cookie only", raw: put(b.cookie + "; __Host-csrf=" + b.value), code: failed},
		{name: "header only", raw: put(b.cookie, says(b.value)), code: failed},
		{name: "in the query", raw: raw{method: "PUT", target: "/api/employees/7?X-CSRF-Token=" + b.value, headers: [][2]string{{"Cookie", b.cookie + "; __Host-csrf=" + b.value}}, body: "{}"}, code: failed},
		{name: "by another name of the header", raw: put(b.cookie+"; __Host-csrf="+b.value, [2]string{"X_CSRF_Token", b.value}), code: failed},
		{name: "the token twice", raw: put(b.cookie + "; " + b.cookie), code: invalid},
		{name: "two tokens", raw: put(b.cookie + "; " + otherCookie), code: invalid},
		{name: "two tokens, one hidden in quotes", raw: put(b.cookie + `; a="; ` + otherCookie + `"`), code: invalid},
		{name: "two tokens, one behind a comma", raw: put(b.cookie + "; a=1," + otherCookie), code: invalid},
		{name: "another token in the header", raw: put(otherCookie, bearer(token)), code: invalid},
		{name: "a password in the header", raw: put(b.cookie, [2]string{"Authorization", "Basic dTpw"}), code: invalid},
		{name: "the same token in the header, which no browser sends", raw: put(b.cookie, bearer(token))},
		{name: "the header alone, from anywhere", raw: put("a=1", bearer(token), [2]string{"Sec-Fetch-Site", "cross-site"})},
		{name: "no token", raw: put("__Host-csrf="+b.value, says(b.value)), code: "token_missing"},
		{name: "where no cookie carries it", raw: raw{target: "/silent", headers: [][2]string{{"Cookie", b.cookie}}}},
	})
	for _, r := range b.hr.requests() {
		if strings.HasPrefix(r, "PUT ") && (strings.Contains(r, token) || strings.Contains(r, b.value)) {
			t.Errorf("the backend sees what is not for it:\n%s", r)
		}
	}
	return n + b.recovers(put)
}

// recovers is what a client does that has no value, or one that is no longer
// good: it sends what the refusal said.
func (b *browser) recovers(put func(string, ...[2]string) raw) int {
	b.t.Helper()
	fromApp := [2]string{"Origin", "https://app.example.com"}
	o := b.ask(b.p, put(b.cookie, fromApp))
	told := o.header.Get("X-Csrf-Token")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Expose-Headers": "x-csrf-token", "Cache-Control": "private, no-store",
		"Set-Cookie": "__Host-csrf=" + told + "; Path=/; Secure; SameSite=Lax",
	} {
		if got := o.header.Get(name); got != want {
			b.t.Errorf("a refusal: %s: %q, want %q", name, got, want)
		}
	}
	if o.code() != "csrf_failed" || told == "" {
		b.t.Errorf("a refusal: %v %v", o, o.header)
	}
	o = b.ask(b.p, put(b.cookie+"; __Host-csrf="+told, fromApp, [2]string{"X-CSRF-Token", told}))
	if o.status != 200 || o.header.Get("Set-Cookie") != "" {
		b.t.Errorf("sent again: %v %v", o, o.header)
	}
	return 2
}

func strangeOrigins(t *testing.T, p proto) int {
	b := openBrowser(t, p)
	list := []string{
		"https://app.example.com.evil.test", "https://evilapp.example.com", "https://evil.app.example.com", "https://app.example.com:8443",
		"https://app.example.com:443", "https://app.example.com/", "https://app.example.com.", "https://APP.EXAMPLE.COM", "http://app.example.com",
		"https://app.example.com@evil.test", "https://app.example.com%60.evil.test", "null", "*", "https://app.example.com https://evil.test",
	}
	for _, origin := range list {
		for _, method := range []string{"GET", "OPTIONS"} {
			r := raw{method: method, target: "/api/employees/7", headers: [][2]string{{"Origin", origin}, {"Cookie", b.cookie}}}
			if method == "OPTIONS" {
				r.headers = append(r.headers, [2]string{"Access-Control-Request-Method", "PUT"})
			}
			o := b.ask(p, r)
			for name := range o.header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Timing-Allow-Origin" {
					t.Errorf("%s from %s: %s: %s", method, origin, name, o.header.Get(name))
				}
			}
			if vary := strings.Join(o.header.Values("Vary"), ","); !strings.Contains(vary, "Origin") {
				t.Errorf("%s from %s: Vary: %q", method, origin, vary)
			}
		}
	}
	return 2*len(list) + b.letIn()
}

// letIn looks at what the one known origin and the route for all get, on
// refusals too.
func (b *browser) letIn() int {
	b.t.Helper()
	known := [2]string{"Origin", "https://app.example.com"}
	for _, c := range []struct {
		raw                       raw
		status                    int
		origin, credentials, vary string
	}{
		{raw{target: "/api/employees/7", headers: [][2]string{known, {"Cookie", b.cookie}}}, 200, known[1], "true", "Origin"},
		{raw{target: "/api/employees/7", headers: [][2]string{known}}, 401, known[1], "true", "Origin"},
		{raw{target: "/api/employees/7", headers: [][2]string{{"Origin", "https://evil.test"}}}, 401, "", "", "Origin"},
		{raw{target: "/api/employees/7"}, 401, "", "", "Origin"},
		{raw{target: "/limited", headers: [][2]string{{"Origin", "https://evil.test"}}}, 200, "*", "", "Origin"},
		{raw{target: "/limited", headers: [][2]string{{"Origin", "https://evil.test"}}}, 429, "*", "", "Origin"},
		{raw{target: "/silent", headers: [][2]string{known}}, 200, "", "", ""},
	} {
		o := b.ask(b.p, c.raw)
		vary := strings.Join(o.header.Values("Vary"), ",")
		if o.status != c.status || o.header.Get("Access-Control-Allow-Origin") != c.origin || o.header.Get("Access-Control-Allow-Credentials") != c.credentials ||
			o.header.Get("Timing-Allow-Origin") != "" || strings.Contains(vary, "Origin") != (c.vary != "") {
			b.t.Errorf("%s %v: %v %v", c.raw.target, c.raw.headers, o, o.header)
		}
	}
	return 7
}

func longPreflights(t *testing.T, p proto) int {
	b := openBrowser(t, p)
	ask := func(target, origin string, headers ...[2]string) outcome {
		return b.ask(p, raw{method: "OPTIONS", target: target, headers: append([][2]string{
			{"Origin", origin}, {"Access-Control-Request-Method", "PUT"},
		}, headers...)})
	}
	b.ask(p, raw{target: "/limited"}) // the one request of the hour
	before := len(b.hr.requests())
	cases := 0
	for _, target := range []string{"/api/employees/7", "/limited", "/silent", "/old/x"} {
		for _, origin := range []string{"https://app.example.com", "https://evil.test", "null"} {
			for _, asked := range [][2]string{
				{"Access-Control-Request-Headers", "x-csrf-token"},
				{"Access-Control-Request-Headers", strings.Repeat(",", 20<<10)},
				{"Access-Control-Request-Headers", strings.Repeat("a,", 10<<10)},
				{"Access-Control-Request-Private-Network", "true"},
				{"Cookie", b.cookie},
			} {
				o := ask(target, origin, asked)
				known := target == "/api/employees/7" && origin == "https://app.example.com"
				if o.status != 204 || o.body != "" || o.header.Get("Access-Control-Allow-Private-Network") != "" || o.header.Get("Set-Cookie") != "" {
					t.Errorf("%s from %s: %v %v", target, origin, o, o.header)
				}
				if known && (o.header.Get("Access-Control-Allow-Methods") != "GET, PUT" || o.header.Get("Access-Control-Allow-Headers") != "x-csrf-token") {
					t.Errorf("what is said differs with what is asked: %v", o.header)
				}
				if vary := o.header.Get("Vary"); !strings.Contains(vary, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers") {
					t.Errorf("%s from %s: Vary: %q", target, origin, vary)
				}
				cases++
			}
		}
	}
	if n := len(b.hr.requests()) - before; n != 0 {
		t.Errorf("%d preflights reached the backend", n)
	}
	return cases
}

// A __Host- cookie never leaves a browser in plain text. On a plain listener
// that does not say that TLS ends in front of it, nobody who sends one is a
// browser; the header is taken as ever.
func TestTokenCookieInPlainText(t *testing.T) {
	b := openBrowser(t, tlsH1)
	b.close()
	settings := strings.Replace(origins, ", insecure: true", "", 1)
	b.start(settings, "")
	token := strings.TrimPrefix(b.cookie, "__Host-session=")
	for _, c := range []struct {
		p      proto
		header [2]string
		want   string
	}{
		{plainH1, [2]string{"Cookie", b.cookie}, "401 token_invalid"},
		{tlsH1, [2]string{"Cookie", b.cookie}, "200 "},
		{plainH1, [2]string{"Authorization", "Bearer " + token}, "200 "},
	} {
		if o := b.ask(c.p, raw{target: "/api/employees/7", headers: [][2]string{c.header}}); o.String() != c.want {
			t.Errorf("%s with %s: %v", c.p, c.header[0], o)
		}
	}
}

// The value belongs to the session: a token that was refreshed in it does not
// make it worthless, a new session does.
func TestValueOutlivesToken(t *testing.T) {
	b := openBrowser(t, tlsH2)
	put := func(claims map[string]any) outcome {
		return b.ask(b.p, raw{method: "PUT", target: "/api/employees/7", body: "{}", headers: [][2]string{
			{"Cookie", "__Host-session=" + b.issuer.token(b.issuer.kid, claims) + "; __Host-csrf=" + b.value}, {"X-CSRF-Token", b.value},
		}})
	}
	now := time.Now().Unix()
	if o := put(map[string]any{"sub": "u-s1", "sid": "s1", "iat": now - 60, "exp": now + 60}); o.status != 200 {
		t.Errorf("a refreshed token: %v", o)
	}
	if o := put(map[string]any{"sub": "u-s1", "sid": "s9"}); o.code() != "csrf_failed" {
		t.Errorf("the same user in a new session: %v", o)
	}
}

// page is what a browser is to a script, as far as cookies go: scripts cannot
// read the session's, requests carry both.
const page = `
const base = process.argv[1], session = process.argv[2]
let jar = ''
globalThis.document = { get cookie() { return jar } }
const send = globalThis.fetch
globalThis.fetch = async (path, options) => {
  const headers = { ...options.headers, Cookie: [session, jar].filter(Boolean).join('; ') }
  const answer = await send(base + path, { ...options, headers })
  for (const c of answer.headers.getSetCookie()) jar = c.split(';')[0]
  console.log(options.method, answer.status)
  return answer
}
`

// What the README tells front ends to do works: without a value, with a good
// one, and with one that is no longer good.
func TestReadmeFrontEnd(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node")
	}
	readme, err := os.ReadFile("../middleware/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(readme), "```js\n")
	script, _, ok := strings.Cut(script, "```")
	if !ok {
		t.Fatal("the README has no script")
	}
	b := openBrowser(t, plainH1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, node, "-e", page+script+`
const put = { method: 'PUT', body: '{}', headers: { 'Content-Type': 'application/json' } }
await change('/api/employees/7', put)
await change('/api/employees/7', put)
jar = '__Host-csrf=old'
await change('/api/employees/7', put)
`, "--input-type=module", b.plain, b.cookie).CombinedOutput()
	if want := "PUT 403\nPUT 200\nPUT 200\nPUT 403\nPUT 200\n"; err != nil || string(out) != want {
		t.Errorf("%v: %s", err, out)
	}
}
