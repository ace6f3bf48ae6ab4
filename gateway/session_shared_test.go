package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

const sharedRoutes = `
upstreams: {api: {endpoints: ["{API}"]}}
store: {redis: {addresses: ["{REDIS}"]}}
routes:
  - {name: api, match: {path: /api/}, upstream: api, authn: {issuers: [auth]}, policy: off, session: {idle: 12s}}
`

// TestSessionsOfTwoGateways: what one knows of a session the other does, by a
// real Redis, and a Redis that is frozen stops neither.
func TestSessionsOfTwoGateways(t *testing.T) {
	t.Parallel() // it mostly waits
	redis := storetest.Start(t)
	a, b := open(t), open(t)
	b.issuer = a.issuer
	for _, w := range []*world{a, b} {
		w.vars["REDIS"], w.vars["ISSUER"] = redis.Addr, a.issuer.url
		newEndless(w)
		w.start(sharedRoutes, "")
	}
	now := time.Now().Truncate(time.Second)
	token := func(sid string, login time.Time) string {
		return "Authorization: Bearer " + a.issuer.token(a.issuer.kid, map[string]any{"sub": "e2", "sid": sid, "auth_time": login.Unix()})
	}
	ask := func(w *world, header string) (code, id string) {
		got := do(t, w.client(true), w.request("GET", "/api/?short", nil, header))
		if got.StatusCode != 200 {
			_, code, _ = strings.Cut(got.body, `"code":"`)
			code, _, _ = strings.Cut(code, `"`)
		}
		return code, got.Header.Get("X-Request-Id")
	}
	// want asks until Redis had a part in the answer: it is given milliseconds, and
	// without it a gateway goes by what it knows itself.
	want := func(what string, w *world, header, want string) {
		t.Helper()
		var code string
		eventually(t, what+": Redis has a part in the answer", func() bool {
			var id string
			code, id = ask(w, header)
			return w.exchange(id)["session_store"] != "local"
		})
		if code != want {
			t.Errorf("%s: %q, want %q", what, code, want)
		}
	}
	want("first, on one", a, token("s1", now), "")
	want("and the other", b, token("s1", now), "")
	for range 3 { // in all longer than it may be idle, on one of them
		time.Sleep(4500 * time.Millisecond)
		want("used on one", a, token("s1", now), "")
	}
	want("the other knows of it", b, token("s1", now), "")
	time.Sleep(13 * time.Second)
	want("dead on one", a, token("s1", now), "session_idle")
	want("dead on the other, refreshed or not", b, token("s1", now), "session_idle")
	login := time.Now()
	want("signed in anew on the other", b, token("s1", login), "")
	time.Sleep(1100 * time.Millisecond) // it asks again about what it has just refused
	want("so it lives on the first", a, token("s1", now), "")

	asked := a.g.Plan().redis.Asked()
	redis.Freeze()
	defer redis.Thaw()
	for n := range 50 {
		if code, _ := ask(a, token(fmt.Sprint("frozen", n), time.Now())); code != "" {
			t.Errorf("request %d while Redis is frozen: %s", n, code)
		}
	}
	if n := a.g.Plan().redis.Asked() - asked; n == 0 || n > 40 {
		t.Errorf("the frozen Redis was asked %d times for 50 requests", n)
	}
	eventually(t, "it is on record", func() bool {
		lines := a.log("exchange")
		return lines[len(lines)-1]["session_store"] == "local"
	})
}
