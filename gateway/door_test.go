package gateway

import "testing"

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
