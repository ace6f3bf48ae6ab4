package redact

import "slices"

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
		for _, c := range r.plan.filters[i].leaves {
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
		leaf := func(c *cond) truth { return c.naiveHolds(r.src, t.fields[n][c.leaf], r.limits.Scalar) }
		for _, c := range r.plan.filters[i].conds {
			if naiveLogic(c, leaf) != yes {
				return false
			}
		}
	}
	return true
}

// naiveLogic writes the tables of Kleene out: as numbers, no is 0, undefined is
// 1 and yes is 2; any is the greatest, all the least, not the distance from 2.
func naiveLogic(c *cond, leaf func(*cond) truth) truth {
	number := map[truth]int{no: 0, undefined: 1, yes: 2}
	back := []truth{no, undefined, yes}
	if c.joint == isLeaf {
		return leaf(c)
	}
	var values []int
	for _, p := range c.parts {
		values = append(values, number[naiveLogic(p, leaf)])
	}
	switch c.joint {
	case isAny:
		return back[slices.Max(values)]
	case isAll:
		return back[slices.Min(values)]
	}
	return back[2-values[0]]
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
