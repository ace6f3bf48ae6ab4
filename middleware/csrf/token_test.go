package csrf_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/csrf"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

const (
	secret = "0123456789abcdef0123456789abcdef"
	cookie = "__Host-csrf"
	header = "X-CSRF-Token"
)

func settings(secret config.Secret) config.CSRFToken {
	return config.CSRFToken{Secret: secret, Cookie: cookie, Header: header}
}

// carried gives the stage of a route on which a cookie may carry the token.
func carried(mode string, c config.CSRFToken) middleware.Stage {
	return csrf.New(&config.Route{CSRF: config.CSRF{Mode: mode}, Authn: &config.Authn{Cookie: "__Host-session"}}, c)
}

// visit is a request whose token a cookie carried, unless byHeader is set.
type visit struct {
	method   string
	sid      string
	byHeader bool
	cookies  string   // the Cookie header
	values   []string // of X-CSRF-Token
	other    [2]string
}

// visited is what became of a visit.
type visited struct {
	code  string   // of the refusal, "" where the request passed
	given string   // the value that a cookie set
	told  string   // the value in the header of the answer
	set   []string // Set-Cookie as it was sent
	x     *middleware.Exchange
}

func (v visit) to(t testing.TB, s middleware.Stage) visited {
	t.Helper()
	if v.sid == "" {
		v.sid = "s1"
	}
	x := middlewaretest.Exchange(t, v.method, "https://api.example.com/api/employees/7", nil,
		middlewaretest.Subject(&policies.Subject{ID: "u7", Issuer: "auth", Claims: map[string]any{"sid": v.sid}}))
	x.ByCookie, x.IssuedAt = !v.byHeader, time.Now()
	if v.cookies != "" {
		x.Request.Header.Set("Cookie", v.cookies)
	}
	if v.values != nil {
		x.Request.Header["X-Csrf-Token"] = v.values
	}
	if v.other[0] != "" {
		x.Request.Header.Set(v.other[0], v.other[1])
	}
	up := middlewaretest.NewUpstream(t, 200, "text/plain", "done")
	up.Header.Set("Set-Cookie", "theirs=1")
	res, _, err := middlewaretest.Run(t, s, x, up.Handle)
	if reached := up.Calls.Load() == 1; reached != (err == nil) {
		t.Errorf("upstream reached: %t, %v", reached, err)
	}
	out, h := visited{code: middlewaretest.Code(err), x: x}, http.Header{}
	if r, ok := err.(*middleware.Refusal); ok && r.Header != nil {
		h = r.Header
	} else if res != nil {
		h = res.Header
		if h.Values("Set-Cookie")[0] != "theirs=1" {
			t.Errorf("the upstream's own cookie is gone: %q", h)
		}
	}
	for _, line := range h.Values("Set-Cookie") {
		if v, ok := strings.CutPrefix(line, cookie+"="); ok {
			out.given, _, _ = strings.Cut(v, ";")
			out.set = append(out.set, line)
		}
	}
	out.told = h.Get(header)
	return out
}

// good gets a value for the session, as an application does.
func good(t testing.TB, s middleware.Stage, sid string) string {
	t.Helper()
	v := visit{method: "GET", sid: sid}.to(t, s)
	if v.code != "" || v.given == "" {
		t.Fatalf("no value on the first look: %+v", v)
	}
	return v.given
}

func TestDoubleSubmit(t *testing.T) {
	s := carried("auto", settings(secret))
	mine, again, other := good(t, s, "s1"), good(t, s, "s1"), good(t, s, "s2")
	elsewhere := good(t, carried("auto", settings("another secret of the same length")), "s1")
	if mine == again {
		t.Error("a value was given out twice")
	}
	changed := func(i int) string {
		b, err := base64.RawURLEncoding.DecodeString(mine)
		if err != nil {
			t.Fatal(err)
		}
		b[i] ^= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	holds := func(v string) string { return "a=1; " + cookie + "=" + v + "; b=2" }
	for _, c := range []struct {
		name    string
		visit   visit
		refused bool
		held    bool // the cookie was good, and no other is given out
	}{
		{"repeated", visit{method: "POST", cookies: holds(mine), values: []string{mine}}, false, true},
		{"repeated, an older value", visit{method: "DELETE", cookies: holds(again), values: []string{again}}, false, true},
		{"a look", visit{method: "GET", cookies: holds(mine)}, false, true},
		{"a look without anything", visit{method: "HEAD"}, false, false},
		{"an upgrade", visit{method: "GET", cookies: holds(mine), other: [2]string{"Upgrade", "websocket"}}, true, true},
		{"an upgrade, repeated", visit{method: "GET", cookies: holds(mine), values: []string{mine}, other: [2]string{"Upgrade", "websocket"}}, false, true},
		{"neither", visit{method: "POST"}, true, false},
		{"the cookie alone, as any site can make a browser send", visit{method: "POST", cookies: holds(mine)}, true, true},
		{"the header alone", visit{method: "POST", values: []string{mine}}, true, false},
		{"an empty header", visit{method: "POST", cookies: holds(mine), values: []string{""}}, true, true},
		{"both empty", visit{method: "POST", cookies: holds(""), values: []string{""}}, true, false},
		{"another good value", visit{method: "POST", cookies: holds(mine), values: []string{again}}, true, true},
		{"planted: the value of another session", visit{method: "POST", cookies: holds(other), values: []string{other}}, true, false},
		{"planted beside the right one", visit{method: "POST", cookies: cookie + "=" + other + "; " + holds(mine), values: []string{other}}, true, false},
		{"behind a right one", visit{method: "POST", cookies: holds(mine) + "; " + cookie + "=" + other, values: []string{mine}}, true, false},
		{"of another secret", visit{method: "POST", cookies: holds(elsewhere), values: []string{elsewhere}}, true, false},
		{"made up", visit{method: "POST", cookies: holds("x"), values: []string{"x"}}, true, false},
		{"made up, of the right length", visit{method: "POST", cookies: holds(strings.Repeat("A", 64)), values: []string{strings.Repeat("A", 64)}}, true, false},
		{"another nonce", visit{method: "POST", cookies: holds(changed(0)), values: []string{changed(0)}}, true, false},
		{"another MAC", visit{method: "POST", cookies: holds(changed(47)), values: []string{changed(47)}}, true, false},
		{"cut short", visit{method: "POST", cookies: holds(mine[:60]), values: []string{mine[:60]}}, true, false},
		{"the header twice", visit{method: "POST", cookies: holds(mine), values: []string{mine, mine}}, true, true},
		{"in quotes", visit{method: "POST", cookies: holds(`"` + mine + `"`), values: []string{mine}}, true, false},
		{"from another site", visit{method: "POST", cookies: holds(mine), values: []string{mine}, other: [2]string{"Sec-Fetch-Site", "cross-site"}}, true, true},
		{"not by cookie", visit{method: "POST", byHeader: true}, false, true},
		{"not by cookie, from anywhere", visit{method: "POST", byHeader: true, other: [2]string{"Sec-Fetch-Site", "cross-site"}}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := c.visit.to(t, s)
			want := ""
			if c.refused {
				want = string(middleware.CSRFFailed)
			}
			if v.code != want {
				t.Fatalf("%q, want %q", v.code, want)
			}
			if (v.given == "") != c.held {
				t.Errorf("given out: %q", v.given)
			}
			for _, line := range v.set {
				if line != cookie+"="+v.given+"; Path=/; Secure; SameSite=Lax" {
					t.Errorf("set as %q", line)
				}
			}
		})
	}
}

// A refusal says what to send, so that whoever may read it can try again.
func TestRecovers(t *testing.T) {
	s := carried("auto", settings(secret))
	first := visit{method: "POST", cookies: "a=1"}.to(t, s)
	if first.code != string(middleware.CSRFFailed) || first.told == "" || first.told != first.given {
		t.Fatalf("%+v", first)
	}
	held := cookie + "=" + first.given
	second := visit{method: "POST", cookies: held}.to(t, s) // a page that cannot read the cookie
	if second.code == "" || second.told != first.given || second.given != "" {
		t.Fatalf("%+v", second)
	}
	if v := (visit{method: "POST", cookies: held, values: []string{second.told}}).to(t, s); v.code != "" {
		t.Errorf("%+v", v)
	}
	// Another site is told nothing.
	far := visit{method: "POST", cookies: held, other: [2]string{"Sec-Fetch-Site", "cross-site"}}.to(t, s)
	if far.code == "" || far.told != "" || far.given != "" {
		t.Errorf("%+v", far)
	}
}

// The value belongs to the session, not to one of its tokens.
func TestStaysThroughRefresh(t *testing.T) {
	s := carried("auto", settings(secret))
	mine := good(t, s, "s1")
	for range 3 { // each visit is made with a token issued at that moment
		if v := (visit{method: "POST", cookies: cookie + "=" + mine, values: []string{mine}}).to(t, s); v.code != "" {
			t.Fatalf("%+v", v)
		}
	}
}

// Without a secret nothing is good, whoever made it.
func TestNoSecret(t *testing.T) {
	s := carried("auto", settings(""))
	mine := good(t, s, "s1")
	if v := (visit{method: "POST", cookies: cookie + "=" + mine, values: []string{mine}}).to(t, s); v.code != string(middleware.CSRFFailed) {
		t.Errorf("%+v", v)
	}
}

// Mode on asks everybody where they come from, and the value of those whose
// token a cookie carried.
func TestModeOn(t *testing.T) {
	s := carried("on", settings(secret))
	for _, c := range []struct {
		visit   visit
		refused bool
	}{
		{visit{method: "POST", byHeader: true}, false},
		{visit{method: "POST", byHeader: true, other: [2]string{"Sec-Fetch-Site", "cross-site"}}, true},
		{visit{method: "POST"}, true},
	} {
		if v := c.visit.to(t, s); (v.code != "") != c.refused {
			t.Errorf("%+v: %q", c.visit, v.code)
		}
	}
}

func TestDescribe(t *testing.T) {
	for mode, want := range map[string]string{
		"auto": "where a cookie carried the token: from same origin; X-CSRF-Token repeats the cookie __Host-csrf",
		"on":   "from same origin; where a cookie carried the token: X-CSRF-Token repeats the cookie __Host-csrf",
	} {
		if got := carried(mode, settings(secret)).(middleware.Describer).Describe(); got != want {
			t.Errorf("mode %s: %q", mode, got)
		}
	}
	if got := on(nil).(middleware.Describer).Describe(); got != "from same origin" {
		t.Errorf("without a cookie: %q", got)
	}
}

// The upstream sees neither the cookie nor the header, and every other cookie.
func TestHidden(t *testing.T) {
	for _, mode := range []string{"auto", "on"} {
		s := carried(mode, settings(secret))
		mine := good(t, s, "s1")
		for _, byHeader := range []bool{false, true} {
			v := visit{method: "POST", byHeader: byHeader, cookies: "a=1;b= 2 ; " + cookie + "=" + mine + ";c", values: []string{mine}}.to(t, s)
			h := v.x.Request.Header
			if v.code != "" || h.Get(header) != "" || h.Get("Cookie") != "a=1;b= 2 ;c" {
				t.Errorf("mode %s, by header %t: %q %v", mode, byHeader, v.code, h)
			}
		}
	}
}

// FuzzToken compares what passes with another calculation of what may.
func FuzzToken(f *testing.F) {
	s := carried("auto", settings(secret))
	mine := good(f, s, "s1")
	for _, v := range []string{mine, mine[:63], mine + "A", strings.ToLower(mine), good(f, s, "s2"), ""} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsAny(value, "\x00\r\n") {
			t.Skip("no header holds it")
		}
		v := visit{method: "POST", cookies: cookie + "=" + value, values: []string{value}}.to(t, s)
		if passed := v.code == ""; passed != genuine(v.x.Session(), value) {
			t.Errorf("%q passes: %t", value, passed)
		}
	})
}

// genuine reports whether a value is one for the session: 16 bytes of any kind
// and the MAC over the purpose, the session and them.
func genuine(session middleware.SessionID, value string) bool {
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(b) != 48 {
		return false
	}
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("gatehouse csrf 1\x00"))
	m.Write(session[:])
	m.Write(b[:16])
	return bytes.Equal(m.Sum(nil), b[16:])
}
