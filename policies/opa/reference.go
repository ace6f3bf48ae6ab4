package opa

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// checkReferences finds references to what is not there, such as
// data.question.rol: to OPA they are undefined, and the rule silently off (or,
// behind a not, on). A name that is missing is a mistake in a package, which
// nothing but its rules can fill, and in data where it is close to one that
// is there: data may leave a member out on purpose.
func checkReferences(c *ast.Compiler, tree map[string]any, m *Mistakes) {
	for _, mod := range c.Modules {
		ast.NewGenericVisitor(func(x any) bool {
			switch x := x.(type) {
			case *ast.With: // its target may be new
				ast.WalkTerms(x.Value, func(t *ast.Term) bool { return checkReference(t, c.RuleTree, tree, m) })
				return true
			case *ast.Term:
				return checkReference(x, c.RuleTree, tree, m)
			}
			return false
		}).Walk(mod)
	}
}

// checkReference follows one reference for as long as its names are written
// out. It never says that the walk is done: there may be more inside.
func checkReference(t *ast.Term, rules *ast.TreeNode, tree map[string]any, m *Mistakes) bool {
	ref, ok := t.Value.(ast.Ref)
	if !ok || len(ref) < 3 || !ref[0].Equal(ast.DefaultRootDocument) {
		return false
	}
	node, data := rules.Child(ref[0].Value), any(tree)
	for i, step := range ref[1:] {
		name, ok := step.Value.(ast.String)
		if !ok || node != nil && len(node.Values) > 0 {
			return false
		}
		object, _ := data.(map[string]any)
		if node == nil && object == nil {
			return false
		}
		var inner *ast.TreeNode
		if node != nil {
			inner = node.Child(name)
		}
		if value, ok := object[string(name)]; ok || inner != nil {
			node, data = inner, value
			continue
		}
		if i == 1 && ref[1].Equal(ast.StringTerm(packageName)) && slices.Contains(ruleNames(), string(name)) {
			return false // a rule that these policies have no use for
		}
		known := members(node, object)
		if i > 0 && (node != nil && object == nil || nearest(string(name), known) != "") {
			m.at(t.Location, "%v has no member %s", ref[:i+1], instead(string(name), known))
		}
		return false
	}
	return false
}

// members lists what stands at one place, sorted.
func members(node *ast.TreeNode, object map[string]any) []string {
	names := slices.Collect(maps.Keys(object))
	if node != nil {
		for v := range node.Children {
			if s, ok := v.(ast.String); ok {
				names = append(names, string(s))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
