package opa

import (
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
		d.Code = r.snake(v, "code")
	})
	return d
}

// snake reads a word for machines.
func (r *reader) snake(t *ast.Term, what string) string {
	s, ok := r.text(t, what)
	if ok && !snakeCase(s) {
		r.fault(t, "%s %q is not in snake_case (letters a to z, digits and single _)", what, s)
	}
	return s
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

// mask reads {"path", "action", "bucket", "class"}.
func (r *reader) mask(t *ast.Term) (m policies.Mask) {
	r.object(t, "a mask entry", 2, []string{"path", "action", "bucket", "class"}, func(i int, v *ast.Term) {
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
		case 3:
			m.Class = r.snake(v, "class")
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
