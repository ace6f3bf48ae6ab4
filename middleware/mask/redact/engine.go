package redact

import "math"

// engine reads one text, or one sequence of lines, through a window and writes
// what is left of it.
//
// buf[span:p] is read and not yet copied, so that everything between two
// changes is one copy. Places in the output are counted from its beginning, as
// if all that was read were copied: that of p is done+len(out)+p-span, which
// copying does not change. To take something back is to cut the output, or to
// copy less than was read, whichever the place demands; see rollback.
type engine struct {
	plan   *Plan
	m      *machine
	limits Limits
	window
	out  []byte
	done int  // bytes of the output that are not in out any more
	lost bool // what is read is not copied, because it will not be sent

	// Where the text is read.
	phase     phase
	cur       *state // of the value that comes next
	frames    []frame
	name      int // offset into the text of the name at hand
	number    numberState
	head      byte // first byte of the scalar at hand
	nest      nest
	dead      *judged // what becomes of the dead container at hand
	closes    bool    // a trial ends with it
	rootFate  fate
	documents int
	sent      int // of the documents
	start     int // offset of the text behind a byte order mark

	counts
	tally    tally
	found    bool // a row filter applies
	pointers pointers
	trials   []trial
	rows     []row
	captures []capture
	// first is the place from which on something may be taken back by a trial,
	// the one at undecided being the outermost of these; or never.
	first     int
	undecided int

	names   names
	scratch scratch
}

// counts are what is undone when something turns out to vanish.
type counts struct {
	masked, dropped, hidden int
	sensitive, rows         int // values and rows that are sent
	pointers                int
	log, seen               int // entries in the log and sightings of the tally
	shown, exposed          int // values that a show, or an exposed path, matched
}

// frame is a container that is being read, or, the first, the text.
type frame struct {
	// state is that of an object, for its members; or of the elements of an
	// array.
	state *state
	// hold is the place from which on the member or element at hand goes if it
	// vanishes: that of the comma in front of it, or, while nothing of the
	// container has been kept, that of its inside.
	hold    int
	closing byte // the bracket at the end, 0 for the text
	emitted bool // something has been kept
	tried   bool // a trial ends with it
	awaits  bool // a row filter is content with no element
	// The member at hand: where its name stands, with its quotes, in the text,
	// or where it has been saved. Or the element.
	saved bool
	name  span
	index int
}

// never is a place behind all others.
const never = math.MaxInt

// place gives the place in the output of the byte of the window at i.
func (e *engine) place(i int) int { return i + e.shift() }

// shift is how far behind an offset in the window its place is.
func (e *engine) shift() int { return e.done + len(e.out) - e.span }

// flush copies what was read and not copied yet, up to i.
func (e *engine) flush(i int) {
	if i <= e.span {
		return
	}
	if !e.lost {
		e.out = append(e.out, e.buf[e.span:i]...)
	}
	e.span = i
}

// rollback makes the output end at a place, and goes on behind i.
func (e *engine) rollback(place, i int) {
	switch n := place - e.done - len(e.out); {
	case n > 0:
		e.out = append(e.out, e.buf[e.span:e.span+n]...)
	case n < 0:
		e.out = e.out[:len(e.out)+n]
	}
	e.span = i
}
