package gateway

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
)

const redirecting = `version: 1
listeners:
  public:
    address: 127.0.0.1:0
    tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}
  plain: {address: "127.0.0.1:0", redirect_to_https: true}
admin: {address: "127.0.0.1:0"}
log: {output: access.log}
issuers:
  auth: {issuer: "https://auth.example.com", audiences: [erp], algorithms: [ES256], jwks_url: "{ISSUER}/jwks.json"}
`

// Every exchange is one line, however it ends, and no line holds what the
// client sent or was sent.
func TestAccessLog(t *testing.T) {
	w := open(t)
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/none"):
			rw.WriteHeader(http.StatusNoContent)
		case strings.HasSuffix(r.URL.Path, "/cut"):
			_, _ = rw.Write(make([]byte, 256<<10))
			_ = http.NewResponseController(rw).Flush()
			<-r.Context().Done()
		default:
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(rw, `{"name": "private-answer", "salary": %s}`, secret)
		}
	})
	settings := redirecting + one + "    rewrite: {strip_prefix: /api}\n" + strings.SplitAfter(plain, "routes:\n")[1]
	w.start(settings, masking+"deny contains {\"code\": \"no\", \"message\": \"no\"} if input.resource.path == \"/api/employees/denied\"\n")
	c := w.client(false)
	token := w.as("e2", "staff")
	hidden := []string{"Cookie: s=private-cookie", "X-Note: private-header", "Content-Type: application/json", token}
	send := func(method, target, body string, headers ...string) answer {
		t.Helper()
		return do(t, c, w.request(method, target, strings.NewReader(body), headers...))
	}
	fields := func(e map[string]any, names ...string) string {
		var out []string
		for _, n := range names {
			out = append(out, fmt.Sprint(e[n]))
		}
		return strings.Join(out, " ")
	}
	for i, tt := range []struct {
		name string
		do   func()
		want string // method path route status refused_by code forward_path aborted
	}{
		{"normal", func() { send("POST", "/api/employees/7?q=private-query", `{"a": "private-body"}`, hidden...) }, "POST /api/employees/7 employees 200 <nil> <nil> /employees/7 <nil>"},
		{"refused", func() { send("GET", "/api/employees/7?q=private-query", "", hidden[:3]...) }, "GET /api/employees/7 employees 401 authn token_missing <nil> <nil>"},
		{"denied", func() { send("GET", "/api/employees/denied", "", hidden...) }, "GET /api/employees/denied employees 403 authz no <nil> <nil>"},
		{"HEAD", func() { send("HEAD", "/api/employees/7", "", hidden...) }, "HEAD /api/employees/7 employees 200 <nil> <nil> /employees/7 <nil>"},
		{"204", func() { send("GET", "/api/employees/none", "", hidden...) }, "GET /api/employees/none employees 204 <nil> <nil> /employees/none <nil>"},
		{"aborted download", func() {
			res, err := w.client(false).Do(w.request("GET", "/plain/cut", nil))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.ReadFull(res.Body, make([]byte, 10))
			_ = res.Body.Close() // ends the connection
		}, "GET /plain/cut plain 200 <nil> <nil> /plain/cut true"},
		{"unrouted", func() { send("GET", "/nowhere?q=private-query", "", hidden...) }, "GET /nowhere  404 router route_unknown <nil> <nil>"},
		{"a path that cannot be read", func() { send("GET", "/a/%2e%2e/private-path", "", hidden...) }, "GET   400 edge path_invalid <nil> <nil>"},
		{"TRACE", func() { send("TRACE", "/plain/1", "", hidden...) }, "TRACE /plain/1  405 edge method_not_allowed <nil> <nil>"},
		{"redirect", func() { send("GET", w.plain+"/plain/1?q=private-query", "", hidden...) }, "GET /plain/1  308 <nil> <nil> <nil> <nil>"},
		{"panic", func() {
			w.g.Plan().decideBy(w, panicking{w.g.Plan().decider, "itself"})
			send("GET", "/api/employees/7", "", hidden...)
		}, "GET /api/employees/7 employees 500 problem internal_error <nil> <nil>"},
	} {
		tt.do()
		e := w.exchanges(i + 1)[i]
		if got := fields(e, "method", "path", "route", "status", "refused_by", "code", "forward_path", "aborted"); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		if len(fmt.Sprint(e["request_id"])) != 32 || e["client"] != "127.0.0.1" {
			t.Errorf("%s: %v", tt.name, e)
		}
	}
	w.close()
	w.exchanges(11)
	b, err := os.ReadFile(filepath.Join(w.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		for _, word := range []string{"private-", secret, "Bearer", strings.TrimPrefix(token, "Authorization: Bearer ")[:20]} {
			if strings.Contains(line, word) {
				t.Errorf("the log tells %q: %s", word, line)
			}
		}
	}
}

// The level none keeps the subject out, and a policy can only add to it.
func TestAuditLevel(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(one+"    audit: none\n", masking+"audit := \"metadata\" if input.action.name == \"create\"\n")
	c := w.client(false)
	do(t, c, w.request("GET", "/api/employees/7", nil, w.as("e2", "staff")))
	do(t, c, w.request("POST", "/api/employees/7", nil, w.as("e2", "staff")))
	e := w.exchanges(2)
	if e[0]["subject"] != nil || e[1]["subject"] != "e2" {
		t.Errorf("on record: %v", e)
	}
}

func TestOpenLog(t *testing.T) {
	var out, err strings.Builder
	for _, c := range []config.Log{{Output: "stdout", Level: "info", Format: "json"}, {Output: "stderr", Level: "error", Format: "console"}} {
		l, oerr := OpenLog(c, &out, &err)
		if oerr != nil {
			t.Fatal(oerr)
		}
		l.Info("one")
		l.Error("two")
		l.std().Print("three") // at the debug level
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := out.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, `"message":"one"`) {
		t.Errorf("stdout: %s", got)
	}
	if got := err.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "two") {
		t.Errorf("stderr: %s", got)
	}
	if _, err := OpenLog(config.Log{Output: filepath.Join(t.TempDir(), "no", "folder")}, &out, &out); err == nil {
		t.Error("a log in no folder was opened")
	}
}
