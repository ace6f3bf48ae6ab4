package opa

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// denial reads {"code", "message"}.
func (r *reader) denial(t *ast.Term) (d policies.Denial) {
	r.object(t, "a deny entry", 2, []string{"code", "message"}, func(i int, v *ast.Term) {
		if i == 1 {
			d.Message, _ = r.text(v, "message")
			return
		}
		code, ok := r.text(v, "code")
		if ok && !snakeCase(code) {
			r.fault(v, "code %q is not in snake_case (letters a to z, digits and single _)", code)
		}
		d.Code = code
	})
	return d
}

func snakeCase(s string) bool {
	last := byte('_')
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !('0' <= c && c <= '9') && (c != '_' || last == '_')) {
			return false
		}
		last = c
	}
	return last != '_'
}

// mask reads {"path", "action", "bucket"}.
func (r *reader) mask(t *ast.Term) (m policies.Mask) {
	r.object(t, "a mask entry", 2, []string{"path", "action", "bucket"}, func(i int, v *ast.Term) {
		switch i {
		case 0:
			m.Path = r.path(v)
		case 1:
			m.Action = r.word(v, "action", policies.MaskActions())
		case 2:
			if r.open(v) {
				return
			}
			n, ok := v.Value.(ast.Number)
			m.Bucket, _ = n.Float64()
			if !ok || !(m.Bucket > 0) || math.IsInf(m.Bucket, 0) {
				r.fault(v, "bucket is a number above 0")
			}
		}
	})
	return m
}

// protect reads {"path", "action"}.
func (r *reader) protect(t *ast.Term) (p policies.Protect) {
	r.object(t, "a protect entry", 2, []string{"path", "action"}, func(i int, v *ast.Term) {
		if i == 0 {
			p.Path = r.path(v)
		} else {
			p.Action = r.word(v, "action", []string{"reject", "drop"})
		}
	})
	return p
}

// require reads {"acr", "amr", "max_age"}. One that asks for nothing is a
// fault: it would look like a step-up and be none.
func (r *reader) require(t *ast.Term) (q policies.Require) {
	unknown := r.open(t)
	before := len(r.faults)
	r.object(t, "a require entry", 0, []string{"acr", "amr", "max_age"}, func(i int, v *ast.Term) {
		if r.open(v) {
			unknown = true
			return
		}
		switch i {
		case 0:
			q.ACR, _ = r.text(v, "acr")
		case 1:
			q.AMR, unknown = r.methods(v, unknown)
		case 2:
			n, ok := v.Value.(ast.Number)
			age, whole := n.Int64()
			if !ok || !whole || age < 0 {
				r.fault(v, "max_age is a whole number of seconds, not below 0")
			}
			q.MaxAge = age
		}
	})
	if len(r.faults) == before && !unknown && q.ACR == "" && len(q.AMR) == 0 && q.MaxAge == 0 {
		r.fault(t, "a require entry asks for nothing: give acr, amr or a max_age above 0")
	}
	return q
}

// methods reads the list of amr, sorted.
func (r *reader) methods(t *ast.Term, unknown bool) ([]string, bool) {
	list, ok := r.elements(t, "amr")
	if !ok {
		return nil, true
	}
	var out []string
	for _, e := range list {
		if r.open(e) {
			unknown = true
		} else if s, ok := r.text(e, "a method of amr"); ok && s == "" {
			r.fault(e, "a method of amr is empty")
		} else if ok {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out, unknown
}

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
			row.Where = append(row.Where, r.condition(c))
		}
	})
	return row
}

// condition reads {"field", "op", "value" or "input"}.
func (r *reader) condition(t *ast.Term) (c policies.Condition) {
	var value *ast.Term
	var named, unknown bool
	r.object(t, "a condition", 2, []string{"field", "op", "value", "input"}, func(i int, v *ast.Term) {
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
		if _, ordered := c.Value.(string); !ordered && slices.Contains([]string{"lt", "le", "gt", "ge"}, c.Op) {
			if _, ordered = c.Value.(json.Number); !ordered && !r.open(value) {
				r.fault(value, "op %s compares with a number or a string, not %s", c.Op, kind(value))
			}
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

// header reads the value of an upstream header: "text" or {"input": name}.
func (r *reader) header(t *ast.Term) (v policies.Value) {
	if r.open(t) {
		return v
	}
	if s, ok := t.Value.(ast.String); ok {
		v.Text = string(s)
		if at := badHeaderByte(v.Text); at >= 0 {
			r.fault(t, "a header's text has visible ASCII characters with spaces between them; it has not at byte %s",
				strconv.Itoa(at))
		}
		return v
	}
	r.object(t, `a header's value (a text or {"input": name})`, 1, []string{"input"}, func(_ int, n *ast.Term) {
		v.Input = r.named(n)
	})
	return v
}
