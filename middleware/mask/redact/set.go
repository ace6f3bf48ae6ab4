package redact

import "math/bits"

// set is a set of positions.
type set []uint64

func (s set) has(i int) bool { return s[i>>6]>>(i&63)&1 != 0 }
func (s set) add(i int)      { s[i>>6] |= 1 << (i & 63) }
func (s set) remove(i int)   { s[i>>6] &^= 1 << (i & 63) }

// meets reports whether s and t have a position in common.
func (s set) meets(t set) bool {
	for w, x := range s {
		if x&t[w] != 0 {
			return true
		}
	}
	return false
}

// next gives the first position from i on and before to, or -1.
func (s set) next(i, to int) int {
	for i < to {
		if x := s[i>>6] >> (i & 63); x != 0 {
			if i += bits.TrailingZeros64(x); i < to {
				return i
			}
			return -1
		}
		i = i&^63 + 64
	}
	return -1
}

// join adds all of t.
func (s set) join(t set) {
	for w, x := range t {
		s[w] |= x
	}
}

// clear removes a range.
func (s set) clear(r span) {
	for i := s.next(r.from, r.to); i >= 0; i = s.next(i, r.to) {
		s.remove(i)
	}
}
