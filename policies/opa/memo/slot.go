package memo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Kind says what of the input a slot of the key holds.
type Kind uint8

const (
	// Value is the exact value at a path, or that there is none.
	Value Kind = iota
	// Exists is whether there is a value at a path.
	Exists
	// Keys are the names of the members at a path, or the number of elements.
	Keys
	// Test is the outcome of a comparison.
	Test
	// Lookup is what base data hold where values of the input lead.
	Lookup
)

// Place is where policies read something.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

func comparePlaces(a, b Place) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
}

// Tests. What one is undefined for has an outcome of its own, which no other
// input shares unless the builtin behaves the same on it.
const (
	opEqual  = "=="
	opTrue   = "is true"
	opLess   = "<"
	opAtMost = "<="
	opMore   = ">"
	opLeast  = ">="
	opIn     = "in"       // a path in constants
	opHas    = "contains" // a list at a path has a constant
	opStarts = "startswith"
	opEnds   = "endswith"
	opHolds  = "contains text"
)

// Slot is one part of a key: one thing that the policies can observe of input.
type Slot struct {
	Kind Kind
	Path Path
	// Op is the comparison of a Test; its second operand is Other, where two
	// is set, or Consts.
	Op     string
	Other  Path
	two    bool
	Consts []ast.Value
	// Steps lead through base data, of a Lookup.
	Steps []DataStep
	// At lists where it is read, in order.
	At []Place
}

// DataStep is one step into base data: a constant, or the value at a path of
// input.
type DataStep struct {
	Step
	Input   Path
	Dynamic bool
}

// String writes what is observed as a policy would.
func (s *Slot) String() string {
	switch s.Kind {
	case Exists:
		return s.Path.String() + " exists"
	case Keys:
		return "names in " + s.Path.String()
	case Lookup:
		return lookupString(s.Steps)
	case Test:
		switch {
		case s.Op == opTrue:
			return s.Path.String() + " is true"
		case s.two:
			return s.Path.String() + " == " + s.Other.String()
		case s.Op == opIn:
			return s.Path.String() + " in {" + join(s.Consts) + "}"
		case s.Op == opHas:
			return join(s.Consts) + " in " + s.Path.String()
		case s.Op == opStarts, s.Op == opEnds, s.Op == opHolds:
			name, _, _ := strings.Cut(s.Op, " ")
			return fmt.Sprintf("%s(%v, %s)", name, s.Path, join(s.Consts))
		}
		return s.Path.String() + " " + s.Op + " " + join(s.Consts)
	}
	return s.Path.String()
}

func join(values []ast.Value) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.String()
	}
	return strings.Join(texts, ", ")
}

func lookupString(steps []DataStep) string {
	var b strings.Builder
	b.WriteString("data")
	for _, s := range steps {
		if s.Dynamic {
			b.WriteString("[" + s.Input.String() + "]")
			continue
		}
		b.WriteString(strings.TrimPrefix(Path{s.Step}.String(), "input"))
	}
	return b.String()
}

// paths are all paths of input that the slot touches.
func (s *Slot) paths() []Path {
	switch {
	case s.Kind == Lookup:
		var out []Path
		for _, d := range s.Steps {
			if d.Dynamic {
				out = append(out, d.Input)
			}
		}
		return out
	case s.two:
		return []Path{s.Path, s.Other}
	}
	return []Path{s.Path}
}

// id tells slots apart. String is not enough: 1 and "1" must not meet.
func (s *Slot) id() string { return fmt.Sprintf("%d %s", s.Kind, s) }

// slots collects what is read, each once with all its places.
type slots map[string]*Slot

func (m slots) add(s Slot, at Place) {
	old, ok := m[s.id()]
	if !ok {
		m[s.id()], old = &s, &s
	}
	if i, found := slices.BinarySearchFunc(old.At, at, comparePlaces); !found {
		old.At = slices.Insert(old.At, i, at)
	}
}

// minimal gives the slots in a fixed order, without those whose outcome follows
// from the values that are in the key anyway.
func (m slots) minimal() []Slot {
	var tops []Path
	for _, s := range m {
		if s.Kind == Value {
			tops = append(tops, s.Path)
		}
	}
	// What is asked of one path alone tells whether there is anything.
	told := map[string]bool{}
	for _, s := range m {
		if p := s.paths(); s.Kind != Value && s.Kind != Exists && len(p) == 1 {
			told[p[0].String()] = true
		}
	}
	covered := func(p Path, self bool) bool {
		return slices.ContainsFunc(tops, func(top Path) bool {
			return p.within(top) && (!self || len(p) > len(top))
		})
	}
	var out []Slot
	for _, s := range m {
		open := slices.ContainsFunc(s.paths(), func(p Path) bool { return !covered(p, s.Kind == Value) })
		if open && !(s.Kind == Exists && told[s.Path.String()]) {
			out = append(out, *s)
		}
	}
	slices.SortFunc(out, func(a, b Slot) int { return cmp.Compare(a.id(), b.id()) })
	return out
}
