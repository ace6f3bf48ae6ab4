package redact

import "math/bits"

// naiveState is the set of positions of one pattern at one value, a bit each.
type naiveState struct {
	live uint64
	// firm are the live positions that the path leads to by name, not by ".."
	// or ".*". Only expose asks.
	firm uint64
}

// start is the state at the root.
func (p *pattern) start() naiveState { return p.close(naiveState{1, 1}) }

// step is the state at a member of that name, or at an element where n is nil.
func (p *pattern) step(s naiveState, n *name) naiveState {
	var next naiveState
	for live := s.live &^ (1 << len(p.segs)); live != 0; live &= live - 1 {
		j := bits.TrailingZeros64(live)
		bit := uint64(1) << j
		seg := &p.segs[j]
		if p.matches(seg, n) {
			next.live |= bit << 1
			if seg.kind == segName || seg.kind == segElems && !seg.deep && s.firm&bit != 0 {
				next.firm |= bit << 1
			}
		}
		switch {
		case seg.deep:
			next.live |= bit
		case n == nil && seg.kind != segElems && p.read != readRows: // names look through arrays
			next.live |= bit
			next.firm |= s.firm & bit
		}
	}
	return p.close(next)
}

func (p *pattern) matches(seg *segment, n *name) bool {
	switch {
	case seg.kind == segAny:
		return true
	case seg.kind == segElems:
		return n == nil || p.read == readMask
	case n == nil || !n.ok:
		return false
	case p.read == readGrant:
		return string(n.text) == seg.name
	}
	return string(n.fold) == seg.fold
}

// close adds the positions behind [*] where it is decoration: in the middle of
// a path that looks through arrays anyway.
func (p *pattern) close(s naiveState) naiveState {
	if p.read == readRows {
		return s
	}
	for j := 0; j < len(p.segs)-1; j++ {
		if p.segs[j].kind == segElems && !p.segs[j].deep {
			s.live |= s.live & (1 << j) << 1
			s.firm |= s.firm & (1 << j) << 1
		}
	}
	return s
}

// accepts reports whether the pattern matches the value.
func (p *pattern) accepts(s naiveState, array bool) bool {
	end := len(p.segs)
	if s.live>>end&1 != 0 {
		return true
	}
	if array || end == 0 || p.read == readRows {
		return false
	}
	last := &p.segs[end-1]
	return last.kind == segElems && !last.deep && s.live>>(end-1)&1 != 0
}

// reaches reports whether something inside of the value could match.
func (p *pattern) reaches(s naiveState) bool { return s.live&^(1<<len(p.segs)) != 0 }

// awaitsElements reports whether [*] is the next segment at some position.
func (p *pattern) awaitsElements(s naiveState) bool {
	for j := range p.segs {
		if s.live>>j&1 != 0 && p.segs[j].kind == segElems {
			return true
		}
	}
	return false
}
