package gateway

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// provider is an OpenID provider in a process of its own: oidc-provider, set up
// by testdata/oidc/provider.mjs, which says who may sign in.
type provider struct {
	w      *world
	url    string // which is its issuer, the same after every start
	logout string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	errs   *bytes.Buffer
}

// What tokens of the provider are asked for (RFC 8707).
const (
	forERP = "https://erp.example.com"
	forCRM = "https://crm.example.com"
	// For the same two, but no JWTs.
	forOpaque    = "https://opaque.erp.example.com"
	forOpaqueCRM = "https://opaque.crm.example.com"
)

// callback is where the provider sends users back to, with a code.
const callback = "https://app.example.com/callback"

// provider starts one, with a certificate of the world's authority; {OP} in the
// configuration is its issuer. It posts logout tokens to the address, if there is
// one. Without Node or oidc-provider the test is skipped, or fails where CI is set.
func (w *world) provider(logout string) *provider {
	w.t.Helper()
	p := &provider{w: w, logout: logout}
	p.start("0", "1")
	w.vars["OP"] = p.url
	w.t.Cleanup(p.kill)
	return p
}

// again starts one that has died, at its address and with these keys. It remembers
// nothing.
func (p *provider) again(generations string) {
	p.w.t.Helper()
	p.start(p.url[strings.LastIndexByte(p.url, ':')+1:], generations)
}

func (p *provider) start(port, generations string) {
	t := p.w.t
	t.Helper()
	module, err := filepath.Abs("../bin/oidc-provider/node_modules/oidc-provider/lib/index.js")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(module); err != nil {
		unproven(t, "oidc-provider (make bin/oidc-provider)")
	}
	if _, err := exec.LookPath("node"); err != nil {
		unproven(t, "node")
	}
	settings, _ := json.Marshal(map[string]string{ // a map of texts
		"module": module, "port": port, "logout": p.logout, "keys": generations,
		"cert": filepath.Join(p.w.dir, "certs/gateway.pem"), "key": filepath.Join(p.w.dir, "certs/gateway-key.pem"),
	})
	// A node that says nothing is begun anew: now and then one stops in its own
	// start, before it has come to our lines, and somebody else may have its port.
	for attempt := range 10 {
		if p.begin(string(settings)) {
			p.url = p.out.Text()
			return
		}
		err := p.cmd.Wait()
		p.cmd = nil
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 3 {
			unproven(t, "a node that is new enough (20.20 or 22)")
		}
		t.Logf("attempt %d to start the provider: %v\n%s", attempt+1, err, p.errs)
	}
	t.Fatal("the provider does not start")
}

// begin starts node, and reports whether it has said its address.
func (p *provider) begin(settings string) bool {
	t := p.w.t
	t.Helper()
	p.errs = &bytes.Buffer{}
	p.cmd = exec.Command("node", "testdata/oidc/provider.mjs", settings)
	p.cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+filepath.Join(p.w.dir, "certs/ca.pem"))
	p.cmd.Stderr = p.errs
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	process := p.cmd.Process
	silent := time.AfterFunc(time.Minute, func() { _ = process.Kill() })
	defer silent.Stop()
	return p.out.Scan()
}

// unproven skips a test loudly, or fails it where CI is set.
func unproven(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what + " is not installed")
	}
	t.Skip("SKIPPED: " + what + " is not installed, so nothing was tried with an OpenID provider")
}

// keys says which generations of keys are published; the first signs. There is
// generation 1 at the start.
func (p *provider) keys(generations string) {
	p.w.t.Helper()
	if _, err := io.WriteString(p.in, "keys "+generations+"\n"); err != nil {
		p.w.t.Fatal(err)
	}
	if !p.out.Scan() || p.out.Text() != "keys" {
		p.w.t.Fatalf("the provider says %q", p.out.Text())
	}
}

// kill ends the provider at once. Its errors are told where the test has failed.
func (p *provider) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.in.Close()
	_ = p.cmd.Wait()
	p.cmd = nil
	if p.w.t.Failed() {
		p.w.t.Logf("the provider:\n%s", p.errs)
	}
}

// service gets a token for a service (RFC 6749, section 4.4).
func (p *provider) service(resource string) string {
	p.w.t.Helper()
	return p.visitor().ask("billing", "the secret of billing", url.Values{
		"grant_type": {"client_credentials"}, "resource": {resource}, "scope": {"erp"},
	}).Access
}

// visitor is somebody's browser, which remembers its cookies, and the
// application in it.
type visitor struct {
	t    testing.TB
	op   *provider
	http *http.Client
}

func (p *provider) visitor() *visitor {
	p.w.t.Helper()
	jar, _ := cookiejar.New(nil) // never fails
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.w.roots(), MinVersion: tls.VersionTLS12}}
	p.w.t.Cleanup(tr.CloseIdleConnections)
	return &visitor{p.w.t, p, &http.Client{
		Transport: tr, Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), p.url) {
				return nil
			}
			return http.ErrUseLastResponse // to the application
		},
	}}
}

// tokens are what an application gets.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Error   string `json:"error"`
}

// header gives the header of the access token.
func (k tokens) header() string { return "Authorization: Bearer " + k.Access }

// decoded gives what a token says; part 0 is its header, part 1 its claims.
func decoded(t testing.TB, token string, part int) map[string]any {
	t.Helper()
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		t.Fatalf("the token has %d segments", len(segments))
	}
	b, err := base64.RawURLEncoding.DecodeString(segments[part])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// login is how somebody signs in: who, whether with a second factor, and what the
// application asks for besides.
type login struct {
	name     string
	otp      bool
	resource string // default: the ERP
	more     url.Values
}

// signIn goes the whole way of the authorization code with PKCE (RFC 6749, section
// 4.1; RFC 7636): to the provider, through its page where it shows one, back to
// the application, which fetches the tokens.
func (b *visitor) signIn(l login) tokens {
	b.t.Helper()
	if l.resource == "" {
		l.resource = forERP
	}
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636, appendix B
	ask := url.Values{
		"client_id": {"app"}, "response_type": {"code"}, "scope": {"openid erp"}, "redirect_uri": {callback}, "state": {"7"},
		"resource": {l.resource}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for k, v := range l.more {
		ask[k] = v
	}
	res := b.do(http.MethodGet, b.op.url+"/auth?"+ask.Encode(), nil)
	if res.StatusCode == http.StatusOK { // the page where people sign in
		otp := "no"
		if l.otp {
			otp = "yes"
		}
		res = b.do(http.MethodPost, res.Request.URL.String(), url.Values{"login": {l.name}, "otp": {otp}})
	}
	back, err := res.Location()
	if err != nil || !strings.HasPrefix(back.String(), callback+"?") || back.Query().Get("code") == "" || back.Query().Get("state") != "7" {
		b.t.Fatalf("%s does not come back with a code but to %v: %d %s", l.name, back, res.StatusCode, res.body)
	}
	return b.ask("app", "the secret of the app", url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
	})
}

// refresh gets new tokens for an old refresh token (RFC 6749, section 6).
func (b *visitor) refresh(k tokens) tokens {
	b.t.Helper()
	return b.ask("app", "the secret of the app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {k.Refresh}})
}

// ask asks the token endpoint.
func (b *visitor) ask(client, secret string, form url.Values) (k tokens) {
	b.t.Helper()
	res := b.as(client, secret, "/token", form)
	if err := json.Unmarshal([]byte(res.body), &k); err != nil || k.Access == "" {
		b.t.Fatalf("no tokens: %d %s", res.StatusCode, res.body)
	}
	return k
}

// as posts a form as a client of the provider.
func (b *visitor) as(client, secret, path string, form url.Values) answer {
	b.t.Helper()
	r := b.op.w.request(http.MethodPost, b.op.url+path, strings.NewReader(form.Encode()), "Content-Type: application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret)) // RFC 6749, section 2.3.1
	return do(b.t, b.http, r)
}

func (b *visitor) do(method, address string, form url.Values) answer {
	b.t.Helper()
	if form == nil {
		return do(b.t, b.http, b.op.w.request(method, address, nil))
	}
	return do(b.t, b.http, b.op.w.request(method, address, strings.NewReader(form.Encode()), "Content-Type: application/x-www-form-urlencoded"))
}
