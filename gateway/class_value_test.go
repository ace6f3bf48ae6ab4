package gateway

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repeatedHeaders: of a header that is given twice, or as a list, the policy
// sees all that the backend sees.
func (s *arenas) repeatedHeaders(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, values := range [][]string{{"forbidden"}, {"x", "forbidden"}, {"forbidden", "x"}, {"", "forbidden"}, {"x", "y", "z", "forbidden", "y"}} {
		for _, name := range forms("X-Purpose") {
			r := raw{target: "/api/x", headers: [][2]string{bearer(a.staff)}}
			for _, v := range values {
				r.headers = append(r.headers, [2]string{name, v})
			}
			o, got := a.send(p, r)
			a.refused(fmt.Sprint(name, values), o, got, "forbidden")
			n++
		}
	}
	for _, values := range [][]string{{"x"}, {"x", "y"}, {"x, y"}, {"x,y", "z"}, {"x", "x"}, {"", ""}, {"x, forbidden"}, {"x y"}} {
		r := raw{target: "/api/x", headers: [][2]string{bearer(a.staff)}}
		for _, v := range values {
			r.headers = append(r.headers, [2]string{"X-Purpose", v})
		}
		o, got := a.send(p, r)
		if q, ok := a.passed(fmt.Sprint(values), o, got); ok {
			sameAsJudged(t, fmt.Sprint(values), q, "")
		}
		n++
	}
	good := bearer(a.staff)
	for name, headers := range map[string][][2]string{
		"two tokens": {good, bearer(a.boss)}, "a token twice": {good, good}, "a token and nothing": {good, {"Authorization", ""}}, "nothing and a token": {{"authorization", ""}, good}, "a token and a password": {good, {"Authorization", "Basic dTI6cA=="}},
		"two tokens in one": {bearer(a.staff + ", " + a.boss)}, "two in a row": {bearer(a.staff + " " + a.boss)}, "two behind a semicolon": {bearer(a.staff + "; " + a.boss)},
	} {
		o, got := a.send(p, raw{target: "/api/x", headers: headers})
		a.refused(name, o, got, "token_invalid", "token_missing", "header_invalid")
		n++
	}
	for _, headers := range [][][2]string{
		{good, {"Content-Type", "application/json"}, {"Content-Type", "text/plain"}}, {good, {"Content-Type", "text/plain"}, {"Content-Type", "application/json"}}, {good, {"Content-Type", "application/json, text/plain"}}, {good, {"Content-Type", "application/json"}, {"content-type", "application/json"}},
	} {
		o, got := a.send(p, raw{method: "POST", target: "/write/x", headers: headers, body: `{"a":1}`})
		a.refused(fmt.Sprint(headers[1:]), o, got, "media_type_unsupported", "header_invalid")
		n++
	}
	return n
}

// oddHeaders: bytes that are not text in a header that the policy reads are
// refused, or the policy reads what the backend gets.
func (s *arenas) oddHeaders(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, value := range []string{"\xff", "caf\xe9", "\xc3\x28", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", "a\xffb", "\xc0\xae", "\x80", "\xef\xbb\xbfx", "caf\u00e9", "\u2028", "\u202ex", "\ufffd", "a\tb", strings.Repeat("\xff", 1000)} {
		for _, target := range []string{"/api/x", "/api/admin/x"} {
			o, got := a.send(p, raw{target: target, headers: [][2]string{bearer(a.staff), {"X-Purpose", value}}})
			n++
			if len(got) == 0 {
				a.refused(fmt.Sprintf("%q", value), o, got, "header_invalid", "forbidden")
				continue
			}
			if q, ok := a.passed(fmt.Sprintf("%q", value), o, got); ok && target == "/api/x" {
				sameAsJudged(t, fmt.Sprintf("%q", value), q, "")
				continue
			}
			t.Errorf("%s with %q: %v", target, value, o)
		}
	}
	for _, value := range []string{"forbidden\xff", "\xffforbidden"} { // the policy never fails open
		o, got := a.send(p, raw{target: "/api/admin/x", headers: [][2]string{bearer(a.staff), {"X-Purpose", "forbidden"}, {"X-Purpose", value}}})
		a.refused(fmt.Sprintf("%q", value), o, got, "header_invalid", "forbidden")
		n++
	}
	return n
}

// brokenLines are values that begin something new where they are written as they
// are.
func brokenLines() []string {
	return []string{
		"u\r\nX-User-Id: u2", "u\nX-User-Id: u2", "u\rX-User-Id: u2", "\r\nX-User-Id: u2", "u\r\n\r\nGET /evil HTTP/1.1\r\n", "u\x00", "\x00", "u\x0b", "u\x0cX", "u\x7f", "u\x01", "u\x1b[31m", "u\u0085X", "u\u2028X", "u\u010aX-User-Id: u2", "u\u560aX: y", "u\u00e9", "\xe5\x98\x8d\xe5\x98\x8aX: y", " u", "u ", "\tu", "u\r",
	}
}

func (s *arenas) lineEnds(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	for _, value := range brokenLines() {
		token := "Bearer " + a.issuer.token(a.issuer.kid, map[string]any{"sub": value, "role": "staff", "tenant": "acme"})
		o, got := a.send(p, raw{target: "/api/x", headers: [][2]string{bearer(token)}})
		a.refused(fmt.Sprintf("a subject of %q", value), o, got, "forbidden", "token_invalid")
		var query strings.Builder
		for i := range len(value) {
			fmt.Fprintf(&query, "%%%02x", value[i])
		}
		o, got = a.send(p, raw{target: "/open/x?note=" + query.String()})
		a.refused(fmt.Sprintf("a query of %q", value), o, got, "forbidden", "path_invalid")
		o, got = a.send(p, raw{target: "/open/" + strings.ReplaceAll(query.String(), "%2f", "/")})
		for _, q := range got {
			sameAsJudged(t, value, q, "")
		}
		for name, values := range o.header {
			if strings.Contains(strings.Join(values, ""), "u2") {
				t.Errorf("%q: the answer has %s: %q", value, name, values)
			}
		}
		n += 3
	}
	if p == plainH1 {
		n += a.redirections()
	}
	return n
}

// redirections: the listener that sends to https sends nowhere else.
func (a *arena) redirections() (n int) {
	for request, want := range map[string]string{
		"GET /a%20b?c=d HTTP/1.1\r\nHost: localhost\r\n":             "https://localhost",
		"GET /a%0d%0aX-Evil:%20y HTTP/1.1\r\nHost: localhost\r\n":    "",
		"GET /a?b=%0d%0aX-Evil:%20y HTTP/1.1\r\nHost: localhost\r\n": "https://localhost",
		"GET //evil.example/x HTTP/1.1\r\nHost: localhost\r\n":       "",
		"GET /\\evil.example/x HTTP/1.1\r\nHost: localhost\r\n":      "",
		"GET @evil.example/x HTTP/1.1\r\nHost: localhost\r\n":        "",
		"GET /x HTTP/1.1\r\nHost: localhost@evil.example\r\n":        "",
		"GET /x HTTP/1.1\r\nHost: evil.example/localhost\r\n":        "",
		"GET /x HTTP/1.1\r\nHost: localhost\r\n X-Evil: y\r\n":       "",
		"GET /x HTTP/1.1\r\nHost: localhost\rX-Evil: y\r\n":          "",
	} {
		n++
		l := a.line("redirect")
		_, _ = l.Write([]byte(request + "Connection: close\r\n\r\n"))
		o := readH1(l.in, "GET")
		l.Close()
		location := o.header.Get("Location")
		if want == "" && (location != "" || o.err == nil && o.status < 400) || want != "" && !strings.HasPrefix(location, want) || o.header.Get("X-Evil") != "" || strings.ContainsAny(location, "\r\n") {
			a.t.Errorf("%q: %v to %q, want %q", request, o, location, want)
		}
	}
	return n
}

// strayCredentials: tokens go to the backend of the route and to nobody else.
func (s *arenas) strayCredentials(t *testing.T, p proto) int {
	a, n := s.main(t), 0
	elsewhere := "http://" + a.other.Addr().String() + "/collect"
	for _, status := range []string{"301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect", "401 Unauthorized", "500 Internal Server Error", "305 Use Proxy", "300 Multiple Choices"} {
		for _, name := range []string{"Location", "Refresh", "X-Accel-Redirect", "X-Sendfile", "Content-Location"} {
			a.hr.says(t, func(received) string {
				return "HTTP/1.1 " + status + "\r\n" + name + ": " + elsewhere + "\r\nContent-Length: 0\r\n\r\n"
			})
			o, got := a.send(p, raw{target: "/api/x", headers: [][2]string{bearer(a.staff), {"Cookie", "session=secret"}}})
			if len(got) != 1 || got[0].target != "/api/x" || fmt.Sprint(o.status) != status[:3] {
				t.Errorf("%s with %s: %v, and %v", status, name, o, got)
			}
			n++
		}
	}
	a.hr.says(t, nil)
	for _, name := range []string{"Authorization", "authorization", "AUTHORIZATION", "Proxy-Authorization", "Authorization_", "X-Forwarded-Access-Token", "X_Authorization"} {
		o, got := a.send(p, raw{target: "/sealed/x", headers: [][2]string{bearer(a.staff), {name + "", a.staff}}})
		n++
		if strings.EqualFold(name, "Authorization") {
			a.refused("two tokens", o, got, "token_invalid", "header_invalid", "token_missing")
			continue
		}
		if q, ok := a.passed(name, o, got); ok && strings.Contains(fmt.Sprint(q.headers), a.staff[len("Bearer "):]) {
			t.Errorf("%s: the token reached the backend: %q", name, q.headers)
		}
	}
	o, got := a.send(p, raw{target: "/sealed/x", headers: [][2]string{bearer(a.staff)}})
	if q, ok := a.passed("the token", o, got); ok && len(q.twins("Authorization")) > 0 {
		t.Errorf("the token reached a backend that it is kept from: %q", q.headers)
	}
	return n + 1
}

// plantedSecrets: what is planted in requests is in no log, metric or answer.
func (s *arenas) plantedSecrets(t *testing.T, p proto) int {
	a := s.main(t)
	planted := func(i int) string { return fmt.Sprintf("planted-%d-no-id-looks-like-this", i) }
	var answers bytes.Buffer
	requests := []raw{}
	for i, target := range []string{"/api/x", "/open/x", "/admin/x", "/write/x", "/nowhere", "/open/../x", "/clean/x", "/listed/x"} {
		secret := planted(i)
		for _, headers := range [][][2]string{
			{bearer("Bearer " + secret)},
			{bearer("Basic " + secret)},
			{bearer(secret)},
			{bearer(a.staff), {"Cookie", "session=" + secret}},
			{bearer(a.staff), {"X-Api-Key", secret}, {"X-User-Id", secret}, {"X-Forwarded-For", secret}, {"Proxy-Authorization", secret}},
			{bearer(a.staff), {"Content-Type", "application/json"}},
			{bearer(a.staff + secret)},
			{bearer("Bearer eyJhbGciOiJub25lIn0." + secret + ".")},
		} {
			requests = append(requests,
				raw{target: target + "?password=" + secret + "&access_token=" + secret, headers: headers},
				raw{method: "POST", target: target, headers: headers, body: `{"password":"` + secret + `"}`},
				raw{method: "POST", target: target, headers: headers, body: `{"password":"` + secret + `", "password": 1`})
		}
	}
	for _, r := range requests {
		o, _ := a.send(p, r)
		fmt.Fprintln(&answers, o, o.header, o.body)
	}
	metrics := httptest.NewRecorder()
	a.deps.Metrics.Handler().ServeHTTP(metrics, httptest.NewRequest("GET", "/metrics", nil))
	log, err := os.ReadFile(filepath.Join(a.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(log, []byte(`"/admin/x"`)) || !strings.Contains(metrics.Body.String(), "gatehouse_") {
		t.Error("there is no log, or no metric, to look into")
	}
	signature := a.staff[strings.LastIndexByte(a.staff, '.')+1:]
	for where, text := range map[string]string{"the log": string(log), "an answer": answers.String(), "a metric": metrics.Body.String()} {
		if i := strings.Index(text, "no-id-looks-like-this"); i >= 0 {
			t.Errorf("%s holds what was planted: %q", where, text[max(0, i-200):min(len(text), i+50)])
		}
		if strings.Contains(text, signature) || slices.Contains(strings.Fields(text), a.staff) {
			t.Errorf("%s holds a token", where)
		}
	}
	return len(requests)
}
