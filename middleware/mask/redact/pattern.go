package redact

import "slices"

// reading is how a path is read.
type reading uint8

const (
	readMask  reading = iota // loose names, through arrays, everything RFC 9535 selects and more
	readGrant                // exact names, through arrays
	readRows                 // loose names, literal
)

// pattern is a path as a nondeterministic automaton (Glushkov): being at
// position j means that j segments are behind. A value's positions follow from
// those of its container alone.
type pattern struct {
	segs []segment
	read reading
}

func newPattern(path string, read reading) (pattern, error) {
	segs, err := parsePath(path)
	return pattern{segs: segs, read: read}, err
}

// names reports whether what the path selects is what a member by its last name
// holds, the elements of an array included.
func (p *pattern) names() bool {
	for _, s := range slices.Backward(p.segs) {
		if s.kind != segElems || s.deep {
			return s.kind == segName
		}
	}
	return false
}

// literalEnd reports whether the path ends in [*].
func (p *pattern) literalEnd() bool {
	return len(p.segs) > 0 && p.segs[len(p.segs)-1].kind == segElems
}
