package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// login signs in with a wrong password, and gives the status with the code of a
// refusal.
func (r *replica) login(user string) string {
	r.t.Helper()
	q := r.request("/login", "")
	q.Method = http.MethodPost
	q.Header.Del("Authorization")
	q.Header.Set("Content-Type", "application/json")
	q.Body = io.NopCloser(strings.NewReader(`{"username":"` + user + `","password":"hunter2"}`))
	return r.ask(q)
}

func (r *replica) ask(q *http.Request) string {
	r.t.Helper()
	res, err := r.client.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var problem struct {
		Code string `json:"code"`
	}
	_ = json.NewDecoder(res.Body).Decode(&problem) // what backends say is something else
	return strings.TrimSpace(strconv.Itoa(res.StatusCode) + " " + problem.Code)
}

// A block of a detector on one replica holds on the other, on a username as well as
// of a subject; over a restart of both, and though Redis forgets. Detectors of each
// replica count for themselves.
func TestFoundOnEveryReplica(t *testing.T) {
	redis, signer := storetest.Start(t), newSigner(t)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/login":
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(r.URL.Path, "/api/gone/"):
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(backend.Close)
	settings := `
upstreams:
  hr: {endpoints: ["` + backend.URL + `"]}
store: {redis: {addresses: ["` + redis.Addr + `"]}, folder: state}
timeouts: {drain: 1s}
guard:
  auth_failures: {threshold: 3, distinct: 50}
  api_abuse: {threshold: 3, mode: enforce}
routes:
  - {name: login, match: {path: /login}, upstream: hr, login: true, public: true, policy: off}
  - {name: api, match: {path: /api/}, upstream: hr, authn: {issuers: [auth]}, policy: off}
`
	one, two := newReplica(t, signer, settings), newReplica(t, signer, settings)
	const blocked, subject = "403 address_blocked", "403 subject_blocked"
	for range 3 {
		if got := one.login("ann"); got != "401" {
			t.Fatalf("a failed login: %s", got)
		}
	}
	if got := one.login("ann"); got != blocked {
		t.Errorf("where it was found: %s", got)
	}
	eventually(t, "the other replica knows the username", func() bool { return two.login(" ANN") == blocked })
	token, other := signer.token("s1"), signer.token("s2")
	for range 3 {
		if got := two.ask(two.request("/api/gone/7", token)); got != "404" {
			t.Fatalf("something that is not there: %s", got)
		}
	}
	eventually(t, "the other replica knows the subject", func() bool { return one.get(token) == subject })
	both := func(when string) {
		t.Helper()
		for name, r := range map[string]*replica{"first": one, "second": two} {
			if got := r.login("ann"); got != blocked {
				t.Errorf("%s, the username on the %s: %s", when, name, got)
			}
			if got := r.get(other); got != subject {
				t.Errorf("%s, another token of the subject on the %s: %s", when, name, got)
			}
		}
		if got := two.login("not ann " + when); got != "401" {
			t.Errorf("%s, another username: %s", when, got)
		}
	}
	both("at first")

	redis.Kill()
	both("without Redis")
	redis.Start() // with nothing in it
	eventually(t, "Redis is told again", func() bool { return redis.Client().XLen(t.Context(), "gatehouse:orders").Val() >= 2 })
	both("after Redis forgot")

	redis.Kill()
	one.restart()
	two.restart()
	redis.Start()
	both("after restarts")
}
