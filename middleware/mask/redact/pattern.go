package redact

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

// literalEnd reports whether the path ends in [*].
func (p *pattern) literalEnd() bool {
	return len(p.segs) > 0 && p.segs[len(p.segs)-1].kind == segElems
}
