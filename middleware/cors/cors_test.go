package cors

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// app lets one page in, with credentials.
func app() *config.CORS {
	return &config.CORS{
		Origins: []string{"https://app.example.com"}, Credentials: true, Methods: []string{"GET", "PUT"},
		Headers: []string{"authorization"}, ExposeHeaders: []string{"X-Request-Id"}, MaxAge: config.Duration(10 * time.Minute),
	}
}

func TestHandle(t *testing.T) {
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
		{"a known origin may read", app(), "GET", "https://app.example.com", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Allow-Credentials": "true", "Vary": "Origin",
		}},
		{"an unknown origin may not, whatever the upstream says", app(), "GET", "https://evil.example", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "", "Vary": "Origin",
		}},
		{"a preflight never reaches the upstream", app(), "OPTIONS", "https://app.example.com", preflight, 0, map[string]string{
			"Access-Control-Allow-Origin": "https://app.example.com", "Access-Control-Allow-Methods": "GET, PUT",
			"Access-Control-Allow-Headers": "authorization", "Access-Control-Max-Age": "600",
		}},
		{"a preflight of an unknown origin grants nothing", app(), "OPTIONS", "https://evil.example", preflight, 0, map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": "",
		}},
		{"an origin that only ends like a known one", app(), "GET", "https://evil-app.example.com", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "",
		}},
		{"any origin, without credentials", open, "GET", "https://a.example", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "",
		}},
		{"no settings: the upstream's grant is removed", nil, "GET", "https://a.example", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "", "Vary": "",
		}},
		{"any origin, one without a name", open, "GET", "null", nil, 1, map[string]string{"Access-Control-Allow-Origin": "*"}},
		{"nobody asks", app(), "GET", "", nil, 1, map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Expose-Headers": "", "Vary": "Origin"}},
		{"no settings: a preflight grants nothing", nil, "OPTIONS", "https://a.example", preflight, 0, map[string]string{
			"Access-Control-Allow-Origin": "",
		}},
		{"OPTIONS without an origin is an ordinary request", app(), "OPTIONS", "", nil, 1, map[string]string{
			"Access-Control-Allow-Origin": "",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := mt.NewUpstream(t, 200, "text/plain", "x")
			u.Header = http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"}, "Timing-Allow-Origin": {"*"}}
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
			if h := res.Header.Values("Timing-Allow-Origin"); len(h) > 0 {
				t.Errorf("the upstream tells others how long it took: %q", h)
			}
			for k, want := range tt.want {
				if got := res.Header.Get(k); got != want {
					t.Errorf("%s: got %q, want %q", k, got, want)
				}
			}
		})
	}
}

// An origin is let in byte for byte or not at all.
func TestOriginsAreExact(t *testing.T) {
	const known = "https://app.example.com"
	for _, values := range [][]string{
		{"https://app.example.com.evil.test"},
		{"https://evilapp.example.com"},
		{"https://evil.app.example.com"},
		{"https://app.example.com.evil.test:443"},
		{"https://app.example.com:8443"},
		{"https://app.example.com:443"},
		{"https://app.example.com:"},
		{"https://app.example.com/"},
		{"https://app.example.com."},
		{"https://APP.example.com"},
		{"HTTPS://app.example.com"},
		{"http://app.example.com"},
		{"https://app.example.com@evil.test"},
		{"https://evil.test#https://app.example.com"},
		{"https://app.example.com%60.evil.test"},
		{"https://app_example.com"},
		{"https://appXexample.com"},
		{" https://app.example.com"},
		{"https://app.example.com https://evil.test"},
		{"https://app.example.com, https://evil.test"},
		{"app.example.com"},
		{"null"},
		{"NULL"},
		{"*"},
		{""},
		{known, known},
		{known, "https://evil.test"},
		{"https://evil.test", known},
	} {
		for _, method := range []string{"GET", "OPTIONS"} {
			u := mt.NewUpstream(t, 200, "", "")
			x := mt.Exchange(t, method, "https://h/", nil)
			x.Request.Header["Origin"] = values
			if method == "OPTIONS" {
				x.Request.Header.Set("Access-Control-Request-Method", "PUT")
			}
			res, _, err := mt.Run(t, New(app()), x, u.Handle)
			if err != nil {
				t.Fatal(err)
			}
			for name := range res.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s of %q: %s: %s", method, values, name, res.Header.Get(name))
				}
			}
			if !strings.Contains(res.Header.Get("Vary"), "Origin") {
				t.Errorf("%s of %q: Vary: %q", method, values, res.Header.Get("Vary"))
			}
		}
	}
}

// What the configuration refuses opens nothing here either.
func TestSettingsThatCannotBe(t *testing.T) {
	for _, c := range []*config.CORS{
		{Origins: []string{"*"}, Credentials: true, Methods: []string{"GET"}},
		{Origins: []string{"null"}, Credentials: true, Methods: []string{"GET"}},
		{},
	} {
		for _, origin := range []string{"https://evil.test", "null", "*"} {
			x := mt.Exchange(t, "GET", "https://h/", nil, mt.Header("Origin", origin))
			res, _, err := mt.Run(t, New(c), x, mt.NewUpstream(t, 200, "", "").Handle)
			if err != nil || res.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%+v lets %s in: %v, %v", c, origin, res.Header, err)
			}
		}
	}
}

// A preflight says what is configured, whatever it was asked.
func TestPreflightSaysWhatIsConfigured(t *testing.T) {
	for _, asked := range []map[string]string{
		{"Access-Control-Request-Method": "DELETE"},
		{"Access-Control-Request-Method": "*", "Access-Control-Request-Headers": "*"},
		{"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-role, authorization"},
		{"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": strings.Repeat(",", 1<<20)},
		{"Access-Control-Request-Method": "PUT", "Access-Control-Request-Private-Network": "true"},
		{"Access-Control-Request-Method": "PUT", "Access-Control-Request-Local-Network": "true"},
	} {
		x := mt.Exchange(t, "OPTIONS", "https://h/", nil, mt.Header("Origin", "https://app.example.com"))
		for k, v := range asked {
			x.Request.Header.Set(k, v)
		}
		res, body, err := mt.Run(t, New(app()), x, nil)
		if err != nil || res.StatusCode != 204 || body != "" {
			t.Fatalf("%v %v %q", err, res, body)
		}
		want := http.Header{
			"Access-Control-Allow-Origin": {"https://app.example.com"}, "Access-Control-Allow-Credentials": {"true"},
			"Access-Control-Allow-Methods": {"GET, PUT"}, "Access-Control-Allow-Headers": {"authorization"}, "Access-Control-Max-Age": {"600"},
			"Vary": {"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"},
		}
		if diff := cmp.Diff(want, res.Header); diff != "" {
			t.Errorf("asked %.60v: %s", asked, diff)
		}
	}
}

// A preflight costs the same however much it asks for.
func TestPreflightIsCheap(t *testing.T) {
	s := New(app())
	cost := func(asked string) float64 {
		x := mt.Exchange(t, "OPTIONS", "https://h/", nil, mt.Header("Origin", "https://app.example.com"), mt.Header("Access-Control-Request-Method", "PUT"))
		x.Request.Header.Set("Access-Control-Request-Headers", asked)
		return testing.AllocsPerRun(20, func() {
			if _, err := s.Handle(x, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := cost("a"), cost(strings.Repeat(",", 1<<20)); many != few {
		t.Errorf("%v allocations for one name, %v for a million", few, many)
	}
}

// A cache must not keep 0s as "the browser's own idea".
func TestMaxAgeZero(t *testing.T) {
	c := app()
	c.MaxAge = 0
	x := mt.Exchange(t, "OPTIONS", "https://h/", nil, mt.Header("Origin", "https://app.example.com"), mt.Header("Access-Control-Request-Method", "PUT"))
	res, _, err := mt.Run(t, New(c), x, nil)
	if err != nil || res.Header.Get("Access-Control-Max-Age") != "0" {
		t.Errorf("%v %v", res, err)
	}
}

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		c    *config.CORS
		want string
	}{
		{nil, "no other origin"},
		{app(), "https://app.example.com, GET, PUT, with credentials"},
	} {
		if got := New(c.c).(middleware.Describer).Describe(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
