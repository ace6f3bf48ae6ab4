package headers

import (
	"net/http"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestHandle(t *testing.T) {
	authn := &config.Route{Name: "r", Authn: &config.Authn{}}
	tests := []struct {
		name     string
		route    *config.Route
		tls      string
		upstream http.Header
		want     map[string]string
	}{
		{"tls", nil, "1.3", nil, map[string]string{
			"Strict-Transport-Security": HSTS, "X-Content-Type-Options": "nosniff", "X-Request-Id": "test-1", "Cache-Control": "", "Vary": "",
		}},
		{"plain has no HSTS, not even the upstream's", nil, "", http.Header{"Strict-Transport-Security": {"max-age=0"}}, map[string]string{
			"Strict-Transport-Security": "",
		}},
		{"the upstream cannot weaken HSTS", nil, "1.2", http.Header{"Strict-Transport-Security": {"max-age=0"}}, map[string]string{
			"Strict-Transport-Security": HSTS,
		}},
		{"nothing tells about the backend", nil, "1.3", http.Header{"Server": {"gunicorn"}, "X-Powered-By": {"Django"}}, map[string]string{
			"Server": "", "X-Powered-By": "",
		}},
		{"authenticated answers are private", authn, "1.3", http.Header{"Cache-Control": {"public, max-age=60", "s-maxage=9"}, "Vary": {"accept"}}, map[string]string{
			"Cache-Control": "private, max-age=60", "Vary": "accept, Authorization, Cookie",
		}},
		{"no-store stays", authn, "1.3", http.Header{"Cache-Control": {"no-store"}}, map[string]string{
			"Cache-Control": "private, no-store", "Vary": "Authorization, Cookie",
		}},
		{"the client cannot choose the request id through the upstream", nil, "1.3", http.Header{"X-Request-Id": {"mine"}}, map[string]string{
			"X-Request-Id": "test-1",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := mt.NewUpstream(t, 200, "text/plain", "x")
			for k, v := range tt.upstream {
				u.Header[k] = v
			}
			x := mt.Exchange(t, "GET", "https://h/", nil, func(x *middleware.Exchange) { x.TLS = tt.tls })
			res, _, err := mt.Run(t, New(tt.route), x, u.Handle)
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range tt.want {
				if got := res.Header.Get(k); got != want {
					t.Errorf("%s: got %q, want %q", k, got, want)
				}
			}
		})
	}
}
