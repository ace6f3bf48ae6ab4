package memo

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Constants are values of input that are the same for every question of a
// kind, by path: a text ("resource.route": "payroll"), or nil for what is never
// there ("body": nil). What does not hold for a question after all costs it the
// advantage and does no harm.
type Constants map[string]any

// Refusal is why decisions cannot be remembered, and where.
type Refusal struct {
	Place
	Reason string `json:"reason"`
}

func (r Refusal) String() string { return fmt.Sprintf("%s at %v", r.Reason, r.Place) }

// Plan is what an entrypoint can observe of input.
type Plan struct {
	// Slots are the parts of the key, in the key's order.
	Slots []Slot
	// Refused is not empty where decisions must not be remembered. There are
	// no slots then.
	Refused []Refusal
	// Fixed are the constants that the plan holds for.
	Fixed Constants
}

// Source is what is analysed: compiled modules, the base data they see, and the
// reference whose value is wanted.
type Source struct {
	Compiler *ast.Compiler
	Data     map[string]any
	Entry    ast.Ref
	// ValuesOnly keeps outcomes of comparisons out of the key (T0).
	ValuesOnly bool
}

// Analyze finds what evaluating the entry can observe of input, where the
// constants hold.
func Analyze(src Source, fixed Constants) *Plan { return analyze(src, newIndex(src.Compiler), fixed) }

func analyze(src Source, x *index, fixed Constants) *Plan {
	a := &analyzer{
		index: x, src: src, fixed: map[string]ast.Value{}, tests: !src.ValuesOnly,
		params: map[string][]*flow{}, tainted: map[variable]bool{},
	}
	for path, v := range fixed {
		switch v := v.(type) {
		case string:
			a.fixed[ParsePath(path).String()] = ast.String(v)
		case nil:
			a.gone = append(a.gone, ParsePath(path))
		}
	}
	a.settle()
	if a.withs {
		a.tests = false
		a.settle()
	}
	if len(fixed) == 0 && len(a.refused) == 0 {
		a.guard()
	}
	p := &Plan{Fixed: maps.Clone(fixed)}
	if len(a.refused) > 0 {
		p.Refused = slices.SortedFunc(maps.Keys(a.refused), compareRefusals)
		return p
	}
	p.Slots = a.reads.minimal()
	return p
}

func compareRefusals(a, b Refusal) int {
	return cmp.Or(comparePlaces(a.Place, b.Place), cmp.Compare(a.Reason, b.Reason))
}

// analyzer walks the rules that the entry can reach. Which parts of input a
// parameter of a function stands for is known only once every call has been
// seen, so the walk is repeated until nothing new is learned; what it then
// wrote down holds.
type analyzer struct {
	*index
	src   Source
	fixed map[string]ast.Value // by Path.String
	gone  []Path               // where there is never a value
	tests bool

	// Learned, and kept from walk to walk. They only grow.
	params  map[string][]*flow // by the path of the function, for each parameter
	tainted map[variable]bool
	learned bool
	withs   bool // a reached expression replaces data

	// Of the present walk.
	reads   slots
	refused map[Refusal]bool
	reached map[*ast.Rule]bool
	queue   []*ast.Rule
	seen    map[uintptr]bool   // every mention of input that the walk accounts for
	empty   map[*ast.Rule]bool // no branch can hold, by what is known of the rules it asks
	calm    map[*ast.Rule]bool // what quietRule said

	// Of the walk before. A walk is the last when it finds the same.
	wasEmpty map[*ast.Rule]bool
}

// variable is a local variable of a rule.
type variable struct {
	rule *ast.Rule
	name ast.Var
}

// flow is what a variable may stand for: the values at paths of input, and,
// where mixed, something else as well.
type flow struct {
	paths []Path
	mixed bool
}

func (f *flow) has(p Path) bool {
	return slices.ContainsFunc(f.paths, func(q Path) bool { return slices.Equal(p, q) })
}

// add reports whether the path is new.
func (f *flow) add(p Path) bool {
	if f.has(p) {
		return false
	}
	f.paths = append(f.paths, p)
	return true
}

// settle walks until nothing new is learned. Rego has no recursion, so paths
// cannot grow for ever; the bound is a second fence.
func (a *analyzer) settle() {
	a.empty = nil
	for range 1000 {
		a.learned = false
		a.wasEmpty, a.empty, a.calm = a.empty, map[*ast.Rule]bool{}, map[*ast.Rule]bool{}
		a.reads, a.refused, a.reached, a.seen = slots{}, map[Refusal]bool{}, map[*ast.Rule]bool{}, map[uintptr]bool{}
		a.reach(a.src.Entry)
		for len(a.queue) > 0 {
			r := a.queue[0]
			a.queue = a.queue[1:]
			a.rule(r)
		}
		if !a.learned && maps.Equal(a.empty, a.wasEmpty) {
			return
		}
	}
	a.refuse(nil, "what functions are called with could not be settled")
}

func (a *analyzer) refuse(loc *ast.Location, format string, args ...any) {
	a.refused[Refusal{placeOf(loc), fmt.Sprintf(format, args...)}] = true
}

func placeOf(loc *ast.Location) Place {
	if loc == nil {
		return Place{}
	}
	return Place{File: loc.File, Line: loc.Row}
}

// reach queues the rules that a reference into data leads to.
func (a *analyzer) reach(ref ast.Ref) {
	for _, r := range a.related(ref) {
		if !a.reached[r] {
			a.reached[r] = true
			a.queue = append(a.queue, r)
		}
	}
}

// rule walks a rule and its else branches. A body that ends before its end, for
// a condition that the constants make false, has no head.
func (a *analyzer) rule(outer *ast.Rule) {
	holds := false
	for r := outer; r != nil; r = r.Else {
		s := newScope(a, outer, r)
		if s.conditions(r.Body) {
			s.head(r.Head)
			holds = true
		}
	}
	if !holds {
		a.empty[outer] = true
	}
}

// read notes that the value at a path is observed, unless it is a constant.
func (a *analyzer) read(kind Kind, p Path, loc *ast.Location) {
	if !a.constant(p) {
		a.reads.add(Slot{Kind: kind, Path: p}, placeOf(loc))
	}
}

// constant reports a path at which every question has the same.
func (a *analyzer) constant(p Path) bool { return a.fixed[p.String()] != nil || a.never(p) }

// never reports a path at which no question has a value.
func (a *analyzer) never(p Path) bool { return slices.ContainsFunc(a.gone, p.within) }

// flows notes what a parameter is called with.
func (a *analyzer) flows(function string, n, i int, f flow) {
	all := a.params[function]
	for len(all) < n {
		all = append(all, &flow{})
	}
	a.params[function] = all
	for _, p := range f.paths {
		if all[i].add(p) {
			a.learned = true
		}
	}
	if f.mixed && !all[i].mixed {
		all[i].mixed, a.learned = true, true
	}
}
