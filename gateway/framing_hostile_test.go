package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// hostile is a configuration and a policy that say what no header can hold.
const hostile = `
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - name: employees
    match: {path: /api/employees/}
    upstream: hr
    authn: {issuers: [auth]}
    cors: {origins: ["https://app.example.com"], credentials: true}
    policy: on
  - name: plain
    match: {path: /plain/}
    upstream: hr
    public: true
    policy: "off"
`

const hostilePolicy = `
allow if input.subject.id

deny contains {"code": code, "message": "b\r\nX-Evil: 2\u0000\u2028"} if code := input.resource.query.deny[0]

require contains {"acr": "x\r\nX-Evil: 1"} if input.resource.query.line

require contains {"acr": "sil\"ver\\"} if input.resource.query.quote

require contains {"amr": ["x\r\nX-Evil: 1"]} if input.resource.query.amr
`

// tryHostile has the gateway set what would be a header more, and gives the
// number of cases.
func tryHostile(t *testing.T, p proto) int {
	t.Helper()
	w := open(t)
	b := w.record(nil)
	w.vars["HR"] = b.url
	w.start(hostile, hostilePolicy)
	name, token, _ := strings.Cut(w.as("ada", "hr"), ": ")
	cases := []struct{ target, origin, want, challenge string }{
		{"/api/employees/7?deny=odd", "", "403 odd", ""},
		{"/api/employees/7?line=1", "", "500 policy_error", ""},
		{"/api/employees/7?quote=1", "", "401 step_up_required", `acr_values="sil\"ver\\"`},
		{"/api/employees/7?amr=1", "", "401 step_up_required", "Bearer "},
		{"/api/employees/7?deny=%0d%0aX-Evil:%201", "", "500 policy_error", ""},
		{"/plain/%0d%0aX-Evil:%201", "", "400 path_invalid", ""},
		{"/nowhere", "", "404 route_unknown", ""},
		{"/api/employees/7?deny=odd", "https://app.example.com", "403 odd", ""},
		{"/api/employees/7?deny=odd", "https://app.example.com\tX-Evil: 1", "", ""},
	}
	for _, c := range cases {
		r := raw{target: c.target, headers: [][2]string{{name, token}}}
		if c.origin != "" {
			r.headers = append(r.headers, [2]string{"Origin", c.origin})
		}
		o := w.ask(p, r)
		if got := o.String(); o.err != nil || got != c.want && c.want != "" {
			t.Errorf("%s: got %q %v, want %q", c.target, got, o.err, c.want)
		}
		if got := o.header.Get("Www-Authenticate"); !strings.Contains(got, c.challenge) || c.challenge == "" && got != "" {
			t.Errorf("%s: the challenge is %q", c.target, got)
		}
		for k, values := range o.header {
			if strings.Contains(k, "Evil") || strings.Contains(strings.Join(values, ""), "Evil") {
				t.Errorf("%s: %s: %q", c.target, k, values)
			}
		}
		secured(t, c.target, p, o.header)
	}
	if seen := b.arrivals(t); len(seen) > 0 {
		t.Errorf("the backend saw %v", seen)
	}
	return len(cases)
}

// A redirect repeats what the client asked for, and nothing in it is a line.
func TestRedirectIsOneLine(t *testing.T) {
	w := open(t)
	w.vars["HR"] = w.record(nil).url
	w.start(strings.Replace(preamble, `plain: {address: "127.0.0.1:0"}`, `plain: {address: "127.0.0.1:0", redirect_to_https: true}`, 1)+plain, "")
	for target, host := range map[string]string{
		"/plain/1?a=%0d%0aX-Evil:%201": "localhost", "/plain/%3b?x=\xffX-Evil": "localhost", "/plain/1?q='\"<>": "localhost",
		"/plain/1": "localhost:80\tX-Evil", "/plain/2": "localhost%0d%0aX-Evil:1", "/plain/3": "local\x00host", "//x/y": "localhost",
	} {
		o := w.ask(plainH1, raw{target: target, host: host})
		if o.err != nil || o.status != 308 && o.status != 400 && o.status != 421 {
			t.Errorf("%q of %q: %v", target, host, o)
		}
		if l := o.header.Get("Location"); (o.status == 308) != strings.HasPrefix(l, "https://localhost") || strings.ContainsAny(l, "\r\n\x00 ") {
			t.Errorf("%q of %q: to %q", target, host, l)
		}
		if o.header.Get("X-Evil") != "" {
			t.Errorf("%q of %q: %v", target, host, o.header)
		}
	}
}

// What trails an answer to the client is what may.
func TestTrailersOnTheWire(t *testing.T) {
	const forbidden = "Set-Cookie: a=b\r\nX-Request-Id: mine\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\nStrict-Transport-Security: max-age=0\r\nAlt-Svc: clear\r\n"
	for name, announced := range map[string]string{"announced": "Trailer: X-Sum, Set-Cookie, X-Request-Id, Alt-Svc\r\n", "not announced": ""} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.vars["HR"] = w.record(func(c io.Writer, _ *http.Request, _ []byte) bool {
				_, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n%s\r\n", announced, forbidden)
				return err == nil
			}).url
			w.start(plain, "")
			c := w.wire(plainH1)
			if _, err := io.WriteString(c, "GET /plain/1 HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nConnection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(bufio.NewReader(c))
			if err != nil {
				t.Fatal(err)
			}
			_, trail, ok := strings.Cut(string(text), "\r\n0\r\n")
			if !ok || trail != "X-Sum: 7\r\n\r\n" {
				t.Errorf("%s: trails %q in %q", name, trail, text)
			}
			o := w.ask(tlsH2, raw{target: "/plain/1"})
			if o.status != 200 || o.header.Get("X-Sum") != "7" || o.header.Get("Set-Cookie") != "" || len(o.header["X-Request-Id"]) != 1 {
				t.Errorf("over HTTP/2: %v %v", o, o.header)
			}
		})
	}
}

// A field of the head is not a trailer because one has its name, and the trailer
// is its own value alone.
func TestTrailersAreNotTheHead(t *testing.T) {
	for name, tt := range map[string]struct{ announced, trailers, want string }{
		"announced":            {"X-Sum", "X-Sum: 7\r\n", "7"},
		"announced in vain":    {"X-Sum", "", ""},
		"and another one":      {"X-Sum", "X-Sum: 7\r\nX-Late: 1\r\n", "7"},
		"another one instead":  {"X-Sum", "X-Late: 1\r\n", ""},
		"another one is named": {"X-Late", "X-Sum: 7\r\n", "7"},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.vars["HR"] = w.record(func(c io.Writer, _ *http.Request, _ []byte) bool {
				_, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Sum: head\r\nX-Late: head\r\nTrailer: %s\r\n\r\n2\r\nok\r\n0\r\n%s\r\n", tt.announced, tt.trailers)
				return err == nil
			}).url
			w.start(plain, "")
			for _, h2 := range []bool{false, true} {
				res, err := w.client(h2).Do(w.request("GET", "/plain/1", nil))
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if got := strings.Join(res.Trailer["X-Sum"], "|"); err != nil || got != tt.want {
					t.Errorf("HTTP/2 %v: trailers %v, %v", h2, res.Trailer, err)
				}
				if strings.Contains(fmt.Sprint(res.Trailer), "head") || res.Header.Get("X-Sum") != "head" {
					t.Errorf("HTTP/2 %v: head %v, trailers %v", h2, res.Header, res.Trailer)
				}
			}
		})
	}
}
