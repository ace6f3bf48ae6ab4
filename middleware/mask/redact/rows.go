package redact

import "slices"

// row is a value that row filters judge, while it is read.
type row struct {
	depth    int // of the value: 1 is the root
	filters  []int
	captures int // where its fields are among the captures
}

// capture is what has been found of one field of one row.
type capture struct {
	// seen has a bit for every segment whose name was met.
	seen uint64
	// ambiguous says that there is more than one way to read it: the backend
	// and the gateway might read different values.
	ambiguous bool
	found     bool
	holds     truth // of the comparison, on the value
}

// judgeRows finds the row filters that judge the value, and the fields of
// conditions that it is.
func (m *machine) judgeRows(s *state, j *judged, c byte) {
	array := c == '['
	j.awaits = array && s.at.meets(m.elems)
	for i := range m.plan.filters {
		path := m.plan.masks + m.plan.shows + m.plan.expose + i
		here := s.at.has(m.each + i)
		j.at.remove(m.each + i)
		if m.accepts(s.at, span{m.first[path], m.first[path+1]}, true) >= 0 {
			j.found = true
			if array && !m.plan.patterns[path].literalEnd() {
				j.at.add(m.each + i)
			} else {
				here = true
			}
		}
		if !here || s.mute {
			continue
		}
		if passes, certain := m.plan.filters[i].foregone(c); !certain {
			j.filters = append(j.filters, i)
		} else if !passes {
			j.denies = true
		}
	}
	if j.denies {
		j.filters = nil
	}
	for i := range m.fields {
		f := &m.fields[i]
		if slices.Contains(j.filters, f.filter) {
			j.at.add(f.at)
		}
		for at := j.at.next(f.at, f.end()+1); at >= 0; at = j.at.next(at+1, f.end()+1) {
			switch {
			case at == f.end():
				j.landed = append(j.landed, i)
			case array:
				j.blurred = append(j.blurred, fieldAt{i, at - f.at})
			}
		}
	}
}

// foregone tells what the filter makes of a value that starts with c, where
// that is certain beforehand: no field is found in a scalar, and none can be
// read through an array. Only of an object, or where the value itself is
// compared, it is not.
func (f *filter) foregone(c byte) (passes, certain bool) {
	certain = c != '{'
	passes = f.holds(func(leaf *cond) truth {
		switch {
		case c != '[' && len(leaf.field) > 0:
			return leaf.judge(false, nil, nil)
		case c == '[' && len(leaf.field) > 0:
			return undefined
		}
		certain = certain && c == '['
		return leaf.judge(true, nil, nil)
	})
	return passes, certain
}

// openRow begins a row at the value that is about to be read.
func (e *engine) openRow(filters []int) {
	e.rows = append(e.rows, row{len(e.frames), filters, len(e.captures)})
	for _, i := range filters {
		for range e.m.plan.filters[i].leaves {
			e.captures = append(e.captures, capture{})
		}
	}
}

// closeRow ends the innermost row, and reports whether every condition of
// every filter is true.
func (e *engine) closeRow() bool {
	row := e.rows[len(e.rows)-1]
	captures := e.captures[row.captures:]
	passes := true
	for _, i := range row.filters {
		f := &e.m.plan.filters[i]
		passes = passes && f.holds(func(c *cond) truth { return captures[c.leaf].truth(c) })
		captures = captures[len(f.leaves):]
	}
	e.captures = e.captures[:row.captures]
	e.rows = e.rows[:len(e.rows)-1]
	return passes
}

// truth gives what the comparison comes to whose field it is.
func (f *capture) truth(c *cond) truth {
	switch {
	case f.ambiguous:
		return undefined
	case f.found:
		return f.holds
	}
	return c.judge(false, nil, nil)
}

// capture gives what is known of a field of the row that began so many names
// ago.
func (e *engine) capture(field, behind int) *capture {
	f := &e.m.fields[field]
	for i := len(e.rows) - 1; i >= 0; i-- {
		if r := &e.rows[i]; r.depth == len(e.frames)-behind {
			at := r.captures
			for _, filter := range r.filters {
				if filter == f.filter {
					return &e.captures[at+f.leaf]
				}
				at += len(e.m.plan.filters[filter].leaves)
			}
		}
	}
	// The automaton reaches a position of a field only from a row of its filter,
	// and rows are closed with their value.
	panic("redact: field without a row")
}

// meet notes that a name has been met on the way to fields. One that is met
// twice, or in another spelling, makes the field ambiguous.
func (e *engine) meet(s *state) {
	for _, f := range s.seen {
		c := e.capture(f.field, f.behind)
		bit := uint64(1) << (f.behind - 1)
		c.ambiguous = c.ambiguous || c.seen&bit != 0
		c.seen |= bit
	}
	for _, f := range s.blurred {
		e.capture(f.field, f.behind).ambiguous = true
	}
}

// land notes that the value at hand is a field; raw is nil where it is a
// container or longer than what is compared.
func (e *engine) land(j *judged, raw []byte) {
	for _, i := range j.landed {
		f := &e.m.fields[i]
		c := e.capture(i, len(f.path))
		c.found = true
		c.holds = e.m.plan.filters[f.filter].leaves[f.leaf].judge(true, raw, &e.scratch)
	}
	for _, f := range j.blurred {
		e.capture(f.field, f.behind).ambiguous = true
	}
}
