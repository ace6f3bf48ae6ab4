package cors

import (
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestHandle(t *testing.T) {
	app := &config.CORS{
		Origins: []string{"https://app.example.com"}, Credentials: true, Methods: []string{"GET", "PUT"},
		Headers: []string{"authorization"}, MaxAge: config.Duration(10 * time.Minute),
	}
	open := &config.CORS{Origins: []string{"*"}, Methods: []string{"GET"}}
	preflight := map[string]string{"Access-Control-Request-Method": "PUT"}
	tests := []struct {
		name    string
		c       *config.CORS
		method  string
		origin  string
		request map[string]string
		calls   int64
		want    map[string]string
	}{
		{"a known origin may read", app, "GET", "https://app.example.com", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Allow-Credentials": "true", "Vary": "Origin",
		}},
		{"an unknown origin may not, whatever the upstream says", app, "GET", "https://evil.example", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "", "Vary": "Origin",
		}},
		{"a preflight never reaches the upstream", app, "OPTIONS", "https://app.example.com", preflight, 0, map[string]string{
			"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Allow-Methods": "GET, PUT",
			"Access-Control-Allow-Headers": "authorization", "Access-Control-Max-Age": "600",
		}},
		{"a preflight of an unknown origin grants nothing", app, "OPTIONS", "https://evil.example", preflight, 0, map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": "",
		}},
		{"an origin that only ends like a known one", app, "GET", "https://evil-app.example.com", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "",
		}},
		{"any origin, without credentials", open, "GET", "https://a.example", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "",
		}},
		{"no settings: the upstream's grant is removed", nil, "GET", "https://a.example", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "", "Vary": "",
		}},
		{"no settings: a preflight grants nothing", nil, "OPTIONS", "https://a.example", preflight, 0, map[string]string{
			"Access-Control-Allow-Origin": "",
		}},
		{"OPTIONS without an origin is an ordinary request", app, "OPTIONS", "", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := mt.NewUpstream(t, 200, "text/plain", "x")
			u.Header = http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"}}
			x := mt.Exchange(t, tt.method, "https://h/", nil)
			if tt.origin != "" {
				x.Request.Header.Set("Origin", tt.origin)
			}
			for k, v := range tt.request {
				x.Request.Header.Set(k, v)
			}
			res, _, err := mt.Run(t, New(tt.c), x, u.Handle)
			if err != nil {
				t.Fatal(err)
			}
			if u.Calls.Load() != tt.calls {
				t.Errorf("the upstream saw %d requests, want %d", u.Calls.Load(), tt.calls)
			}
			for k, want := range tt.want {
				if got := res.Header.Get(k); got != want {
					t.Errorf("%s: got %q, want %q", k, got, want)
				}
			}
		})
	}
}
