package graphql

import (
	"math/bits"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// positions is a set of places in a path: being at place i means that i of its
// segments are behind.
type positions uint64

func (p positions) has(i int) bool { return p>>i&1 != 0 }

// pop gives the first place of the set, and the set without it.
func (p positions) pop() (int, positions) { return bits.TrailingZeros64(uint64(p)), p & (p - 1) }

// pattern is a path that is followed through a query.
type pattern struct {
	segs []redact.Segment
	deep positions // in front of ".."
}

func newPattern(path string) (*pattern, error) {
	segs, err := redact.ParsePath(path)
	p := &pattern{segs: segs}
	for i := range segs {
		if segs[i].Deep {
			p.deep |= 1 << i
		}
	}
	return p, err
}

func (p *pattern) end() int { return len(p.segs) }

// follow follows a name: each segment that takes it leads to the next place,
// and the place in front of ".." stays.
func (p *pattern) follow(from positions, takes func(*redact.Segment) bool) positions {
	return p.advance(from, takes) | from&p.deep
}

// advance is follow without what stays.
func (p *pattern) advance(from positions, takes func(*redact.Segment) bool) (to positions) {
	for from != 0 {
		var i int
		if i, from = from.pop(); i < p.end() && takes(&p.segs[i]) {
			to |= 2 << i
		}
	}
	return to
}

// within adds the places behind segments that take elements of arrays: nobody
// knows what is an array, so this is how far a path may have come there.
func (p *pattern) within(at positions) positions {
	for i := range p.segs {
		if at.has(i) && (p.segs[i].Elements || p.segs[i].Any) {
			at |= 2 << i
		}
	}
	return at
}

// beyond adds the places behind [*] that counts for nothing where there is no
// array: this is how far a path has come there for sure.
func (p *pattern) beyond(at positions) positions {
	for i := range p.segs {
		if at.has(i) && p.segs[i].Elements && !p.segs[i].Deep {
			at |= 2 << i
		}
	}
	return at
}
