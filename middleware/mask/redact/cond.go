package redact

import (
	"errors"
	"fmt"
	"slices"
)

// Cond compares one field of a row with a value, or combines other conditions.
// A combination has exactly one of Any, All and Not, not empty, and nothing
// else; a comparison has none of them.
//
// Logic is that of Kleene: what is undefined stays undefined when it is
// negated; any is true if one is true, all is false if one is false, and
// otherwise undefined if one is undefined.
type Cond struct {
	// Field is the path of the field within the row: "a.b", "['a-b']", or "@"
	// for the row itself.
	Field string
	// Op is eq, ne, in, not_in, lt, le, gt, ge, exists, startswith, endswith or
	// contains. The last three compare strings, byte by byte; every string
	// starts with the empty one.
	Op string
	// Value is a string, number, bool or nil; a list of those for in and
	// not_in. For exists it is nil, true, or false for "does not exist".
	Value any
	// Missing says that the value has no value. Such a comparison is undefined:
	// neither it nor its negation holds.
	Missing bool

	Any, All []Cond
	Not      *Cond
}

// Ops of comparisons.
const (
	opEq         = "eq"
	opNe         = "ne"
	opIn         = "in"
	opNotIn      = "not_in"
	opLt         = "lt"
	opLe         = "le"
	opGt         = "gt"
	opGe         = "ge"
	opExists     = "exists"
	opStartsWith = "startswith"
	opEndsWith   = "endswith"
	opContains   = "contains"
)

func ops() []string {
	return []string{
		opEq, opNe, opIn, opNotIn, opLt, opLe, opGt, opGe, opExists,
		opStartsWith, opEndsWith, opContains,
	}
}

// Bounds of the conditions of a spec: how deeply they may be nested, a
// comparison being 1 deep, and how many comparisons there may be.
const (
	maxCondDepth = 16
	maxLeaves    = 256
)

// truth is three-valued.
type truth uint8

const (
	undefined truth = iota
	no
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return undefined
}

// joint is how a condition is made of others.
type joint uint8

const (
	isLeaf joint = iota // it is not: it is a comparison
	isAny
	isAll
	isNot // of one
)

type cond struct {
	joint joint
	parts []*cond
	// A comparison: number leaf among those of its filter.
	leaf   int
	field  []segment
	op     string
	values []literal
	never  bool
}

// holds judges a condition, given what its comparisons come to.
func (c *cond) holds(leaf func(*cond) truth) truth {
	switch c.joint {
	case isLeaf:
		return leaf(c)
	case isNot:
		return c.parts[0].holds(leaf).not()
	}
	// One that is decisive decides; else one that is undefined.
	decisive := yes
	if c.joint == isAll {
		decisive = no
	}
	out := decisive.not()
	for _, p := range c.parts {
		switch p.holds(leaf) {
		case decisive:
			return decisive
		case undefined:
			out = undefined
		}
	}
	return out
}

// judge judges a comparison by the scalar that its field is in the text; found
// says that there is one field, and raw is nil where it cannot be compared:
// where it is a container, or too long.
func (c *cond) judge(found bool, raw []byte, buf *scratch) truth {
	switch {
	case c.never:
		return undefined
	case c.op == opExists:
		return truthOf(found == (string(c.values[0].text) != "false"))
	case !found || raw == nil:
		return undefined
	}
	return c.compares(raw, buf)
}

// conds compiles conditions and collects their comparisons.
type conds struct{ leaves []*cond }

func (l *conds) compile(c Cond, depth int) (*cond, error) {
	if depth > maxCondDepth {
		return nil, fmt.Errorf("conditions are nested deeper than %d", maxCondDepth)
	}
	parts, how := c.Any, isAny
	kinds := 0
	if c.Any != nil {
		kinds++
	}
	if c.All != nil {
		parts, how = c.All, isAll
		kinds++
	}
	if c.Not != nil {
		parts, how = []Cond{*c.Not}, isNot
		kinds++
	}
	switch {
	case kinds == 0:
		return l.comparison(c)
	case kinds > 1:
		return nil, errors.New("a condition is one of any, all and not")
	case c.Field != "" || c.Op != "" || c.Value != nil || c.Missing:
		return nil, errors.New("a condition combines others or compares a field, not both")
	case len(parts) == 0:
		return nil, errors.New("any and all need a condition")
	}
	out := &cond{joint: how}
	for _, p := range parts {
		compiled, err := l.compile(p, depth+1)
		if err != nil {
			return nil, err
		}
		out.parts = append(out.parts, compiled)
	}
	return out, nil
}

func (l *conds) comparison(c Cond) (*cond, error) {
	field, err := parseField(c.Field)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(ops(), c.Op) {
		return nil, fmt.Errorf("op %q is unknown", c.Op)
	}
	out := &cond{leaf: len(l.leaves), field: field, op: c.Op, never: c.Missing}
	if !c.Missing {
		if out.values, err = literals(c.Op, c.Value); err != nil {
			return nil, fmt.Errorf("field %q: %s: %w", c.Field, c.Op, err)
		}
	}
	l.leaves = append(l.leaves, out)
	return out, nil
}

// Fits reports whether value has the shape that op compares with: a list for
// in and not_in, a bool or nothing for exists, a scalar for the others.
func Fits(op string, value any) bool {
	_, err := literals(op, value)
	return err == nil
}
