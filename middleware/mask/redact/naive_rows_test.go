package redact

// naiveCapture is where a field of one row was found.
type naiveCapture struct {
	field []segment
	// seen has a bit for every segment whose name was met.
	seen       uint64
	ambiguous  bool
	found      bool
	start, end int
}

// aim is a capture some segments before its field.
type aim struct {
	capture *naiveCapture
	behind  int // segments that lead to the value at hand
}

// follow gives the aims of the member n of an object. A name that is met twice,
// or that equals the wanted one only loosely, makes the field ambiguous: the
// backend and the gateway might read different values.
func follow(aims []aim, n *name) []aim {
	var next []aim
	for _, a := range aims {
		if a.behind == len(a.capture.field) || !n.ok {
			continue
		}
		seg := &a.capture.field[a.behind]
		if string(n.fold) != seg.fold {
			continue
		}
		bit := uint64(1) << a.behind
		if a.capture.seen&bit != 0 || string(n.text) != seg.name {
			a.capture.ambiguous = true
			continue
		}
		a.capture.seen |= bit
		next = append(next, aim{a.capture, a.behind + 1})
	}
	return next
}

// land gives the captures whose field is the value at hand. A field behind an
// array could be in any of its elements, so it is ambiguous.
func land(aims []aim, array bool) []*naiveCapture {
	var landed []*naiveCapture
	for _, a := range aims {
		switch {
		case a.behind == len(a.capture.field):
			a.capture.found = true
			landed = append(landed, a.capture)
		case array:
			a.capture.ambiguous = true
		}
	}
	return landed
}

// judgeRows finds the row filters that judge the value, aims at the fields
// they ask for, and leaves in sc.each those that judge its elements.
func (r *run) judgeRows(sc *scope, v int, array bool) *naiveTrial {
	here := sc.each
	sc.each = nil
	base := r.plan.masks + r.plan.shows + r.plan.expose
	for i := range r.plan.filters {
		p, s := &r.plan.patterns[base+i], sc.states[base+i]
		empty := array && at(r.src, naiveSpace(r.src, v+1)) == ']'
		switch {
		case !p.accepts(s, array):
			// No element, no row: an empty array on the way is as good as one
			// at the end.
			r.rowsFound = r.rowsFound || empty && p.awaitsElements(s)
			continue
		case array && !p.literalEnd():
			sc.each = append(sc.each, i)
		default:
			here = append(here[:len(here):len(here)], i)
		}
		r.rowsFound = true
	}
	if len(here) == 0 {
		return nil
	}
	return r.newTrial(sc, here)
}

func (r *run) newTrial(sc *scope, filters []int) *naiveTrial {
	t := &naiveTrial{filters: filters}
	aims := sc.aims[:len(sc.aims):len(sc.aims)]
	for _, i := range filters {
		var fields []*naiveCapture
		for _, c := range r.plan.filters[i].conds {
			f := &naiveCapture{field: c.field}
			fields = append(fields, f)
			aims = append(aims, aim{f, 0})
		}
		t.fields = append(t.fields, fields)
	}
	sc.aims = aims
	return t
}

// passes reports whether every condition of every filter is true.
func (r *run) passes(t *naiveTrial) bool {
	for n, i := range t.filters {
		for k, c := range r.plan.filters[i].conds {
			if c.naiveHolds(r.src, t.fields[n][k], r.limits.Scalar) != yes {
				return false
			}
		}
	}
	return true
}

// naiveHolds judges the field as it was found in src.
func (c *cond) naiveHolds(src []byte, f *naiveCapture, limit int) truth {
	switch {
	case c.never || f.ambiguous:
		return undefined
	case c.op == opExists:
		return truthOf(f.found == (string(c.values[0].text) != "false"))
	case !f.found || f.end-f.start > limit:
		return undefined
	}
	return c.compares(src[f.start:f.end], new(scratch))
}
