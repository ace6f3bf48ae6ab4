package opa

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// An index that leaves a rule out cannot be had to order, so what two
// evaluations say is made up here.
func TestAnswersThatDiffer(t *testing.T) {
	const policy = "package gatehouse\n\nallow := true\n\ndeny contains data.x\n\nregion := \"eu\"\n"
	o := Options{Path: ".", FS: fstest.MapFS{"p.rego": {Data: []byte(policy)}}}
	is := func(text string) given { return given{doc: ast.MustParseTerm(text).Value} }
	for name, tt := range map[string]struct {
		fast, plain given
		want        string
	}{
		"equal":          {is(`{"allow": true, "deny": {1, 2}}`), is(`{"deny": {2, 1}, "allow": true}`), ""},
		"both fail":      {given{err: errors.New("a")}, given{err: errors.New("b")}, ""},
		"an objection":   {is(`{"allow": true, "deny": set()}`), is(`{"allow": true, "deny": {1}}`), `p.rego:5:1: deny is set(), and {1} where rules`},
		"a rule missing": {is(`{"allow": true}`), is(`{"allow": true, "region": "eu"}`), `p.rego:7:1: region is undefined, and "eu" where rules`},
		"two":            {is(`{"allow": true}`), is(`{"region": "eu"}`), `allow is true, and undefined where rules`},
		"no object":      {is(`{}`), is(`[]`), "the answer is another"},
		"fast fails":     {given{err: errors.New("x")}, is(`{}`), "p.rego:1:1: fails (x), but only where"},
		"plain fails":    {is(`{}`), given{err: errors.New("y")}, "p.rego:1:1: fails (y), but only where"},
	} {
		s := read(o)
		g, err := s.gate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		asked := []ast.Value{ast.MustParseTerm(`{"a": 1}`).Value, ast.MustParseTerm(`{"a": 2}`).Value}
		err = s.agree(t.Context(), g, asked, func(_ context.Context, q ast.Value) (fast, plain given) {
			if q.Compare(asked[0]) == 0 { // the second one counts too
				return is("{}"), is("{}")
			}
			return tt.fast, tt.plain
		})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || tt.want[0] == 'p' && !strings.Contains(err.Error(), `{"a": 2}`)) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// A proof that was cut short is none.
func TestNoTimeForAProof(t *testing.T) {
	files := fstest.MapFS{
		"p.rego": {Data: []byte("package gatehouse\n\nallow := true\n")},
		"p_test.rego": {Data: []byte(`package gatehouse_test

test_endless if {
	some a in data.n
	some b in data.n
	some c in data.n
	some d in data.n
	a + b + c + d < 0
}
`)},
		"n.json": {Data: []byte(`{"n": [` + strings.Repeat("1,", 999) + `1]}`)},
	}
	// What comes before the proof has all the time it wants.
	prove := func(ctx context.Context, o Options) error {
		s := read(o)
		g, err := s.gate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e, err := Load(t.Context(), Options{Path: ".", FS: o.FS})
		if err != nil {
			t.Fatal(err)
		}
		return s.prove(ctx, e, g, o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := prove(ctx, Options{Path: ".", FS: files, Tests: true, TestTimeout: time.Hour})
	if err == nil || !strings.Contains(err.Error(), "p.rego: there was no time to finish") {
		t.Errorf("error %v", err)
	}
	// Probes neither.
	gone, stop := context.WithCancel(t.Context())
	stop()
	err = prove(gone, Options{Path: ".", FS: fstest.MapFS{"p.rego": files["p.rego"]}, Probes: []Probe{{Route: "r", Path: "/", Masks: true}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
}
