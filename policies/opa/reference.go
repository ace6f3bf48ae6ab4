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
	k := &references{rules: c.RuleTree.Child(ast.DefaultRootDocument.Value), data: tree, packages: map[string]bool{}, m: m}
	for _, mod := range c.Modules {
		for i := range mod.Package.Path {
			path := mod.Package.Path[:i+1].String()
			k.packages[path] = k.packages[path] || i+1 == len(mod.Package.Path)
		}
	}
	for _, mod := range c.Modules {
		ast.NewGenericVisitor(func(x any) bool {
			switch x := x.(type) {
			case *ast.With: // its target may be new
				ast.WalkTerms(x.Value, k.check)
				return true
			case *ast.Term:
				return k.check(x)
			}
			return false
		}).Walk(mod)
	}
}

// references knows what there is.
type references struct {
	rules    *ast.TreeNode
	data     map[string]any
	packages map[string]bool // by path; false for what only has packages in it
	m        *Mistakes
}

// check follows one reference for as long as its names are written out. It
// never says that the walk is done: there may be more inside.
func (k *references) check(t *ast.Term) bool {
	ref, ok := t.Value.(ast.Ref)
	if !ok || len(ref) < 3 || !ref[0].Equal(ast.DefaultRootDocument) {
		return false
	}
	node, data := k.rules, any(k.data)
	for i, step := range ref[1:] {
		name, ok := step.Value.(ast.String)
		here := ref[:i+1]
		whole, place := k.packages[here.String()]
		object, _ := data.(map[string]any)
		// What is computed, or inside of a rule, only an evaluation knows.
		if !ok || node != nil && !place || node == nil && object == nil {
			return false
		}
		var inner *ast.TreeNode
		if node != nil {
			inner = node.Child(name)
		}
		value, there := object[string(name)]
		if inner == nil && !there {
			k.missing(t, here, string(name), members(node, object), whole && object == nil)
			return false
		}
		node, data = inner, value
	}
	return false
}

// missing tells of a name that is not there, unless that may be on purpose.
func (k *references) missing(t *ast.Term, here ast.Ref, name string, known []string, rulesOnly bool) {
	decision := len(here) == 2 && here[1].Equal(ast.StringTerm(packageName))
	switch {
	case len(here) < 2: // a name at the top belongs to whoever brings it
	case decision && slices.Contains(ruleNames(), name): // a rule that these policies have no use for
	case rulesOnly || nearest(name, known) != "":
		k.m.at(t.Location, "%v has no member %s", here, instead(name, known))
	}
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
