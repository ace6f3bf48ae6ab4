package memo

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// test appends the outcome of a comparison.
func (p *probe) test(dst []byte, v *view, in *policies.Input) ([]byte, bool) {
	if p.pair {
		var w view
		p.two.show(in, &w)
		return appendEqual(dst, v, &w)
	}
	tag := outcome(p.op, v, p.consts)
	if dst = append(dst, tag); tag == tagRaw {
		return appendView(dst, *v, 0)
	}
	return dst, v.shape != unknown
}

func outcome(op string, v *view, consts []ast.Value) byte {
	if v.shape == absent {
		return tagAbsent
	}
	switch op {
	case opTrue:
		return truth(v.shape != boolFalse)
	case opEqual, opIn:
		return among(v, consts)
	case opHas:
		return has(v, consts[0])
	case opStarts, opEnds, opHolds:
		part, _ := consts[0].(ast.String)
		switch {
		case v.shape != text:
			return tagRaw // whether that is an error depends on what else selects the rule
		case op == opStarts:
			return truth(strings.HasPrefix(v.text, string(part)))
		case op == opEnds:
			return truth(strings.HasSuffix(v.text, string(part)))
		}
		return truth(strings.Contains(v.text, string(part)))
	case opLess:
		return truth(order(v, consts[0]) < 0)
	case opAtMost:
		return truth(order(v, consts[0]) <= 0)
	case opMore:
		return truth(order(v, consts[0]) > 0)
	case opLeast:
		return truth(order(v, consts[0]) >= 0)
	}
	return tagRaw
}

func truth(b bool) byte {
	if b {
		return tagTrue
	}
	return tagFalse
}

// among compares with constants. Numbers that are equal but spelled in
// different ways stand in the key as they are spelled: there is no relying on
// every part of the engine to take them for one.
func among(v *view, consts []ast.Value) byte {
	result := tagFalse
	for _, c := range consts {
		switch same(v, c) {
		case tagTrue:
			return tagTrue
		case tagRaw:
			result = tagRaw
		}
	}
	return result
}

func same(v *view, c ast.Value) byte {
	switch c := c.(type) {
	case ast.String:
		return truth(v.shape == text && v.text == string(c))
	case ast.Boolean:
		return truth(bool(c) && v.shape == boolTrue || !bool(c) && v.shape == boolFalse)
	case ast.Null:
		return truth(v.shape == null)
	case ast.Number:
		if v.shape != number && v.shape != integer {
			return tagFalse
		}
		switch n := v.number(); {
		case n == c:
			return tagTrue
		case ast.NumberCompare(n, c) == 0:
			return tagRaw
		}
	}
	return tagFalse
}

// number is the term that the engine makes of a number.
func (v *view) number() ast.Number {
	if v.shape == integer {
		return ast.Number(strconv.FormatInt(v.whole, 10))
	}
	return ast.Number(v.text)
}

// has tells whether a collection has a constant among its elements or the
// values of its members.
func has(v *view, c ast.Value) byte {
	result := tagFalse
	each := func(e view) {
		if t := same(&e, c); t == tagTrue || result == tagFalse {
			result = t
		}
	}
	switch v.shape {
	case list:
		want, ok := c.(ast.String)
		return truth(ok && slices.Contains(v.list, string(want)))
	case array:
		for _, e := range v.any.([]any) {
			each(look(e))
		}
	case object:
		for _, e := range v.any.(map[string]any) {
			each(look(e))
		}
	case textMap:
		for _, e := range v.any.(map[string]string) {
			each(textView(e))
		}
	}
	return result
}

// rank orders values of different types as Rego does.
func (v *view) rank() int {
	switch v.shape {
	case null:
		return 0
	case boolFalse, boolTrue:
		return 1
	case number, integer:
		return 2
	case text:
		return 3
	}
	return 4
}

// order compares a value with a constant.
func order(v *view, c ast.Value) int {
	switch c := c.(type) {
	case ast.Null:
		return cmp.Compare(v.rank(), 0)
	case ast.Boolean:
		if v.rank() != 1 {
			return cmp.Compare(v.rank(), 1)
		}
		return cmp.Compare(int(v.shape), int(map[bool]shape{false: boolFalse, true: boolTrue}[bool(c)]))
	case ast.Number:
		if v.rank() != 2 {
			return cmp.Compare(v.rank(), 2)
		}
		if n, ok := c.Int64(); ok && v.shape == integer {
			return cmp.Compare(v.whole, n)
		}
		return ast.NumberCompare(v.number(), c)
	case ast.String:
		if v.rank() != 3 {
			return cmp.Compare(v.rank(), 3)
		}
		return strings.Compare(v.text, string(c))
	}
	return 0
}

// appendEqual writes whether two values are equal. Two collections, or two
// numbers that are spelled differently, are written themselves.
func appendEqual(dst []byte, a, b *view) ([]byte, bool) {
	switch {
	case a.shape == unknown || b.shape == unknown:
		return dst, false
	case a.shape == absent || b.shape == absent:
		return append(dst, tagAbsent), true
	case a.rank() != b.rank():
		return append(dst, tagFalse), true
	case a.rank() == 3:
		return append(dst, truth(a.text == b.text)), true
	case a.rank() < 2:
		return append(dst, truth(a.shape == b.shape)), true
	case a.rank() == 2 && a.shape == b.shape && a.text == b.text && a.whole == b.whole:
		return append(dst, tagTrue), true
	}
	dst, ok := appendView(append(dst, tagRaw), *a, 0)
	if !ok {
		return dst, false
	}
	return appendView(dst, *b, 0)
}
