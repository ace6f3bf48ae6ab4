package redact

import (
	"strconv"
)

// The oracle is the plainest engine there is: recursive, on the whole text, with
// every path followed on its own. What the package sends must be what it sends.

// run is one passage over a text: a strict parser that copies what it reads.
// src[span:] up to where the parser stands is read and not yet copied, so that
// everything between two changes is one copy.
type run struct {
	src    []byte
	out    []byte
	span   int
	plan   *Plan
	limits Limits
	depth  int
	// muted, where positive, says that what is read will not be sent. It is
	// still checked, and rows in it still count as found.
	muted int
	naiveTally
	rowsFound bool

	states []naiveState // arena of the states of all values being read
	path   []crumb      // where the parser stands
	name   name         // the last name read
}

// naiveTally is what is undone when something turns out to vanish.
type naiveTally struct {
	Report
	shown   int       // values that a show matched
	exposed int       // values that expose matched
	ruled   []int     // rules that masked, as often as they did
	found   []Finding // each once
}

// crumb is one step of the way to a value: the span of the quoted name in src,
// or an index.
type crumb struct{ start, end, index int }

// scope is what is known about a value from the way to it.
type scope struct {
	states []naiveState // of every pattern
	mask   verdict      // strictest mask of the containers
	open   bool         // it is exposed, or there is nothing to expose
	each   []int        // row filters that judge every element of the array
	aims   []aim        // fields of rows that this value lies on the way to
	known  bool         // nothing in it is looked at
	named  bool         // it is not looked at, nor its elements
}

func newRun(dst []byte, plan *Plan, limits Limits) *run {
	return &run{out: dst, plan: plan, limits: limits.withDefaults()}
}

// document reads one document of src, from start to the end.
func (r *run) document(src []byte, start int) (fate, error) {
	r.src, r.span = src, start
	sc := scope{open: r.plan.expose == 0}
	for i := range r.plan.patterns {
		r.states = append(r.states, r.plan.patterns[i].start())
	}
	sc.states = r.states
	before := len(r.out)
	end, f, err := r.value(start, naiveSpace(src, start), &sc)
	r.states = r.states[:0]
	if err != nil {
		return f, err
	}
	if end = naiveSpace(src, end); end != len(src) {
		return f, &Error{ErrSyntax, end}
	}
	if f != kept {
		// There is nothing to leave the root out of.
		r.out = append(r.out[:before], "null"...)
		return f, nil
	}
	r.flush(end)
	return f, nil
}

// read checks and copies the value at v, which is not touched itself.
func (r *run) read(v int, sc *scope) (int, error) {
	switch at(r.src, v) {
	case '{':
		return r.object(v, sc)
	case '[':
		return r.array(v, sc)
	}
	return naiveScalar(r.src, v)
}

func (r *run) object(v int, sc *scope) (int, error) {
	if r.depth++; r.depth > r.limits.Depth {
		return v, &Error{ErrDepth, v}
	}
	hold, emitted := v+1, false
	i := naiveSpace(r.src, v+1)
	if at(r.src, i) == '}' {
		r.depth--
		return i + 1, nil
	}
	for {
		quote, begin, err := r.key(i)
		if err != nil {
			return i, err
		}
		mark := len(r.states)
		sub := r.descend(sc, &r.name)
		r.path = append(r.path, crumb{i, quote, -1})
		end, f, err := r.value(hold, begin, &sub)
		if err != nil {
			return end, err
		}
		r.path = r.path[:len(r.path)-1]
		r.states = r.states[:mark]
		emitted = emitted || f == kept
		i = naiveSpace(r.src, end)
		if at(r.src, i) != ',' {
			return r.close(i, '}', emitted)
		}
		hold = r.comma(i, emitted)
		i = naiveSpace(r.src, i+1)
	}
}

func (r *run) array(v int, sc *scope) (int, error) {
	if r.depth++; r.depth > r.limits.Depth {
		return v, &Error{ErrDepth, v}
	}
	hold, emitted := v+1, false
	i := naiveSpace(r.src, v+1)
	if at(r.src, i) == ']' {
		r.depth--
		return i + 1, nil
	}
	mark := len(r.states)
	elem := r.descend(sc, nil)
	for n := 0; ; n++ {
		sub := elem
		r.path = append(r.path, crumb{index: n})
		end, f, err := r.value(hold, i, &sub)
		if err != nil {
			return end, err
		}
		r.path = r.path[:len(r.path)-1]
		emitted = emitted || f == kept
		i = naiveSpace(r.src, end)
		if at(r.src, i) != ',' {
			r.states = r.states[:mark]
			return r.close(i, ']', emitted)
		}
		hold = r.comma(i, emitted)
		i = naiveSpace(r.src, i+1)
	}
}

// comma tells what a member or element behind the comma at i takes along if it
// vanishes: from the comma on; or, while nothing of the container has been
// kept, the comma itself is left out and from behind it on.
func (r *run) comma(i int, emitted bool) int {
	if emitted {
		return i
	}
	r.span = i + 1
	return i + 1
}

// close ends a container that had members or elements; the space in front of
// the bracket goes with the last of them if all have vanished.
func (r *run) close(i int, bracket byte, emitted bool) (int, error) {
	if at(r.src, i) != bracket {
		return i, &Error{ErrSyntax, i}
	}
	if !emitted {
		r.span = i
	}
	r.depth--
	return i + 1, nil
}

// key reads the name at i and gives the offsets behind it and of its value.
func (r *run) key(i int) (end, value int, err error) {
	if at(r.src, i) != '"' {
		return i, i, &Error{ErrSyntax, i}
	}
	end, err = naiveString(r.src, i)
	if err != nil {
		return i, i, err
	}
	if end-i-2 > r.limits.Key {
		return i, i, &Error{ErrTooLarge, i}
	}
	colon := naiveSpace(r.src, end)
	if at(r.src, colon) != ':' {
		return i, i, &Error{ErrSyntax, colon}
	}
	r.name.text, r.name.ok = unquote(r.name.text[:0], r.src[i:end])
	r.name.fold = appendFold(r.name.fold[:0], r.name.text)
	return end, naiveSpace(r.src, colon+1), nil
}

// descend gives the scope of a member, or of every element where n is nil.
func (r *run) descend(sc *scope, n *name) scope {
	mark := len(r.states)
	for i := range r.plan.patterns {
		r.states = append(r.states, r.plan.patterns[i].step(sc.states[i], n))
	}
	sub := scope{states: r.states[mark:len(r.states):len(r.states)], mask: sc.mask, open: sc.open, known: sc.known}
	if n == nil {
		sub.each, sub.named = sc.each, sc.named
	} else {
		sub.aims = follow(sc.aims, n)
	}
	return sub
}

// flush copies what was read and not copied yet, up to the offset.
func (r *run) flush(to int) {
	if r.muted == 0 && to > r.span {
		r.out = append(r.out, r.src[r.span:to]...)
		r.span = to
	}
}

// replace puts text in place of what was read from the last flush to end.
func (r *run) replace(end int, text string) {
	if r.muted == 0 {
		r.out = append(r.out, text...)
	}
	r.span = end
}

// changed adds the place where the parser stands to the report.
func (r *run) changed() {
	if r.muted > 0 || len(r.Pointers) == maxPointers {
		return
	}
	var p []byte
	for _, c := range r.path {
		if len(p)+c.end-c.start > maxPointer {
			break
		}
		p = append(p, '/')
		if c.index >= 0 {
			p = strconv.AppendInt(p, int64(c.index), 10)
			continue
		}
		text, _ := unquote(nil, r.src[c.start:c.end])
		for _, b := range text {
			switch b {
			case '~':
				p = append(p, "~0"...)
			case '/':
				p = append(p, "~1"...)
			default:
				p = append(p, b)
			}
		}
	}
	r.Pointers = append(r.Pointers, string(p))
}
