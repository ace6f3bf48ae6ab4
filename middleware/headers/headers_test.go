package headers

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		{"nobody is led around the gateway", nil, "1.3", http.Header{"Alt-Svc": {`h3=":9443"`}, "Alternate-Protocol": {"443:quic"}, "Public-Key-Pins": {`pin-sha256="x"`}}, map[string]string{
			"Alt-Svc": "", "Alternate-Protocol": "", "Public-Key-Pins": "",
		}},
		{"no proxy is told what to do", nil, "1.3", http.Header{
			"X-Accel-Redirect": {"/etc"}, "X-Sendfile": {"/etc"}, "X-Reproxy-Url": {"http://10.0.0.1"}, "X-Lighttpd-Send-File": {"/etc"},
			"Proxy-Authenticate": {"Basic"}, "Proxy-Status": {"inner"}, "Status": {"200 OK"},
		}, map[string]string{
			"X-Accel-Redirect": "", "X-Sendfile": "", "X-Reproxy-Url": "", "X-Lighttpd-Send-File": "", "Proxy-Authenticate": "", "Proxy-Status": "", "Status": "",
		}},
		{"what is the application's own stays", nil, "1.3", http.Header{
			"Set-Cookie": {"a=b"}, "X-Accelerator": {"on"}, "Refresh": {"5"}, "X-Runtime-Id": {"7"}, "Process": {"p"}, "X": {"x"}, "Content-Security-Policy": {"default-src 'none'"},
			"Cdn-Cache-Control": {"max-age=9"},
		}, map[string]string{
			"Set-Cookie": "a=b", "X-Accelerator": "on", "Refresh": "5", "X-Runtime-Id": "7", "Process": "p", "X": "x", "Content-Security-Policy": "default-src 'none'",
			"Cdn-Cache-Control": "max-age=9",
		}},
		{"no shared cache is told otherwise", authn, "1.3", http.Header{"Cdn-Cache-Control": {"public"}, "Cloudflare-Cdn-Cache-Control": {"public"}, "Surrogate-Control": {"max-age=9"}}, map[string]string{
			"Cache-Control": "private", "Cdn-Cache-Control": "", "Cloudflare-Cdn-Cache-Control": "", "Surrogate-Control": "",
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

// Trailers may not say what the head says: neither those that are announced nor
// those that are not.
func TestTrailers(t *testing.T) {
	u := mt.NewUpstream(t, 200, "text/plain", "x")
	var answer *http.Response
	next := func(x *middleware.Exchange) (*http.Response, error) {
		res, err := u.Handle(x)
		answer = res
		res.ContentLength = -1
		res.Trailer = http.Header{"X-Sum": nil, "Set-Cookie": nil}
		return res, err
	}
	res, err := New(nil).Handle(mt.Exchange(t, "GET", "https://h/", nil), next)
	if err != nil {
		t.Fatal(err)
	}
	if _, announced := res.Trailer["Set-Cookie"]; announced || len(res.Trailer) != 1 {
		t.Errorf("announced: %v", res.Trailer)
	}
	stay := http.Header{"X-Sum": {"7"}, "Grpc-Status": {"0"}, "Server-Timing": {"a"}, "Content-Digest": {"sha-256=:x:"}, "Etag": {`"x"`}}
	for k, v := range stay {
		answer.Trailer[k] = v
	}
	for _, name := range []string{
		"Content-Length", "Transfer-Encoding", "Trailer", "Content-Type", "Content-Encoding", "Host", "Connection", "Set-Cookie", "set-cookie",
		"Authorization", "Www-Authenticate", "Proxy-Authenticate", "Location", "Cache-Control", "Vary", "If-Match",
		"X-Request-Id", "Strict-Transport-Security", "X-Content-Type-Options", "Content-Security-Policy", "Access-Control-Allow-Origin",
		"Alt-Svc", "Server", "X-Accel-Redirect", "Cdn-Cache-Control", "X Y", "",
	} {
		answer.Trailer[name] = []string{"v"}
	}
	answer.Trailer["X-Split"] = []string{"a\r\nb"}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(stay, res.Trailer); d != "" {
		t.Errorf("trailers (-want +got):\n%s", d)
	}
}
