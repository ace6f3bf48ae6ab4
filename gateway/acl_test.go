package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// lists is a configuration with an acl on the listeners and one on a route.
const lists = `version: 1
listeners:
  public:
    address: 127.0.0.1:0
    tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}
    {ACL}
  plain: {address: "127.0.0.1:0", {ACL}}
admin: {address: "127.0.0.1:0"}
log: {output: access.log}
trusted_proxies: [127.0.0.1]
upstreams:
  hr: {endpoints: ["{HR}"]}
routes:
  - {name: wide, match: {path: /wide}, upstream: hr, public: true, policy: off, cors: {origins: ["https://app.example.com"]}}
  - {name: narrow, match: {path: /narrow}, upstream: hr, public: true, policy: off, acl: {allow: [192.0.2.7]}}
`

// Whoever is not served gets the same answer for everything: a route, none, a
// path that is refused, a preflight.
func TestACL(t *testing.T) {
	w := open(t)
	var asked atomic.Int64
	w.backend("HR", func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	w.vars["ACL"] = `acl: {allow: [192.0.2.0/24, "2001:db8::/32"], deny: [192.0.2.66]}`
	w.start(lists, "")
	preflight := [][2]string{{"Origin", "https://app.example.com"}, {"Access-Control-Request-Method", "GET"}}
	n := 0
	for _, p := range []proto{plainH1, tlsH1, tlsH2} {
		for _, tt := range []struct {
			method, target, client, want string
			more                         [][2]string
		}{
			{"GET", "/wide", "192.0.2.1", "200 ", nil},
			{"GET", "/wide", "::ffff:192.0.2.1", "200 ", nil},
			{"GET", "/wide", "::ffff:c000:201%eth0", "200 ", nil},
			{"GET", "/wide", "[2001:db8::1]:99", "200 ", nil},
			{"GET", "/wide", "192.0.2.66", "403 address_blocked", nil},
			{"GET", "/wide", "::ffff:192.0.2.66", "403 address_blocked", nil},
			{"GET", "/wide", "203.0.113.1", "403 address_blocked", nil},
			{"GET", "/wide", "192.0.2.1, 203.0.113.1", "403 address_blocked", nil},
			{"GET", "/wide", "192.0.2.1, unknown", "403 address_blocked", nil},
			{"GET", "/wide", "0300.0.2.1", "403 address_blocked", nil},
			{"GET", "/wide", "::192.0.2.1", "403 address_blocked", nil},
			{"OPTIONS", "/wide", "192.0.2.1", "204 ", preflight},
			{"OPTIONS", "/wide", "203.0.113.1", "403 address_blocked", preflight},
			{"GET", "/nowhere", "192.0.2.1", "404 route_unknown", nil},
			{"GET", "/nowhere", "203.0.113.1", "403 address_blocked", nil},
			{"GET", "/a/../b", "203.0.113.1", "403 address_blocked", nil},
			{"GET", "/narrow", "192.0.2.7", "200 ", nil},
			{"GET", "/narrow", "192.0.2.8", "403 address_blocked", nil},
			{"OPTIONS", "/narrow", "192.0.2.8", "403 address_blocked", preflight},
		} {
			before := asked.Load()
			o := w.ask(p, raw{method: tt.method, target: tt.target, headers: append([][2]string{{"X-Forwarded-For", tt.client}}, tt.more...)})
			n++
			if o.String() != tt.want {
				t.Errorf("%s: %s %s from %s: %s, want %s", p, tt.method, tt.target, tt.client, o, tt.want)
			}
			if reached := asked.Load() - before; (reached == 1) != (o.status == 200) {
				t.Errorf("%s: %s %s from %s: %d requests reached the backend", p, tt.method, tt.target, tt.client, reached)
			}
			if o.status == 403 && (o.header.Get("X-Request-Id") == "" || o.header.Get("X-Content-Type-Options") != "nosniff" || o.header.Get("Access-Control-Allow-Origin") != "") {
				t.Errorf("%s: the refusal has the headers %v", p, o.header)
			}
		}
	}
	told := map[string]int{}
	for _, l := range w.exchanges(n) {
		if l["code"] == "address_blocked" {
			told[fmt.Sprint(l["refused_by"], " ", l["acl"])]++
		}
	}
	for _, want := range []string{"acl listener: allow", "acl listener: deny", "acl listener: the address is not known", "acl route: allow"} {
		if told[want] == 0 {
			t.Errorf("no record says %q: %v", want, told)
		}
	}
}

// The lists follow a reload, while requests come in: none gets another answer
// than that of the lists before or after, and the route without a change always
// the same one.
func TestACLReloadsUnderLoad(t *testing.T) {
	w := open(t)
	w.backend("HR", func(http.ResponseWriter, *http.Request) {})
	open := `acl: {deny: [198.51.100.0/24]}`
	shut := `acl: {deny: [198.51.100.0/24, 192.0.2.1]}`
	w.vars["ACL"] = open
	w.start(lists, "")
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var answers [2]atomic.Int64
	for range 4 {
		c := w.client(false)
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ask := func(path, client string) int {
					return do(t, c, w.request("GET", path, nil, "X-Forwarded-For: "+client)).StatusCode
				}
				switch status := ask("/wide", "192.0.2.1"); status {
				case 200:
					answers[0].Add(1)
				case 403:
					answers[1].Add(1)
				default:
					t.Errorf("%d", status)
				}
				if status := ask("/narrow", "192.0.2.7"); status != 200 {
					t.Errorf("an address that both lists serve: %d", status)
				}
				if status := ask("/wide", "198.51.100.1"); status != 403 {
					t.Errorf("an address that both lists deny: %d", status)
				}
			}
		})
	}
	for i := range 10 {
		state := []string{shut, open}[i%2]
		before := answers[(i+1)%2].Load()
		w.write("gatehouse.yaml", strings.ReplaceAll(lists, "{ACL}", state))
		if err := w.reloader.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "an answer by the new lists", func() bool { return answers[(i+1)%2].Load() > before })
		// From now on there is no other.
		if want := []int{403, 200}[i%2]; do(t, w.client(false), w.request("GET", "/wide", nil, "X-Forwarded-For: 192.0.2.1")).StatusCode != want {
			t.Errorf("not %d after the reload", want)
		}
	}
	close(stop)
	wg.Wait()
}
