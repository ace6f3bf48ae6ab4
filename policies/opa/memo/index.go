package memo

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// index finds rules by reference. One serves the analyses of all routes.
type index struct {
	rules    []*ast.Rule
	refs     []ast.Ref // of the rules
	packages []ast.Ref
	found    map[string][]*ast.Rule
}

func newIndex(c *ast.Compiler) *index {
	x := &index{found: map[string][]*ast.Rule{}}
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		m := c.Modules[name]
		x.packages = append(x.packages, m.Package.Path)
		for _, r := range m.Rules {
			x.rules = append(x.rules, r)
			x.refs = append(x.refs, r.Ref())
		}
	}
	return x
}

// related are the rules that define a part of what a reference stands for, or
// something that it is a part of. What is not constant may be anything.
func (x *index) related(ref ast.Ref) []*ast.Rule {
	key := ref.String()
	rules, known := x.found[key]
	if known {
		return rules
	}
	for i, r := range x.rules {
		if mayMeet(ref, x.refs[i]) {
			rules = append(rules, r)
		}
	}
	x.found[key] = rules
	return rules
}

// virtual reports a reference that may lead to rules, or to a package: one
// without rules is an empty object, which base data do not show.
func (x *index) virtual(ref ast.Ref) bool {
	return len(x.related(ref)) > 0 || slices.ContainsFunc(x.packages, func(p ast.Ref) bool { return mayMeet(ref, p) })
}

func mayMeet(a, b ast.Ref) bool {
	for i := range min(len(a), len(b)) {
		if i > 0 && ast.IsConstant(a[i].Value) && ast.IsConstant(b[i].Value) && !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}
