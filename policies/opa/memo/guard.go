package memo

import (
	"reflect"

	"github.com/open-policy-agent/opa/v1/ast"
)

// guard counts every mention of input in the reached rules by reflection, which
// knows nothing of Rego, and refuses where the walk has not accounted for one:
// a field or a node that a later version of the compiler adds cannot make a
// hole.
func (a *analyzer) guard() {
	for r := range a.reached {
		found := map[uintptr]bool{}
		mentions(reflect.ValueOf(r), map[uintptr]bool{}, found)
		for m := range found {
			if !a.seen[m] {
				a.refuse(r.Location, "a mention of input that is not understood")
			}
		}
	}
}

// mentions finds where input stands: the first slot of a reference, or a term.
// It leaves out what evaluation never looks at: whole modules, positions,
// annotations, and the expressions that compiled ones were made from.
func mentions(v reflect.Value, visited, found map[uintptr]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		mentionsBehind(v, visited, found)
	case reflect.Interface:
		if !v.IsNil() {
			mentions(v.Elem(), visited, found)
		}
	case reflect.Slice, reflect.Array:
		from := 0
		if v.Type() == reflect.TypeFor[ast.Ref]() && v.Len() > 0 && isInput(v.Index(0)) {
			found[v.Index(0).Addr().Pointer()] = true
			from = 1
		}
		for i := from; i < v.Len(); i++ {
			mentions(v.Index(i), visited, found)
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			mentions(i.Key(), visited, found)
			mentions(i.Value(), visited, found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "generatedFrom" && name != "generates" {
				mentions(v.Field(i), visited, found)
			}
		}
	}
}

func mentionsBehind(v reflect.Value, visited, found map[uintptr]bool) {
	switch v.Type() {
	case reflect.TypeFor[*ast.Module](), reflect.TypeFor[*ast.Location](), reflect.TypeFor[*ast.Annotations]():
		return
	}
	if v.IsNil() || visited[v.Pointer()] {
		return
	}
	visited[v.Pointer()] = true
	if isInput(v) {
		found[v.Pointer()] = true
		return
	}
	mentions(v.Elem(), visited, found)
}

// isInput reports a pointer to the term input.
func isInput(v reflect.Value) bool {
	if v.Type() != reflect.TypeFor[*ast.Term]() || v.IsNil() {
		return false
	}
	value := v.Elem().FieldByName("Value")
	return !value.IsNil() && value.Elem().Type() == reflect.TypeFor[ast.Var]() &&
		value.Elem().String() == string(ast.InputRootDocument.Value.(ast.Var))
}
