package opa

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// row reads {"path", "where"}. A row filter without conditions would keep
// every row, so it is a fault.
func (r *reader) row(t *ast.Term) (row policies.Row) {
	r.object(t, "a rows entry", 2, []string{"path", "where"}, func(i int, v *ast.Term) {
		if i == 0 {
			row.Path = r.path(v)
			return
		}
		list, ok := r.elements(v, "where")
		if ok && len(list) == 0 {
			r.fault(v, "where is empty: every row would pass (say all_rows for that)")
		}
		for _, c := range list {
			row.Where = append(row.Where, r.condition(c, 1))
		}
	})
	return row
}

// maxConditionDepth is how deeply the masking engine lets conditions be nested.
const maxConditionDepth = 16

// Members of conditions: those of a comparison, then those of a combination.
func conditionKeys() []string {
	return []string{"field", "op", "value", "input", "any", "all", "not"}
}

const comparing = 4 // of conditionKeys

// condition reads a comparison or a combination, which stands so deep.
func (r *reader) condition(t *ast.Term, depth int) policies.Condition {
	if depth > maxConditionDepth {
		r.fault(t, "conditions are nested deeper than %d", maxConditionDepth)
		return policies.Condition{}
	}
	if o, ok := t.Value.(ast.Object); ok {
		for _, k := range conditionKeys()[comparing:] {
			if o.Get(ast.StringTerm(k)) != nil {
				return r.combination(t, depth)
			}
		}
	}
	return r.comparison(t)
}

// combination reads {"any": [...]}, {"all": [...]} or {"not": {...}}. One of
// nothing would hold for no row or for every row, so it is a fault.
func (r *reader) combination(t *ast.Term, depth int) (c policies.Condition) {
	var joins, compares []string
	keys := conditionKeys()
	r.object(t, "a condition", 0, keys, func(i int, v *ast.Term) {
		if i < comparing {
			compares = append(compares, keys[i])
			return
		}
		joins = append(joins, keys[i])
		switch keys[i] {
		case "any":
			c.Any = r.conditions(v, "any", depth)
		case "all":
			c.All = r.conditions(v, "all", depth)
		case "not":
			if !r.open(v) {
				not := r.condition(v, depth+1)
				c.Not = &not
			}
		}
	})
	if len(joins) > 1 {
		r.fault(t, "a condition has one of any, all and not, not %s: put one into the other", strings.Join(joins, " and "))
	}
	if len(compares) > 0 {
		r.fault(t, "a condition with %s has no member %s beside it: make that a condition of its own", joins[0], compares[0])
	}
	return c
}

// conditions reads the list of any or all.
func (r *reader) conditions(t *ast.Term, what string, depth int) (out []policies.Condition) {
	list, ok := r.elements(t, what)
	if ok && len(list) == 0 {
		r.fault(t, "%s is empty: give at least one condition", what)
	}
	for _, e := range list {
		out = append(out, r.condition(e, depth+1))
	}
	return out
}

// comparison reads {"field", "op", "value" or "input"}.
func (r *reader) comparison(t *ast.Term) (c policies.Condition) {
	var value *ast.Term
	var named, unknown bool
	r.object(t, "a condition", 2, conditionKeys(), func(i int, v *ast.Term) {
		switch i {
		case 0:
			field, ok := r.text(v, "field")
			if ok {
				if err := checkField(field); err != nil {
					r.fault(v, "field %q: %v", field, err)
				}
			}
			c.Field = field
		case 1:
			unknown = r.open(v)
			c.Op = r.word(v, "op", policies.Ops())
		case 2:
			value = v
		case 3:
			named = true
			c.Input = r.named(v)
		}
	})
	if unknown || r.open(t) || !slices.Contains(policies.Ops(), c.Op) {
		return c
	}
	r.operand(t, &c, value, named)
	return c
}

// operand reads what an operator compares with.
func (r *reader) operand(t *ast.Term, c *policies.Condition, value *ast.Term, named bool) {
	switch {
	case value != nil && named:
		r.fault(t, "a condition has value or input, not both")
	case c.Op == "exists" && named:
		r.fault(t, "op exists takes a boolean value or none, not an input")
	case c.Op == "exists" && value == nil:
		c.Value = true
	case c.Op == "exists":
		c.Value = r.boolean(value, "the value of op exists")
	case named:
	case value == nil:
		if !r.computedMember(t) {
			r.fault(t, "a condition with op %s needs a value or an input", c.Op)
		}
	case r.open(value):
	case c.Op == "in" || c.Op == "not_in":
		list, ok := r.elements(value, "the value of op "+c.Op)
		values := make([]any, 0, len(list))
		for _, e := range list {
			values = append(values, r.scalar(e))
		}
		if ok {
			c.Value = values
		}
	default:
		c.Value = r.scalar(value)
		r.fitting(value, c)
	}
}

// fitting finds fault with a value that op could compare with, but in vain.
func (r *reader) fitting(value *ast.Term, c *policies.Condition) {
	s, isText := c.Value.(string)
	_, isNumber := c.Value.(json.Number)
	switch c.Op {
	case "lt", "le", "gt", "ge":
		if !isText && !isNumber && !r.open(value) {
			r.fault(value, "op %s compares with a number or a string, not %s", c.Op, kind(value))
		}
	case "startswith", "endswith", "contains":
		switch {
		case r.open(value):
		case !isText:
			r.fault(value, "op %s compares with a string, not %s", c.Op, kind(value))
		case s == "":
			r.fault(value, "op %s with an empty string would hold for every string", c.Op)
		}
	}
}

// computedMember reports an object some of whose member names are not known
// yet.
func (r *reader) computedMember(t *ast.Term) bool {
	o, ok := t.Value.(ast.Object)
	return ok && o.Until(func(k, _ *ast.Term) bool { return r.open(k) })
}

// scalar reads a string, a number, a boolean or null.
func (r *reader) scalar(t *ast.Term) any {
	switch v := t.Value.(type) {
	case ast.String:
		return string(v)
	case ast.Number:
		return json.Number(string(v))
	case ast.Boolean:
		return bool(v)
	case ast.Null:
		return nil
	}
	if !r.open(t) {
		r.fault(t, "a value to compare with is a string, a number, a boolean or null, not %s", kind(t))
	}
	return nil
}
