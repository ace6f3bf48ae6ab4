package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

func brokenIssuers() []broken {
	return []broken{
		{
			name: "issuer/down at start", prepare: func(w *world) { w.vars["ISSUER"] = "http://" + nobody },
			status: 503, code: "authentication_unavailable",
		},
		{
			name: "issuer/hangs on an unknown key",
			check: func(t *testing.T, w *world) {
				c := w.client(true)
				known := func() answer { return do(t, c, w.request("GET", "/api/employees/7", nil, w.as("e2", "staff"))) }
				if a := known(); a.StatusCode != 200 {
					t.Fatalf("%s %s", a.Status, a.body)
				}
				w.issuer.freeze(t)
				done := make(chan answer, 1)
				go func() {
					r := w.request("GET", "/api/employees/7", nil, "Authorization: Bearer "+w.issuer.token("k2", map[string]any{"sub": "e2", "role": "staff", "tenant": "acme"}))
					res, err := c.Do(r)
					if err != nil {
						done <- answer{&http.Response{Status: err.Error()}, "", err}
						return
					}
					defer res.Body.Close()
					b, err := io.ReadAll(res.Body)
					done <- answer{res, string(b), err}
				}()
				for waiting := true; waiting; {
					select {
					case a := <-done:
						refused(t, a, 401, "token_invalid")
						waiting = false
					default:
						if a := known(); a.StatusCode != 200 {
							t.Fatalf("who is known waits for a stranger: %s %s", a.Status, a.body)
						}
					}
				}
			},
		},
		{name: "store/closed", settings: limited("closed"), prepare: redis, check: killRedis(503, "overloaded")},
		{name: "store/local", settings: limited("local"), prepare: redis, check: killRedis(429, "rate_limited")},
		{name: "store/open", settings: limited("open"), prepare: redis, check: killRedis(200, "")},
	}
}

func limited(onStoreError string) string {
	return strings.Replace(one, "\nroutes:", "\nstore: {redis: {addresses: [\"{REDIS}\"]}}\nrate_limits: {few: {key: [subject.id], rate: 5/1h, on_store_error: "+onStoreError+"}}\nroutes:", 1) +
		"    rate_limits: [few]\n"
}

// redis starts a Redis server for a world.
func redis(w *world) {
	w.t.Helper()
	server := storetest.Start(w.t)
	w.kill, w.vars["REDIS"] = server.Kill, server.Addr
}

// killRedis uses the limit once, kills the server and then sends more requests
// than the limit admits. The last must end as told, and whatever was refused
// must not have reached the backend.
func killRedis(status int, code string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		c := w.client(false)
		subject, asked := "", 0
		ask := func() answer { return do(t, c, w.request("GET", "/api/employees/7", nil, w.as(subject, "staff"))) }
		// The time for a store is short: what a machine that is busy does not answer
		// within it is counted elsewhere, or refused, and says nothing.
		eventually(t, "a request is counted by the store", func() bool {
			asked++
			subject = fmt.Sprint("e", asked)
			a := ask()
			return w.exchanges(asked)[asked-1]["ratelimit_store"] == nil && a.StatusCode == 200
		})
		w.kill()
		var last answer
		admitted := 1
		for range 12 {
			if last = ask(); last.StatusCode == 200 {
				admitted++
			}
		}
		if code == "" {
			if admitted != 13 {
				t.Errorf("%d of 13 were admitted", admitted)
			}
			return
		}
		refused(t, last, status, code)
		if want := map[string]int{"overloaded": 1, "rate_limited": 6}[code]; admitted != want {
			t.Errorf("%d requests were admitted, want %d", admitted, want)
		}
	}
}
