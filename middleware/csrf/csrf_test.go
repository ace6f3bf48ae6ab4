package csrf_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/csrf"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// on gives the stage of a route whose upstream knows its users by a cookie.
func on(cors *config.CORS) middleware.Stage {
	return csrf.New(&config.Route{CSRF: config.CSRF{Mode: "on"}, CORS: cors}, config.CSRFToken{})
}

func TestAbsentUnlessOn(t *testing.T) {
	header, cookie := &config.Authn{}, &config.Authn{Cookie: "__Host-session"}
	for _, c := range []struct {
		mode  string
		authn *config.Authn
		want  bool
	}{
		{"", nil, false},
		{"auto", nil, false},
		{"auto", header, false},
		{"off", header, false},
		{"off", cookie, false},
		{"", cookie, true},
		{"auto", cookie, true},
		{"on", nil, true},
		{"On", nil, true}, // a mode that does not exist protects rather than not
		{"true", header, true},
	} {
		s := csrf.New(&config.Route{CSRF: config.CSRF{Mode: c.mode}, Authn: c.authn}, config.CSRFToken{Secret: secret})
		if (s != nil) != c.want {
			t.Errorf("mode %q with %+v: %v", c.mode, c.authn, s)
		}
	}
}

func TestHandle(t *testing.T) {
	const target = "https://api.example.com/api/employees/7"
	cors := &config.CORS{Credentials: true, Origins: []string{"https://app.example.com", "*", "not an origin"}}
	type headers = map[string]string
	for _, c := range []struct {
		name    string
		method  string
		target  string
		headers headers
		refused bool
	}{
		{"no browser", "POST", target, nil, false},
		{"same origin", "POST", target, headers{"Sec-Fetch-Site": "same-origin"}, false},
		{"typed by the user", "POST", target, headers{"Sec-Fetch-Site": "none"}, false},
		{"cross site", "POST", target, headers{"Sec-Fetch-Site": "cross-site"}, true},
		{"same site, other origin", "PUT", target, headers{"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example.com"}, true},
		{"a word nobody knows", "DELETE", target, headers{"Sec-Fetch-Site": "moon"}, true},
		{"cross site read", "GET", target, headers{"Sec-Fetch-Site": "cross-site"}, false},
		{"cross site preflight", "OPTIONS", target, headers{"Sec-Fetch-Site": "cross-site"}, false},
		{"unusual method", "PURGE", target, headers{"Sec-Fetch-Site": "cross-site"}, true},
		{"cross site upgrade", "GET", target, headers{"Sec-Fetch-Site": "cross-site", "Upgrade": "websocket"}, true},
		{"old browser, upgrade of another origin", "GET", target, headers{"Origin": "https://evil.test", "Upgrade": "websocket"}, true},
		{"own upgrade", "GET", target, headers{"Origin": "https://api.example.com", "Upgrade": "websocket"}, false},
		{"trusted origin", "POST", target, headers{"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example.com"}, false},
		{"trusted origin in plain text", "POST", target, headers{"Sec-Fetch-Site": "cross-site", "Origin": "http://app.example.com"}, true},
		{"star trusts nobody", "POST", target, headers{"Sec-Fetch-Site": "cross-site", "Origin": "*"}, true},
		{"opaque origin", "POST", target, headers{"Origin": "null"}, true},
		{"old browser, same host", "POST", target, headers{"Origin": "https://api.example.com"}, false},
		{"old browser, other host", "POST", target, headers{"Origin": "https://evil.test"}, true},
		{"old browser, same port", "POST", "https://api.example.com:8443/x", headers{"Origin": "https://api.example.com:8443"}, false},
		{"old browser, other port", "POST", "https://api.example.com:8443/x", headers{"Origin": "https://api.example.com:9443"}, true},
		{"old browser, same host in plain text", "POST", target, headers{"Origin": "http://api.example.com"}, true},
		{"the page that sent it is not what counts", "POST", target, headers{"Referer": "https://api.example.com/", "Origin": "https://evil.test"}, true},
		{"cross site WebDAV", "PROPPATCH", target, headers{"Sec-Fetch-Site": "cross-site"}, true},
		{"old browser, v6", "POST", "https://[::1]:8443/x", headers{"Origin": "https://[::1]:8443"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := on(cors)
			up := middlewaretest.NewUpstream(t, 200, "text/plain", "done")
			x := middlewaretest.Exchange(t, c.method, c.target, nil)
			x.Host = x.Request.URL.Hostname() // as the gateway gives it: without port
			for k, v := range c.headers {
				x.Request.Header.Set(k, v)
			}
			_, body, err := middlewaretest.Run(t, s, x, up.Handle)
			want := ""
			if c.refused {
				want = string(middleware.CSRFFailed)
			}
			if got := middlewaretest.Code(err); got != want {
				t.Fatalf("refused with %q (%v), want %q", got, err, want)
			}
			if reached := up.Calls.Load() == 1; reached == c.refused || reached != (body == "done") {
				t.Errorf("upstream reached: %t", reached)
			}
		})
	}
}

// An origin that may not send credentials may not change anything with them.
func TestTrustNeedsCredentials(t *testing.T) {
	for _, credentials := range []bool{false, true} {
		s := on(&config.CORS{Credentials: credentials, Origins: []string{"https://app.example.com"}})
		x := middlewaretest.Exchange(t, "POST", "https://api.example.com/", nil, middlewaretest.Header("Origin", "https://app.example.com"))
		_, _, err := middlewaretest.Run(t, s, x, middlewaretest.NewUpstream(t, 200, "", "").Handle)
		if (err == nil) != credentials {
			t.Errorf("credentials: %t: %v", credentials, err)
		}
	}
}

// A page that came in plain text is of another origin, unless nobody knows how
// requests come here or its origin is trusted.
func TestPlainTextPage(t *testing.T) {
	const page = "http://api.example.com"
	for _, c := range []struct {
		name    string
		secure  bool
		cors    *config.CORS
		refused bool
	}{
		{"to TLS", true, nil, true},
		{"to a plain listener", false, nil, false},
		{"trusted", true, &config.CORS{Credentials: true, Origins: []string{page}}, false},
	} {
		x := middlewaretest.Exchange(t, "POST", "https://api.example.com/", nil, middlewaretest.Header("Origin", page))
		x.Secure = c.secure
		_, _, err := middlewaretest.Run(t, on(c.cors), x, middlewaretest.NewUpstream(t, 200, "", "").Handle)
		if (err != nil) != c.refused {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A header sent twice is judged by neither value: the gateway and the upstream
// might each take another one.
func TestRepeatedHeaders(t *testing.T) {
	for _, n := range []string{"Origin", "Sec-Fetch-Site"} {
		x := middlewaretest.Exchange(t, "POST", "https://api.example.com/", nil)
		x.Request.Header[n] = []string{"same-origin", "https://api.example.com"}
		up := middlewaretest.NewUpstream(t, 200, "", "")
		_, _, err := middlewaretest.Run(t, on(nil), x, up.Handle)
		if got := middlewaretest.Code(err); got != string(middleware.CSRFFailed) {
			t.Errorf("%s twice: %q", n, got)
		}
	}
}

// The host that counts is the one the client asked for, even where the request
// has already been addressed to the upstream.
func TestOutboundHost(t *testing.T) {
	for _, c := range []struct{ origin, want string }{
		{"https://api.example.com", ""},
		{"http://10.0.0.9:9080", string(middleware.CSRFFailed)},
	} {
		x := middlewaretest.Exchange(t, http.MethodPost, "https://api.example.com/", nil, middlewaretest.Header("Origin", c.origin))
		x.Request.Host = "10.0.0.9:9080"
		up := middlewaretest.NewUpstream(t, 200, "", "")
		_, _, err := middlewaretest.Run(t, on(nil), x, up.Handle)
		if got := middlewaretest.Code(err); got != c.want {
			t.Errorf("origin %s: %q, want %q", c.origin, got, c.want)
		}
	}
	x := middlewaretest.Exchange(t, http.MethodPost, "https://api.example.com/", nil, middlewaretest.Header("Origin", "null"))
	x.Request.Host, x.Host = "", ""
	_, _, err := middlewaretest.Run(t, on(nil), x, middlewaretest.NewUpstream(t, 200, "", "").Handle)
	if middlewaretest.Code(err) != string(middleware.CSRFFailed) {
		t.Error("an origin passes where there is no host to compare it with")
	}
}
