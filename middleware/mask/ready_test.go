package mask

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// caller is who asks, and what is shown to them.
func caller(tenant string, branches ...string) func(*middleware.Exchange) {
	return func(x *middleware.Exchange) {
		x.Subject = &policies.Subject{ID: "u1", Tenant: tenant, Branches: branches}
		x.Input = &policies.Input{Subject: x.Subject}
	}
}

// One decision is shared by callers who see different things: what was made of it for
// the one is never used for the other, in whatever order they come.
func TestOneDecisionForManyCallers(t *testing.T) {
	const list = `{"items":[{"branch":"a","t":"t1","ssn":1},{"branch":"b","t":"t2","ssn":2},{"branch":"ab","t":"t1","ssn":3}]}`
	branches := byBranch()
	either := decision()
	not := policies.Condition{Field: "t", Op: "eq", Input: "subject.tenant"}
	either.Rows = []policies.Row{{Path: "$.items[*]", Where: []policies.Condition{
		{Any: []policies.Condition{{Field: "branch", Op: "in", Input: "subject.branches"}, {Not: &not}}},
	}}}
	s := newStage(t, 0)
	ask := func(d *policies.Decision, as func(*middleware.Exchange)) string {
		t.Helper()
		up := middlewaretest.NewUpstream(t, 200, jsonType, list)
		_, text, err := middlewaretest.Run(t, s, exchange(t, d, as), up.Handle)
		if err != nil {
			return middlewaretest.Code(err)
		}
		return text
	}
	tests := []struct {
		decision *policies.Decision
		as       func(*middleware.Exchange)
		want     string
	}{
		{branches, caller("t1", "a"), `{"items":[{"branch":"a","t":"t1","ssn":"***"}]}`},
		{branches, caller("t1", "b"), `{"items":[{"branch":"b","t":"t2","ssn":"***"}]}`},
		{branches, caller("t1", "a", "b"), `{"items":[{"branch":"a","t":"t1","ssn":"***"},{"branch":"b","t":"t2","ssn":"***"}]}`},
		{branches, caller("t1", "ab"), `{"items":[{"branch":"ab","t":"t1","ssn":"***"}]}`},
		{branches, caller("t1"), `{"items":[]}`},
		{either, caller("t1", "a"), `{"items":[{"branch":"a","t":"t1","ssn":"***"},{"branch":"b","t":"t2","ssn":"***"}]}`},
		{either, caller("t2", "a"), `{"items":[{"branch":"a","t":"t1","ssn":"***"},{"branch":"ab","t":"t1","ssn":"***"}]}`},
	}
	for round := range 3 {
		for i, tt := range tests {
			if got := ask(tt.decision, tt.as); got != tt.want {
				t.Errorf("round %d, %d: got %s, want %s", round, i, got, tt.want)
			}
		}
	}
}

// Pseudonyms are made with the keys of the caller's tenant, also where the decision
// says the same to two.
func TestOneDecisionForManyTenants(t *testing.T) {
	d := &policies.Decision{Allow: true, Mask: []policies.Mask{{Path: "$.ssn", Action: "hash"}}}
	keys, err := New(config.Masking{Keys: map[string]config.Secret{"k1": config.Secret(strings.Repeat("s", 32))}, Primary: "k1"}, &config.Route{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for range 2 {
		for _, tenant := range []string{"t1", "t2", ""} {
			up := middlewaretest.NewUpstream(t, 200, jsonType, body)
			_, text, err := middlewaretest.Run(t, keys, exchange(t, d, caller(tenant)), up.Handle)
			if err != nil {
				t.Fatal(err)
			}
			for other, before := range seen {
				if (other == tenant) != (before == text) {
					t.Errorf("%q gets %s and %q got %s", tenant, text, other, before)
				}
			}
			seen[tenant] = text
		}
	}
}

// A question of the query is judged for each request, whatever was asked before.
func TestQuestionsAreJudgedForEachRequest(t *testing.T) {
	s, d := newStage(t, 0), decision()
	for _, query := range []string{"page=1", "ssn=1", "page=1", "bank=2&Ssn=1", "page=1"} {
		up := middlewaretest.NewUpstream(t, 200, jsonType, body)
		x := exchange(t, d, func(x *middleware.Exchange) { x.Request.URL.RawQuery = query })
		_, _, err := middlewaretest.Run(t, s, x, up.Handle)
		if got, want := middlewaretest.Code(err), map[bool]string{false: string(middleware.Forbidden)}[query == "page=1"]; got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

// Many callers at once share what is made of one decision, and read it only.
func TestDemandsAreShared(t *testing.T) {
	s, d := newStage(t, 0), byBranch()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				branch := fmt.Sprint("b", (g+i)%3)
				up := middlewaretest.NewUpstream(t, 200, jsonType, `{"items":[{"branch":"b0","ssn":1},{"branch":"b1","ssn":1},{"branch":"b2","ssn":1}]}`)
				_, text, err := middlewaretest.Run(t, s, exchange(t, d, caller("t1", branch)), up.Handle)
				if want := `{"items":[{"branch":"` + branch + `","ssn":"***"}]}`; err != nil || text != want {
					t.Errorf("got %s, %v; want %s", text, err, want)
				}
			}
		})
	}
	wg.Wait()
	if n := s.(*Stage).demands.Len(); n != 3 {
		t.Errorf("%d demands are kept, want 3", n)
	}
}

// What a caller can make long is not kept.
func TestLongValuesAreNotKept(t *testing.T) {
	s, d := newStage(t, 0), byBranch()
	long := string(make([]byte, maxQueryKey))
	up := middlewaretest.NewUpstream(t, 200, jsonType, `{"items":[]}`)
	if _, _, err := middlewaretest.Run(t, s, exchange(t, d, caller("t1", long)), up.Handle); err != nil {
		t.Fatal(err)
	}
	if n := s.(*Stage).demands.Len(); n != 0 {
		t.Errorf("%d demands are kept", n)
	}
}
