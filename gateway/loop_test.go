package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// heard is the preamble with its plain listener at an address, and more settings
// of that.
func heard(address, more string) string {
	return strings.Replace(preamble, `plain: {address: "127.0.0.1:0"}`, fmt.Sprintf("plain: {address: %q%s}", address, more), 1)
}

// nobody is where nobody listens.
const nobody = "127.0.0.1:1"

// leads makes an upstream lead to an address, which is known once somebody listens.
func (w *world) leads(upstream, to, settings string) {
	w.t.Helper()
	w.vars[upstream] = to
	w.write("gatehouse.yaml", settings)
	if err := w.reloader.Reload(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// wentRound verifies that of the exchanges on record, n in all, so many were refused for
// the loop, and that the others had that answer from their backend.
func (w *world) wentRound(n, refused int) {
	w.t.Helper()
	got := 0
	for _, line := range w.exchanges(n) {
		if line["status"] != 508.0 {
			w.t.Errorf("on record: %v", line)
		}
		if line["code"] == "loop_detected" && line["refused_by"] == "router" {
			got++
		}
	}
	if got != refused {
		w.t.Errorf("%d were refused, want %d: %v", got, refused, w.log("exchange"))
	}
}

// A request that an upstream leads back to the gateway ends when it comes in for the
// second time, whatever it came by.
func TestLoop(t *testing.T) {
	const routes = `
  - {name: chat, match: {path: /chat}, upstream: hr, public: true, policy: off, upgrade: [websocket]}
  - {name: judged, match: {path: /judged}, upstream: hr, authn: {issuers: [auth]}, policy: off}
  - {name: cross, match: {path: /cross}, upstream: hr, public: true, policy: off, cors: {origins: ["https://app.example.com"]}}
`
	w := open(t)
	w.vars["HR"] = "http://" + nobody
	w.start(plain+routes, "")
	w.leads("HR", w.plain, preamble+plain+routes)
	name, value, _ := strings.Cut(w.as("u7", "staff"), ": ")
	served := 0
	for _, p := range []proto{plainH1, tlsH1, tlsH2} {
		for _, r := range []raw{
			{target: "/plain/1"},
			{target: "/plain/1", method: "POST", body: "hello"},
			{target: "/plain/1", method: "POST", body: strings.Repeat("x", 100<<10), noLength: true},
			{target: "/plain/1", headers: [][2]string{{"Via", "1.0 fred, 1.1 p.example.net"}}},
			{target: "/judged", headers: [][2]string{{name, value}}},
			{target: "/cross", headers: [][2]string{{"Origin", "https://app.example.com"}}},
		} {
			served += 2
			if o := w.ask(p, r); o.String() != "508 loop_detected" || o.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s: %v %v", p, r.target, o, o.header)
			}
			w.wentRound(served, served/2)
		}
	}
	for _, p := range []proto{plainH1, tlsH1} {
		served += 2
		_, res := w.ring(p, opening("/chat"))
		if b, _ := io.ReadAll(res.Body); res.StatusCode != 508 || !strings.Contains(string(b), `"loop_detected"`) {
			t.Errorf("%s: %s %s", p, res.Status, b)
		}
		w.wentRound(served, served/2)
	}
	if n := w.metric(`gatehouse_refusals_total{code="loop_detected",route="none",stage="router"}`); n != fmt.Sprint(served/2) {
		t.Errorf("counted: %s of %d", n, served/2)
	}
	// What the gateway answers itself goes nowhere.
	if o := w.ask(tlsH1, raw{target: "/cross", method: "OPTIONS", headers: [][2]string{{"Origin", "https://app.example.com"}, {"Access-Control-Request-Method", "GET"}}}); o.status != 204 {
		t.Errorf("a preflight: %v", o)
	}
	w.exchanges(served + 1)
}

// The same over HTTP/2 on both sides, where a call of gRPC is refused in its own words.
func TestLoopOfCalls(t *testing.T) {
	w := open(t)
	w.vars["CALLS"] = nobody
	settings := preamble + "policies: {path: rego, budget: 1m}\n" +
		strings.Replace(grpcRoutes, `endpoints: ["http://{CALLS}"], protocol: h2c`, `endpoints: ["https://{CALLS}"], protocol: http2, ca: certs/ca.pem, server_name: localhost`, 1)
	w.start(settings, grpcPolicy)
	w.leads("CALLS", w.at["public"].String(), settings)
	s, err := w.grpc().NewStream(bounded(t), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Calls/Wait")
	if err != nil {
		t.Fatal(err)
	}
	_ = s.CloseSend()
	all, err := rest(s)
	if st := status.Convert(err); !strings.HasPrefix(st.Message(), "loop_detected: ") || len(all) > 0 {
		t.Errorf("got %q, %v", all, err)
	}
	lines := w.exchanges(2)
	if codes := fmt.Sprint(lines[0]["code"], " ", lines[1]["code"]); codes != "loop_detected <nil>" {
		t.Errorf("on record: %s", codes)
	}
	if o := w.ask(tlsH2, raw{method: "POST", target: "/test.Calls/Wait", body: "x"}); o.String() != "508 loop_detected" {
		t.Errorf("no call: %v", o)
	}
	w.exchanges(4)
}

// Two gateways that lead to each other end it where it came in, and one that hides the
// other's mark ends it itself.
func TestLoopThroughAnother(t *testing.T) {
	for name, tt := range map[string]struct {
		settings     string // of the second one
		first, other int    // how often they were asked
	}{
		"both say who they are": {"", 2, 1},
		"one hides the other":   {"identity_headers: [Via]\n", 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := open(t), open(t)
			b.vars["HR"] = "http://" + nobody
			b.start(tt.settings+plain, "")
			a.vars["HR"] = b.plain
			a.start(plain, "")
			b.leads("HR", a.plain, preamble+tt.settings+plain)
			for i, p := range []proto{plainH1, tlsH1, tlsH2} {
				if o := a.ask(p, raw{target: "/plain/1"}); o.String() != "508 loop_detected" {
					t.Errorf("%s: %v", p, o)
				}
				n, here := i+1, 0 // here it was refused, and not there
				if tt.first > tt.other {
					here = n
				}
				a.wentRound(n*tt.first, here)
				b.wentRound(n*tt.other, n-here)
			}
		})
	}
}

// Where somebody on the way takes Via away, which no proxy may, the bounds on how many
// there may be at once end it.
func TestLoopWithoutVia(t *testing.T) {
	for name, tt := range map[string]struct{ listener, settings string }{
		"connections":          {", connections: {total: 40}", plain},
		"requests":             {"", "overload: {in_flight: 40}\n" + plain},
		"requests of a route":  {"", plain + "    limits: {in_flight: 40}\n"},
		"requests of upstream": {"", strings.Replace(plain, "{endpoints:", "{concurrency: {max: 40}, endpoints:", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.vars["HR"] = "http://" + nobody
			settings := heard("127.0.0.1:0", tt.listener) + tt.settings
			w.start(settings, "")
			w.leads("HR", forgetful(t, strings.TrimPrefix(w.plain, "http://")), settings)
			if o := w.ask(plainH1, raw{target: "/plain/1"}); o.err != nil || o.status != 502 && o.status != 503 {
				t.Errorf("got %v", o)
			}
			eventually(t, "no request runs", func() bool { return w.metric("gatehouse_requests_in_flight") == "0" })
			eventually(t, "others are served", func() bool { return w.ask(tlsH1, raw{target: "/nowhere"}).status == 404 })
			n := 0
			eventually(t, "what went round is on record", func() bool { n = len(w.log("exchange")); return n >= 20 })
			if n > 60 {
				t.Errorf("it went round %d times", n)
			}
		})
	}
}

// forgetful is a proxy before an address that sends no Via.
func forgetful(t *testing.T, at string) string {
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	s := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: at})
			r.Out.Header.Del("Via")
		},
		Transport: transport,
	})
	t.Cleanup(func() { s.Close(); transport.CloseIdleConnections() })
	return s.URL
}

// Backends are told how the request came here, behind what was said before, once,
// however often it is sent, over both protocols; policies are shown what was said
// before and no more, and a reload changes no mark.
func TestVia(t *testing.T) {
	for _, protocol := range []string{"http1", "h2c"} {
		t.Run(protocol, func(t *testing.T) {
			w := open(t)
			seen := make(chan []string, 10)
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/healthz" {
					if v := r.Header["Via"]; v != nil {
						t.Errorf("a check of the gateway's own has %q", v)
					}
					return
				}
				seen <- r.Header["Via"]
				if len(seen) == 1 {
					rw.WriteHeader(http.StatusServiceUnavailable)
				}
			}))
			s.Config.Protocols = &http.Protocols{}
			s.Config.Protocols.SetUnencryptedHTTP2(protocol == "h2c")
			s.Config.Protocols.SetHTTP1(protocol == "http1")
			s.Start()
			t.Cleanup(s.Close)
			w.vars["HR"] = s.URL
			const policy = "policies: {path: rego, budget: 1m, headers: [Via]}\n"
			settings := policy + strings.NewReplacer("{endpoints:", "{protocol: "+protocol+", health: {path: /healthz}, retries: {attempts: 2, pause: 1ms, budget: 1}, endpoints:", `"off"`, `"on"`).Replace(plain)
			w.start(settings, `allow if object.get(input.context.headers, "via", []) in {[], ["1.0 fred"], ["1.0 fred, 1.1 b"]}`+"\n")
			mark := w.g.mark.name
			check := func(p proto, want []string, o outcome) {
				t.Helper()
				if o.err != nil || o.status != 200 || len(seen) != 2 {
					t.Fatalf("%s: %v, sent %d times", p, o, len(seen))
				}
				for range 2 {
					if got := <-seen; strings.Join(got, ", ") != strings.Join(want, ", ") { // lines are one list
						t.Errorf("%s: got %q, want %q", p, got, want)
					}
				}
			}
			for p, version := range map[proto]string{plainH1: "1.1 ", tlsH1: "1.1 ", tlsH2: "2 "} {
				check(p, []string{version + mark}, w.ask(p, raw{target: "/plain/1"}))
				check(p, []string{"1.0 fred", version + mark}, w.ask(p, raw{target: "/plain/1", headers: [][2]string{{"Via", "1.0 fred"}}}))
				check(p, []string{version + mark}, w.ask(p, raw{target: "/plain/1", headers: [][2]string{{"X-Via", "1.0 fred"}, {"Via_", "x"}}}))
			}
			c := w.dial()
			c.send("GET /plain/1 HTTP/1.0\nHost: localhost\nVia: 1.0 fred, 1.1 b\n\n")
			a := c.receive("GET")
			check("HTTP/1.0", []string{"1.0 fred, 1.1 b", "1.0 " + mark}, outcome{status: a.StatusCode})
			if err := w.reloader.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			check(plainH1, []string{"1.1 " + mark}, w.ask(plainH1, raw{target: "/plain/1"}))
		})
	}
}

// A request with the gateway's own mark is refused before anybody asks who sends it,
// and for whom; with anything like it, it is served.
func TestOwnMark(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(plain+`  - {name: judged, match: {path: /judged}, upstream: hr, authn: {issuers: [auth]}, policy: off}
  - {name: cross, match: {path: /cross}, upstream: hr, public: true, policy: off, cors: {origins: ["https://app.example.com"]}}
`, "")
	mark := w.g.mark.name
	for _, p := range []proto{plainH1, tlsH1, tlsH2} {
		for _, tt := range []struct {
			r    raw
			want string
		}{
			{raw{target: "/plain/1", headers: [][2]string{{"Via", "1.1 " + mark}}}, "508 loop_detected"},
			{raw{target: "/plain/1", headers: [][2]string{{"via", "1.1 a"}, {"VIA", "1.1 b,2 " + mark + " (c)"}}}, "508 loop_detected"},
			{raw{target: "/judged", headers: [][2]string{{"Via", "1.1 " + mark}}}, "508 loop_detected"},
			{raw{target: "/nowhere", headers: [][2]string{{"Via", "1.1 " + mark}}}, "508 loop_detected"},
			{raw{target: "/cross", method: "OPTIONS", headers: [][2]string{{"Via", "1.1 " + mark}, {"Origin", "https://app.example.com"}, {"Access-Control-Request-Method", "GET"}}}, "508 loop_detected"},
			{raw{target: "/plain/1", headers: [][2]string{{"Via", "1.1 " + mark + "x, 1.1 x" + mark}}}, "200 "},
			{raw{target: "/plain/1", headers: [][2]string{{"X-Via", "1.1 " + mark}}}, "200 "},
			{raw{target: "/plain/1", headers: [][2]string{{"Via", "1.1 " + newMark().name}}}, "200 "},
			{raw{target: "/judged", headers: [][2]string{{"Via", "1.1 a"}}}, "401 token_missing"},
		} {
			if o := w.ask(p, tt.r); o.String() != tt.want {
				t.Errorf("%s %v: got %v, want %s", p, tt.r, o, tt.want)
			}
		}
	}
	o := w.ask(plainH1, raw{target: "/plain/1", headers: [][2]string{{"Connection", "Via"}, {"Via", "1.1 " + mark}}})
	if o.String() != "508 loop_detected" || strings.Contains(fmt.Sprint(o.header, o.body), mark) {
		t.Errorf("hidden by Connection: %v %s", o, o.body)
	}
	if slices.ContainsFunc(w.log("exchange"), func(line map[string]any) bool { return strings.Contains(fmt.Sprint(line), mark) }) {
		t.Error("the mark is on record")
	}
}
