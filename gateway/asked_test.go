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

// TestHeadersThatDecisionsName: a header that no rule reads may still be what a
// decision names, for the upstream or for a row filter.
func TestHeadersThatDecisionsName(t *testing.T) {
	w := open(t)
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("X-Seen", r.Header.Get("X-Reason"))
		_, _ = rw.Write([]byte(`[{"n":1,"purpose":"audit"},{"n":2,"purpose":"pay"}]`))
	})
	w.start(one+"policies: {path: rego, budget: 1m, probes: off, headers: [X-Purpose]}\n", `
allow if input.subject.role == "staff"
all_fields if true
rows contains {"path": "$", "where": [{"field": "purpose", "op": "in", "input": concat(".", ["context", "headers", "x-purpose"])}]}
headers["X-Reason"] := {"input": "context.headers.x-purpose"}
`)
	got := do(t, w.client(false), w.request("GET", "/api/employees/", nil, w.as("e2", "staff"), "X-Purpose: audit"))
	if got.StatusCode != 200 || got.Header.Get("X-Seen") != "audit" || got.body != `[{"n":1,"purpose":"audit"}]` {
		t.Errorf("%s, the upstream saw %q, the client got %s", got.Status, got.Header.Get("X-Seen"), got.body)
	}
}
