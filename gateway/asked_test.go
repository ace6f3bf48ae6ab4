package gateway

import (
	"net/http"
	"strings"
	"testing"
)

// TestOnlyWhatIsReadIsFetched: a body that the policies do not read is not
// parsed, and so need not be one that they could read, unless others are asked
// who may read it.
func TestOnlyWhatIsReadIsFetched(t *testing.T) {
	const routes = `
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: reads, match: {path: /reads/}, upstream: hr, authn: {issuers: [auth]}, policy: {body: true}}
  - {name: lets, match: {path: /lets/}, upstream: hr, authn: {issuers: [auth]}, policy: {body: true}}
`
	const policy = `
allow if input.resource.route == "lets"

allow if {
	input.resource.route == "reads"
	input.body.a == 1
}
`
	for name, tt := range map[string]struct {
		more string
		want map[string]int
	}{
		"alone":     {"", map[string]int{"/lets/": 200, "/reads/": 415}},
		"on record": {"decisions: {output: decisions.jsonl}\n", map[string]int{"/lets/": 415, "/reads/": 415}},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.backend("HR", func(http.ResponseWriter, *http.Request) {})
			w.start(routes+tt.more, policy)
			for path, status := range tt.want {
				r := w.request("POST", path, strings.NewReader("a=1"), w.as("e2", "staff"), "Content-Type: text/plain")
				if got := do(t, w.client(false), r); got.StatusCode != status {
					t.Errorf("%s: %d %s, want %d", path, got.StatusCode, got.body, status)
				}
			}
		})
	}
}
