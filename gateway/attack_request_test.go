package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSmuggling: of whatever a client writes on one connection, the
// backend never gets a second request that the gateway did not judge.
func TestSmuggling(t *testing.T) {
	a := attack(t, answer("200 OK", "Content-Type: text/plain\r\n", "ok"))
	const inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, request := range map[string]string{
		"cl.te":            "POST /open/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"te.cl":            fmt.Sprintf("POST /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(inner), inner),
		"te with space":    "POST /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + inner,
		"te xchunked":      "POST /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + inner,
		"te identity":      "POST /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + inner,
		"te twice":         "POST /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + inner,
		"te tab":           "POST /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\tchunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + inner,
		"te vt":            "POST /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\vchunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + inner,
		"te folded":        "POST /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + inner,
		"te.0":             "OPTIONS /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(inner), inner),
		"cl.0":             fmt.Sprintf("GET /open/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner),
		"cl twice":         "POST /open/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + inner,
		"cl list":          "POST /open/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n" + inner,
		"cl plus":          "POST /open/ HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n" + inner,
		"cl negative":      "POST /open/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n" + inner,
		"bare lf chunk":    "POST /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nX\r\n0\r\n\r\n" + inner,
		"chunk extension":  "POST /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0;\n" + inner + "\r\n\r\n",
		"chunk too large":  "POST /open/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + inner,
		"hidden in a name": "GET /open/ HTTP/1.1\r\nHost: x\r\nX: a\r\n\tGET /smuggled HTTP/1.1\r\n\r\n",
		"hidden in a path": "GET /open/%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0aGET%20/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
		"nul in a value":   "GET /open/ HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n" + "",
		"cr in a value":    "GET /open/ HTTP/1.1\r\nHost: x\r\nX: a\rGET /smuggled HTTP/1.1\r\n\r\n",
		"1.0 with te":      "POST /open/ HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n" + inner,
	} {
		a.raw(t, request)
		for _, head := range a.seen() {
			line, _, _ := strings.Cut(head, "\r\n")
			if strings.Contains(line, "smuggled") && !strings.Contains(line, "/open/") {
				t.Errorf("%s: the backend was asked %q", name, line)
			}
			if strings.Contains(head, "Transfer-Encoding") && strings.Contains(head, "Content-Length") {
				t.Errorf("%s: two framings were sent:\n%s", name, head)
			}
		}
	}
}

// TestIdentityHeaders: whatever the backend may believe about
// who asks, and from where, comes from the gateway alone.
func TestIdentityHeaders(t *testing.T) {
	a := attack(t, answer("200 OK", jsonType, record))
	names := []string{
		"X-User-Id", "x-user-id", "X_User_Id", "X-User_Id", "x-USER-id", "X-User", "X_User", "X-User-Roles", "X-Auth", "X-Auth-Roles", "X-Role",
		"X-Tenant", "X-Tenant-Id", "X-Branch", "X-Forwarded-User", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Prefix",
		"X_Forwarded_For", "X-Real-Ip", "Forwarded", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Method-Override",
		"True-Client-Ip", "X-Request-Id", "Proxy-Authorization", "X-Original-Host", "Te", "Keep-Alive", "Proxy-Connection", "Upgrade",
	}
	for _, path := range []string{"/open/x", "/api/employees/e1"} {
		for _, form := range []string{"%[1]s: evil\r\n", "%[1]s: evil\r\nConnection: %[1]s, x-user-id, x-request-id, x-forwarded-for\r\n", "%[1]s: 1\r\n%[1]s: evil\r\n"} {
			for _, n := range names {
				a.raw(t, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "+token(nil)+"\r\n"+fmt.Sprintf(form, n)+"\r\n")
				for _, head := range a.seen() {
					head += "\r\n" // of the last line
					if strings.Contains(head, "evil") {
						t.Errorf("%s: %s passed:\n%s", path, n, head)
					}
					if !strings.Contains(head, "X-Forwarded-For: 127.0.0.1\r\n") || !strings.Contains(head, "X-Request-Id: ") {
						t.Errorf("%s: %s: the gateway's own are missing:\n%s", path, n, head)
					}
					if path != "/open/x" && !strings.Contains(head, "X-User-Id: e2") {
						t.Errorf("%s: %s: no identity:\n%s", path, n, head)
					}
				}
			}
		}
		// And in trailers.
		a.raw(t, "POST "+path+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token(nil)+
			"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-User-Id, X-Role\r\n\r\n2\r\n{}\r\n0\r\nX-User-Id: evil\r\nX-Role: evil\r\n\r\n")
		a.mu.Lock()
		for i, head := range a.heads {
			if strings.Contains(a.bodies[i], "evil") || strings.Contains(head, "X-Role") || strings.Count(head, "X-User-Id") > 1 {
				t.Errorf("%s: trailers passed:\n%s%s", path, head, a.bodies[i])
			}
		}
		a.mu.Unlock()
		a.seen()
	}
}

// TestPathConfusion: no spelling of a guarded path is served
// by another route, and what is judged is what is forwarded.
func TestPathConfusion(t *testing.T) {
	a := attack(t, answer("200 OK", "Content-Type: text/plain\r\n", "ok"))
	for _, path := range []string{
		"/open/../api/employees/e1", "/open/..;/api/employees/e1", "/open/..;x=1/api/employees/e1", "/open/.;/../api", "/open/;/api", "/open/;x/api",
		"/open/%2e%2e/api", "/open/%2e%2e%2fapi", "/open/..%2fapi", "/open/..%5capi", "/open/%2e%2e;/api", "/open/..%3b/api", "/open/..%3B/api",
		"/open//api", "//open/api", "/open/%00", "/open/%0a", "/open/a%23b/..", "/open/a#b", "/open/%252e%252e/api", "/open/%c0%ae%c0%ae/api",
		"/open/\\..\\api", "/open/..\\api", "/v1/../api", "/v1/..;/api", "/v1//api", "/v1/%2e%2e/api", "/v1;/../api", "http://x/open/../api",
		"http://x/open/a#b", "/open/.", "/open/..", "/open/%2e", "/open/x?a;b", "/open/x?a=%zz", "/open/x?a=%00", "*", "open/x", "/open/..%00/api", "http://x:80@y/open/%2e%2e/api",
	} {
		got := a.raw(t, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		for _, head := range a.seen() {
			t.Errorf("%s reached the backend: %q (%.30q)", path, head[:strings.Index(head, "\r\n")], got)
		}
	}
	for path, want := range map[string]string{
		"/open/a%3bb;c": "/open/a%3Bb;c", "/v1/x": "/x", "/v1/": "/", "/v1/%7ex%20y": "/~x%20y", "/open/?": "/open/", "http://other/open/x": "/open/x",
		"/open/x?q=%2e%2e/%0A": "/open/x?q=%2e%2e/%0A", "/v1/v1/x": "/v1/x", "/open/%C3%A9": "/open/%C3%A9",
	} {
		a.raw(t, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		heads := a.seen()
		if len(heads) != 1 || !strings.HasPrefix(heads[0], "GET "+want+" HTTP/1.1\r\n") && !strings.HasPrefix(heads[0], "GET "+want+"? HTTP/1.1\r\n") {
			t.Errorf("%s: the backend was asked %q, want %q", path, heads, want)
		}
	}
}

// TestHosts: a request whose host can be read in two ways, or in none, reaches
// no backend.
func TestHosts(t *testing.T) {
	a := attack(t, answer("200 OK", "Content-Type: text/plain\r\n", "ok"))
	for _, head := range []string{
		"Host: a\r\nHost: b\r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host: a\x00b\r\n", "", "Host: a\r\n Host: b\r\n", "Host: a#b\r\n", "Host: a?b\r\n", "Host: a\\b\r\n",
	} {
		got := a.raw(t, "GET /open/x HTTP/1.1\r\n"+head+"\r\n")
		if n := len(a.seen()); n > 0 {
			t.Errorf("%q: reached the backend: %.60q", head, got)
		}
	}
}

// TestRedirects: the redirection to https goes to the host that was asked, in
// a form that is one.
func TestRedirects(t *testing.T) {
	a := attack(t, "")
	for host, want := range map[string]string{
		"api.example:80": "https://api.example/a%20b?c=d", "API.example.": "https://api.example/a%20b?c=d", "[::1]:80": "https://[::1]/a%20b?c=d", "[::1]": "https://[::1]/a%20b?c=d",
		"evil.example": "", "api.example.evil": "", "192.0.2.1": "", "[::2]": "",
		"a@b": "", "a/b": "", "": "", "a\\b": "", "a:b:c": "",
	} {
		got := a.rawTo(t, a.redirect, "GET /a%20b?c=d HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		_, location, _ := strings.Cut(got, "\r\nLocation: ")
		if location, _, _ = strings.Cut(location, "\r\n"); location != want {
			t.Errorf("%q: %q, want %q", host, location, want)
		}
	}
}

// TestProtectBypass: nobody writes what he may not, however the
// body is worded, and no policy sees less of a body than the backend.
func TestProtectBypass(t *testing.T) {
	a := attack(t, answer("200 OK", jsonType, `{"tenant":"acme"}`))
	staff, hr := token(nil), token(map[string]any{"role": "hr"})
	bodies := []string{
		`{"salary":1}`, `{"SALARY":1}`, `{"\u0073alary":1}`, `{"a":[[{"Sal_ary":1}]]}`, `[{"salary":1}]`, `{"salary":1,"salary":2}`, `{"a":1,"a":{"salary":1}}`,
		"\xef\xbb\xbf{\"salary\":1}", `{"a":1}{"salary":1}`, "{\"a\":1}\n{\"salary\":1}", "{\"a\":1}\x00{\"salary\":1}", `{"ſalary":1}`, `{"salary":1`, `{'salary':1}`,
		`{"a":"` + strings.Repeat("x", 70<<10) + `","salary":1}`, `{"a":NaN,"salary":1}`, strings.Repeat(`[`, 2000), `salary=1`, "{/**/\"salary\":1}",
	}
	types := []string{
		"application/json", "application/json; charset=utf-7", "application/json;charset=utf-16", "text/json", "application/merge-patch+json",
		"application/json-patch+json", "application/vnd.api+json", "application/x-www-form-urlencoded", "text/plain", "", "application/JSON ;", "application/json, text/plain",
		"multipart/form-data; boundary=x",
	}
	for _, body := range bodies {
		for _, ct := range types {
			for path, tok := range map[string]string{"/api/employees/e1": staff, "/api/payroll/e1": hr} {
				for _, framing := range []string{"length", "chunked", "encoded", "twice"} {
					head := "PATCH " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tok + "\r\nConnection: close\r\n"
					if ct != "" {
						head += "Content-Type: " + ct + "\r\n"
					}
					switch framing {
					case "length":
						head += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
					case "chunked":
						head += fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
					case "encoded":
						head += "Content-Encoding: \r\nContent-Encoding: deflate\r\nContent-Length: 2\r\n\r\n{}"
					case "twice":
						head += fmt.Sprintf("Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
					}
					got := a.raw(t, head)
					if n := a.seen(); len(n) > 0 && (framing != "twice" || ct != "") {
						t.Errorf("%s as %q, %s, to %s passed: %.40q", body[:min(len(body), 60)], ct, framing, path, got)
					}
				}
			}
		}
	}
}

// TestTokens: forged and twisted tokens, through the whole gateway.
func TestTokens(t *testing.T) {
	a := attack(t, answer("200 OK", jsonType, record))
	good := token(nil)
	parts := strings.Split(good, ".")
	now := time.Now().Unix()
	body := func(s string) string {
		return fmt.Sprintf(`{"iss":"https://auth.example","aud":"api","sub":"e2","exp":%d,%s}`, now+600, s)
	}
	const hs = `{"alg":"HS256","typ":"JWT"}`
	for name, tok := range map[string]string{
		"alg none":             sign(`{"alg":"none"}`, body(`"role":"staff","tenant":"acme"`)),
		"no signature":         parts[0] + "." + parts[1] + ".",
		"role twice":           sign(hs, body(`"role":"candidate","role":"staff","tenant":"acme"`)),
		"role as a list":       sign(hs, body(`"role":["staff"],"tenant":"acme"`)),
		"role as a number":     sign(hs, body(`"role":1,"tenant":"acme"`)),
		"role upper":           sign(hs, body(`"role":"STAFF","tenant":"acme"`)),
		"role space":           sign(hs, body(`"role":"staff ","tenant":"acme"`)),
		"role empty":           sign(hs, body(`"role":"","tenant":"acme"`)),
		"role missing":         sign(hs, body(`"tenant":"acme"`)),
		"kid of an empty file": signWith("", `{"alg":"HS256","kid":"../../dev/null"}`, body(`"role":"staff","tenant":"acme"`)),
		"sub empty":            sign(hs, fmt.Sprintf(`{"iss":"https://auth.example","aud":"api","sub":"","exp":%d,"role":"staff","tenant":"acme"}`, now+600)),
		"sub with newline":     sign(hs, fmt.Sprintf(`{"iss":"https://auth.example","aud":"api","sub":"a\nb","exp":%d,"role":"staff","tenant":"acme"}`, now+600)),
		"sub with umlaut":      sign(hs, fmt.Sprintf(`{"iss":"https://auth.example","aud":"api","sub":"ä","exp":%d,"role":"staff","tenant":"acme"}`, now+600)),
		"exp as a text":        sign(hs, fmt.Sprintf(`{"iss":"https://auth.example","aud":"api","sub":"e2","exp":"%d","role":"staff","tenant":"acme"}`, now+600)),
		"tenant as a list":     sign(hs, body(`"role":"staff","tenant":["acme"]`)),
		"roles text":           sign(hs, body(`"roles":"hrx","tenant":"acme"`)),
		"payload is a list":    sign(hs, `[]`),
	} {
		status, _, text := a.get(t, "/api/employees/e1", tok)
		if n := a.seen(); status < 400 || len(n) > 0 {
			t.Errorf("%s: %d, %d requests: %s", name, status, len(n), text)
		}
	}
	// Without a tenant, or with an empty one, no row is one's own, not even one
	// without or with an empty tenant.
	for _, tenant := range []string{`"tenant":""`, `"tenant":null`, `"x":1`} {
		for _, row := range []string{`{"tenant":"","ssn":1}`, `{"ssn":1}`, `{"tenant":null}`, `{"tenant":"null"}`} {
			a.says(answer("200 OK", jsonType, row))
			if status, _, text := a.get(t, "/api/employees/e1", sign(hs, body(`"role":"staff",`+tenant))); status == 200 {
				t.Errorf("%s: %s was shown: %s", tenant, row, text)
			}
		}
	}
	// More than one, or elsewhere.
	for _, head := range []string{
		"Authorization: Bearer " + good + ", Bearer x\r\n",
		"Cookie: token=" + good + "; Authorization=Bearer " + good + "\r\n", "Authorization: Bearer  " + good + "\r\n", "Authorization: Bearer\t" + good + "\r\n",
		"X-Authorization: Bearer " + good + "\r\n", "Proxy-Authorization: Bearer " + good + "\r\n", "Authorization: Basic " + good + "\r\n",
		"Authorization: Bearer " + good + "\r\nConnection: authorization\r\n",
	} {
		if got := a.raw(t, "GET /api/employees/e1?access_token="+good+" HTTP/1.1\r\nHost: x\r\n"+head+"\r\n"); !strings.HasPrefix(got, "HTTP/1.1 401") {
			t.Errorf("%.40q: %.40q", head, got)
		}
	}
	a.seen()
	twice := "Authorization: Bearer " + good + "\r\nAuthorization: Bearer x\r\n"
	if got := a.raw(t, "GET /api/employees/e1 HTTP/1.1\r\nHost: x\r\n"+twice+"\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400") || len(a.seen()) > 0 {
		t.Errorf("two tokens: %.40q", got)
	}
}
