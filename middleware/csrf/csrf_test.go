package csrf_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/csrf"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestAbsentUnlessOn(t *testing.T) {
	for _, mode := range []string{"", "auto", "off"} {
		if s := csrf.New(config.CSRF{Mode: mode}, nil); s != nil {
			t.Errorf("mode %q gives a stage", mode)
		}
	}
	// A mode that does not exist protects rather than not.
	for _, mode := range []string{"on", "On", "true"} {
		if csrf.New(config.CSRF{Mode: mode}, nil) == nil {
			t.Errorf("mode %q gives no stage", mode)
		}
	}
}

func TestHandle(t *testing.T) {
	const target = "https://api.example.com/api/employees/7"
	cors := &config.CORS{Origins: []string{"https://app.example.com", "*", "not an origin"}}
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
		{"old browser, v6", "POST", "https://[::1]:8443/x", headers{"Origin": "https://[::1]:8443"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := csrf.New(config.CSRF{Mode: "on"}, cors)
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

// A header sent twice is judged by neither value: the gateway and the upstream
// might each take another one.
func TestRepeatedHeaders(t *testing.T) {
	for _, n := range []string{"Origin", "Sec-Fetch-Site"} {
		x := middlewaretest.Exchange(t, "POST", "https://api.example.com/", nil)
		x.Request.Header[n] = []string{"same-origin", "https://api.example.com"}
		up := middlewaretest.NewUpstream(t, 200, "", "")
		_, _, err := middlewaretest.Run(t, csrf.New(config.CSRF{Mode: "on"}, nil), x, up.Handle)
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
		_, _, err := middlewaretest.Run(t, csrf.New(config.CSRF{Mode: "on"}, nil), x, up.Handle)
		if got := middlewaretest.Code(err); got != c.want {
			t.Errorf("origin %s: %q, want %q", c.origin, got, c.want)
		}
	}
	x := middlewaretest.Exchange(t, http.MethodPost, "https://api.example.com/", nil, middlewaretest.Header("Origin", "null"))
	x.Request.Host, x.Host = "", ""
	_, _, err := middlewaretest.Run(t, csrf.New(config.CSRF{Mode: "on"}, nil), x, middlewaretest.NewUpstream(t, 200, "", "").Handle)
	if middlewaretest.Code(err) != string(middleware.CSRFFailed) {
		t.Error("an origin passes where there is no host to compare it with")
	}
}
