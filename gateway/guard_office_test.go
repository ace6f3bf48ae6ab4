package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// passwords is a backend where people sign in: the right password is their name.
func passwords(w http.ResponseWriter, r *http.Request) {
	var in struct{ Username, Password string }
	switch {
	case r.URL.Path != "/login":
	case json.NewDecoder(r.Body).Decode(&in) != nil:
		w.WriteHeader(http.StatusBadRequest)
	case in.Username != in.Password:
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// person is somebody in an office, with a connection of their own.
type person struct {
	w      *world
	client *http.Client
	name   string
	token  string
}

func (w *world) person(name string) *person {
	return &person{w, w.client(false), name, w.as(name, "staff")}
}

// login signs in, and gives the status with the code of a refusal.
func (p *person) login(password string) string {
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, p.name, password)
	return p.ask(http.MethodPost, "/login", body, "Content-Type: application/json")
}

func (p *person) work() string { return p.ask(http.MethodGet, "/api/", "", p.token) }

func (p *person) ask(method, path, body string, headers ...string) string {
	p.w.t.Helper()
	a := do(p.w.t, p.client, p.w.request(method, p.w.base+path, strings.NewReader(body), headers...))
	var problem struct{ Code string }
	_ = json.Unmarshal([]byte(a.body), &problem) // what the backend says is something else
	return strings.TrimSpace(fmt.Sprint(a.StatusCode, " ", problem.Code))
}

// An office of two hundred shares one address. Somebody there tries one password
// after the other, and a few mistype: nobody else is blocked, and neither is the
// work of whoever tries.
func TestOffice(t *testing.T) {
	w := open(t)
	w.backend("HR", passwords)
	w.start(`
upstreams: {hr: {endpoints: ["{HR}"]}}
guard:
  auth_failures: {}
  credential_stuffing: {mode: enforce}
  token_failures: {mode: enforce}
  api_abuse: {mode: enforce}
routes:
  - {name: login, match: {path: /login}, upstream: hr, login: true, public: true, policy: off}
  - {name: api, match: {path: /api/}, upstream: hr, authn: {issuers: [auth]}, policy: off}
`, "")
	office := make([]*person, 200)
	for i := range office {
		office[i] = w.person(fmt.Sprintf("person-%d", i))
	}
	var wg sync.WaitGroup
	for i, p := range office[1:] {
		wg.Go(func() {
			if i%100 == 0 { // two of them
				if got := p.login("mistyped"); got != "401" {
					t.Errorf("%s mistypes: %s", p.name, got)
				}
			}
			for range 2 {
				if got := p.login(p.name); got != "200" {
					t.Errorf("%s signs in: %s", p.name, got)
				}
				if got := p.work(); got != "200" {
					t.Errorf("%s works: %s", p.name, got)
				}
			}
		})
	}
	tries := map[string]int{}
	for range 50 {
		tries[office[0].login("guess")]++
	}
	wg.Wait()
	if tries["401"] != 5 || tries["403 address_blocked"] != 45 {
		t.Errorf("who tries gets %v", tries)
	}
	if got := office[0].login(office[0].name); got != "403 address_blocked" {
		t.Errorf("with the right password: %s", got)
	}
	if got := office[0].work(); got != "200" {
		t.Errorf("with a token from before: %s", got)
	}
	list, err := w.g.Orders()
	if err != nil || len(list) != 1 || list[0].User == "" || list[0].Address != netip.MustParsePrefix("127.0.0.1/32") {
		t.Errorf("the orders are %+v %v", list, err)
	}
	for _, line := range w.log("exchange") {
		if fmt.Sprint(line["path"]) == "/login" && strings.Contains(fmt.Sprint(line), "person-") {
			t.Fatalf("a username is on record: %v", line)
		}
	}
}
