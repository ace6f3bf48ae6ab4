package memo

import (
	"math/rand/v2"
	"testing"
)

// Policies written at random, asked about inputs made at random.
func TestRandomPolicies(t *testing.T) {
	total, broken := randomPolicies(t, 1, soak(50_000), nil)
	t.Logf("%v; %d texts did not compile", total, broken)
	if total.refused > total.programs/10 {
		t.Errorf("%v: more than a tenth refused", total)
	}
}

// The same where a constant of the route leaves rules out.
func TestRandomPoliciesOfOneRoute(t *testing.T) {
	total, broken := randomPolicies(t, 2, soak(50_000), Constants{routePath: "r1"})
	t.Logf("%v; %d texts did not compile", total, broken)
}

func randomPolicies(t *testing.T, seed uint64, pairs int, fixed Constants) (total count, broken int) {
	for i := uint64(0); total.pairs < pairs; i++ {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, i)), fixed: true}
		p, text := g.program()
		if p == nil {
			if broken++; broken > 10*(total.programs+10) {
				t.Fatalf("hardly any text compiles, such as\n%s", text)
			}
			continue
		}
		inputs := g.inputs(160)
		if fixed != nil {
			for _, in := range inputs {
				if m, ok := in.(map[string]any); ok {
					m["resource"] = map[string]any{"route": fixed[routePath]}
				}
			}
			inputs = objects(inputs)
		}
		total.add(p.judge(t, "random", text, p.answers(inputs), fixed))
		if total.mismatches > 3 {
			t.Fatal("and so on")
		}
	}
	return total, broken
}

func objects(inputs []any) []any {
	var out []any
	for _, in := range inputs {
		if _, ok := in.(map[string]any); ok {
			out = append(out, in)
		}
	}
	return out
}

func (g *generator) program() (*program, string) {
	other := g.other()
	text := g.module()
	modules, err := parse(text, other)
	if err != nil {
		return nil, text + err.Error()
	}
	p, err := newProgram(modules, baseData(), "data.p")
	if err != nil {
		return nil, text + err.Error()
	}
	return p, text + other
}
