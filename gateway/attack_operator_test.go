package gateway_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestAdminPaths: no spelling of a path, method or token
// reaches administration without the token.
func TestAdminPaths(t *testing.T) {
	a := attack(t, "")
	before := a.reloader.Last()
	for _, path := range []string{
		"/admin/reload", "//admin/reload", "/admin//reload", "/livez/../admin/reload", "/metrics/../admin/reload", "/%61dmin/reload", "/admin/reload/", "/admin%2freload", "/livez;/../admin/reload",
		"/admin/explain?method=GET&url=/api/employees/", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "http://x/admin/reload", "/debug/vars", "/./admin/reload", "admin/reload", "*",
	} {
		for _, method := range []string{"GET", "POST", "HEAD", "OPTIONS", "CONNECT", "TRACE"} {
			for _, auth := range []string{"", "Authorization: Bearer \r\n", "Authorization: Bearer the token of the operator\r\n", "Authorization: the token of the operators\r\n", "Authorization: Basic the token of the operators\r\n", "Authorization: Bearer the token of the operators \x00\r\n"} {
				got := a.rawTo(t, a.ops, method+" "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+auth+"\r\n")
				if strings.HasPrefix(got, "HTTP/1.1 2") {
					t.Errorf("%s %s with %q: %.200s", method, path, auth, got)
				}
			}
		}
	}
	if a.reloader.Last() != before {
		t.Error("somebody reloaded")
	}
	if got := a.rawTo(t, a.ops, "GET /admin/reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer the token of the operators\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("the token itself: %s", got)
	}
}

// TestSecretsInOutputs: what is planted appears in no log, no
// metric, no readiness and no refusal.
func TestSecretsInOutputs(t *testing.T) {
	a := attack(t, "")
	good := token(nil)
	var answers strings.Builder
	for _, raw := range []string{
		answer("200 OK", jsonType, record), answer("200 OK", jsonType, record[:20]), answer("200 OK", "Content-Type: text/html\r\n", record), clear, "HTTP/1.1 " + clear + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\n" + clear + "\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: " + clear + "\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + clear + "\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n" + record, answer("200 OK", jsonType, `{"tenant":"globex","ssn":"`+clear+`"}`), answer("200 OK", jsonType+"Content-Encoding: "+clear+"\r\n", record),
	} {
		a.says(raw)
		for _, request := range []string{
			"GET /api/employees/e1?q=" + clear + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + good + "\r\nConnection: close\r\n\r\n",
			"GET /api/employees/e1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + good + "x\r\nConnection: close\r\n\r\n",
			"PATCH /api/employees/e1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + good + "\r\nContent-Type: application/json\r\nContent-Length: 24\r\nConnection: close\r\n\r\n{\"salary\":\"" + clear + "\"}",
			"PATCH /api/employees/e1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + good + "\r\nContent-Type: application/json\r\nContent-Length: 18\r\nConnection: close\r\n\r\n{\"a\":\"" + clear + "}",
			"GET /api/employees/e1 HTTP/1.1\r\nHost: x\r\nCookie: " + clear + "\r\nAuthorization: Basic " + clear + "\r\nConnection: close\r\n\r\n",
		} {
			answers.WriteString(a.raw(t, request))
		}
	}
	answers.WriteString(a.rawTo(t, a.ops, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
	// A secret in the wrong place of a configuration that is then reloaded.
	text, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(a.dir, "planted"), clear+"\n")
	write(t, a.file, strings.Replace(string(text), "body_bytes: 256KiB", "body_bytes: '${file:planted}'", 1))
	if err := a.reloader.Reload(t.Context()); err == nil {
		t.Error("the configuration was taken")
	}
	answers.WriteString(a.rawTo(t, a.ops, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
	log, err := os.ReadFile(filepath.Join(a.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	signature := good[strings.LastIndexByte(good, '.')+1:]
	for name, text := range map[string]string{"log": string(log), "answers": answers.String()} {
		for _, planted := range []string{clear, signature, attackSecret, "the token of the operators"} {
			if i := strings.Index(text, planted); i >= 0 {
				t.Errorf("%s: %.400q", name, text[max(0, i-200):])
			}
		}
	}
	if !strings.Contains(answers.String(), `"ready": true`) || !strings.Contains(answers.String(), "refused") {
		t.Errorf("readiness says nothing of the refused reload: %s", answers.String()[answers.Len()-600:])
	}
}

// TestLogInjection: whatever clients send, the log has one valid line for each
// exchange, and metrics have no series of a client's making.
func TestLogInjection(t *testing.T) {
	a := attack(t, answer("200 OK", "Content-Type: text/plain\r\n", "ok"))
	series := func() int {
		res, err := http.Get("http://" + a.ops + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(got), "\ngatehouse_")
	}
	n := 0
	round := func(tag string) {
		for _, request := range []string{
			"GET /open/%0a{\"message\":\"exchange\"} HTTP/1.1\r\nHost: x\r\n", "GET /open/" + tag + "%e2%80%a8\" HTTP/1.1\r\nHost: x\r\n", "GET /open/%1b[31m HTTP/1.1\r\nHost: x\r\n",
			"FOO" + tag + " /open/ HTTP/1.1\r\nHost: h" + tag + "\r\n", "GET /" + tag + " HTTP/1.1\r\nHost: h" + tag + "\r\n", "GET /open/x HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\tb" + tag + "\r\nTraceparent: x" + tag + "\r\n",
			"GET /open/x HTTP/1.1\r\nHost: x\r\nUser-Agent: \"}" + tag + "\r\n", "GET /api/employees/" + tag + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token(map[string]any{"sub": "a\u2028\"" + tag, "role": "r" + tag, "tenant": "t" + tag}) + "\r\n",
		} {
			a.raw(t, request+"Connection: close\r\n\r\n")
			n++
		}
	}
	round("a")
	before := series()
	for i := range 20 {
		round(fmt.Sprintf("z%d", i))
	}
	if after := series(); after != before {
		t.Errorf("%d series became %d", before, after)
	}
	log, err := os.ReadFile(filepath.Join(a.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	exchanges := 0
	for _, line := range lines {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		if m["message"] == "exchange" {
			exchanges++
		}
	}
	if exchanges != n {
		t.Errorf("%d exchanges in the log, %d were made", exchanges, n)
	}
}

// TestReloadRaces: reloads under load refuse nobody, decide nothing
// wrongly and leave nothing behind.
func TestReloadRaces(t *testing.T) {
	a := attack(t, answer("200 OK", jsonType, record))
	staff := token(nil)
	if status, _, text := a.get(t, "/api/employees/e1", staff); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	text, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				status, _, body := a.get(t, "/api/employees/e1", staff)
				if status != 200 || strings.Contains(body, clear) || !strings.Contains(body, "***") {
					t.Errorf("%d %s", status, body)
					return
				}
			}
		})
	}
	for i := range 30 {
		change := fmt.Sprintf("timeouts: {upstream: %ds, ", 5+i)
		write(t, a.file+".new", strings.Replace(string(text), "timeouts: {upstream: 5s, ", change, 1))
		if err := os.Rename(a.file+".new", a.file); err != nil {
			t.Fatal(err)
		}
		if err := a.reloader.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		if i%5 == 0 { // one that is refused in between
			write(t, filepath.Join(a.dir, "rego", "bad.rego"), "package gatehouse\nallow if {")
			if err := a.reloader.Reload(t.Context()); err == nil {
				t.Error("a broken policy was taken")
			}
			_ = os.Remove(filepath.Join(a.dir, "rego", "bad.rego"))
		}
	}
	close(done)
	wg.Wait()
	back(t, a)
}
