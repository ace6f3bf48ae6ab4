package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
)

// adminWorld is a folder with a configuration, and what stands in for its
// gateway's admin listener.
type adminWorld struct {
	t     *testing.T
	dir   string
	asked atomic.Int32 // requests that got as far as the handler
	last  atomic.Pointer[http.Request]
}

const adminToken = "correct-horse-battery-staple"

func newAdminWorld(t *testing.T) *adminWorld {
	t.Helper()
	w := &adminWorld{t: t, dir: t.TempDir()}
	for _, dir := range []string{"certs", "other"} {
		if err := certs.Dev(filepath.Join(w.dir, dir), nil, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := certs.DevClient(filepath.Join(w.dir, "certs"), "operator", time.Now()); err != nil {
		t.Fatal(err)
	}
	return w
}

// config writes a configuration with this admin section.
func (w *adminWorld) config(admin string) {
	w.t.Helper()
	text := "version: 1\nlisteners: {public: {address: \"127.0.0.1:0\"}}\nadmin: " + admin + `
issuers: {auth: {issuer: "https://auth.example.com", audiences: [erp], algorithms: [HS256], secret: "0123456789abcdef0123456789abcdef"}}
upstreams: {hr: {endpoints: ["http://127.0.0.1:9"]}}
routes: [{name: all, match: {path: /}, upstream: hr, authn: {issuers: [auth]}, policy: off}]
`
	if err := os.WriteFile(filepath.Join(w.dir, "gatehouse.yaml"), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// listen answers with this status and body; the certificate of a folder makes it
// TLS. It gives the address.
func (w *adminWorld) listen(folder string, status int, body string) string {
	w.t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		text, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(text))
		w.last.Store(r)
		rw.Header().Set("Location", "/elsewhere")
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	}))
	if folder == "" {
		srv.Start()
	} else {
		pair, err := tls.LoadX509KeyPair(w.file(folder, certs.DevServer), w.file(folder, certs.DevServerKey))
		if err != nil {
			w.t.Fatal(err)
		}
		srv.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
		srv.Config.ErrorLog = nil
		srv.StartTLS()
	}
	w.t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func (w *adminWorld) file(names ...string) string {
	return filepath.Join(append([]string{w.dir}, names...)...)
}

func (w *adminWorld) run(args ...string) (code int, out, errs string) {
	w.t.Helper()
	var o, e bytes.Buffer
	args = append(slices.Clone(args), "-c", w.file("gatehouse.yaml"))
	code = run(w.t.Context(), &env{strings.NewReader(""), &o, &e}, args)
	return code, o.String(), e.String()
}

const blockedAnswer = `{"order": {"id": "B1", "kind": "block", "address": "203.0.113.0/24", "at": "2026-01-31T08:00:00Z"}, "shared": false}`

const answered = `{"order": {"id": "ORDER1", "kind": "revocation", "issuer": "auth", "sid": "s1", "at": "2026-01-31T08:00:00Z", "until": "2026-03-02T08:00:00Z"}, "shared": true}`

// Where the admin listener speaks TLS it must show the very certificate of the
// configuration, or one of an authority of --ca for the host that is called. An
// impostor gets no token.
func TestAdminClientTrusts(t *testing.T) {
	w := newAdminWorld(t)
	for _, tt := range []struct {
		name, shows string
		args        []string
		ok          bool
	}{
		{"the certificate of the configuration", "certs", nil, true},
		{"another one for the same names", "other", nil, false},
		{"another one, of a known authority", "other", []string{"--ca", w.file("other", certs.DevCA)}, true},
		{"another one, of another authority", "other", []string{"--ca", w.file("certs", certs.DevCA)}, false},
		{"its own, though --ca is another authority", "certs", []string{"--ca", w.file("other", certs.DevCA)}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := w.asked.Load()
			w.config(fmt.Sprintf(`{address: %q, token: %s, certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}`, w.listen(tt.shows, 201, answered), adminToken))
			code, _, errs := w.run(append([]string{"revoke", "--issuer", "auth", "--sid", "s1"}, tt.args...)...)
			if (code == exitOK) != tt.ok || (w.asked.Load() > before) != tt.ok {
				t.Errorf("exit %d, reached %v: %s", code, w.asked.Load() > before, errs)
			}
		})
	}
}

// An authority vouches for names: not for the address 127.0.0.2, which the
// certificate is not for.
func TestAdminClientHoldsAuthoritiesToNames(t *testing.T) {
	w := newAdminWorld(t)
	_, port, _ := net.SplitHostPort(w.listen("other", 201, answered))
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip("this machine has no 127.0.0.2:", err)
	}
	defer l.Close()
	go forward(l, "127.0.0.1:"+port)
	w.config(fmt.Sprintf(`{address: %q, token: %s, certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}`, l.Addr(), adminToken))
	if code, _, errs := w.run("revoke", "--issuer", "auth", "--sid", "s1", "--ca", w.file("other", certs.DevCA)); code != exitWrong || w.asked.Load() > 0 || !strings.Contains(errs, "127.0.0.2") {
		t.Errorf("exit %d, reached %d: %s", code, w.asked.Load(), errs)
	}
}

func forward(l net.Listener, to string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", to)
		if err != nil {
			_ = in.Close()
			continue
		}
		go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
	}
}

// A client certificate is shown instead of the token.
func TestAdminClientShowsItsCertificate(t *testing.T) {
	w := newAdminWorld(t)
	w.config(fmt.Sprintf(`{address: %q, client_ca: certs/ca.pem, certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}`, w.listen("certs", 201, answered)))
	order := []string{"revoke", "--issuer", "auth", "--sid", "s1"}
	if code, _, errs := w.run(order...); code != exitWrong || w.asked.Load() > 0 || !strings.Contains(errs, "--cert") {
		t.Errorf("neither token nor certificate: exit %d: %s", code, errs)
	}
	code, _, errs := w.run(append(order, "--cert", w.file("certs", "operator.pem"), "--key", w.file("certs", "operator-key.pem"))...)
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	r := w.last.Load()
	if len(r.TLS.PeerCertificates) != 1 || r.TLS.PeerCertificates[0].Subject.CommonName != "operator" || r.Header.Get("Authorization") != "" {
		t.Errorf("it showed %d certificates and %q", len(r.TLS.PeerCertificates), r.Header.Get("Authorization"))
	}
}

// What the gateway answers becomes words and an exit code.
func TestAdminClientTellsTheAnswer(t *testing.T) {
	w := newAdminWorld(t)
	order := []string{"revoke", "--issuer", "auth", "--sid", "s1", "--reason", "lost"}
	for _, tt := range []struct {
		name   string
		status int
		body   string
		args   []string
		code   int
		out    string
		errs   string
	}{
		{"given", 201, answered, order, exitOK, "revoked: session s1 of the issuer auth, until 2026-03-02T08:00:00Z\norder ORDER1 ", ""},
		{"given, as JSON", 201, answered, append(order, "--json"), exitOK, `"shared": true`, ""},
		{"not shared yet", 202, strings.Replace(answered, "true}", "false}", 1), order, exitWrong, "revoked: session s1", "goes on trying"},
		{"not shared yet, as JSON", 202, strings.Replace(answered, "true}", "false}", 1), append(order, "--json"), exitWrong, `"shared": false`, ""},
		{"not on disk", 202, strings.Replace(answered, "true}", `true, "trouble": "no space left"}`, 1), order, exitWrong, "revoked: session s1", "no space left"},
		{"refused", 422, `{"error": "unknown issuer \"auht\""}`, order, exitWrong, "", `unknown issuer "auht"`},
		{"not a gateway", 500, `<html>`, order, exitWrong, "", "500 Internal Server Error"},
		{"not JSON", 201, `<html>`, order, exitWrong, "", "invalid character"},
		{"led elsewhere", 307, ``, order, exitWrong, "", "307"},
		{"lifted", 200, answered, []string{"revoke", "--lift", "ORDER1", "--reason", "found"}, exitOK, "lifted: session s1 of the issuer auth\n", ""},
		{
			"a list", 200, `{"orders": [{"id": "ORDER1", "kind": "lockdown", "all": true, "roles": ["a", "b"], "by": "admin", "reason": "x\u001b[2J", "at": "2026-01-31T08:00:00Z"}]}`,
			[]string{"lockdown", "--list"},
			exitOK, `every route but for a, b  2026-01-31T08:00:00Z  it is lifted  admin  "x\x1b[2J"`, "",
		},
		{
			"blocks", 200, `{"blocks": [{"id": "B1", "kind": "block", "address": "203.0.113.7/32", "user": "0123456789abcdef0123456789abcdef", "detector": "auth_failures", "level": 2, "ends": "2026-01-31T12:00:00Z", "by": "guard", "reason": "x\u001b[2J", "at": "2026-01-31T08:00:00Z", "until": "2026-02-01T12:00:00Z"}], "trusted": ["10.0.0.0/8"]}`,
			[]string{"blocks", "list"},
			exitOK, `B1  logins on the username with the digest 0123456789abcdef0123456789abcdef from 203.0.113.7  2026-01-31T08:00:00Z  2026-01-31T12:00:00Z  guard  auth_failures  2      "x\x1b[2J"` + "\nnever blocked: 10.0.0.0/8\n", "",
		},
		{"no blocks", 200, `{"blocks": []}`, []string{"blocks", "list"}, exitOK, "none is in force\n", ""},
		{"blocks that may not be all", 200, `{"blocks": [], "trouble": "redis: refused"}`, []string{"blocks", "list"}, exitWrong, "none", "redis: refused"},
		{"blocked, not shared", 202, blockedAnswer, []string{"blocks", "add", "203.0.113.0/24", "--reason", "x"}, exitWrong, "blocked: from 203.0.113.0/24, until it is lifted\norder B1 lifts with: gatehouse blocks remove -c FILE B1\n", "goes on trying"},
		{"unblocked, and not", 200, `{"lifted": [], "still": {"id": "B2", "kind": "block", "address": "203.0.113.0/24"}, "shared": true}`, []string{"blocks", "remove", "203.0.113.7"}, exitWrong, "", "still blocked, with 203.0.113.0/24, by order B2"},
		{"unblocked, not shared", 202, `{"lifted": [{"id": "B2", "kind": "block", "issuer": "auth", "subject": "u", "action": "step_up"}], "shared": false}`, []string{"blocks", "remove", "--issuer", "auth", "--subject", "u"}, exitWrong, "lifted: subject u of the issuer auth but not when signed in anew\n", "goes on trying"},
		{"an empty list", 200, `{"orders": []}`, []string{"lockdown", "--list"}, exitOK, "none is in force\n", ""},
		{"a list that may lack some", 200, `{"orders": [], "trouble": "redis: refused"}`, []string{"revoke", "--list"}, exitWrong, "none", "redis: refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := w.asked.Load()
			w.config(fmt.Sprintf(`{address: %q, token: %s}`, w.listen("", tt.status, tt.body), adminToken))
			code, out, errs := w.run(tt.args...)
			if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(errs, tt.errs) || tt.errs == "" && errs != "" {
				t.Errorf("exit %d\n%s\n%s", code, out, errs)
			}
			if n := w.asked.Load() - before; n != 1 || w.last.Load().Header.Get("Authorization") != "Bearer "+adminToken {
				t.Errorf("%d requests, the last with %q", n, w.last.Load().Header.Get("Authorization"))
			}
			if strings.Contains(out+errs, adminToken) {
				t.Error("it prints the token")
			}
		})
	}
}

// Where a gateway listens on is not always where it is called.
func TestAdminClientFindsTheListener(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:9901": "127.0.0.1:9901", ":9901": "127.0.0.1:9901", "0.0.0.0:9901": "127.0.0.1:9901", "[::]:9901": "[::1]:9901",
		"ops.example.com:9901": "ops.example.com:9901", "[2001:db8::1]:9901": "[2001:db8::1]:9901",
		"127.0.0.1:0": "", "127.0.0.1": "", ":": "",
	} {
		if got, err := reachable(listen); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", listen, got, err, want)
		}
	}
}

// A token does not cross a network in the clear, whatever the command line says.
func TestAdminClientNeedsTLSBeyondThisMachine(t *testing.T) {
	w := newAdminWorld(t)
	w.config(`{address: "127.0.0.1:9901", token: ` + adminToken + `}`)
	for _, args := range [][]string{{"--admin", "192.0.2.1:9901"}, {"--cert", w.file("certs", "operator.pem"), "--key", w.file("certs", "operator-key.pem")}} {
		if code, _, errs := w.run(append([]string{"revoke", "--list"}, args...)...); code != exitWrong || !strings.Contains(errs, "TLS") {
			t.Errorf("%q: exit %d: %s", args, code, errs)
		}
	}
}
