package memo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// soak scales the tests that look for a pair of inputs with one key and two
// answers: GATEHOUSE_SOAK=1 asks for ten times as many pairs, and the race
// detector, under which everything is slow, for a tenth.
func soak(n int) int {
	switch {
	case os.Getenv("GATEHOUSE_SOAK") != "":
		return n * 10
	case raceDetector:
		return n / 10
	}
	return n
}

// program is a policy that may read anything of any shape as its input.
type program struct {
	source Source
	query  rego.PreparedEvalQuery
}

func newProgram(modules map[string]*ast.Module, data map[string]any, entry string) (*program, error) {
	c := ast.NewCompiler()
	if c.Compile(modules); c.Failed() {
		return nil, c.Errors
	}
	ref, err := ast.ParseRef(entry)
	if err != nil {
		return nil, err
	}
	store := inmem.NewFromObjectWithOpts(data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	txn, err := store.NewTransaction(context.Background())
	if err != nil {
		return nil, err
	}
	q, err := rego.New(rego.Compiler(c), rego.Store(store), rego.Transaction(txn), rego.StrictBuiltinErrors(true),
		rego.Query("x = "+entry)).PrepareForEval(context.Background())
	return &program{Source{Compiler: c, Data: data, Entry: ref}, q}, err
}

func parse(texts ...string) (map[string]*ast.Module, error) {
	modules := map[string]*ast.Module{}
	for i, text := range texts {
		name := fmt.Sprintf("m%d.rego", i)
		m, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, err
		}
		modules[name] = m
	}
	return modules, nil
}

// eval gives the answer as text. That there is none, or an error, is an answer.
func (p *program) eval(input any) string {
	v, err := ast.InterfaceToValue(input)
	if err != nil {
		return "not asked: " + err.Error()
	}
	stop := topdown.NewCancel()
	defer time.AfterFunc(10*time.Second, stop.Cancel).Stop()
	rs, err := p.query.Eval(context.Background(), rego.EvalParsedInput(v), rego.EvalMetrics(metrics.NoOp()), rego.EvalExternalCancel(stop),
		rego.EvalGenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t, nil }))
	switch {
	case err != nil:
		return "error"
	case len(rs) == 0:
		return "undefined"
	}
	return rs[0].Bindings["x"].(*ast.Term).String()
}

// anything is the one member of a question whose body is the whole input.
func anything() []leaf { return []leaf{{nil, body}} }

func (p *program) keyer(plan *Plan) *keyer {
	b := &binder{leaves: anything(), data: p.source.Data, tables: map[string]*table{}}
	return b.bind(plan, 0)
}

// count is what a comparison of answers came to.
type count struct{ programs, refused, evaluated, pairs, mismatches int }

func (c *count) add(d count) {
	c.programs += d.programs
	c.refused += d.refused
	c.evaluated += d.evaluated
	c.pairs += d.pairs
	c.mismatches += d.mismatches
}

func (c count) String() string {
	return fmt.Sprintf("%d programs (%d refused), %d evaluations, %d pairs with one key, %d mismatches",
		c.programs, c.refused, c.evaluated, c.pairs, c.mismatches)
}

// answered is an input and its answer.
type answered struct {
	in     *policies.Input
	answer string
}

func (p *program) answers(inputs []any) []answered {
	out := make([]answered, len(inputs))
	for i, in := range inputs {
		out[i] = answered{&policies.Input{Body: in}, p.eval(in)}
	}
	return out
}

// compare looks for two inputs that share a key and not an answer.
func compare(k *keyer, all []answered, report func(a, b answered)) (pairs, mismatches int) {
	first := map[string]answered{}
	for _, x := range all {
		key, ok := k.key(nil, x.in)
		if !ok {
			continue
		}
		before, known := first[string(key)]
		if !known {
			first[string(key)] = x
			continue
		}
		pairs++
		if before.answer != x.answer {
			mismatches++
			report(before, x)
		}
	}
	return pairs, mismatches
}

// judge compares with both kinds of keys.
func (p *program) judge(t *testing.T, name, text string, all []answered, fixed Constants) (c count) {
	c = count{programs: 1, evaluated: len(all)}
	for _, values := range []bool{true, false} {
		src := p.source
		src.ValuesOnly = values
		plan := Analyze(src, fixed)
		if len(plan.Refused) > 0 {
			c.refused = 1
			return c
		}
		pairs, wrong := compare(p.keyer(plan), all, func(a, b answered) {
			t.Errorf("%s: one key, two answers\nplan: %v\ninput  %v\nanswer %s\ninput  %v\nanswer %s\n%s",
				name, describe(plan), toJSON(a.in.Body), a.answer, toJSON(b.in.Body), b.answer, text)
		})
		c.pairs += pairs
		c.mismatches += wrong
	}
	return c
}

func describe(p *Plan) string {
	texts := make([]string, len(p.Slots))
	for i := range p.Slots {
		texts[i] = p.Slots[i].String()
	}
	return strings.Join(texts, "; ")
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// parts lists every value inside a value.
func parts(v any) []any {
	all := []any{v}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range util.KeysSorted(v) {
			all = append(all, parts(v[k])...)
		}
	case []any:
		for _, e := range v {
			all = append(all, parts(e)...)
		}
	}
	return all
}

// mutate changes one place of a copy: another value, one less, one more.
func mutate(r *rand.Rand, v any, pool []any) any {
	other := pool[r.IntN(len(pool))]
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 || r.IntN(8) == 0 {
			return other
		}
		m := maps.Clone(v)
		name := util.KeysSorted(v)[r.IntN(len(v))]
		switch r.IntN(6) {
		case 0:
			delete(m, name)
		case 1:
			m["other"] = other
		default:
			m[name] = mutate(r, v[name], pool)
		}
		return m
	case []any:
		if len(v) == 0 || r.IntN(8) == 0 {
			return other
		}
		l := slices.Clone(v)
		i := r.IntN(len(l))
		switch r.IntN(6) {
		case 0:
			return slices.Delete(l, i, i+1)
		case 1:
			return append(l, other)
		}
		l[i] = mutate(r, l[i], pool)
		return l
	}
	return other
}

// oddValues are what policies seldom think of.
func oddValues() []any {
	return []any{
		json.Number("1"), json.Number("1.0"), json.Number("0"), json.Number("-0"), json.Number("1e2"), json.Number("100"), "", "1", "a",
		true, false, nil,
		[]any{},
		map[string]any{},
		[]any{"a", json.Number("1")},
		map[string]any{"a": "b"},
	}
}

func variants(r *rand.Rand, base any, n int) []any {
	pool := append(oddValues(), parts(base)...)
	out := []any{base}
	for len(out) < n {
		v := base
		for range r.IntN(4) {
			v = mutate(r, v, pool)
		}
		if v != nil { // an input that is null is none
			out = append(out, v)
		}
	}
	return out
}
