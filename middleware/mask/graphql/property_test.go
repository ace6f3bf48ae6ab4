package graphql

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

func compile(t testing.TB, spec redact.Spec) *redact.Plan {
	t.Helper()
	keys, err := redact.NewKeyring("k", map[string]string{"k": "0123456789abcdef0123456789abcdef"})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := redact.Compile(spec, redact.Options{Keys: keys, Tenant: "t"})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func post(text string) Request {
	return Request{Method: "POST", MediaType: "application/graphql", Body: []byte(text)}
}

// answer masks an answer to a query as a policy demands.
func answer(t testing.TB, query, answer string, spec redact.Spec) (string, error) {
	t.Helper()
	q, err := Parse(Settings{}, post(query))
	if err != nil {
		return "", err
	}
	if spec, _, err = q.Translate(spec); err != nil {
		return "", err
	}
	out, _, err := redact.Append(nil, []byte(answer), compile(t, spec), redact.Limits{})
	return string(out), err
}

// TestAgainstUnnamed carries random queries out and compares each value of the
// answer with what the policy as it stands makes of the document in which the
// value stands alone, under the names of the schema: what is masked there must
// be masked in the answer; what is not may be so only because of names that the
// query chose badly.
func TestAgainstUnnamed(t *testing.T) {
	rounds := 6000
	if testing.Short() {
		rounds = 600
	}
	checked := map[string]int{}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 5))
		sure := r.IntN(3) == 0
		e := &executor{schema: randomSchema(r), r: r, fragments: map[string]*ast.FragmentDefinition{}}
		query, spec := randomQuery(r, !sure), randomSpec(r, sure)
		doc, err := parser.ParseQuery(&ast.Source{Input: query})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range doc.Fragments {
			e.fragments[f.Name] = f
		}
		body := e.run(doc.Operations[0])
		out, err := answer(t, query, body, spec)
		if errors.Is(err, ErrRefused) {
			checked["refused"]++
			continue
		}
		if err != nil {
			t.Fatalf("seed %d: %v\n%s\n%+v", seed, err, query, spec)
		}
		policy := compile(t, spec)
		for _, l := range e.leaves {
			alone, _, err := redact.Append(nil, []byte(l.alone), policy, redact.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			want, got := strings.Contains(string(alone), l.marker), strings.Contains(out, l.marker)
			renamed := !slices.Equal(l.fields, l.keys)
			switch {
			case got && !want:
				t.Fatalf("seed %d: %v is masked by the policy and not in the answer\n%s\n%+v\n%s\n%s", seed, l, query, spec, body, out)
			case want && !got && sure && !ambiguous(doc):
				t.Fatalf("seed %d: %v is not masked by the policy, but in the answer\n%s\n%+v\n%s\n%s", seed, l, query, spec, body, out)
			case renamed && got:
				checked["renamed and passed"]++
			case renamed && !want:
				checked["renamed and masked"]++
			}
		}
	}
	for _, what := range []string{"renamed and passed", "renamed and masked"} {
		if checked[what] < rounds/4 {
			t.Errorf("%s: only %d", what, checked[what])
		}
	}
	if checked["refused"] > rounds/20 {
		t.Errorf("%d queries refused", checked["refused"])
	}
	t.Log(checked)
}

// ambiguous reports whether a member may be several fields.
func ambiguous(doc *ast.QueryDocument) bool {
	root, err := expand(doc, doc.Operations[0], &bounds{100, 100000}, newAsker())
	return err != nil || anyNode(root, func(n *node) bool { return len(n.names) > 1 || n.leaf && len(n.members) > 0 })
}

func anyNode(n *node, is func(*node) bool) bool {
	return is(n) || slices.ContainsFunc(n.members, func(m *node) bool { return anyNode(m, is) })
}
