package gateway

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOneSubjectForManyRequests: requests with one token share what was read in
// it. A stage that wrote into it would be seen by the race detector here, or by
// the requests that come after.
func TestOneSubjectForManyRequests(t *testing.T) {
	w := open(t)
	w.backend("HR", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"records": [{"branch": "lagos", "salary": 1}, {"branch": "kano", "salary": 2}]}`))
	})
	w.write("rego/log.rego", `package system.log

mask contains "/input/subject/id"

mask contains "/input/subject/claims/org/unit/id"

mask contains {"op": "upsert", "path": "/input/subject/claims/teams/0", "value": "x"}
`)
	w.start(strings.Replace(recorded, "    authn:", "    rate_limits: [busy]\n    session: {idle: 15m}\n    authn:", 1)+"rate_limits: {busy: {key: [subject.tenant, \"claim:sid\"], rate: 10000/1m}}\n", `
allow if {
	input.subject.claims.org.unit.id == "u-1"
	input.subject.claims.teams == ["a", "b"]
	input.subject.roles == ["staff", "lead"]
}

mask contains {"path": "$..salary", "action": "redact"}

rows contains {"path": "$.records", "where": [{"field": "branch", "op": "in", "input": "subject.branches"}]}

headers["X-Unit"] := {"input": "subject.claims.org.unit.id"}
`)
	token := "Authorization: Bearer " + w.issuer.token(w.issuer.kid, map[string]any{
		"sub": "u-4711", "roles": []string{"staff", "lead"}, "branches": []string{"lagos", "abuja"}, "tenant": "acme", "sid": "s-1",
		"teams": []string{"a", "b"}, "org": map[string]any{"unit": map[string]any{"id": "u-1"}},
	})
	c := w.client(false)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				if resp := do(t, c, w.request("GET", "/api/employees/7", nil, token)); resp.StatusCode != http.StatusOK {
					t.Errorf("status %d", resp.StatusCode)
				}
			}
		})
	}
	wg.Wait()
	w.close()
	got := w.records("decisions.jsonl")
	if len(got) != 80 {
		t.Fatalf("%d records, want 80", len(got))
	}
	for _, r := range got {
		if diff := cmp.Diff(got[0].Input.Subject, r.Input.Subject); diff != "" {
			t.Fatalf("the subject has become another (-first +now):\n%s", diff)
		}
	}
}
