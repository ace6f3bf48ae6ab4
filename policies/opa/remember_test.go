package opa

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa/memo"
)

func loadText(t testing.TB, text string, data map[string]string, o memo.Options) *Engine {
	t.Helper()
	fsys := fstest.MapFS{"p.rego": {Data: []byte("package gatehouse\n\n" + text)}}
	for name, content := range data {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	e, err := Load(context.Background(), Options{Path: ".", FS: fsys, Budget: 10 * time.Second, Memo: o})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// randomInput is of a small world, so that inputs meet. Every Go type that
// stands for a JSON value is in it.
func randomInput(r *rand.Rand) *policies.Input {
	word := func() string { return []string{"", "a", "b", "ab"}[r.IntN(4)] }
	words := func() []string {
		return [][]string{nil, {}, {"a"}, {"a", "b"}, {"b", "a"}, {"a", ""}, {"ab"}}[r.IntN(7)]
	}
	var value func(depth int) any
	value = func(depth int) any {
		all := []any{
			nil, true, false, "a", "", "1", json.Number("1"), json.Number("1.0"), json.Number("1e0"), 1, int64(1), 1.0, 2.5, 1e21,
			[]string{"a", "b"},
			[]any{"a", "b"},
			[]any{},
			map[string]any{},
			[]any(nil), map[string]any(nil),
		}
		if n := r.IntN(len(all) + 4); n < len(all) || depth > 2 {
			return all[n%len(all)]
		}
		return map[string]any{word(): value(depth + 1), "x": []any{value(depth + 1)}}
	}
	lists := func() map[string][]string {
		return []map[string][]string{nil, {}, {"a": {}}, {"a": {word()}, "b": words()}}[r.IntN(4)]
	}
	in := &policies.Input{
		Action: policies.Action{Method: word(), Name: word()},
		Resource: policies.Resource{
			Route: word(), Host: word(), Path: word(), Segments: words(),
			Params: []map[string]string{nil, {}, {"a": word()}, {"a": word(), "b": word()}}[r.IntN(4)], Query: lists(),
		},
		Context: policies.Context{
			Time:          policies.Time{Hour: r.IntN(3), Weekday: word(), Date: word()},
			ClientAddress: word(), Listener: word(), TLS: word(), Headers: lists(), RequestID: word(),
		},
	}
	if r.IntN(4) > 0 {
		in.Subject = &policies.Subject{
			ID: word(), Issuer: word(), Role: word(), Roles: words(), Tenant: word(), Branch: word(), Branches: words(),
			ACR: word(), AMR: words(), AuthTime: int64(r.IntN(3)),
		}
		if age := int64(r.IntN(4)); age < 3 {
			in.Subject.AuthAge = &age
		}
		if r.IntN(4) > 0 {
			in.Subject.Claims = map[string]any{"a": value(0), "b": value(1)}
		}
	}
	if r.IntN(2) == 0 {
		in.Body = value(0)
	}
	return in
}

// paths are members of the question, groups of them, and places inside.
func paths() []string {
	out := []string{
		"input", "input.subject", "input.resource", "input.context", "input.context.time", "input.action", "input.body",
		"input.body.a", "input.body.x[0]", "input.body[1]", "input.subject.claims.a", "input.subject.claims.a.x[0]",
		"input.subject.roles[0]", "input.subject.amr[1]", "input.resource.params.a", "input.resource.query.a[0]",
		"input.context.headers.a", "input.resource.segments[1]",
	}
	for _, group := range []any{"subject", "action", "resource", "context"} {
		schema := inputSchema()["properties"].(map[string]any)[group.(string)].(map[string]any)
		for name := range schema["properties"].(map[string]any) {
			out = append(out, fmt.Sprintf("input.%v.%s", group, name))
		}
	}
	slices.Sort(out)
	return out
}

// A key looks at the question as Go holds it, an evaluation at terms made of
// it. Here the decision is what stands at some paths, literally: two questions
// have the same decision exactly when they have the same key.
func TestKeyIsWhatTermsShow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all := paths()
	asked := 0
	for i := range len(all) + 10 {
		chosen := []string{all[i%len(all)]}
		for range i / len(all) * 3 {
			chosen = append(chosen, all[r.IntN(len(all))])
		}
		var text strings.Builder
		for j, p := range chosen {
			fmt.Fprintf(&text, "deny contains {\"code\": \"a%d\", \"message\": json.marshal(x)} if x := %s\n\n", j, p)
		}
		e := loadText(t, "allow := true\n\n"+text.String(), nil, memo.Options{AuditEvery: -1})
		seen := map[string]*policies.Decision{}
		for range 150 {
			in := randomInput(r)
			want, wantErr := e.decide(t.Context(), in)
			got, err := e.Decide(t.Context(), in)
			if wantErr != nil || err != nil {
				t.Fatal(wantErr, err)
			}
			shown := fmt.Sprintf("%q", want.Deny)
			if seen[shown] == nil {
				seen[shown] = got
			}
			if seen[shown] != got || !reflect.DeepEqual(got, want) {
				t.Fatalf("%v of %+v: decision %v, remembered %v, first %v", chosen, in, want.Deny, got.Deny, seen[shown].Deny)
			}
			asked++
		}
		if s := e.MemoStats(); s.Bypassed > 0 || s.Evictions > 0 {
			t.Fatalf("%v: %+v", chosen, s)
		}
	}
	t.Logf("%d questions", asked)
}

// Outcomes in the place of values, over the same inputs: comparisons, base data
// looked up, names enumerated.
func TestOutcomesDecide(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	data := map[string]string{"users.json": `{"users": {"a": {"n": 1, "x": ["p"]}, "b": {"n": 1}, "ab": null, "": {"n": 2}}, "list": ["a", "b"]}`}
	places := []string{
		"input.subject.id", "input.subject.roles", "input.subject.claims.a", "input.body", "input.body.a", "input.resource.params.a",
		"input.resource.query", "input.context.time.hour", "input.subject.auth_time", "input.subject.auth_age", "input.resource.segments[1]", "input.subject",
	}
	place := func() string { return places[r.IntN(len(places))] }
	conditions := []func() string{
		func() string { return place() + " == " + place() },
		func() string { return place() + " != " + place() },
		func() string { return place() + ` == "a"` },
		func() string { return place() + " < 2" },
		func() string { return "1 >= " + place() },
		func() string { return place() + ` <= "a"` },
		func() string { return place() + ` in {"a", 1, null}` },
		func() string { return "1 in " + place() },
		func() string { return `"a" in ` + place() },
		func() string { return "data.users[" + place() + "].n == 1" },
		func() string { return "data.list[" + place() + `] == "b"` },
		func() string { return place() },
		func() string { return "not " + place() },
		func() string { return "some name, _ in " + place() + `; name == "a"` },
		func() string { return "startswith(input.resource.path, \"a\")" },
	}
	hits := uint64(0)
	for range 60 {
		text := "allow := true\n\n"
		for j := range 3 {
			text += fmt.Sprintf("deny contains {\"code\": \"a%d\", \"message\": \"m\"} if {\n\t%s\n\t%s\n}\n\n",
				j, conditions[r.IntN(len(conditions))](), conditions[r.IntN(len(conditions))]())
		}
		src := fstest.MapFS{"p.rego": {Data: []byte("package gatehouse\n\n" + text)}, "users.json": {Data: []byte(data["users.json"])}}
		e, err := Load(t.Context(), Options{Path: ".", FS: src, Budget: 10 * time.Second, Memo: memo.Options{AuditEvery: -1}})
		if err != nil {
			continue // conditions that the schema knows to be never true
		}
		for range 200 {
			in := randomInput(r)
			want, wantErr := e.decide(t.Context(), in)
			got, err := e.Decide(t.Context(), in)
			if (wantErr == nil) != (err == nil) || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s\n%+v: decision %v, %v, remembered %v, %v", text, in, want, wantErr, got, err)
			}
		}
		hits += e.MemoStats().Hits
	}
	t.Logf("%d hits", hits)
	if hits < 2000 {
		t.Errorf("%d hits show little", hits)
	}
}

// What the terms refuse, the memo must not answer.
func TestAcceptableIsWhatTermsTake(t *testing.T) {
	deep := any("x")
	for range maxDepth + 1 {
		deep = []any{deep}
	}
	terms := newInputTerms()
	for _, v := range []any{
		nil, "x", true, 1, int64(2), 1.5,
		[]string{"a"},
		[]any{1, "x"},
		map[string]any{"a": []any{nil}},
		deep,
		json.Number("0"), json.Number("00"), json.Number("01"), json.Number("-1"), json.Number("1.50"), json.Number("1e5"), json.Number("1e401"),
		json.Number(""), json.Number("x"), json.Number("123456789012345678901234567890"), json.Number(strings.Repeat("9", 500)),
		struct{}{},
		int32(1),
		[]any{json.Number("1e999")},
		map[string]any{"a": map[string]any{"b": struct{}{}}},
		uint(1),
	} {
		for _, in := range []*policies.Input{{Body: v}, {Subject: &policies.Subject{Claims: map[string]any{"c": v}}}} {
			_, err := terms.input(in)
			if got := acceptable(in); got != (err == nil) {
				t.Errorf("%T %v: acceptable %v, terms: %v", v, v, got, err)
			}
		}
	}
	if acceptable(nil) {
		t.Error("no question is acceptable")
	}
}

func TestHitIsTheSameDecision(t *testing.T) {
	e := loadText(t, "allow if input.subject.role == \"hr\"\n", nil, memo.Options{})
	ask := func(role, id string) *policies.Decision {
		t.Helper()
		d, err := e.Decide(t.Context(), &policies.Input{Subject: &policies.Subject{ID: id, Role: role}})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if ask("hr", "1") != ask("hr", "2") || ask("staff", "1") != ask("intern", "2") || ask("hr", "1") == ask("staff", "1") {
		t.Error("questions that the policy cannot tell apart have one decision, others have others")
	}
	if d := cmp.Diff(memo.Stats{Hits: 4, Misses: 2}, e.MemoStats()); d != "" {
		t.Errorf("stats (-want +got):\n%s", d)
	}
}

// A canceled question is not answered, remembered or not.
func TestCanceledIsNotAnswered(t *testing.T) {
	e := loadText(t, "allow := true\n", nil, memo.Options{})
	in := &policies.Input{}
	if _, err := e.Decide(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := e.Decide(ctx, in); d != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("decision %v, error %v", d, err)
	}
}

// Errors come again and again: of the policy, and of a question that is none.
func TestErrorsAreNotRemembered(t *testing.T) {
	e := loadText(t, "allow if input.subject.role == \"hr\"\n\naudit := input.action.name\n", nil, memo.Options{})
	for range 3 {
		if _, err := e.Decide(t.Context(), &policies.Input{Action: policies.Action{Name: "loud"}}); err == nil {
			t.Error("an audit level that is none is an error")
		}
	}
	good := &policies.Input{Action: policies.Action{Name: "detail"}, Subject: &policies.Subject{Role: "hr"}}
	if _, err := e.Decide(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	bad := *good
	bad.Subject = &policies.Subject{Role: "hr", Claims: map[string]any{"n": json.Number("1e999")}}
	if _, err := e.Decide(t.Context(), &bad); err == nil {
		t.Error("a claim that is no number passes where it is not read")
	}
	if s := e.MemoStats(); s.Misses != 1 || s.Hits != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestHitAllocatesNothing(t *testing.T) {
	e := companyEngine(t, memo.Options{AuditEvery: -1})
	var requests []*policies.Input
	traffic := newTraffic(2, 100)
	for range 32 {
		requests = append(requests, traffic.request())
	}
	for _, in := range requests {
		if _, err := e.Decide(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	ctx, i := t.Context(), 0
	if n := testing.AllocsPerRun(200, func() { _, _ = e.Decide(ctx, requests[i%32]); i++ }); n > 0 {
		t.Errorf("%v allocations per hit", n)
	}
}

// The sample policies under traffic: nearly everything is remembered, and what
// is remembered is what evaluation gives.
func TestTrafficIsRemembered(t *testing.T) {
	wrong := 0
	e := companyEngine(t, memo.Options{AuditEvery: 25, OnMismatch: func(in *policies.Input, _, _ *policies.Decision) {
		wrong++
		t.Errorf("remembered wrongly: %+v", in)
	}})
	traffic := newTraffic(1, 10_000)
	n, least := 100_000, 95.0
	if raceDetector { // few enough that the first of each kind count for more
		n, least = 6_000, 65
	}
	for range n {
		if _, err := e.Decide(t.Context(), traffic.request()); err != nil {
			t.Fatal(err)
		}
	}
	s := e.MemoStats()
	rate := 100 * float64(s.Hits) / float64(n)
	t.Logf("%.2f %% of %d requests were hits, %d audits, %d mismatches", rate, n, s.Audits, wrong)
	if rate < least || s.Mismatches > 0 || s.Audits < s.Hits/30 {
		t.Errorf("stats %+v", s)
	}
}
