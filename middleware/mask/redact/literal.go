package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// literal is a scalar; kind is the first byte of its JSON text: " - t f n,
// with - for every number and t for both booleans.
type literal struct {
	kind   byte
	text   []byte
	number decimal
}

func literals(op string, value any) ([]literal, error) {
	list, isList := value.([]any)
	switch {
	case op == opExists:
		if _, ok := value.(bool); !ok && value != nil {
			return nil, errors.New("the value must be true, false or absent")
		}
	case (op == opIn || op == opNotIn) != isList:
		return nil, errors.New("in and not_in compare with a list, everything else with a single value")
	}
	if !isList {
		list = []any{value}
	}
	out := make([]literal, len(list))
	for i, v := range list {
		l, err := literalOf(v)
		if err != nil {
			return nil, err
		}
		out[i] = l
	}
	return out, nil
}

func literalOf(v any) (literal, error) {
	var text string
	switch v := v.(type) {
	case nil:
		return literal{kind: 'n'}, nil
	case string:
		return literal{kind: '"', text: []byte(v)}, nil
	case bool:
		return literal{kind: 't', text: strconv.AppendBool(nil, v)}, nil
	case json.Number:
		text = v.String()
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case int:
		text = strconv.Itoa(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	default:
		return literal{}, fmt.Errorf("a %T cannot be compared with", v)
	}
	if !isNumber(text) {
		return literal{}, fmt.Errorf("%q is not a number", text)
	}
	d, ok := parseDecimal(nil, []byte(text))
	if !ok {
		return literal{}, fmt.Errorf("%q is too large a number", text)
	}
	return literal{kind: '-', number: d}, nil
}

// scratch is room for the decoded form of one value, used again and again.
type scratch struct{ buf []byte }

// literalAt reads a scalar of the text; what it gives is valid until the next
// use of buf. It reports false for what cannot be compared: containers, half a
// surrogate pair, an absurd exponent.
func literalAt(raw []byte, buf *scratch) (literal, bool) {
	ok := true
	switch raw[0] {
	case '{', '[':
		return literal{}, false
	case 'n':
		return literal{kind: 'n'}, true
	case 't', 'f':
		return literal{kind: 't', text: raw}, true
	case '"':
		if bytes.IndexByte(raw, '\\') < 0 {
			return literal{kind: '"', text: raw[1 : len(raw)-1]}, true
		}
		buf.buf, ok = unquote(buf.buf[:0], raw)
		return literal{kind: '"', text: buf.buf}, ok
	}
	buf.buf = slices.Grow(buf.buf[:0], len(raw))
	d, ok := parseDecimal(buf.buf, raw)
	return literal{kind: '-', number: d}, ok
}

// compares judges the scalar that the field is. A container is undefined.
func (c *cond) compares(raw []byte, buf *scratch) truth {
	v, ok := literalAt(raw, buf)
	if !ok {
		return undefined
	}
	return c.test(v)
}

// test judges a value; the op is not exists.
func (c *cond) test(v literal) truth {
	switch c.op {
	case opEq:
		return v.equals(c.values[0])
	case opNe:
		return v.equals(c.values[0]).not()
	case opIn:
		return v.isIn(c.values)
	case opNotIn:
		return v.isIn(c.values).not()
	case opStartsWith, opEndsWith, opContains:
		return v.matches(c.op, c.values[0])
	}
	n, ok := v.compare(c.values[0])
	switch {
	case !ok:
		return undefined
	case c.op == opLt:
		return truthOf(n < 0)
	case c.op == opLe:
		return truthOf(n <= 0)
	case c.op == opGt:
		return truthOf(n > 0)
	}
	return truthOf(n >= 0)
}

// equals compares scalars of the same type. Null in the policy is the one
// value that everything can be compared with: it asks whether there is one.
func (l literal) equals(want literal) truth {
	switch {
	case want.kind == 'n':
		return truthOf(l.kind == 'n')
	case l.kind != want.kind:
		return undefined
	case l.kind == '-':
		return truthOf(l.number.compare(want.number) == 0)
	}
	return truthOf(bytes.Equal(l.text, want.text))
}

// isIn is the "or" of the comparisons: true beats undefined beats false.
func (l literal) isIn(list []literal) truth {
	out := no
	for _, w := range list {
		switch l.equals(w) {
		case yes:
			return yes
		case undefined:
			out = undefined
		}
	}
	return out
}

// matches compares a part of a string.
func (l literal) matches(op string, want literal) truth {
	switch {
	case l.kind != '"' || want.kind != '"':
		return undefined
	case op == opStartsWith:
		return truthOf(bytes.HasPrefix(l.text, want.text))
	case op == opEndsWith:
		return truthOf(bytes.HasSuffix(l.text, want.text))
	}
	return truthOf(bytes.Contains(l.text, want.text))
}

// compare orders numbers by value and strings by code point.
func (l literal) compare(want literal) (int, bool) {
	switch {
	case l.kind != want.kind:
		return 0, false
	case l.kind == '-':
		return l.number.compare(want.number), true
	case l.kind == '"':
		return bytes.Compare(l.text, want.text), true
	}
	return 0, false
}
