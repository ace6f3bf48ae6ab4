package memo

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/util"
)

// conformance reads the cases by which the policy engine itself is tested.
func conformance(t *testing.T) []cases.TestCase {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/open-policy-agent/opa").Output()
	if err != nil {
		t.Fatal(err)
	}
	set, err := cases.Load(string(bytes.TrimSpace(dir)) + "/v1/test/cases/testdata/v1")
	if err != nil {
		t.Fatal(err)
	}
	return set.Sorted().Cases
}

// The programs and inputs by which the policy engine is tested touch every
// corner of the language. Each is asked about its input and many variations of
// it; inputs that share a key must share the answer. Base data are moved into
// the input where that can be done: a program that reads input from all over
// is the better witness.
func TestConformanceCases(t *testing.T) {
	var total count
	for _, moved := range []bool{false, true} {
		for _, c := range conformance(t) {
			total.add(judgeCase(t, c, moved, max(soak(150), 20)))
		}
	}
	t.Log(total)
	if want := soak(100_000) / 2; total.pairs < want || total.programs < 500 {
		t.Errorf("%v: want %d pairs of 500 programs at least", total, want)
	}
}

func judgeCase(t *testing.T, c cases.TestCase, moved bool, n int) (none count) {
	entry, _, ok := strings.Cut(c.Query, " = ")
	if !ok || !strings.HasPrefix(entry, "data.") || strings.ContainsAny(entry, ";[(") || len(c.Modules) == 0 || c.InputTerm != nil {
		return none
	}
	var input any = map[string]any{}
	if c.Input != nil {
		input = *c.Input
	}
	data := map[string]any{}
	if c.Data != nil {
		data = *c.Data
	}
	modules, ok := modulesOf(c)
	if !ok {
		return none
	}
	if moved {
		if data, input, ok = moveData(modules, data, input); !ok {
			return none
		}
	} else if c.Input == nil {
		return none
	}
	p, err := newProgram(modules, data, entry)
	if err != nil {
		return none
	}
	r := rand.New(rand.NewPCG(1, uint64(len(c.Note))))
	return p.judge(t, c.Note, strings.Join(c.Modules, "\n---\n"), p.answers(variants(r, input, n)), nil)
}

func modulesOf(c cases.TestCase) (map[string]*ast.Module, bool) {
	modules := map[string]*ast.Module{}
	for i, text := range c.Modules {
		name := "m" + string(rune('a'+i)) + ".rego"
		m, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1, AllFutureKeywords: true})
		if err != nil || m == nil {
			return nil, false
		}
		modules[name] = m
	}
	return modules, true
}

// moveData turns data.a into input.a wherever a is of the base data and no
// package, and gives the data that are left and the input that has the others.
func moveData(modules map[string]*ast.Module, data map[string]any, input any) (left map[string]any, all any, ok bool) {
	packages := map[string]bool{}
	for _, m := range modules {
		packages[string(m.Package.Path[1].Value.(ast.String))] = true
	}
	members, ok := input.(map[string]any)
	left, moved := map[string]any{}, map[string]any{}
	if !ok || len(data) == 0 {
		return nil, nil, false
	}
	for k, v := range members {
		moved[k] = v
	}
	for _, k := range util.KeysSorted(data) {
		if _, taken := moved[k]; taken || packages[k] {
			left[k] = data[k]
		} else {
			moved[k] = data[k]
		}
	}
	for name, m := range modules {
		x, err := ast.TransformRefs(m, func(ref ast.Ref) (ast.Value, error) {
			if len(ref) > 1 && ref[0].Equal(ast.DefaultRootDocument) {
				if name, isText := ref[1].Value.(ast.String); isText && left[string(name)] == nil && data[string(name)] != nil {
					ref = ref.Copy()
					ref[0] = ast.NewTerm(ast.InputRootDocument.Value)
				}
			}
			return ref, nil
		})
		if err != nil {
			return nil, nil, false
		}
		modules[name] = x.(*ast.Module)
	}
	return left, moved, true
}
