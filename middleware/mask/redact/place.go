package redact

import "math/bits"

// Paths are paths of masks and shows, to be followed by those who have places
// and not a text: names of form fields, the pointers of a patch.
type Paths struct {
	list  []pattern
	masks int // the first so many are read as masks, the others as shows
}

// NewPaths reads paths as those of masks are read.
func NewPaths(masks []string) (*Paths, error) { return newPaths(masks, nil) }

func newPaths(masks, shows []string) (*Paths, error) {
	p := &Paths{masks: len(masks)}
	for i, path := range append(append([]string(nil), masks...), shows...) {
		read := readMask
		if i >= len(masks) {
			read = readGrant
		}
		pat, err := newPattern(path, read)
		if err != nil {
			return nil, err
		}
		p.list = append(p.list, pat)
	}
	return p, nil
}

// Place is where a value stands: how much of every path is behind, a bit for
// each position. It is immutable.
type Place struct {
	paths *Paths
	live  []uint64
	shown bool // no mask holds for the value
}

// Root is the place of a whole document.
func (p *Paths) Root() Place {
	at := Place{paths: p, live: make([]uint64, len(p.list))}
	for i := range p.list {
		at.live[i] = p.list[i].closed(1)
	}
	return at.lifted()
}

// Member is the place of a member by that name.
func (at Place) Member(text string) Place {
	n := name{text: []byte(text), ok: true}
	n.fold = appendFold(nil, n.text)
	return at.step(&n).lifted()
}

// Element is the place of an element of an array.
func (at Place) Element() Place { return at.step(nil).lifted() }

// Index is the place behind a step of which it is not known whether it is the
// name of a member, an index, or nothing at all: the "0" of items[0] or /items/0,
// and what stands between the brackets of items[].
func (at Place) Index(text string) Place {
	return at.Or(at.step(nil)).Or(at.Member(text))
}

// Or is the place of what may stand at either of two places.
func (at Place) Or(other Place) Place {
	out := Place{paths: at.paths, live: make([]uint64, len(at.live))}
	for i := range out.live {
		out.live[i] = at.live[i] | other.live[i]
	}
	return out.lifted()
}

// Holds reports whether path i selects the value, or a container of it.
func (at Place) Holds(i int) bool {
	return !at.shown && at.paths.list[i].selects(at.live[i])
}

// Any gives the first path that holds here, or -1.
func (at Place) Any() int {
	for i := range at.paths.masks {
		if at.Holds(i) {
			return i
		}
	}
	return -1
}

// Above gives the first path that leads on from here by names alone, or -1:
// whoever replaces the value replaces what that path selects. Paths with ".." or
// ".*" lead on from everywhere, and say nothing.
func (at Place) Above() int {
	for i := range at.paths.masks {
		p := &at.paths.list[i]
		if at.live[i] != 0 && !at.Holds(i) && p.straight() {
			return i
		}
	}
	return -1
}

func (p *pattern) straight() bool {
	for _, s := range p.segs {
		if s.deep || s.kind == segAny {
			return false
		}
	}
	return true
}

func (at Place) step(n *name) Place {
	out := Place{paths: at.paths, live: make([]uint64, len(at.live))}
	for i, live := range at.live {
		if live != 0 {
			out.live[i] = at.paths.list[i].step1(live, n)
		}
	}
	return out
}

// step1 is the state at a member of that name, or at an element where n is nil.
// What a path has selected it selects with everything inside.
func (p *pattern) step1(live uint64, n *name) uint64 {
	end := uint64(1) << len(p.segs)
	next := live & end
	for rest := live &^ end; rest != 0; rest &= rest - 1 {
		j := bits.TrailingZeros64(rest)
		bit := uint64(1) << j
		seg := &p.segs[j]
		if p.takes(seg, n) {
			next |= bit << 1
		}
		if seg.deep || n == nil && seg.kind != segElems { // names look through arrays
			next |= bit
		}
	}
	return p.closed(next)
}

func (p *pattern) takes(seg *segment, n *name) bool {
	switch {
	case seg.kind == segAny:
		return true
	case seg.kind == segElems:
		return n == nil || p.read == readMask
	case n == nil:
		return false
	case p.read == readGrant:
		return string(n.text) == seg.name
	}
	return string(n.fold) == seg.fold
}

// closed adds the positions behind a [*] that is decoration: in the middle of a
// path that looks through arrays anyway.
func (p *pattern) closed(live uint64) uint64 {
	for j := 0; j < len(p.segs)-1; j++ {
		if p.segs[j].kind == segElems && !p.segs[j].deep {
			live |= live & (1 << j) << 1
		}
	}
	return live
}

// selects reports whether the end is reached. In front of a [*] at the end it is,
// for what is not an array.
func (p *pattern) selects(live uint64) bool {
	end := len(p.segs)
	if live>>end&1 != 0 {
		return true
	}
	if end == 0 {
		return false
	}
	last := &p.segs[end-1]
	return last.kind == segElems && !last.deep && live>>(end-1)&1 != 0
}

// lifted takes back what masks have selected so far, where a show selects the
// value: it holds again where a mask matches further inside.
func (at Place) lifted() Place {
	for i := at.paths.masks; i < len(at.live); i++ {
		p := &at.paths.list[i]
		at.shown = at.shown || p.selects(at.live[i])
		// A show is for the value that it selects: the masks of a container are
		// off inside of it already.
		at.live[i] &^= 1 << len(p.segs)
	}
	if at.shown {
		for i := range at.paths.masks {
			at.live[i] &^= 1 << len(at.paths.list[i].segs)
		}
	}
	return at
}
