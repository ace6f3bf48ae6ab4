package gateway

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// A bare semicolon is let in only where no policy compares names, or where the
// route says that it is one.
func TestSemicolons(t *testing.T) {
	w := open(t)
	w.backend("HR", echo("A"))
	w.start(`upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: judged, match: {path: /judged/}, upstream: hr, public: true, policy: "on"}
  - {name: matrix, match: {path: /matrix/, semicolons: true}, upstream: hr, public: true, policy: "on"}
  - {name: open, match: {path: /open/}, upstream: hr, public: true, policy: "off"}
`, "allow if true\n")
	for _, p := range []proto{plainH1, tlsH1, tlsH2} {
		for target, want := range map[string]int{
			"/judged/a;b": 400, "/judged/a;/b": 400, "/judged/;": 400, "/judged/a%3Bb": 200, "/judged/a?b;c": 400, "/judged/ab": 200,
			"/matrix/a;b": 200, "/matrix/a;v=1/b": 200, "/open/a;b": 200,
		} {
			if o := w.ask(p, raw{target: target}); o.status != want || want == 400 && o.code() != "path_invalid" {
				t.Errorf("%s over %s: %v, want %d", target, p, o, want)
			}
		}
	}
}

// A header in which pages are to repeat a value must get in, or no change by
// cookie ever would. What the door takes away it says itself.
func TestCSRFHeaderMustGetIn(t *testing.T) {
	for header, ok := range map[string]bool{
		"X-CSRF-Token": true, "X-Page": true,
		"X-Real-IP": false, "x-request-id": false, "Forwarded": false, "X-Forwarded-Csrf": false, "X-HTTP-Method-Override": false, "Upgrade": false, "X-Set": false,
	} {
		w := open(t)
		w.backend("HR", echo("A"))
		w.write("rego/gatehouse.rego", "package gatehouse\n\nallow if true\n\nheaders[\"X-Set\"] := \"1\"\n")
		w.write("gatehouse.yaml", preamble+`csrf: {secret: 0123456789abcdef0123456789abcdef, header: `+header+`}
policies: {path: rego, budget: 1m}
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: r, match: {path: /}, upstream: hr, authn: {issuers: [auth], cookie: __Host-session}, policy: "on"}
`)
		c, err := config.Load(w.configFile())
		if err != nil {
			t.Fatalf("%s: %v", header, err)
		}
		p, err := Compile(t.Context(), c, &Deps{Metrics: telemetry.New()})
		if p != nil {
			p.Close()
		}
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "is removed from requests") {
			t.Errorf("%s: %v", header, err)
		}
	}
}
